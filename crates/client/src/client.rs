//! The connection, and a client for each service on it.

use std::time::Duration;

use leasehold_proto::v1::{
    AcquireRequest, ReleaseRequest, RenewRequest, ReportRejectedRequest, WatchRequest, WatchResponse,
    access_service_client::AccessServiceClient, administrator_service_client::AdministratorServiceClient,
    audit_service_client::AuditServiceClient, catalog_service_client::CatalogServiceClient,
    cluster_service_client::ClusterServiceClient, grant_service_client::GrantServiceClient,
    key_service_client::KeyServiceClient, lease_service_client::LeaseServiceClient,
    policy_service_client::PolicyServiceClient, subject_service_client::SubjectServiceClient,
    workload_service_client::WorkloadServiceClient,
};
use tokio::time::Instant;
use tonic::{
    Request, Status, Streaming,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};

use crate::{
    endpoint::{ConnectError, Endpoint},
    error::Error,
    lease::Outcome,
};

/// What the generated clients send through: the connection, with the caller's proof on every call.
pub type Transport = InterceptedService<Channel, Authorization>;

/// Puts the caller's credential on every call. Its `Debug` shows nothing of it: the value is marked sensitive.
#[derive(Debug, Clone)]
pub struct Authorization(Option<MetadataValue<Ascii>>);

impl Interceptor for Authorization {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// A connection to a cluster. Clones share it; when it breaks, the next call opens it again.
#[derive(Debug, Clone)]
pub struct Client {
    transport: Transport,
}

macro_rules! services {
    ($($(#[$doc:meta])* $name:ident: $client:ident;)+) => {$(
        $(#[$doc])*
        pub fn $name(&self) -> $client<Transport> {
            $client::new(self.transport.clone())
        }
    )+};
}

impl Client {
    /// How long a call for a lease may take before the cluster gives it up: an answer may wait for a refresh at the provider.
    pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);

    /// Opens a connection.
    ///
    /// # Errors
    /// [`ConnectError`]; [`ConnectError::Unreachable`] within five seconds where nothing answers.
    pub async fn connect(endpoint: Endpoint) -> Result<Self, ConnectError> {
        let address = endpoint.address.clone();
        let (endpoint, authorization) = endpoint.prepare()?;
        let channel =
            endpoint.connect().await.map_err(|source| ConnectError::Unreachable { address, source })?;
        Ok(Self::over(channel, authorization))
    }

    /// A client that opens its connection with the first call, for programs that start before the cluster does. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`ConnectError`], but never [`ConnectError::Unreachable`].
    pub fn connect_lazily(endpoint: Endpoint) -> Result<Self, ConnectError> {
        let (endpoint, authorization) = endpoint.prepare()?;
        Ok(Self::over(endpoint.connect_lazy(), authorization))
    }

    fn over(channel: Channel, authorization: Option<MetadataValue<Ascii>>) -> Self {
        Self { transport: InterceptedService::new(channel, Authorization(authorization)) }
    }

    services! {
        /// Who has access to what, and why.
        access: AccessServiceClient;
        /// Administrators.
        administrators: AdministratorServiceClient;
        /// The ledger.
        audit: AuditServiceClient;
        /// Providers, connectors and MCP servers.
        catalog: CatalogServiceClient;
        /// The cluster and its nodes.
        cluster: ClusterServiceClient;
        /// Grants and consents.
        grants: GrantServiceClient;
        /// The keys under which everything is sealed.
        keys: KeyServiceClient;
        /// Leases.
        leases: LeaseServiceClient;
        /// The policy set.
        policies: PolicyServiceClient;
        /// Subjects and identity providers.
        subjects: SubjectServiceClient;
        /// Workloads.
        workloads: WorkloadServiceClient;
    }

    /// Asks for a grant's access token.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn acquire(&self, request: AcquireRequest) -> Result<Outcome, Error> {
        let asked_at = Instant::now();
        let response = self.leases().acquire(with_deadline(request)).await?;
        Outcome::read(response.into_inner(), asked_at)
    }

    /// Lets a lease live `ttl` longer, as far as the cluster allows, and answers with its new end.
    ///
    /// # Errors
    /// [`Error`]; one that is not retryable means that the lease is not to be used any more.
    pub async fn renew(&self, lease_id: &str, ttl: Duration) -> Result<Instant, Error> {
        let asked_at = Instant::now();
        let ttl_seconds = seconds(ttl);
        let request = RenewRequest { lease_id: lease_id.to_owned(), ttl_seconds, request_id: String::new() };
        let response = self.leases().renew(with_deadline(request)).await?.into_inner();
        Ok(asked_at + Duration::from_secs(u64::from(response.lease_remaining_seconds)))
    }

    /// Gives a lease back.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn release(&self, lease_id: &str) -> Result<(), Error> {
        let request = ReleaseRequest { lease_id: lease_id.to_owned(), request_id: String::new() };
        self.leases().release(with_deadline(request)).await?;
        Ok(())
    }

    /// Says that the provider refused a lease's token, with its HTTP status and its `WWW-Authenticate` challenge, of which the first
    /// 1,024 characters are sent.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn report_rejected(&self, lease_id: &str, status: u16, challenge: &str) -> Result<(), Error> {
        let request = ReportRejectedRequest {
            lease_id: lease_id.to_owned(),
            status: u32::from(status),
            challenge: challenge.chars().take(1024).collect(),
        };
        self.leases().report_rejected(with_deadline(request)).await?;
        Ok(())
    }

    /// Follows the caller's leases from the sequence number up to which it has seen everything; 0 asks for the whole set first.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn watch(&self, resume_after: u64) -> Result<Streaming<WatchResponse>, Error> {
        Ok(self.leases().watch(WatchRequest { resume_after }).await?.into_inner())
    }
}

/// A call that the cluster gives up after [`Client::CALL_TIMEOUT`], so that nothing is decided for a caller who has left.
fn with_deadline<Message>(message: Message) -> Request<Message> {
    let mut request = Request::new(message);
    request.set_timeout(Client::CALL_TIMEOUT);
    request
}

/// Whole seconds, as the interface counts them.
pub(crate) fn seconds(span: Duration) -> u32 {
    u32::try_from(span.as_secs()).unwrap_or(u32::MAX)
}
