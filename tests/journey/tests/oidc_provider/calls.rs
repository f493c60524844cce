//! What the gateway and the administrator ask of the node.

use anyhow::Context;
use leasehold_journey::{Acquired, calls::for_alice};
use leasehold_proto::v1::{
    AcquireRequest, AcquireResponse, ExportRequest, GetCheckpointRequest, Grant, ListGrantsRequest,
    RefreshGrantRequest, RevokeRequest, Selector, acquire_response::Outcome,
    audit_service_client::AuditServiceClient, grant_service_client::GrantServiceClient,
    lease_service_client::LeaseServiceClient, selector,
};
use tonic::Status;

use crate::scene::Scene;

/// A ledger as an auditor gets it.
pub(crate) struct Exported {
    pub(crate) lines: Vec<Vec<u8>>,
    pub(crate) checkpoint: String,
    /// The key that checkpoints are verified with.
    pub(crate) verifier: String,
}

impl Scene {
    /// The gateway asks for Alice's token.
    ///
    /// # Errors
    /// What the node answers.
    pub(crate) async fn acquire(&self, scopes: &[&str]) -> Result<Acquired, Status> {
        let request = AcquireRequest { connector: "oidc".to_owned(), ..for_alice(scopes) };
        let answer = LeaseServiceClient::new(self.gateway()).acquire(request).await?;
        let AcquireResponse { outcome } = answer.into_inner();
        match outcome {
            Some(Outcome::Lease(lease)) => Ok(Acquired::Lease(lease)),
            Some(Outcome::ConsentRequired(needed)) => Ok(Acquired::ConsentRequired(needed)),
            None => Err(Status::internal("an answer without an outcome")),
        }
    }

    /// Alice consents to whatever is asked for these scopes, leaving out `refused` at the provider.
    ///
    /// # Errors
    /// Where a page is not the one that should come.
    pub(crate) async fn alice_consents(&self, scopes: &[&str], refused: &[&str]) -> anyhow::Result<()> {
        let needed = self.acquire(scopes).await?.consent();
        self.consent(&needed.connect_url, "alice", refused).await.map(drop)
    }

    /// Alice's grants, revoked ones included.
    ///
    /// # Errors
    /// What the node answers.
    pub(crate) async fn grants(&self) -> Result<Vec<Grant>, Status> {
        let request = ListGrantsRequest { subject: "alice".to_owned(), ..ListGrantsRequest::default() };
        Ok(GrantServiceClient::new(self.admin()).list(request).await?.into_inner().grants)
    }

    /// Refreshes a grant at once. Answers with its generation then.
    ///
    /// # Errors
    /// What the node answers.
    pub(crate) async fn refresh(&self, grant: &str) -> anyhow::Result<u64> {
        let request = RefreshGrantRequest { grant: grant.to_owned() };
        let answer = GrantServiceClient::new(self.admin()).refresh(request).await?.into_inner();
        Ok(answer.grant.context("no grant")?.generation)
    }

    /// Revokes everything of Alice's.
    ///
    /// # Errors
    /// What the node answers.
    pub(crate) async fn revoke_alice(&self) -> Result<(), Status> {
        let alice = Selector { selector: Some(selector::Selector::Subject("alice".to_owned())) };
        let request = RevokeRequest {
            selector: Some(alice),
            reason: "left the company".to_owned(),
            ..RevokeRequest::default()
        };
        GrantServiceClient::new(self.admin()).revoke(request).await.map(drop)
    }

    /// The whole ledger, the checkpoint that covers it, and the verifier key.
    ///
    /// # Errors
    /// What the node answers.
    pub(crate) async fn export(&self) -> Result<Exported, Status> {
        let mut audit = AuditServiceClient::new(self.admin());
        let mut stream = audit.export(ExportRequest { from: 0, size: 0 }).await?.into_inner();
        let (mut lines, mut checkpoint) = (Vec::new(), String::new());
        while let Some(message) = stream.message().await? {
            lines.extend(message.lines);
            if !message.checkpoint.is_empty() {
                checkpoint = message.checkpoint;
            }
        }
        let verifier = audit.get_checkpoint(GetCheckpointRequest {}).await?.into_inner().verifier;
        Ok(Exported { lines, checkpoint, verifier })
    }
}
