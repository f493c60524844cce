//! The product: a release binary as a process, with a consent of Alice's in it.

use std::{fs, path::Path};

use anyhow::{Context, bail};
use leasehold::node::{
    Binary, DevProcess,
    demo::browse::{self, Person},
    profiles_file,
};
use leasehold_proto::v1::{
    AcquireRequest, Lease, ReleaseRequest, acquire_request::ForSubject, acquire_response::Outcome,
    lease_service_client::LeaseServiceClient,
};
use tempfile::TempDir;
use tonic::{
    Request, Status,
    metadata::AsciiMetadataValue,
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};
use tonic_health::pb::health_client::HealthClient;

/// Puts the gateway's API credential on every call.
#[derive(Clone)]
pub(crate) struct Gateway(AsciiMetadataValue);

impl Interceptor for Gateway {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// The gateway's calls.
pub(crate) type Leases = LeaseServiceClient<InterceptedService<Channel, Gateway>>;

/// A running node.
pub(crate) struct Bench {
    process: DevProcess,
    channel: Channel,
    gateway: Gateway,
    data: TempDir,
}

impl Bench {
    /// Starts it, and has Alice consent.
    ///
    /// # Errors
    /// What is in the way.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let data = tempfile::tempdir().context("cannot make a directory")?;
        let binary = std::env::current_exe()?.with_file_name("leasehold");
        let process = DevProcess::start(&Binary::at(binary), data.path()).await?;
        let profiles: toml::Table = fs::read_to_string(profiles_file(data.path()))?.parse()?;
        let credential = profiles
            .get("demo-gateway")
            .and_then(|profile| profile.get("credential"))
            .and_then(toml::Value::as_str)
            .context("the gateway has no credential")?;
        let mut credential: AsciiMetadataValue = format!("Bearer {credential}").parse()?;
        credential.set_sensitive(true);
        let channel = Channel::from_shared(process.says("grpc")?.to_owned())?.connect().await?;
        let bench = Self { process, channel, gateway: Gateway(credential), data };
        bench.alice_consents().await?;
        Ok(bench)
    }

    async fn alice_consents(&self) -> anyhow::Result<()> {
        let answer = self.leases().acquire(for_alice()).await?.into_inner();
        let Some(Outcome::ConsentRequired(needed)) = answer.outcome else { bail!("no consent was needed") };
        let alice = Person { name: "alice", password: self.process.secret("alice_password")? };
        let mut browser = browse::browser()?;
        browse::sign_in(&mut browser, &needed.connect_url, alice).await?;
        browse::consent(&mut browser, alice, &[]).await?;
        Ok(())
    }

    /// A client of the lease service that speaks for the gateway.
    pub(crate) fn leases(&self) -> Leases {
        LeaseServiceClient::with_interceptor(self.channel.clone(), self.gateway.clone())
    }

    /// A client of the health service.
    pub(crate) fn health(&self) -> HealthClient<Channel> {
        HealthClient::new(self.channel.clone())
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

fn for_alice() -> AcquireRequest {
    AcquireRequest {
        mcp_server: "files".to_owned(),
        connector: "sandbox".to_owned(),
        for_subject: Some(ForSubject::Subject("alice".to_owned())),
        scopes: vec!["files.read".to_owned()],
        ..AcquireRequest::default()
    }
}

async fn lease(leases: &mut Leases) -> anyhow::Result<Lease> {
    match leases.acquire(for_alice()).await?.into_inner().outcome {
        Some(Outcome::Lease(lease)) => Ok(lease),
        Some(Outcome::ConsentRequired(_)) | None => bail!("no lease was given"),
    }
}

/// Acquires a lease, or the one that is there.
///
/// # Errors
/// What the node answers.
pub(crate) async fn acquire(mut leases: Leases) -> anyhow::Result<Leases> {
    lease(&mut leases).await?;
    Ok(leases)
}

/// Acquires a lease and gives it back: two events.
///
/// # Errors
/// What the node answers.
pub(crate) async fn acquire_and_release(mut leases: Leases) -> anyhow::Result<Leases> {
    let lease = lease(&mut leases).await?;
    leases.release(ReleaseRequest { lease_id: lease.lease_id, ..ReleaseRequest::default() }).await?;
    Ok(leases)
}
