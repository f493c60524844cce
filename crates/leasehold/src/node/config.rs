//! What `serve` is told, as a TOML file. Every option states its default and its bounds; an unknown one is refused.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use ipnet::IpNet;
use leasehold_vault::RootKeySource;
use serde::Deserialize;
use url::Url;

/// The configuration of a node.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the node keeps its data. Since 0.1.
    pub data_dir: PathBuf,
    /// The node's number in its cluster. 1 by default. Since 0.1.
    #[serde(default = "first_node")]
    pub node: u64,
    /// The origin line of the ledger's checkpoints, for example `leasehold.example/prod`: 1 to 128 characters without spaces and pluses. It is
    /// fixed at the first start. Since 0.1.
    pub origin: String,
    /// The address at which browsers reach this cluster, for example `https://leasehold.example`. Since 0.1.
    pub public_url: Url,
    /// Where the root key comes from. Since 0.1.
    pub root_key: RootKey,
    /// Where gRPC listens. `127.0.0.1:7400` by default; any other address than loopback needs `tls`. Since 0.1.
    #[serde(default = "grpc_address")]
    pub grpc_address: SocketAddr,
    /// Where the browser pages listen, in plain HTTP behind a TLS proxy. `127.0.0.1:7401` by default. Since 0.1.
    #[serde(default = "console_address")]
    pub console_address: SocketAddr,
    /// Where `/metrics`, `/healthz` and `/readyz` listen. `127.0.0.1:7402` by default. Since 0.1.
    #[serde(default = "operations_address")]
    pub operations_address: SocketAddr,
    /// Certificates for gRPC. Since 0.1.
    pub tls: Option<Tls>,
    /// A folder with provider files that add to or replace the compiled-in ones. Since 0.1.
    pub providers_dir: Option<PathBuf>,
    /// Address blocks that connectors may reach although they are not public, for providers inside the organisation's own network. None by
    /// default. Since 0.1.
    #[serde(default)]
    pub egress_allow: Vec<IpNet>,
    /// Certificate authorities for providers besides the platform's, as a PEM file. Since 0.1.
    pub egress_ca_file: Option<PathBuf>,
    /// Where traces go: an OTLP endpoint (gRPC). None by default. Since 0.1.
    pub otlp_endpoint: Option<String>,
    /// The share of traces that are sent there: 0 to 1, 0.01 by default. Since 0.1.
    #[serde(default = "otlp_share")]
    pub otlp_share: f64,
    /// For how many distinct subjects an hour one workload may vouch: 1 to 1,000,000, 1,000 by default. Since 0.1.
    #[serde(default = "vouched_subjects_max")]
    pub vouched_subjects_max: usize,
}

/// Where the root key comes from: exactly one of these.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootKey {
    /// A file that only this user may read.
    pub file: Option<PathBuf>,
    /// An environment variable. Other processes of this user can read it: a file or a command is better.
    pub environment: Option<String>,
    /// A program and its arguments; its output is the key.
    pub command: Option<Vec<String>>,
}

/// Certificates for gRPC.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate chain, as a PEM file.
    pub certificate_file: PathBuf,
    /// Its key, as a PEM file.
    pub key_file: PathBuf,
    /// The authorities whose client certificates are accepted, as a PEM file. None: client certificates are not asked for.
    pub client_ca_file: Option<PathBuf>,
}

fn first_node() -> u64 {
    1
}

fn grpc_address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 7400))
}

fn console_address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 7401))
}

fn operations_address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 7402))
}

fn otlp_share() -> f64 {
    0.01
}

fn vouched_subjects_max() -> usize {
    1000
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// Where it cannot be read or says something that cannot be; the message names the option.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let config: Self =
            toml::from_str(&text).with_context(|| format!("cannot read {}", path.display()))?;
        config.check().with_context(|| format!("cannot use {}", path.display()))?;
        Ok(config)
    }

    fn check(&self) -> anyhow::Result<()> {
        if self.node == 0 {
            bail!("node: at least 1");
        }
        let local = matches!(self.public_url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        match self.public_url.scheme() {
            "https" => {}
            "http" if local => {}
            _ => bail!("public_url: https, or http on this very machine"),
        }
        if self.public_url.path() != "/" || self.public_url.query().is_some() {
            bail!("public_url: scheme, host and port, without a path");
        }
        if !(0.0..=1.0).contains(&self.otlp_share) {
            bail!("otlp_share: 0 to 1");
        }
        if !(1..=1_000_000).contains(&self.vouched_subjects_max) {
            bail!("vouched_subjects_max: 1 to 1000000");
        }
        if !self.grpc_address.ip().is_loopback() && self.tls.is_none() {
            bail!("grpc_address: {} is not loopback, so tls must be set", self.grpc_address);
        }
        self.root_key.source().map(drop)
    }
}

impl RootKey {
    /// The one source that is named.
    ///
    /// # Errors
    /// Where none is, or several are.
    pub fn source(&self) -> anyhow::Result<RootKeySource> {
        match (&self.file, &self.environment, &self.command) {
            (Some(file), None, None) => Ok(RootKeySource::File(file.clone())),
            (None, Some(name), None) => Ok(RootKeySource::Environment(name.clone())),
            (None, None, Some(command)) if !command.is_empty() => Ok(RootKeySource::Command(command.clone())),
            _ => bail!("root_key: exactly one of file, environment and command"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "data_dir = \"d\"\norigin = \"o\"\npublic_url = \"https://leasehold.example\"\n[root_key]\nfile = \"k\"\n";

    fn read(text: &str) -> anyhow::Result<Config> {
        let file = tempfile::NamedTempFile::new()?;
        fs::write(file.path(), text)?;
        Config::read(file.path())
    }

    #[test]
    fn the_least_configuration_has_every_default() {
        let config = read(LEAST).unwrap();
        assert_eq!(config.node, 1);
        assert!(config.grpc_address.ip().is_loopback());
        assert!(config.egress_allow.is_empty());
        assert!((config.otlp_share - 0.01).abs() < f64::EPSILON);
    }

    #[test]
    fn an_unknown_option_and_a_second_root_key_are_refused() {
        assert!(read(&format!("colour = \"red\"\n{LEAST}")).is_err());
        assert!(read(&format!("{LEAST}environment = \"KEY\"\n")).is_err());
        assert!(read(&format!("otlp_share = 1.5\n{LEAST}")).is_err());
    }

    #[test]
    fn a_public_address_without_certificates_is_refused() {
        assert!(read(&format!("grpc_address = \"0.0.0.0:7400\"\n{LEAST}")).is_err());
    }

    #[test]
    fn a_public_url_in_the_clear_is_refused_except_on_this_machine() {
        let with = |url: &str| read(&LEAST.replace("https://leasehold.example", url));
        assert!(with("http://leasehold.example").is_err());
        assert!(with("https://leasehold.example/path").is_err());
        assert!(with("http://127.0.0.1:7401").is_ok());
    }
}
