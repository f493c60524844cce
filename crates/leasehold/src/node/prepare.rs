//! From a configuration to everything that a node is started with: what is named is read and judged, and all that is wrong is said at once.
//! `serve --check` ends here.

use anyhow::Context;
use leasehold_control::FormerKey;
use leasehold_domain::time::Timestamp;
use leasehold_port::{Door, Protocol};
use leasehold_upstream::{
    catalogue::Catalogue,
    transport::{
        Egress, ForwardProxy, ProxyCredentials, Settings as TransportSettings, Transport, TransportError,
        Trust,
    },
};
use leasehold_vault::{RecoveryCopy, RootKey, RootKeySource};

use super::{
    certificates::{Certificates, read_pem},
    config::{self, Config, Finding, Optional, RecoveryFiles, TlsFiles},
    data::DataDir,
};
use crate::private_file::{self, Audience};

/// The longest file with credentials, in bytes.
const CREDENTIALS_LEN_MAX: u64 = 4096;

/// What a production node is started with.
pub struct Prepared {
    /// The configuration.
    pub config: Config,
    /// The root key.
    pub root_key: RootKey,
    /// What opens the keys where the root key does not yet.
    pub former: Option<FormerKey>,
    /// The certificates of the ports that have some.
    pub certificates: Vec<Certificates>,
    /// How gRPC is reached.
    pub grpc_door: Door,
    /// How the browser pages are reached.
    pub console_door: Door,
    /// The way out.
    pub transport: TransportSettings,
    /// What is allowed, and better otherwise.
    pub advice: Vec<String>,
}

/// Reads the text of a configuration and what it names. Blocks: the root key may come from a program.
///
/// # Errors
/// Everything that is wrong. Nothing was changed then.
pub fn prepare(text: &str, now: Timestamp) -> Result<Prepared, Vec<Finding>> {
    let parsed = config::parse(text);
    let mut found = Found(parsed.findings);
    let options = &parsed.options;

    let root_key = parsed.root_key.as_ref().and_then(|source| {
        let loaded = source.load().with_context(|| format!("cannot get the root key from {source}"));
        found.or("root_key", loaded)
    });
    let former = found.former(options);
    let grpc = found.certificates("tls", "grpc", Protocol::Grpc, options.tls.as_ref(), now);
    let console =
        found.certificates("console_tls", "console", Protocol::Pages, options.console_tls.as_ref(), now);
    found.or(
        "providers_dir",
        Catalogue::load(options.providers_dir.as_deref()).context("cannot read the providers"),
    );
    let transport = found.transport(options);
    if let Some(data_dir) = &parsed.data_dir {
        found.or("data_dir", DataDir::examine(data_dir, parsed.node, false));
    }

    match (parsed.config, root_key, transport) {
        (Some(config), Some(root_key), Some(transport)) if found.0.is_empty() => {
            let door = |certificates: &Option<Certificates>, clear: Door| {
                certificates.as_ref().map_or(clear, Certificates::door)
            };
            let clear =
                if config.options.console_behind_tls_proxy { Door::BehindTlsProxy } else { Door::Loopback };
            Ok(Prepared {
                grpc_door: door(&grpc, Door::Loopback),
                console_door: door(&console, clear),
                advice: advice(&config, console.as_ref()),
                certificates: grpc.into_iter().chain(console).collect(),
                config,
                root_key,
                former,
                transport,
            })
        }
        _ => Err(found.0),
    }
}

fn advice(config: &Config, console: Option<&Certificates>) -> Vec<String> {
    let mut advice = Vec::new();
    if matches!(config.root_key, RootKeySource::Environment(_)) {
        advice.push(
            "the root key comes from the environment, which other processes of this user can read: a file or a command is better"
                .to_owned(),
        );
    }
    if config.options.console_behind_tls_proxy && !config.options.console_address.ip().is_loopback() {
        advice.push(
            "the browser pages are served in clear beyond this machine: only the TLS proxy in front of them may reach them"
                .to_owned(),
        );
    }
    if let (Some(console), Some(host)) = (console, config.public_url.host_str())
        && !console.are_for(host)
    {
        advice.push(format!(
            "the certificate of console_tls is not for {host}, which public_url names: browsers will refuse it"
        ));
    }
    advice
}

