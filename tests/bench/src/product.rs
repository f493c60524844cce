//! The product: a binary as a process with its sandbox, a consent of Alice's in it, and enough workloads and MCP servers that every `Acquire` of a
//! turn is a new lease.

use std::{
    collections::VecDeque,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail, ensure};
use leasehold::node::{
    Binary, DevProcess,
    demo::browse::{self, Person},
    profiles_file,
};
use leasehold_proto::v1::{
    AcquireRequest, AddWorkloadCredentialRequest, GetCheckpointRequest, Lease, Need,
    RegisterMcpServerRequest, RegisterWorkloadRequest, ReleaseRequest, SetPolicyRequest,
    acquire_request::ForSubject, acquire_response::Outcome, audit_service_client::AuditServiceClient,
    catalog_service_client::CatalogServiceClient, lease_service_client::LeaseServiceClient,
    policy_service_client::PolicyServiceClient, workload_service_client::WorkloadServiceClient,
};
use tempfile::TempDir;
use tonic::{
    Request, Status,
    metadata::AsciiMetadataValue,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};
use tonic_health::pb::health_client::HealthClient;

/// Workloads, and as many MCP servers: each pair is a lease of its own.
const SIDE: usize = 128;
/// Any of the workloads may lease for any of the MCP servers, and vouch for people.
const POLICIES: &str = r#"@id("bench-leases")
permit (principal is Leasehold::Workload, action == Leasehold::Action::"lease", resource);

@id("bench-vouches")
permit (principal is Leasehold::Workload, action == Leasehold::Action::"act_as", resource);
"#;

/// Puts an API credential on every call.
#[derive(Clone)]
pub(crate) struct Bearer(AsciiMetadataValue);

impl Bearer {
    fn new(credential: &str) -> anyhow::Result<Self> {
        let mut value: AsciiMetadataValue = format!("Bearer {credential}").parse()?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

type Speaking = InterceptedService<Channel, Bearer>;

/// A running node.
pub(crate) struct Product {
    process: DevProcess,
    connections: Vec<Channel>,
    admin: Bearer,
    workloads: Arc<[Bearer]>,
    data: TempDir,
}

/// A caller: which pairs of workload and MCP server are its own, and which leases it holds.
pub(crate) struct Caller {
    channel: Channel,
    workloads: Arc<[Bearer]>,
    /// Pairs, the next first.
    free: VecDeque<usize>,
    held: Vec<(usize, String)>,
}

impl Caller {
    fn client(&self, pair: usize) -> anyhow::Result<LeaseServiceClient<Speaking>> {
        let workload = self.workloads.get(pair % SIDE).context("no such workload")?;
        Ok(LeaseServiceClient::with_interceptor(self.channel.clone(), workload.clone()))
    }

    async fn lease(&self, pair: usize) -> anyhow::Result<Lease> {
        let answer = self.client(pair)?.acquire(for_alice(&server(pair / SIDE))).await?.into_inner();
        match answer.outcome {
            Some(Outcome::Lease(lease)) => Ok(lease),
            Some(Outcome::ConsentRequired(_)) | None => bail!("no lease was given"),
        }
    }
}

impl Product {
    /// Starts the binary that lies beside this one, and furnishes it.
    ///
    /// # Errors
    /// What is in the way.
    pub(crate) async fn start(connections: usize) -> anyhow::Result<Self> {
        let data = tempfile::tempdir().context("cannot make a directory")?;
        let process = DevProcess::start(&Binary::at(binary()?), data.path()).await?;
        let profiles: toml::Table = fs::read_to_string(profiles_file(data.path()))?.parse()?;
        let credential = |name: &str| {
            let profile = profiles.get(name).and_then(|profile| profile.get("credential"));
            let credential = profile.and_then(toml::Value::as_str).context("no credential")?;
            Bearer::new(credential)
        };
        let endpoint = Endpoint::from_shared(process.says("grpc")?.to_owned())?;
        let mut channels = Vec::new();
        for _ in 0..connections {
            channels.push(endpoint.connect().await?);
        }
        let first = channels.first().context("no connection")?.clone();
        let mut product = Self {
            process,
            connections: channels,
            admin: credential("admin")?,
            workloads: Arc::default(),
            data,
        };
        let gateway = LeaseServiceClient::with_interceptor(first, credential("demo-gateway")?);
        product.alice_consents(gateway).await?;
        product.furnish().await?;
        Ok(product)
    }

    async fn alice_consents(&self, mut gateway: LeaseServiceClient<Speaking>) -> anyhow::Result<()> {
        let answer = gateway.acquire(for_alice("files")).await?.into_inner();
        let Some(Outcome::ConsentRequired(needed)) = answer.outcome else { bail!("no consent was needed") };
        let alice = Person { name: "alice", password: self.process.secret("alice_password")? };
        let mut browser = browse::browser()?;
        browse::sign_in(&mut browser, &needed.connect_url, alice).await?;
        browse::consent(&mut browser, alice, &[]).await?;
        Ok(())
    }

    async fn furnish(&mut self) -> anyhow::Result<()> {
        let channel = self.connections.first().context("no connection")?.clone();
        let admin = || Speaking::new(channel.clone(), self.admin.clone());
        let mut workloads = Vec::with_capacity(SIDE);
        for number in 0..SIDE {
            let name = format!("gateway-{number}");
            let register =
                RegisterWorkloadRequest { name: name.clone(), ..RegisterWorkloadRequest::default() };
            WorkloadServiceClient::new(admin()).register(register).await?;
            let add =
                AddWorkloadCredentialRequest { workload: name, ..AddWorkloadCredentialRequest::default() };
            let added = WorkloadServiceClient::new(admin()).add_credential(add).await?.into_inner();
            workloads.push(Bearer::new(&added.secret)?);
            let need = Need { connector: "sandbox".to_owned(), scopes: vec!["files.read".to_owned()] };
            let register = RegisterMcpServerRequest {
                name: server(number),
                resource: format!("https://{}.example.test/mcp", server(number)),
                needs: vec![need],
                ..RegisterMcpServerRequest::default()
            };
            CatalogServiceClient::new(admin()).register_mcp_server(register).await?;
        }
        let policies = SetPolicyRequest { text: POLICIES.to_owned(), ..SetPolicyRequest::default() };
        PolicyServiceClient::new(admin()).set(policies).await?;
        self.workloads = workloads.into();
        Ok(())
    }

    /// So many callers, spread over the connections, that share the pairs out among themselves.
    pub(crate) fn callers(&self, count: usize) -> Vec<Caller> {
        let channels = self.connections.iter().cycle().take(count);
        let caller = |(number, channel): (usize, &Channel)| Caller {
            channel: channel.clone(),
            workloads: self.workloads.clone(),
            free: (number..SIDE * SIDE).step_by(count).collect(),
            held: Vec::new(),
        };
        channels.enumerate().map(caller).collect()
    }

    /// Clients of the health service, spread over the connections.
    pub(crate) fn health(&self, count: usize) -> Vec<HealthClient<Channel>> {
        self.connections.iter().cycle().take(count).cloned().map(HealthClient::new).collect()
    }

    /// How many events the ledger holds.
    ///
    /// # Errors
    /// What the node answers.
    pub(crate) async fn events(&self) -> anyhow::Result<u64> {
        let channel = self.connections.first().context("no connection")?.clone();
        let mut audit = AuditServiceClient::with_interceptor(channel, self.admin.clone());
        let checkpoint = audit.get_checkpoint(GetCheckpointRequest::default()).await?.into_inner().checkpoint;
        // The second line of a checkpoint is the size of its tree.
        let size = checkpoint.lines().nth(1).context("a checkpoint without a size")?;
        size.parse().context("a checkpoint without a size")
    }

    /// Bytes that the ledger takes on the disk.
    ///
    /// # Errors
    /// Where its folder cannot be read.
    pub(crate) fn ledger_bytes(&self) -> anyhow::Result<u64> {
        on_disk(&self.data.path().join("ledger"))
    }

    /// A command line of the same binary, for the administrator.
    pub(crate) async fn run(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let ran = Binary::at(binary()?).run(&profiles_file(self.data.path()), arguments).await?;
        ensure!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
        Ok(())
    }

    /// Where the node keeps its data: the disk that counts.
    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    /// Stops it in order.
    ///
    /// # Errors
    /// Where it does not stop.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.process.stop().await
    }
}

fn binary() -> anyhow::Result<PathBuf> {
    // Beside the program, or one folder up for a test of it.
    let this = std::env::current_exe()?;
    let beside = this.ancestors().skip(1).take(2).map(|folder| folder.join("leasehold"));
    beside
        .into_iter()
        .find(|path| path.is_file())
        .context("the binary `leasehold` is not built: use `just bench`")
}

fn on_disk(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        // Blocks of 512 bytes, whatever the file system's are.
        bytes += if about.is_dir() { on_disk(&entry.path())? } else { about.blocks() * 512 };
    }
    Ok(bytes)
}

