//! A node as an organisation runs it: `leasehold serve` in a process of its own, TLS on every way in and out, traces exported, the root key out of a file
//! or a command; and beside it a sandbox that looks, from there, like a provider on another machine.
//!
//! Its log says all that a log can be made to say.

use std::{
    fs,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use leasehold::node::{Binary, DevSecrets};
use leasehold_journey::{
    Budget,
    apart::free_port,
    people::People,
    world::{Bearer, DataFolder, Speaking, binary, install_crypto},
};
use leasehold_sandbox::{Sandbox, browser::Browser};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};
use tonic::{
    service::interceptor::InterceptedService,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

use crate::{
    authority::{Authority, Issued},
    canary::planted,
    front::{Answers, Front},
    receiver::Receiver,
};

mod setting;

pub use setting::private;

/// How long a node may take to be ready, or to end once it should.
const READY_MAX: Duration = Duration::from_secs(60);
/// Everything, and by name the modules of those libraries whose talk is capped.
const LOUD: &str = "trace,hyper=trace,hyper::proto=trace,hyper_util::client=trace,hyper_util::client::legacy=trace,h2::codec=trace,\
    h2::proto=trace,h2::codec::framed_write=trace,reqwest::connect=trace,rustls::client=trace,rustls::conn=trace,rustls::msgs=trace,\
    tonic=trace,tower=trace,tower::buffer=trace,openraft=trace,oauth2=trace,openidconnect::client=trace,sled::pagecache=trace";
/// Our client at the sandbox, for signing in and for leasing.
pub const CLIENT: &str = "leasehold";
/// The name in the gateway's certificate.
pub const GATEWAY_HOST: &str = "gateway.example";

/// Where the root key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyBy {
    /// A file.
    File,
    /// A command.
    Command,
    /// A variable of the environment.
    Environment,
}

/// A production node and what is around it.
pub struct Production {
    /// The sandbox.
    pub sandbox: Sandbox,
    /// What was planted for people and clients.
    pub secrets: DevSecrets,
    /// Who vouches for every certificate here.
    pub authority: Authority,
    /// The certificate of the node.
    pub node_tls: Issued,
    /// The certificate of the gateway.
    pub gateway_tls: Issued,
    /// What the pages answered.
    pub pages: Answers,
    /// What was exported.
    pub receiver: Receiver,
    /// The address of the pages, as browsers know it.
    pub public_url: String,
    folder: DataFolder,
    ports: [u16; 3],
    node: Option<Child>,
    starts: u32,
    /// The user that the node runs as, where it is another than the test's.
    user: Option<u32>,
    _budget: Budget,
}

impl Production {
    /// Starts everything; the node has no administrator yet.
    ///
    /// # Errors
    /// What is in the way.
    pub async fn start(key: KeyBy, user: Option<u32>) -> anyhow::Result<Self> {
        install_crypto();
        let folder = DataFolder::new()?;
        let authority = Authority::new()?;
        let (node_tls, gateway_tls) =
            (authority.issue(&["localhost", "127.0.0.1"])?, authority.issue(&[GATEWAY_HOST])?);
        let fronts_tls = authority.issue(&["localhost", "127.0.0.1"])?;
        let [pages, idp, provider] = [
            Front::listen(&fronts_tls).await?,
            Front::listen(&fronts_tls).await?,
            Front::listen(&fronts_tls).await?,
        ];
        let secrets = DevSecrets {
            alice: planted().into(),
            bob: planted().into(),
            idp_client: planted().into(),
            provider_client: planted().into(),
            sandbox_script: planted().into(),
            ports: Some((free_port()?, free_port()?, free_port()?)),
        };
        let sandbox = Sandbox::start(setting::sandbox_options(&secrets, idp.url(), provider.url())).await?;
        let ports = [free_port()?, free_port()?, free_port()?];
        let (idp_port, provider_port, _) = secrets.ports.context("the sandbox has no ports")?;
        let (answers, public_url) = (pages.answers(), pages.url());
        idp.lead_to(idp_port);
        provider.lead_to(provider_port);
        pages.lead_to(ports[1]);
        let (receiver, traces) = Receiver::start().await?;
        let mut production = Self {
            sandbox,
            secrets,
            authority,
            node_tls,
            gateway_tls,
            pages: answers,
            receiver,
            public_url,
            folder,
            ports,
            node: None,
            starts: 0,
            user,
            _budget: Budget::of_this_suite(),
        };
        production.write_files(key, &format!("http://{traces}"))?;
        production.start_again(key).await?;
        Ok(production)
    }

