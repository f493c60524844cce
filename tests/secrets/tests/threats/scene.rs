//! A production node with a grant and a lease of Alice's.

use leasehold_journey::people::AtProvider;
use leasehold_proto::v1::{
    AcquireRequest, ExportRequest, acquire_request::ForSubject, acquire_response::Outcome,
    audit_service_client::AuditServiceClient, lease_service_client::LeaseServiceClient,
};
use leasehold_sandbox::browser::Form;
use leasehold_secrets::{
    furnish::{CONNECTOR, Furnished, MCP_SERVER, furnish},
    production::{KeyBy, Production},
};

/// What the gateway asks for Alice.
pub(crate) fn for_alice() -> AcquireRequest {
    AcquireRequest {
        mcp_server: MCP_SERVER.to_owned(),
        connector: CONNECTOR.to_owned(),
        for_subject: Some(ForSubject::Subject("alice".to_owned())),
        scopes: vec!["files.read".to_owned()],
        ..AcquireRequest::default()
    }
}

/// Alice connects her account, and the gateway gets a lease. Answers with its token.
pub(crate) async fn lease(production: &Production) -> String {
    let mut leases = LeaseServiceClient::new(production.gateway().unwrap());
    let answer = leases.acquire(for_alice()).await.unwrap().into_inner();
    let Some(Outcome::ConsentRequired(needed)) = answer.outcome else { panic!("no consent was needed") };
    let (mut browser, people) = (production.browser().unwrap(), production.people());
    people.open(&mut browser, &needed.connect_url, "alice").await.unwrap();
    people.to_account(&mut browser, AtProvider { account: "alice", refused: &[] }).await.unwrap();
    browser.submit(&Form::with_id("account").press("confirm")).await.unwrap();
    let answer = leases.acquire(for_alice()).await.unwrap().into_inner();
    let Some(Outcome::Lease(lease)) = answer.outcome else { panic!("no lease was given") };
    lease.access_token
}

/// A furnished node with such a lease, and its token.
pub(crate) async fn with_a_lease() -> (Production, Furnished, String) {
    let production = Production::start(KeyBy::File, None).await.unwrap();
    let furnished = furnish(&production).await.unwrap();
    let token = lease(&production).await;
    (production, furnished, token)
}

/// The lines of the ledger, as the node exports them.
pub(crate) async fn lines(production: &Production, furnished: &Furnished) -> Vec<Vec<u8>> {
    let mut audit = AuditServiceClient::new(production.speaking(&furnished.auditor).unwrap());
    let mut stream = audit.export(ExportRequest { from: 0, size: 0 }).await.unwrap().into_inner();
    let mut lines = Vec::new();
    while let Some(message) = stream.message().await.unwrap() {
        lines.extend(message.lines);
    }
    lines
}
