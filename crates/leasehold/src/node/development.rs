//! `leasehold dev`: one node and a sandbox beside it, on loopback, furnished so that the whole journey can be walked at once.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use leasehold_control::{Clock, FormerKey};
use leasehold_port::Door;
use leasehold_sandbox::{Client, Options as SandboxOptions, Person, Sandbox};
use leasehold_upstream::transport::{Egress, Settings as TransportSettings, Trust};
use leasehold_vault::{OsEntropy, RootKey, RootKeySource};
use secrecy::SecretString;
use tokio::net::TcpListener;
use url::Url;

use super::{
    data::{DataDir, write_private},
    fatal, scale,
    start::{Node, NodeOptions},
};

mod furnish;
mod secrets;

pub use furnish::{ADMINISTRATOR, CONNECTOR, Furnished, GATEWAY, MCP_SERVER};
pub use secrets::{DevSecrets, SandboxAddresses};

/// How `dev` is started. Ports of 0 are ephemeral.
#[derive(Debug, Clone)]
pub struct DevOptions {
    /// Where data are kept; none for a directory that goes with the process.
    pub data_dir: Option<PathBuf>,
    /// Where gRPC listens.
    pub grpc: SocketAddr,
    /// Where the browser pages listen.
    pub console: SocketAddr,
    /// Where tokens are exchanged over HTTP.
    pub exchange: SocketAddr,
    /// Where metrics and health listen.
    pub operations: SocketAddr,
    /// Where the sandbox's identity provider listens; its OAuth provider and its script take the next two ports. A second start on the same
    /// data takes the ports of the first, whatever is said here.
    pub sandbox_port: u16,
    /// Whether the node runs alone, beside a sandbox of another process: the one whose ports and secrets lie in the data directory. That process
    /// also tells its sandbox the redirect URIs.
    pub sandbox_elsewhere: bool,
}

impl Default for DevOptions {
    fn default() -> Self {
        Self {
            data_dir: None,
            grpc: loopback(0),
            console: loopback(0),
            exchange: loopback(0),
            operations: loopback(0),
            sandbox_port: 0,
            sandbox_elsewhere: false,
        }
    }
}

/// A development node and its sandbox.
pub struct Dev {
    /// The node.
    pub node: Node,
    /// The sandbox, where it runs in this process.
    pub sandbox: Option<Sandbox>,
    /// What was drawn for them.
    pub secrets: DevSecrets,
    /// The credentials, the first time.
    pub furnished: Option<Furnished>,
    /// Where their data are.
    pub data: PathBuf,
    /// Keeps a directory that goes with the process.
    temporary: Option<tempfile::TempDir>,
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

async fn bind(address: SocketAddr, what: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!(
            "cannot listen for {what} on {address}: is another `leasehold dev` running? Choose other ports"
        )
    })
}

impl Dev {
    /// Starts both, and furnishes the node the first time.
    ///
    /// # Errors
    /// What is in the way, with what to do about it.
    pub async fn start(options: &DevOptions) -> anyhow::Result<Self> {
        Self::start_at(options, scale::clock()).await
    }

    /// The same by another clock.
    ///
    /// # Errors
    /// What is in the way, with what to do about it.
    pub async fn start_at(options: &DevOptions, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        Self::start_with(options, clock, None).await
    }

    /// The same with what opens the keys where the directory's `root.key` does not: it is replaced.
    ///
    /// # Errors
    /// What is in the way, with what to do about it.
    pub async fn start_with(
        options: &DevOptions,
        clock: Arc<dyn Clock>,
        former: Option<FormerKey>,
    ) -> anyhow::Result<Self> {
        let temporary = match &options.data_dir {
            Some(_) => None,
            None => Some(
                tempfile::Builder::new()
                    .prefix("leasehold-dev-")
                    .tempdir()
                    .context("cannot make a directory")?,
            ),
        };
        let path = options
            .data_dir
            .clone()
            .or_else(|| temporary.as_ref().map(|dir| dir.path().to_owned()))
            .context("no data directory")?;
        let data = DataDir::open(&path)?;
        let mut secrets = DevSecrets::open(&path, &OsEntropy)?;
        let root_key = root_key(&data)?;
        let (grpc, console) =
            (bind(options.grpc, "gRPC").await?, bind(options.console, "the browser pages").await?);
        let (exchange, operations) =
            (bind(options.exchange, "token exchange").await?, bind(options.operations, "metrics").await?);
        let public_url =
            Url::parse(&format!("http://{}", console.local_addr()?)).context("cannot make the public URL")?;
        let sandbox = if options.sandbox_elsewhere {
            None
        } else {
            let sandbox = start_sandbox(options.sandbox_port, &secrets).await?;
            secrets.remember(&path, &sandbox)?;
            Some(sandbox)
        };
        let issuers = secrets.issuers().context(
            "no sandbox has run on this data directory yet: start `leasehold dev` on it with its sandbox first",
        )?;
        let started = Node::start(NodeOptions {
            data,
            node: 1,
            origin: "leasehold.local/dev".to_owned(),
            development: true,
            public_url,
            root_key,
            former,
            grpc,
            console,
            exchange,
            operations,
            certificates: Vec::new(),
            grpc_door: Door::Loopback,
            console_door: Door::Loopback,
            providers_dir: None,
            transport: TransportSettings {
                egress: Egress { allow_loopback: true, ..Egress::default() },
                // Everything is plain HTTP on loopback here, and a bare container has no authorities.
                trust: Trust::Nobody,
                ..TransportSettings::default()
            },
            vouched_subjects_max: 1000,
            clock,
            on_fatal: Arc::new(|reason| fatal::stop(reason)),
        })
        .await;
        let node = match started {
            Ok(node) => node,
            Err(refused) => {
                // Its ports are the next start's.
                if let Some(sandbox) = sandbox {
                    sandbox.shutdown().await;
                }
                return Err(refused);
            }
        };
        let furnished = furnish::furnish(&node.control, &issuers, &secrets, &path).await?;
        if let Some(sandbox) = &sandbox {
            furnish::register_redirects(&node.control, sandbox)?;
        }
        Ok(Self { node, sandbox, secrets, furnished, data: path, temporary })
    }

