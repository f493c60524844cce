//! Calls that most journeys make, and what errors say.

use leasehold_proto::v1::{
    AcquireRequest, AcquireResponse, AddConnectorSecretRequest, ConsentRequired, ExportRequest, Lease,
    RevokeRequest, Selector, acquire_request::ForSubject, acquire_response::Outcome,
    audit_service_client::AuditServiceClient, catalog_service_client::CatalogServiceClient,
    grant_service_client::GrantServiceClient, lease_service_client::LeaseServiceClient, selector,
};
use tonic::Status;
use tonic_types::StatusExt;

use crate::world::{Speaking, World};

/// What an `Acquire` came to.
pub enum Acquired {
    /// A lease.
    Lease(Lease),
    /// A consent is needed.
    ConsentRequired(ConsentRequired),
}

impl Acquired {
    /// The lease.
    ///
    /// # Panics
    /// Where it is none.
    pub fn lease(self) -> Lease {
        match self {
            Self::Lease(lease) => lease,
            Self::ConsentRequired(needed) => {
                assert!(
                    needed.connect_url.is_empty(),
                    "a consent is required: {:?} {:?}",
                    needed.reason,
                    needed.missing_scopes
                );
                Lease::default()
            }
        }
    }

    /// The consent that is needed.
    ///
    /// # Panics
    /// Where none is.
    pub fn consent(self) -> ConsentRequired {
        match self {
            Self::ConsentRequired(needed) => needed,
            Self::Lease(lease) => {
                assert!(lease.lease_id.is_empty(), "a lease was given: {}", lease.lease_id);
                ConsentRequired::default()
            }
        }
    }
}

/// The stable reason of an error: what its `ErrorInfo` says.
pub fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

/// A request for Alice's token, for the MCP server `files` at the sandbox.
pub fn for_alice(scopes: &[&str]) -> AcquireRequest {
    AcquireRequest {
        mcp_server: "files".to_owned(),
        connector: "sandbox".to_owned(),
        for_subject: Some(ForSubject::Subject("alice".to_owned())),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        ..AcquireRequest::default()
    }
}

/// Asks for a lease through a channel.
///
/// # Errors
/// What the node answers.
pub async fn acquire(channel: Speaking, request: AcquireRequest) -> Result<Acquired, Status> {
    let AcquireResponse { outcome } = LeaseServiceClient::new(channel).acquire(request).await?.into_inner();
    match outcome {
        Some(Outcome::Lease(lease)) => Ok(Acquired::Lease(lease)),
        Some(Outcome::ConsentRequired(needed)) => Ok(Acquired::ConsentRequired(needed)),
        None => Err(Status::internal("an answer without an outcome")),
    }
}

impl World {
    /// The gateway asks for Alice's token.
    ///
    /// # Errors
    /// What the node answers.
    pub async fn acquire(&self, scopes: &[&str]) -> Result<Acquired, Status> {
        acquire(self.gateway(), for_alice(scopes)).await
    }
}

/// Calls of the administrator that most journeys make.
impl World {
    /// Revokes everything of a subject.
    ///
    /// # Panics
    /// Where the node refuses.
    pub async fn revoke_subject(&self, name: &str) -> u64 {
        let request = RevokeRequest {
            selector: Some(Selector { selector: Some(selector::Selector::Subject(name.to_owned())) }),
            reason: "left the company".to_owned(),
            ..RevokeRequest::default()
        };
        let answer = GrantServiceClient::new(self.admin()).revoke(request).await;
        answer.map(|answer| answer.into_inner().seq).unwrap_or_else(|refused| fail(&refused))
    }

    /// Gives the sandbox connector a client secret, which also ends its suspension.
    ///
    /// # Panics
    /// Where the node refuses.
    pub async fn add_connector_secret(&self, secret: &str) {
        let request = AddConnectorSecretRequest {
            connector: "sandbox".to_owned(),
            client_secret: secret.to_owned(),
            ..AddConnectorSecretRequest::default()
        };
        let answer = CatalogServiceClient::new(self.admin()).add_connector_secret(request).await;
        answer.map(drop).unwrap_or_else(|refused| fail(&refused));
    }

    /// Ends the suspension of the sandbox connector.
    ///
    /// # Panics
    /// Where the node refuses.
    pub async fn resume_connector(&self) {
        use secrecy::ExposeSecret;
        let secret = self.dev.secrets.provider_client.expose_secret().to_owned();
        self.add_connector_secret(&secret).await;
    }

    /// Exports the whole ledger: its lines, and the checkpoint that covers them.
    ///
    /// # Errors
    /// What the node answers.
    pub async fn export(&self) -> Result<(Vec<Vec<u8>>, String), Status> {
        let mut stream = AuditServiceClient::new(self.admin())
            .export(ExportRequest { from: 0, size: 0 })
            .await?
            .into_inner();
        let (mut lines, mut checkpoint) = (Vec::new(), String::new());
        while let Some(message) = stream.message().await? {
            lines.extend(message.lines);
            if !message.checkpoint.is_empty() {
                checkpoint = message.checkpoint;
            }
        }
        Ok((lines, checkpoint))
    }
}

#[expect(clippy::panic, reason = "a journey that cannot be prepared is a failed test")]
fn fail<T>(refused: &Status) -> T {
    panic!("the node refused: {refused:?}")
}
