//! Where a real node runs: its folder, the authorities that vouch for it and for its callers, and its configuration.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use leasehold_vault::{OsEntropy, RootKey};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
};
use tempfile::TempDir;

/// A self-made authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

/// A certificate and its key, as PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate with these names, after a last change.
    pub(crate) fn issue_with(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Pair {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.iter().map(|name| alternative(name)).collect();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Pair { certificate, key: key.serialize_pem() }
    }

    pub(crate) fn issue(&self, names: &[&str]) -> Pair {
        self.issue_with(names, |_| {})
    }
}

fn alternative(name: &str) -> SanType {
    if name.contains("://") {
        SanType::URI(name.try_into().unwrap())
    } else if let Ok(address) = name.parse() {
        SanType::IpAddress(address)
    } else {
        SanType::DnsName(name.try_into().unwrap())
    }
}

/// A folder for a node, with its root key and the authority of its certificates.
pub(crate) struct Place {
    folder: TempDir,
    /// Vouches for the node.
    pub(crate) authority: Authority,
    /// Vouches for its callers.
    pub(crate) callers: Authority,
}

impl Place {
    /// A place whose files have certificates of the node in them, and a configuration that uses them on both ports.
    pub(crate) fn with_tls() -> Self {
        let place = Self::bare("");
        place.write_pair("node", &place.authority.issue(&["localhost", "127.0.0.1"]));
        place.write("clients-ca.pem", &place.callers.pem);
        place.configure(
            "[tls]\ncertificate_file = \"node.pem\"\nkey_file = \"node.key\"\nclient_ca_file = \"clients-ca.pem\"\n[console_tls]\ncertificate_file = \"node.pem\"\nkey_file = \"node.key\"\n",
        );
        place
    }

    /// A place whose configuration has these lines besides the least.
    pub(crate) fn bare(lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        RootKey::create_file(&folder.path().join("root.key"), &OsEntropy).unwrap();
        let place = Self { folder, authority: Authority::new("nodes"), callers: Authority::new("callers") };
        place.write("ca.pem", &place.authority.pem);
        place.configure(lines);
        place
    }

    /// Writes the least configuration, with ephemeral ports, and these lines after it.
    pub(crate) fn configure(&self, lines: &str) {
        self.write(
            "leasehold.toml",
            &format!(
                "data_dir = \"data\"\norigin = \"leasehold.test/serve\"\npublic_url = \"https://leasehold.example\"\ngrpc_address = \"127.0.0.1:0\"\nconsole_address = \"127.0.0.1:0\"\noperations_address = \"127.0.0.1:0\"\nexchange_address = \"127.0.0.1:0\"\ndrain_delay_seconds = 1\nroot_key.file = \"root.key\"\n{lines}"
            ),
        );
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, contents: &str) {
        // In one step, as tools that renew certificates do it.
        let (path, part) = (self.path(name), self.path("part"));
        fs::write(&part, contents).unwrap();
        fs::set_permissions(&part, fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(&part, path).unwrap();
    }

    pub(crate) fn write_pair(&self, name: &str, pair: &Pair) {
        self.write(&format!("{name}.key"), &pair.key);
        self.write(&format!("{name}.pem"), &pair.certificate);
    }
}
