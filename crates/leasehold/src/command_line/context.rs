//! What every command has: how to reach the cluster, and where the answer goes.

use std::{fs, path::PathBuf, time::Duration};

use clap::Args;
use leasehold_client::{Client, Endpoint, Proof};
use secrecy::SecretString;
use tonic::Request;

use super::{
    failure::{During as _, Failure},
    output::Output,
    profiles::{self, Profile, ProfilesError},
    secret,
    view::Format,
};
use crate::private_file::{self, Audience};

/// How long a call may take before the node gives it up.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest file of certificates or keys, in bytes.
const PEM_LEN_MAX: u64 = 1024 * 1024;

/// The options that every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Which profile to use; `admin` where none is named
    #[arg(
        long = "as",
        global = true,
        env = "LEASEHOLD_PROFILE",
        hide_env_values = true,
        value_name = "PROFILE"
    )]
    pub(super) profile: Option<String>,
    /// The cluster's address, in place of the profile's
    #[arg(long, global = true, env = "LEASEHOLD_ADDRESS", hide_env_values = true, value_name = "URL")]
    pub(super) address: Option<String>,
    /// A file with the API credential, in place of the profile's; `-` is standard input
    #[arg(
        long,
        global = true,
        env = "LEASEHOLD_CREDENTIAL_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub(super) credential_file: Option<PathBuf>,
    /// The certificate authorities to believe, as PEM, in place of the profile's
    #[arg(long, global = true, env = "LEASEHOLD_CA_FILE", hide_env_values = true, value_name = "FILE")]
    pub(super) ca_file: Option<PathBuf>,
    /// In which form to print the answer
    #[arg(long, global = true, value_enum, default_value_t = Format::Table, value_name = "FORMAT")]
    pub(super) output: Format,
    /// Print one raw value of the answer, named as in JSON
    #[arg(long, global = true, conflicts_with = "output", value_name = "NAME")]
    pub(super) field: Option<String>,
}

/// What a command runs with.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) global: Global,
    pub(super) output: Output,
}

impl Context {
    pub(super) fn new(global: Global) -> Self {
        let output = Output::new(global.output, global.field.clone());
        Self { global, output }
    }

    /// The name of the profile to use.
    pub(super) fn profile_name(&self) -> &str {
        self.global.profile.as_deref().unwrap_or(profiles::DEFAULT)
    }

    /// Opens a connection as the profile and the options say.
    pub(super) async fn client(&self) -> Result<Client, Failure> {
        let endpoint = endpoint(&self.profile()?)?;
        Client::connect(endpoint).await.map_err(|error| Failure::connect(&error))
    }

    /// The profile, with what the options put in place of it. Where the options say everything, there need not be one.
    pub(super) fn profile(&self) -> Result<Profile, Failure> {
        let Global { profile: named, address, credential_file, ca_file, .. } = &self.global;
        let name = self.profile_name();
        let stored = profiles::read(name).map_err(|error| unusable(&error))?;
        let enough = named.is_none() && address.is_some();
        let mut profile = match stored {
            Some(profile) => profile,
            None if enough => Profile::default(),
            None => {
                return Err(Failure::local(
                    "reach the cluster",
                    "PROFILE_UNKNOWN",
                    format!("no profile is named {name}"),
                ));
            }
        };
        if let Some(address) = address {
            profile.address.clone_from(address);
        }
        if let Some(file) = credential_file {
            profile.credential = None;
            profile.credential_file = Some(file.clone());
        }
        if let Some(file) = ca_file {
            profile.ca_file = Some(file.clone());
        }
        Ok(profile)
    }
}

/// What a profile that cannot be read or written means to the command.
pub(super) fn unusable(error: &ProfilesError) -> Failure {
    let code = match error {
        ProfilesError::Read { source, .. }
            if matches!(**source, private_file::ReadPrivateError::Readable { .. }) =>
        {
            "PROFILE_READABLE"
        }
        ProfilesError::NoFolder
        | ProfilesError::Read { .. }
        | ProfilesError::Malformed { .. }
        | ProfilesError::Unwritable(_)
        | ProfilesError::Write { .. } => "PROFILE",
    };
    Failure::local("use the stored profiles", code, error.to_string())
}

/// Where a profile leads.
pub(super) fn endpoint(profile: &Profile) -> Result<Endpoint, Failure> {
    let ca_pem = match &profile.ca_file {
        Some(path) => {
            Some(fs::read(path).during(format!("read the certificate authorities from {}", path.display()))?)
        }
        None => None,
    };
    Ok(Endpoint { address: profile.address.clone(), ca_pem, proof: proof(profile)? })
}

fn proof(profile: &Profile) -> Result<Proof, Failure> {
    if let Some(credential) = credential(profile)? {
        return Ok(Proof::Credential(credential));
    }
    match (&profile.certificate_file, &profile.key_file) {
        (Some(certificate), Some(key)) => {
            let attempted = || format!("read the private key from {}", key.display());
            let chain_pem = fs::read(certificate)
                .during(format!("read the certificate from {}", certificate.display()))?;
            let key_pem = private_file::read(key, Audience::OwnerAndGroup, PEM_LEN_MAX)
                .map_err(|error| secret::refused(attempted(), &error))?;
            Ok(Proof::Certificate { chain_pem, key_pem: key_pem.as_bytes().to_vec().into() })
        }
        (None, None) => Ok(Proof::Nobody),
        (Some(_), None) | (None, Some(_)) => Err(Failure::local(
            "reach the cluster",
            "PROFILE",
            "certificate_file and key_file belong together",
        )),
    }
}

fn credential(profile: &Profile) -> Result<Option<SecretString>, Failure> {
    match (&profile.credential, &profile.credential_file) {
        (Some(credential), _) => Ok(Some(credential.clone())),
        (None, Some(path)) => secret::from_file("the credential", path).map(Some),
        (None, None) => Ok(None),
    }
}

/// A call that the node gives up after half a minute.
pub(super) fn ask<Message>(message: Message) -> Request<Message> {
    let mut request = Request::new(message);
    request.set_timeout(CALL_TIMEOUT);
    request
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn a_credential_comes_before_a_certificate_and_nobody_is_allowed() {
        let both = Profile {
            credential: Some("lh_ad_x.y".into()),
            certificate_file: Some(PathBuf::from("/nowhere")),
            key_file: Some(PathBuf::from("/nowhere")),
            ..Profile::default()
        };
        assert!(matches!(proof(&both).unwrap(), Proof::Credential(_)));
        assert!(matches!(proof(&Profile::default()).unwrap(), Proof::Nobody));
        let half = Profile { certificate_file: Some(PathBuf::from("/nowhere")), ..Profile::default() };
        assert_eq!(proof(&half).unwrap_err().code(), "PROFILE");
    }

    #[test]
    fn a_private_key_that_everybody_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
        fs::write(&certificate, "certificate").unwrap();
        fs::write(&key, "key").unwrap();
        let profile = || Profile {
            certificate_file: Some(certificate.clone()),
            key_file: Some(key.clone()),
            ..Profile::default()
        };
        fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(proof(&profile()).unwrap_err().code(), "SECRET_READABLE");
        fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(proof(&profile()).unwrap(), Proof::Certificate { .. }));
    }

    #[test]
    fn a_call_carries_its_deadline() {
        assert_eq!(ask(()).metadata().get("grpc-timeout").unwrap(), "30000000u");
    }
}
