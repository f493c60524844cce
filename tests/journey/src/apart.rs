//! A node in a process of its own, which tests kill, starve and start again, and its sandbox in the test's own process, which outlives it and so
//! can be asked afterwards what the node had sent.
//!
//! The node is the binary that cargo built beside the test, started as `leasehold dev --no-sandbox`.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use leasehold::node::{Binary, DevSecrets, start_sandbox};
use leasehold_proto::v1::{
    ListConnectorsRequest, ListIdentityProvidersRequest, catalog_service_client::CatalogServiceClient,
    subject_service_client::SubjectServiceClient,
};
use leasehold_sandbox::{Control as SandboxControl, Issuer, Sandbox};
use leasehold_vault::OsEntropy;
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};
use tonic::transport::{Channel, Endpoint};

use crate::{
    budget::Budget,
    calls::{Acquired, acquire, for_alice},
    people::People,
    world::{Bearer, DataFolder, Speaking, binary, install_crypto, none_in},
};

/// How long a node may take to be ready, or to end once it should.
const READY_MAX: Duration = Duration::from_secs(60);

/// A node's process and its sandbox.
pub struct Apart {
    /// The sandbox.
    pub sandbox: Sandbox,
    /// What was drawn for both.
    pub secrets: DevSecrets,
    /// The administrator's credential.
    pub admin_credential: String,
    /// The gateway's credential.
    pub gateway_credential: String,
    folder: DataFolder,
    ports: [u16; 3],
    node: Option<Child>,
    /// How many times the node was started: each start has a log of its own.
    starts: u32,
    _budget: Budget,
}