    /// Starts the node again on the same data, and waits until it is ready.
    ///
    /// # Errors
    /// Where it ends instead, with what it said; or is not ready in time.
    pub async fn start_again(&mut self, key: KeyBy) -> anyhow::Result<()> {
        self.spawn(key)?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        let ready = format!("{}/readyz", self.operations());
        let deadline = Instant::now() + READY_MAX;
        loop {
            if let Ok(answer) = http.get(&ready).send().await
                && answer.status().is_success()
            {
                return Ok(());
            }
            let node = self.node.as_mut().context("no node was started")?;
            if let Some(status) = node.try_wait()? {
                self.node = None;
                bail!("the node ended with {status}:\n{}", self.end_of_log());
            }
            ensure!(Instant::now() < deadline, "the node was not ready in time:\n{}", self.end_of_log());
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Starts the node through a shell that allows core dumps of any size, and waits for nothing.
    ///
    /// # Errors
    /// Where one runs already, or the process cannot be made.
    pub fn spawn(&mut self, key: KeyBy) -> anyhow::Result<()> {
        ensure!(self.node.is_none(), "the node runs already");
        self.starts += 1;
        let open = |suffix: &str| -> anyhow::Result<fs::File> {
            let path = self.folder.path().join(format!("node-{}.{suffix}", self.starts));
            fs::File::create(&path).with_context(|| format!("cannot make {}", path.display()))
        };
        let mut command = Command::new("sh");
        command
            .args(["-c", "ulimit -c unlimited; exec \"$0\" serve --config \"$1\""])
            .arg(self.binary_file()?)
            .arg(self.config())
            .current_dir(self.working_folder())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TMPDIR", self.temporary_folder())
            .env("RUST_LOG", LOUD)
            .stdin(Stdio::null())
            .stdout(open("out")?)
            .stderr(open("log")?)
            .kill_on_drop(true);
        if key == KeyBy::Environment {
            command.env("THE_ROOT_KEY", fs::read_to_string(self.root_key())?.trim());
        }
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        self.node = Some(command.spawn().context("the node's process cannot be made")?);
        Ok(())
    }

    fn binary_file(&self) -> anyhow::Result<PathBuf> {
        let built = binary();
        let command = Binary::command(&built, &self.profiles(), &[]);
        Ok(PathBuf::from(command.as_std().get_program()))
    }

    /// The node's process id.
    ///
    /// # Errors
    /// Where none runs.
    pub fn pid(&self) -> anyhow::Result<u32> {
        self.node.as_ref().and_then(Child::id).context("no node runs")
    }

    /// Sends a signal, and waits until the node has ended.
    ///
    /// # Errors
    /// Where it goes on.
    pub async fn end_by(&mut self, signal: &str) -> anyhow::Result<ExitStatus> {
        let told = Command::new("kill").args([signal, &self.pid()?.to_string()]).status().await?;
        ensure!(told.success(), "the node could not be told to end");
        let mut node = self.node.take().context("no node runs")?;
        timeout(READY_MAX, node.wait()).await.context("the node goes on")?.context("cannot wait for the node")
    }

    /// A channel without a credential.
    ///
    /// # Errors
    /// Where the certificates are none.
    pub fn nobody(&self) -> anyhow::Result<Channel> {
        self.channel(None)
    }

    /// A channel that shows the gateway's certificate.
    ///
    /// # Errors
    /// Where the certificates are none.
    pub fn gateway(&self) -> anyhow::Result<Channel> {
        self.channel(Some(&self.gateway_tls))
    }

    /// A channel for a credential.
    ///
    /// # Errors
    /// Where the certificates are none.
    pub fn speaking(&self, credential: &str) -> anyhow::Result<Speaking> {
        Ok(InterceptedService::new(self.nobody()?, Bearer::new(credential)))
    }

    fn channel(&self, shown: Option<&Issued>) -> anyhow::Result<Channel> {
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&self.authority.pem));
        if let Some(shown) = shown {
            tls = tls.identity(Identity::from_pem(&shown.chain, &shown.key));
        }
        let endpoint = Endpoint::from_shared(self.grpc())?.tls_config(tls)?;
        Ok(endpoint.connect_lazy())
    }

    /// A browser that trusts the authority.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn browser(&self) -> anyhow::Result<Browser> {
        Ok(Browser::with_client(self.http()?))
    }

    /// An HTTP client that trusts the authority and follows nothing.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn http(&self) -> anyhow::Result<reqwest::Client> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.pem.as_bytes())?)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(READY_MAX);
        Ok(client.build()?)
    }

    /// The people of the sandbox.
    pub fn people(&self) -> People<'_> {
        People(&self.secrets)
    }

    /// The command line with profiles of its own.
    pub fn command(&self, arguments: &[&str]) -> Command {
        Binary::command(&binary(), &self.profiles(), arguments)
    }

    /// What every start of the node has logged, and what it has printed.
    ///
    /// # Errors
    /// Where that cannot be read.
    pub fn logs_and_output(&self) -> anyhow::Result<(Vec<u8>, Vec<u8>)> {
        let (mut logs, mut output) = (Vec::new(), Vec::new());
        for start in 1..=self.starts {
            logs.extend(fs::read(self.folder.path().join(format!("node-{start}.log")))?);
            output.extend(fs::read(self.folder.path().join(format!("node-{start}.out")))?);
        }
        Ok((logs, output))
    }

    fn end_of_log(&self) -> String {
        let log = fs::read(self.folder.path().join(format!("node-{}.log", self.starts))).unwrap_or_default();
        let from = log.len().saturating_sub(4000);
        String::from_utf8_lossy(log.get(from..).unwrap_or_default()).into_owned()
    }

    /// Stops everything in order.
    ///
    /// # Errors
    /// Where the node runs and does not end well.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        if self.node.is_some() {
            let status = self.end_by("-TERM").await?;
            ensure!(status.success(), "the node ended with {status}:\n{}", self.end_of_log());
        }
        self.sandbox.shutdown().await;
        Ok(())
    }
}
