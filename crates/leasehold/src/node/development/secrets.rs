//! What `dev` draws for itself: sandbox passwords and client secrets, kept beside the data so that a second start finds them.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use anyhow::Context;
use leasehold_sandbox::Sandbox;
use leasehold_vault::Entropy;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::node::data::write_private;

/// The file they are in.
pub(super) const FILE: &str = "sandbox.toml";
/// What passwords are drawn from: nothing that looks like something else.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// The secrets of a development node. They open nothing but its sandbox.
#[derive(Clone)]
pub struct DevSecrets {
    /// Alice's password.
    pub alice: SecretString,
    /// Bob's password.
    pub bob: SecretString,
    /// Our client secret at the sandbox's identity provider.
    pub idp_client: SecretString,
    /// Our client secret at the sandbox's OAuth provider.
    pub provider_client: SecretString,
    /// What the sandbox's script port asks for.
    pub sandbox_script: SecretString,
    /// The ports of the sandbox's identity provider, OAuth provider and script, once it has run: issuers must not move.
    pub ports: Option<(u16, u16, u16)>,
}

/// Where a sandbox is.
#[derive(Debug, Clone)]
pub struct SandboxAddresses {
    /// The issuer of its identity provider.
    pub idp: String,
    /// The issuer of its OAuth provider.
    pub provider: String,
    /// Its script.
    pub script: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    alice_password: String,
    bob_password: String,
    idp_client_secret: String,
    provider_client_secret: String,
    sandbox_script_secret: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sandbox_ports: Option<(u16, u16, u16)>,
}

impl DevSecrets {
    /// Reads them, or draws them the first time.
    ///
    /// # Errors
    /// Where the file cannot be read or written.
    pub fn open(data: &Path, entropy: &dyn Entropy) -> anyhow::Result<Self> {
        let path = data.join(FILE);
        if path.exists() {
            let text =
                fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let stored: Stored =
                toml::from_str(&text).with_context(|| format!("cannot read {}", path.display()))?;
            return Ok(Self::from(stored));
        }
        let stored = Stored {
            alice_password: word(entropy, 12),
            bob_password: word(entropy, 12),
            idp_client_secret: word(entropy, 40),
            provider_client_secret: word(entropy, 40),
            sandbox_script_secret: word(entropy, 40),
            sandbox_ports: None,
        };
        let text = toml::to_string(&stored).context("cannot write the sandbox's secrets")?;
        write_private(&path, text.as_bytes())?;
        Ok(Self::from(stored))
    }

    /// Notes the ports that the sandbox took, for the next start.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn remember(&mut self, data: &Path, sandbox: &Sandbox) -> anyhow::Result<()> {
        let port = |address: &str| -> anyhow::Result<u16> {
            let url = Url::parse(address).context("the sandbox has no address")?;
            url.port().context("the sandbox has no port")
        };
        let ports =
            (port(sandbox.idp_issuer())?, port(sandbox.provider_issuer())?, port(&sandbox.control_url())?);
        if self.ports == Some(ports) {
            return Ok(());
        }
        self.ports = Some(ports);
        let stored = Stored {
            alice_password: self.alice.expose_secret().to_owned(),
            bob_password: self.bob.expose_secret().to_owned(),
            idp_client_secret: self.idp_client.expose_secret().to_owned(),
            provider_client_secret: self.provider_client.expose_secret().to_owned(),
            sandbox_script_secret: self.sandbox_script.expose_secret().to_owned(),
            sandbox_ports: self.ports,
        };
        let text = toml::to_string(&stored).context("cannot write the sandbox's secrets")?;
        write_private(&data.join(FILE), text.as_bytes())
    }

    /// Where the sandbox is, once it has run.
    pub fn issuers(&self) -> Option<SandboxAddresses> {
        let at = |port: u16| format!("http://{}", SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        self.ports.map(|(idp, provider, script)| SandboxAddresses {
            idp: at(idp),
            provider: at(provider),
            script: at(script),
        })
    }

    /// A person's password.
    pub fn password(&self, person: &str) -> &str {
        if person == "bob" { self.bob.expose_secret() } else { self.alice.expose_secret() }
    }
}

impl From<Stored> for DevSecrets {
    fn from(stored: Stored) -> Self {
        Self {
            alice: stored.alice_password.into(),
            bob: stored.bob_password.into(),
            idp_client: stored.idp_client_secret.into(),
            provider_client: stored.provider_client_secret.into(),
            sandbox_script: stored.sandbox_script_secret.into(),
            ports: stored.sandbox_ports,
        }
    }
}

fn word(entropy: &dyn Entropy, len: usize) -> String {
    let mut bytes = vec![0; len];
    entropy.fill(&mut bytes);
    bytes
        .iter()
        .map(|byte| char::from(LETTERS.get(usize::from(byte & 31)).copied().unwrap_or(b'a')))
        .collect()
}
