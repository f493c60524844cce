//! Revocations: effective when they are answered, whatever they cover, and then at the provider.

use leasehold_journey::{World, reason};
use leasehold_proto::v1::{
    DisableSubjectRequest, EnableSubjectRequest, RevokeRequest, Selector, SetConnectorEnabledRequest,
    catalog_service_client::CatalogServiceClient, grant_service_client::GrantServiceClient, selector,
    subject_service_client::SubjectServiceClient,
};
use tonic::Code;

const READ: [&str; 1] = ["files.read"];

fn request(selector: selector::Selector) -> RevokeRequest {
    RevokeRequest {
        selector: Some(Selector { selector: Some(selector) }),
        reason: "a canary reason that must not be in a line".to_owned(),
        ..RevokeRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_each_revocation_is_answered_no_call_returns_what_it_revoked() {
    for which in ["grant", "subject", "workload", "connector", "mcp_server"] {
        let world = World::start().await.unwrap();
        world.alice_consents(&READ, &[]).await.unwrap();
        let lease = world.acquire(&READ).await.unwrap().lease();
        let selector = match which {
            "grant" => selector::Selector::Grant(lease.grant.clone()),
            "subject" => selector::Selector::Subject("alice".to_owned()),
            "workload" => selector::Selector::Workload("demo-gateway".to_owned()),
            "connector" => selector::Selector::Connector("sandbox".to_owned()),
            _ => selector::Selector::McpServer("files".to_owned()),
        };
        let mut grants = GrantServiceClient::new(world.admin());
        let dry = grants
            .revoke(RevokeRequest { dry_run: true, ..request(selector.clone()) })
            .await
            .unwrap()
            .into_inner();
        assert_eq!(dry.seq, 0, "{which}");
        assert_eq!(dry.blast_radius.unwrap().leases, 1, "{which}");
        world.acquire(&READ).await.unwrap().lease();
        let done = grants.revoke(request(selector)).await.unwrap().into_inner();
        assert!(done.seq > 0, "{which}");
        match world.acquire(&READ).await {
            Ok(acquired) => drop(acquired.consent()),
            Err(refused) => assert!(
                ["DISABLED", "UNAUTHENTICATED"].contains(&reason(&refused).as_str())
                    || refused.code() == Code::Unauthenticated,
                "{which}: {refused:?}"
            ),
        }
        if !["workload", "mcp_server"].contains(&which) {
            // The provider revokes too, in its own time.
            let token = lease.access_token.clone();
            world.sandbox().wait_until(|control| !control.is_active(&token)).await;
        }
        world.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_subject_may_consent_again_and_gets_another_grant() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let before = world.acquire(&READ).await.unwrap().lease();
    world.revoke_subject("alice").await;
    world.alice_consents(&READ, &[]).await.unwrap();
    let after = world.acquire(&READ).await.unwrap().lease();
    assert_ne!(after.grant, before.grant);
    assert!(world.sandbox().is_active(&after.access_token));
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_subject_gets_nothing_until_it_is_enabled_and_nothing_comes_back() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    world.acquire(&READ).await.unwrap().lease();
    let mut subjects = SubjectServiceClient::new(world.admin());
    let disable = DisableSubjectRequest {
        subject: "alice".to_owned(),
        reason: "left".to_owned(),
        ..Default::default()
    };
    subjects.disable(disable).await.unwrap();
    assert!(world.acquire(&READ).await.is_err());
    subjects.enable(EnableSubjectRequest { subject: "alice".to_owned() }).await.unwrap();
    world.acquire(&READ).await.unwrap().consent();
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_connectors_leases_have_ended_and_do_not_come_back_when_it_is_enabled() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let before = world.acquire(&READ).await.unwrap().lease();
    let mut catalog = CatalogServiceClient::new(world.admin());
    let set = |enabled| SetConnectorEnabledRequest {
        connector: "sandbox".to_owned(),
        enabled,
        ..SetConnectorEnabledRequest::default()
    };
    catalog.set_connector_enabled(set(false)).await.unwrap();
    assert_eq!(reason(&world.acquire(&READ).await.err().unwrap()), "DISABLED");
    catalog.set_connector_enabled(set(true)).await.unwrap();
    let after = world.acquire(&READ).await.unwrap().lease();
    assert_ne!(after.lease_id, before.lease_id);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_does_not_revoke_is_asked_again() {
    use leasehold_sandbox::{Endpoint, Fault, FaultRule};
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let lease = world.acquire(&READ).await.unwrap().lease();
    let fault = Fault::Error { status: 503, error: "temporarily_unavailable".to_owned(), description: None };
    world.sandbox().push_fault(FaultRule::once(fault).at(Endpoint::Revocation)).unwrap();
    world.revoke_subject("alice").await;
    world.sandbox().wait_until(|control| control.pending_faults().is_empty()).await;
    // The next try is due ten seconds later, by the node's clock.
    let token = lease.access_token.clone();
    for _ in 0..100 {
        world.clock.advance(leasehold_domain::time::Span::from_secs(5));
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        if !world.sandbox().is_active(&token) {
            return world.stop().await.unwrap();
        }
    }
    panic!("the provider was not asked again");
}