fn server(number: usize) -> String {
    format!("files-{number}")
}

fn for_alice(mcp_server: &str) -> AcquireRequest {
    AcquireRequest {
        mcp_server: mcp_server.to_owned(),
        connector: "sandbox".to_owned(),
        for_subject: Some(ForSubject::Subject("alice".to_owned())),
        scopes: vec!["files.read".to_owned()],
        ..AcquireRequest::default()
    }
}

/// Acquires a lease that nobody holds: one committed event.
///
/// # Errors
/// What the node answers, or where all pairs are held.
pub(crate) async fn acquire(mut caller: Caller) -> anyhow::Result<Caller> {
    let pair = caller.free.pop_front().context("every lease is held already: shorten the turn")?;
    let lease = caller.lease(pair).await?;
    caller.held.push((pair, lease.lease_id));
    Ok(caller)
}

/// Acquires a lease that it holds: a read, and no event.
///
/// # Errors
/// What the node answers.
pub(crate) async fn repeat(caller: Caller) -> anyhow::Result<Caller> {
    let (pair, held) = caller.held.first().context("nothing is held")?;
    let lease = caller.lease(*pair).await?;
    ensure!(lease.lease_id == *held, "another lease was given");
    Ok(caller)
}

/// Gives every lease back that these callers hold.
///
/// # Errors
/// What the node answers.
pub(crate) async fn release(callers: Vec<Caller>) -> anyhow::Result<()> {
    let tasks: Vec<_> = callers
        .into_iter()
        .map(|caller| {
            tokio::spawn(async move {
                for (pair, lease_id) in &caller.held {
                    let request = ReleaseRequest { lease_id: lease_id.clone(), ..ReleaseRequest::default() };
                    caller.client(*pair)?.release(request).await?;
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(())
}
