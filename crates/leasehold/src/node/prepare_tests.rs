use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use leasehold_domain::id::OrganisationId;
use leasehold_vault::{Keyring, OsEntropy, RootKey};
use tempfile::TempDir;

use super::*;

/// 2030-01-01.
const NOW: Timestamp = Timestamp::from_millis(1_893_456_000_000);

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let place = Self(tempfile::tempdir().unwrap());
        RootKey::create_file(&place.path("root.key"), &OsEntropy).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, contents: &str, mode: u32) {
        fs::write(self.path(name), contents).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Prepares the least configuration with these lines before it, and answers with the options that findings are about.
    fn found(&self, lines: &str) -> Vec<String> {
        match prepare(&self.text(lines), NOW) {
            Ok(_) => Vec::new(),
            Err(findings) => findings.into_iter().map(|finding| finding.option).collect(),
        }
    }

    /// What a node would be started with.
    fn prepared(&self, lines: &str) -> Prepared {
        assert_eq!(self.found(lines), Vec::<String>::new());
        prepare(&self.text(lines), NOW).ok().unwrap()
    }

    fn text(&self, lines: &str) -> String {
        let folder = self.0.path().display().to_string();
        let text = format!(
            "{lines}\ndata_dir = \"@/data\"\norigin = \"o\"\npublic_url = \"https://leasehold.example\"\n[root_key]\nfile = \"@/root.key\"\n"
        );
        text.replace('@', &folder)
    }
}

#[test]
fn what_is_named_is_looked_at_and_nothing_is_made() {
    let place = Place::new();
    assert!(place.found("").is_empty());
    assert!(!place.path("data").exists());
}

#[test]
fn everything_that_is_wrong_with_what_is_named_is_found_in_one_run() {
    let place = Place::new();
    place.write("proxy", "no colon", 0o600);
    place.write("data", "a file", 0o600);
    place.write("root.key", "not a key", 0o600);
    place.write("ca.pem", "no certificate", 0o600);
    let found = place.found(
        "tls = { certificate_file = \"@/none\", key_file = \"@/none\" }\nproviders_dir = \"@/none\"\negress_proxy = \"http://proxy.example:3128\"\negress_proxy_credentials_file = \"@/proxy\"\negress_ca_file = \"@/none\"\nblue = 1",
    );
    let expected = [
        "blue",
        "root_key",
        "tls",
        "providers_dir",
        "egress_ca_file",
        "egress_proxy_credentials_file",
        "data_dir",
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_opens_the_keys_until_the_root_key_does_is_looked_at_too() {
    let place = Place::new();
    let former = "previous_root_key = { file = \"@/before\" }";
    assert_eq!(place.found(former), ["previous_root_key"]);
    let before = RootKey::create_file(&place.path("before"), &OsEntropy).unwrap();
    assert!(matches!(place.prepared(former).former, Some(FormerKey::RootKey(_))));

    let files = "recovery = { copy_file = \"@/copy\", key_file = \"@/key\" }";
    assert_eq!(place.found(files), ["recovery"]);
    let (keyring, _) = Keyring::generate(OrganisationId::from_bytes([1; 16]), &before, &OsEntropy);
    let key = RootKey::create_file(&place.path("key"), &OsEntropy).unwrap();
    let copy = RecoveryCopy::make(&keyring, &key, &OsEntropy).to_text();
    place.write("copy", &copy, 0o600);
    assert!(matches!(place.prepared(files).former, Some(FormerKey::Recovery(..))));
    place.write("copy", &copy, 0o644);
    assert_eq!(place.found(files), ["recovery"], "others can read it");
    place.write("copy", copy.strip_suffix("=\n").unwrap_or("no copy"), 0o600);
    assert_eq!(place.found(files), ["recovery"], "it was cut off");
    place.write("copy", &copy, 0o600);
    fs::copy(place.path("before"), place.path("key")).unwrap();
    assert_eq!(place.found(files), ["recovery"], "it is another copy's key");
}

#[test]
fn credentials_of_a_proxy_are_private_and_a_bundle_holds_certificates() {
    let place = Place::new();
    let proxy = "egress_proxy = \"http://proxy.example:3128\"\negress_proxy_credentials_file = \"@/proxy\"";
    place.write("proxy", "user:secret\n", 0o600);
    let transport = place.prepared(&format!("{proxy}\negress_proxy_hosts = [\"login.example\"]")).transport;
    let proxied = transport.proxy.unwrap();
    assert_eq!(proxied.url.as_str(), "http://proxy.example:3128/");
    assert!(proxied.credentials.is_some() && proxied.unresolved.len() == 1);
    place.write("proxy", "user:secret\n", 0o644);
    assert_eq!(place.found(proxy), ["egress_proxy_credentials_file"]);
    place.write("ca.pem", "no certificate", 0o600);
    assert_eq!(place.found("egress_ca_file = \"@/ca.pem\""), ["egress_ca_file"]);
}