/// What is wrong so far.
struct Found(Vec<Finding>);

impl Found {
    /// What was made, or the finding why not.
    fn or<T>(&mut self, option: &str, made: anyhow::Result<T>) -> Option<T> {
        made.inspect_err(|error| {
            let problem = format!("{error:#}");
            self.0.push(Finding { line: None, option: option.to_owned(), problem });
        })
        .ok()
    }

    /// What opens the keys where the root key does not yet.
    fn former(&mut self, options: &Optional) -> Option<FormerKey> {
        if let Some(source) = &options.previous_root_key {
            let loaded =
                source.load().with_context(|| format!("cannot get the former root key from {source}"));
            return self.or("previous_root_key", loaded.map(FormerKey::RootKey));
        }
        let files = options.recovery.as_ref()?;
        self.or("recovery", recovery(files))
    }

    fn certificates(
        &mut self,
        option: &str,
        port: &'static str,
        protocol: Protocol,
        files: Option<&TlsFiles>,
        now: Timestamp,
    ) -> Option<Certificates> {
        self.or(option, Certificates::load(port, protocol, files?.clone(), now))
    }

    fn transport(&mut self, options: &Optional) -> Option<TransportSettings> {
        let before = self.0.len();
        let authorities = options.egress_ca_file.as_deref().map(read_pem);
        let authorities = authorities.and_then(|read| self.or("egress_ca_file", read));
        let credentials = options.egress_proxy_credentials_file.as_deref().map(|path| {
            let text = private_file::read(path, Audience::OwnerAndGroup, CREDENTIALS_LEN_MAX)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let line = text.strip_suffix('\n').unwrap_or(&text);
            ProxyCredentials::parse(line.strip_suffix('\r').unwrap_or(line)).with_context(|| {
                format!("{} does not hold one line with a user name, a colon and a password", path.display())
            })
        });
        let credentials = credentials.and_then(|read| self.or("egress_proxy_credentials_file", read));
        // A URL that cannot be a proxy's was found when it was read.
        let proxy = options
            .egress_proxy
            .clone()
            .filter(|url| url.username().is_empty())
            .map(|url| ForwardProxy { url, credentials, unresolved: options.egress_proxy_hosts.clone() });
        let settings = TransportSettings {
            egress: Egress { allow_loopback: false, allowed: options.egress_allow.clone() },
            trust: Trust::PlatformAnd(authorities.map(|pem| pem.as_bytes().to_vec()).unwrap_or_default()),
            proxy,
            ..TransportSettings::default()
        };
        if self.0.len() > before {
            return None;
        }
        match Transport::new(settings.clone()) {
            Ok(_) => Some(settings),
            Err(error) => {
                let option = if matches!(error, TransportError::Certificates) {
                    "egress_ca_file"
                } else {
                    "egress_proxy"
                };
                let tried = Err(error).context("cannot set up the way out to providers");
                self.or(option, tried)
            }
        }
    }
}

/// A recovery copy, and its key if it is this one's.
fn recovery(files: &RecoveryFiles) -> anyhow::Result<FormerKey> {
    let shown = files.copy_file.display();
    let limit = RecoveryCopy::LEN_MAX as u64;
    let text = private_file::read(&files.copy_file, Audience::OwnerAndGroup, limit)
        .with_context(|| format!("cannot read {shown}"))?;
    let copy = RecoveryCopy::parse(&text).with_context(|| format!("cannot use {shown}"))?;
    let source = RootKeySource::File(files.key_file.clone());
    let key = source.load().with_context(|| format!("cannot get the recovery key from {source}"))?;
    copy.open(&key).with_context(|| format!("cannot open {shown}"))?;
    Ok(FormerKey::Recovery(copy, key))
}

#[cfg(test)]
#[path = "prepare_tests.rs"]
mod tests;
