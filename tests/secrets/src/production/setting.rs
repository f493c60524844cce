//! What a production node is given: its files, its configuration, its addresses, and the sandbox beside it.

use std::{
    fs,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context;
use leasehold::node::DevSecrets;
use leasehold_sandbox::{Client, Options, Person};
use leasehold_vault::{OsEntropy, RootKey};

use super::{CLIENT, KeyBy, Production};
use crate::{canary::planted, furnish::GATEWAY};

impl Production {
    pub(super) fn write_files(&self, key: KeyBy, traces: &str) -> anyhow::Result<()> {
        let at = |name: &str| self.folder.path().join(name);
        fs::create_dir(at("tmp"))?;
        fs::create_dir(at("work"))?;
        drop(RootKey::create_file(&self.root_key(), &OsEntropy)?);
        for (name, text) in [
            ("ca.pem", &self.authority.pem),
            ("node.pem", &self.node_tls.chain),
            ("node.key", &self.node_tls.key),
            ("gateway.pem", &self.gateway_tls.chain),
            ("gateway.key", &self.gateway_tls.key),
        ] {
            private(&at(name), text)?;
        }
        let root_key = match key {
            KeyBy::File => format!("file = {:?}", self.root_key()),
            KeyBy::Command => format!("command = [\"cat\", {:?}]", self.root_key()),
            KeyBy::Environment => "environment = \"THE_ROOT_KEY\"".to_owned(),
        };
        let [grpc, console, operations] = self.ports;
        let config = format!(
            "data_dir = {data:?}\norigin = \"leasehold.test/canaries\"\npublic_url = {url:?}\n\
             grpc_address = \"127.0.0.1:{grpc}\"\nconsole_address = \"127.0.0.1:{console}\"\n\
             operations_address = \"127.0.0.1:{operations}\"\nexchange_address = \"127.0.0.1:0\"\negress_allow = [\"127.0.0.1/32\"]\n\
             egress_ca_file = {ca:?}\notlp_endpoint = {traces:?}\notlp_share_percent = 100\n\
             [root_key]\n{root_key}\n\
             [tls]\ncertificate_file = {chain:?}\nkey_file = {node_key:?}\nclient_ca_file = {ca:?}\n",
            data = self.data(),
            url = self.public_url,
            ca = at("ca.pem"),
            chain = at("node.pem"),
            node_key = at("node.key"),
        );
        private(&self.config(), &config)?;
        if let Some(user) = self.user {
            give(self.folder.path(), user)?;
        }
        Ok(())
    }

    /// The address of gRPC.
    pub fn grpc(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports[0])
    }

    /// The address of metrics and health.
    pub fn operations(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[2])
    }

    /// A place for what a test needs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the node keeps its data.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Where the node runs, and would leave a core dump.
    pub fn working_folder(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// The folder for temporary files that the node is told of.
    pub fn temporary_folder(&self) -> PathBuf {
        self.folder.path().join("tmp")
    }

    /// The root key's file: not among the data.
    pub fn root_key(&self) -> PathBuf {
        self.folder.path().join("root.key")
    }

    /// The node's configuration.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("leasehold.toml")
    }

    /// The file of profiles of the command line.
    pub fn profiles(&self) -> PathBuf {
        self.folder.path().join("profiles.toml")
    }
}

/// The sandbox: its people, its clients, and where others reach it.
pub(super) fn sandbox_options(secrets: &DevSecrets, idp: String, provider: String) -> Options {
    let person = |name: &str, password: &secrecy::SecretString| {
        Person::new(name, password.clone(), format!("{name}@example.test"), format!("{name} of the company"))
            .with_subject(format!("sandbox-{name}"))
    };
    let people = vec![person("alice", &secrets.alice), person("bob", &secrets.bob)];
    // The redirect URIs are known once the node has drawn its ids.
    let nowhere = "http://127.0.0.1/not-registered-yet";
    let (idp_port, provider_port, control_port) = secrets.ports.unwrap_or_default();
    Options {
        idp_port,
        provider_port,
        control_port,
        control_secret: Some(secrets.sandbox_script.clone()),
        people: people.clone(),
        accounts: people,
        idp_clients: vec![
            Client::new(CLIENT, secrets.idp_client.clone(), nowhere),
            // Its tokens are for the gateway, whose name is their audience.
            Client::new(GATEWAY, planted(), nowhere),
        ],
        provider_clients: vec![Client::new(CLIENT, secrets.provider_client.clone(), nowhere)],
        idp_issuer: Some(idp),
        provider_issuer: Some(provider),
        ..Options::default()
    }
}

/// Writes a file for its user alone.
///
/// # Errors
/// Where it cannot be written.
pub fn private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}

fn give(path: &Path, user: u32) -> anyhow::Result<()> {
    std::os::unix::fs::chown(path, Some(user), Some(user))?;
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), user)?;
        }
    }
    Ok(())
}