    /// Writes where everything is into `dev.json`, for programs that drive it.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn describe(&self) -> anyhow::Result<()> {
        let issuers = self.secrets.issuers().context("the sandbox has no address")?;
        let described = serde_json::json!({
            "grpc": format!("http://{}", self.node.grpc),
            "console": format!("http://{}", self.node.console),
            "exchange": format!("http://{}", self.node.exchange),
            "operations": format!("http://{}", self.node.operations),
            "identity_provider": issuers.idp,
            "provider": issuers.provider,
            "sandbox": issuers.script,
            "secrets": self.data.join(secrets::FILE),
            "pid": std::process::id(),
        });
        write_private(&self.data.join("dev.json"), format!("{described:#}\n").as_bytes())
    }

    /// Stops both. A directory that goes with the process goes.
    ///
    /// # Errors
    /// Where the node did not stop in order.
    pub async fn stop(self) -> anyhow::Result<()> {
        // The node first: what is on its way to the sandbox is answered yet.
        let stopped = self.node.stop().await;
        if let Some(sandbox) = self.sandbox {
            sandbox.shutdown().await;
        }
        stopped?;
        if let Some(temporary) = self.temporary {
            temporary.close().context("cannot remove the temporary data directory")?;
        }
        Ok(())
    }
}

fn root_key(data: &DataDir) -> anyhow::Result<RootKey> {
    let path = data.root_key();
    if path.exists() {
        return RootKeySource::File(path).load().context("cannot read the root key");
    }
    if data.ledger().exists() {
        anyhow::bail!(
            "{} is gone, but the data that it wraps are there: put it back; nothing was changed",
            path.display()
        );
    }
    RootKey::create_file(&path, &OsEntropy).context("cannot make a root key")
}

/// Starts the sandbox that belongs to these secrets: at the ports of its first start, or at `port` and the next two (0: free ones). It knows no
/// redirect URI yet.
///
/// # Errors
/// Where it cannot listen.
pub async fn start_sandbox(port: u16, secrets: &DevSecrets) -> anyhow::Result<Sandbox> {
    let person = |name: &str, display: &str, password: &SecretString| {
        Person::new(name, password.clone(), format!("{name}@example.test"), display)
            .with_subject(format!("sandbox-{name}"))
    };
    let people =
        vec![person("alice", "Alice Archer", &secrets.alice), person("bob", "Bob Baker", &secrets.bob)];
    let after = |step: u16| match port {
        0 => 0,
        port => port.saturating_add(step),
    };
    let (idp_port, provider_port, script_port) = secrets.ports.unwrap_or((after(0), after(1), after(2)));
    // The redirect URIs are known once the node has drawn its ids.
    let nowhere = "http://127.0.0.1/not-registered-yet";
    Sandbox::start(SandboxOptions {
        idp_port,
        provider_port,
        control_port: script_port,
        control_secret: Some(secrets.sandbox_script.clone()),
        people: people.clone(),
        accounts: people,
        idp_clients: vec![Client::new("leasehold", secrets.idp_client.clone(), nowhere).named("Leasehold")],
        provider_clients: vec![
            Client::new("leasehold", secrets.provider_client.clone(), nowhere).named("Leasehold"),
        ],
        ..SandboxOptions::default()
    })
    .await
    .context("cannot start the sandbox")
}

/// Whether a data directory was made by an earlier `dev`.
pub fn was_furnished(path: &Path) -> bool {
    path.join(secrets::FILE).exists()
}