impl Apart {
    /// Starts the sandbox and a fresh node, furnished as `leasehold dev` furnishes it.
    ///
    /// # Errors
    /// What is in the way.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(&[]).await
    }

    /// The same with variables in the node's environment.
    ///
    /// # Errors
    /// What is in the way.
    pub async fn start_with(environment: &[(&str, &str)]) -> anyhow::Result<Self> {
        let mut apart = Self::begin().await?;
        apart.start_first(environment).await?;
        Ok(apart)
    }

    /// Starts the sandbox alone, beside an empty data directory.
    ///
    /// # Errors
    /// What is in the way.
    pub async fn begin() -> anyhow::Result<Self> {
        install_crypto();
        let folder = DataFolder::new()?;
        let data = folder.path().join("data");
        fs::create_dir(&data)?;
        let mut secrets = DevSecrets::open(&data, &OsEntropy)?;
        let sandbox = start_sandbox(0, &secrets).await?;
        secrets.remember(&data, &sandbox)?;
        Ok(Self {
            sandbox,
            secrets,
            admin_credential: String::new(),
            gateway_credential: String::new(),
            folder,
            ports: [free_port()?, free_port()?, free_port()?],
            node: None,
            starts: 0,
            _budget: Budget::of_this_suite(),
        })
    }

    /// Starts the node for the first time, and learns the credentials with which it was furnished.
    ///
    /// # Errors
    /// What is in the way.
    pub async fn start_first(&mut self, environment: &[(&str, &str)]) -> anyhow::Result<()> {
        self.start_again(environment).await?;
        let profiles: toml::Table = toml::from_str(&fs::read_to_string(self.profiles())?)?;
        self.admin_credential = credential(&profiles, "admin")?;
        self.gateway_credential = credential(&profiles, "demo-gateway")?;
        self.register_redirects().await
    }

    /// Starts the node again, on the same data and at the same addresses, and waits until it is ready.
    ///
    /// # Errors
    /// Where it ends instead, with what it said; or is not ready in time.
    pub async fn start_again(&mut self, environment: &[(&str, &str)]) -> anyhow::Result<()> {
        self.spawn(environment)?;
        let described = self.data().join("dev.json");
        let deadline = Instant::now() + READY_MAX;
        while !described.exists() {
            let node = self.node.as_mut().context("no node was started")?;
            if let Some(status) = node.try_wait()? {
                bail!("the node ended with {status}:\n{}", self.log());
            }
            ensure!(Instant::now() < deadline, "the node was not ready in time:\n{}", self.log());
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Starts the node, and waits for nothing.
    ///
    /// # Errors
    /// Where one runs already, or the process cannot be made.
    pub fn spawn(&mut self, environment: &[(&str, &str)]) -> anyhow::Result<()> {
        ensure!(self.node.is_none(), "the node runs already");
        let described = self.data().join("dev.json");
        if described.exists() {
            fs::remove_file(described)?;
        }
        self.starts += 1;
        let log = fs::File::create(self.log_file(self.starts)).context("cannot make the log file")?;
        let mut command = self.command(&[]);
        let [grpc, console, operations] = self.ports.map(|port| format!("127.0.0.1:{port}"));
        command
            .args(["dev", "--no-sandbox", "--data-dir"])
            .arg(self.data())
            .args(["--listen", &grpc, "--console-listen", &console, "--operations-listen", &operations])
            .args(["--exchange-listen", "127.0.0.1:0"])
            .env("RUST_LOG", "info,leasehold=debug")
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .stderr(log);
        self.node = Some(command.spawn().context("the node's process cannot be made")?);
        Ok(())
    }

    /// The command line of the same binary, with the profiles `admin` and `demo-gateway`.
    pub fn command(&self, arguments: &[&str]) -> Command {
        Binary::command(&binary(), &self.profiles(), arguments)
    }

    /// The node's process id.
    ///
    /// # Errors
    /// Where none runs.
    pub fn pid(&self) -> anyhow::Result<u32> {
        self.node.as_ref().and_then(Child::id).context("no node runs")
    }

    /// Ends the node at once (SIGKILL), as a power cut would end the process.
    ///
    /// # Errors
    /// Where none runs.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        let mut node = self.node.take().context("no node runs")?;
        node.kill().await.context("cannot kill the node")
    }

    /// Waits until the node has ended by itself.
    ///
    /// # Errors
    /// Where it goes on.
    pub async fn ended(&mut self) -> anyhow::Result<ExitStatus> {
        let node = self.node.as_mut().context("no node runs")?;
        let status = timeout(READY_MAX, node.wait()).await.context("the node goes on")??;
        self.node = None;
        Ok(status)
    }

    /// Tells the node to end (SIGTERM), and waits until it has.
    ///
    /// # Errors
    /// Where it goes on.
    pub async fn terminate(&mut self) -> anyhow::Result<ExitStatus> {
        let told = Command::new("kill").args(["-TERM", &self.pid()?.to_string()]).status().await?;
        ensure!(told.success(), "the node could not be told to end");
        self.ended().await
    }

    /// Where the node keeps its data.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A place beside the node's data, for what a test needs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the node has logged since its last start.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file(self.starts)).unwrap_or_default()
    }

    /// The files with what every start of the node has logged.
    pub fn logs(&self) -> Vec<PathBuf> {
        (1..=self.starts).map(|start| self.log_file(start)).collect()
    }

    /// The address of the node's gRPC.
    pub fn grpc(&self) -> String {
        let [grpc, _, _] = self.ports;
        format!("http://127.0.0.1:{grpc}")
    }

    /// The address of the node's pages.
    pub fn console(&self) -> String {
        let [_, console, _] = self.ports;
        format!("http://127.0.0.1:{console}")
    }

    /// The address of the node's metrics and health.
    pub fn operations(&self) -> String {
        let [_, _, operations] = self.ports;
        format!("http://127.0.0.1:{operations}")
    }

    /// A channel without a credential. It dials when it is first used, and again after the node has started again.
    pub fn nobody(&self) -> Channel {
        Endpoint::from_shared(self.grpc()).map_or_else(
            |_| Endpoint::from_static("http://127.0.0.1:9").connect_lazy(),
            |endpoint| endpoint.connect_lazy(),
        )
    }

    /// A channel for a credential.
    pub fn speaking(&self, credential: &str) -> Speaking {
        Speaking::new(self.nobody(), Bearer::new(credential))
    }

    /// A channel for the administrator.
    pub fn admin(&self) -> Speaking {
        self.speaking(&self.admin_credential)
    }

    /// A channel for the gateway.
    pub fn gateway(&self) -> Speaking {
        self.speaking(&self.gateway_credential)
    }

    /// The sandbox's script.
    pub fn script(&self) -> &SandboxControl {
        self.sandbox.control()
    }

    /// The people of the sandbox.
    pub fn people(&self) -> People<'_> {
        People(&self.secrets)
    }

    /// The gateway asks for Alice's token.
    ///
    /// # Errors
    /// What the node answers.
    pub async fn acquire(&self, scopes: &[&str]) -> Result<Acquired, tonic::Status> {
        acquire(self.gateway(), for_alice(scopes)).await
    }

    /// Alice consents to whatever is asked for these scopes.
    ///
    /// # Errors
    /// Where a page is not the one that should come.
    pub async fn alice_consents(&self, scopes: &[&str]) -> anyhow::Result<()> {
        let needed = self.acquire(scopes).await?.consent();
        self.people().consent(&needed.connect_url, "alice", &[]).await
    }

    /// Every secret that must not be found anywhere in clear.
    pub fn canaries(&self) -> Vec<String> {
        let mut all = self.script().all_secrets();
        all.extend([self.admin_credential.clone(), self.gateway_credential.clone()]);
        all
    }

    /// Looks for every canary in what the node has logged, in all its starts.
    ///
    /// # Errors
    /// Where one is found.
    pub fn look_in_logs(&self) -> anyhow::Result<()> {
        let canaries = self.canaries();
        self.logs().iter().try_for_each(|log| {
            none_in(&canaries, &fs::read(log)?).with_context(|| log.display().to_string())
        })
    }

    /// Stops both in order.
    ///
    /// # Errors
    /// Where the node runs and does not end well.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        if self.node.is_some() {
            let status = self.terminate().await?;
            ensure!(status.success(), "the node ended with {status}:\n{}", self.log());
        }
        self.sandbox.shutdown().await;
        Ok(())
    }

    async fn register_redirects(&self) -> anyhow::Result<()> {
        let connectors =
            CatalogServiceClient::new(self.admin()).list_connectors(ListConnectorsRequest::default()).await?;
        for connector in connectors.into_inner().connectors {
            self.script().add_redirect_uri(
                Issuer::Provider,
                &connector.client_id,
                &connector.redirect_uri,
            )?;
        }
        let providers = SubjectServiceClient::new(self.admin())
            .list_identity_providers(ListIdentityProvidersRequest::default())
            .await?;
        for provider in providers.into_inner().identity_providers {
            self.script().add_redirect_uri(Issuer::Idp, &provider.client_id, &provider.redirect_uri)?;
        }
        Ok(())
    }

    fn profiles(&self) -> PathBuf {
        self.folder.path().join("profiles.toml")
    }

    fn log_file(&self, start: u32) -> PathBuf {
        self.folder.path().join(format!("node-{start}.log"))
    }
}

fn credential(profiles: &toml::Table, name: &str) -> anyhow::Result<String> {
    let credential =
        profiles.get(name).and_then(|profile| profile.get("credential")).and_then(toml::Value::as_str);
    credential.map(str::to_owned).with_context(|| format!("no credential for {name}"))
}

/// A port that nobody listens on, below those that the system hands out by itself, so that it is still free at the next start.
///
/// # Errors
/// Where none is free.
pub fn free_port() -> anyhow::Result<u16> {
    const FIRST: u16 = 12_000;
    const COUNT: u16 = 18_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let process = (std::process::id() % u32::from(COUNT / 60)) as u16 * 60;
    for _ in 0..1000 {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + process.wrapping_add(next) % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free")
}
