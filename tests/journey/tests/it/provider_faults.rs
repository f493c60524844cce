//! Providers that misbehave in every shape: the grant lives, the caller is told, and nothing is sent twice that may be sent once.

use leasehold_domain::time::Span;
use leasehold_journey::{World, reason};
use leasehold_proto::v1::{
    ConsentReason, ListConnectorsRequest, SetConnectorEnabledRequest,
    catalog_service_client::CatalogServiceClient,
};
use leasehold_sandbox::{Fault, FaultRule};

const READ: [&str; 1] = ["files.read"];

/// A world in which Alice has a lease whose token is about to end.
async fn about_to_expire() -> World {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    world.acquire(&READ).await.unwrap().lease();
    world
}

fn error(status: u16, error: &str) -> Fault {
    Fault::Error {
        status,
        error: error.to_owned(),
        description: Some("a text that must not surface".to_owned()),
    }
}

/// Faults after which the refresh token certainly was not used: the refresh works once the provider is well again.
fn harmless() -> Vec<(&'static str, Fault)> {
    vec![
        ("429", Fault::Throttled { retry_after_seconds: 1 }),
        ("400 invalid_request", error(400, "invalid_scope")),
        (
            "a redirect to a private address",
            Fault::Redirect { status: 302, location: "http://10.0.0.1/".to_owned() },
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_that_leaves_the_refresh_token_good_ends_no_grant() {
    for (name, fault) in harmless() {
        let world = about_to_expire().await;
        world.sandbox().push_fault(FaultRule::once(fault).on_refresh()).unwrap();
        world.advance(Span::from_mins(61));
        let refused = world.acquire(&READ).await.err().unwrap_or_else(|| panic!("{name}: a lease was given"));
        assert!(
            ["PROVIDER_UNAVAILABLE", "CONNECTOR_SUSPENDED"].contains(&reason(&refused).as_str()),
            "{name}: {refused:?}"
        );
        assert!(!refused.message().contains("must not surface"), "{name}");
        if reason(&refused) == "CONNECTOR_SUSPENDED" {
            world.resume_connector().await;
        }
        world.advance(Span::from_mins(1));
        let lease =
            world.acquire(&READ).await.unwrap_or_else(|refused| panic!("{name}: {refused:?}")).lease();
        assert_eq!(lease.generation, 2, "{name}");
        assert_eq!(world.sandbox().reuse_detected(), 0, "{name}");
        world.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_of_a_strict_provider_is_not_followed_by_a_second_send_while_the_token_lives() {
    let world = about_to_expire().await;
    world.sandbox().push_fault(FaultRule::once(Fault::CommitThenDrop).on_refresh()).unwrap();
    // Due ahead of time, with two minutes of the token left.
    world.advance(Span::from_mins(58));
    world.sandbox().wait_until(|control| control.pending_faults().is_empty()).await;
    let lease = world.acquire(&READ).await.unwrap().lease();
    assert_eq!(lease.generation, 1, "the token at hand is served while it lives");
    for _ in 0..10 {
        world.acquire(&READ).await.unwrap().lease();
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(world.sandbox().refresh_requests("leasehold"), 1);
    assert_eq!(world.sandbox().reuse_detected(), 0);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_read_or_came_with_an_error_ends_no_grant_by_itself() {
    for (name, fault) in [
        ("truncated", Fault::Truncated),
        ("a page", Fault::Html { status: 502 }),
        ("a 500 after the commit", Fault::CommitThenError { status: 500 }),
        ("200 with an error", Fault::ErrorWithOk { error: "temporarily_unavailable".to_owned() }),
    ] {
        let world = about_to_expire().await;
        world.sandbox().push_fault(FaultRule::once(fault).on_refresh()).unwrap();
        world.advance(Span::from_mins(58));
        world.sandbox().wait_until(|control| control.pending_faults().is_empty()).await;
        let lease =
            world.acquire(&READ).await.unwrap_or_else(|refused| panic!("{name}: {refused:?}")).lease();
        assert_eq!(lease.generation, 1, "{name}");
        assert_eq!(world.sandbox().refresh_requests("leasehold"), 1, "{name}");
        world.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_encoded_answer_without_a_new_refresh_token_is_understood() {
    for (name, fault) in [
        ("form", Fault::FormEncoded),
        ("commas", Fault::CommaScopes),
        ("no refresh token", Fault::OmitRefreshToken),
    ] {
        let world = about_to_expire().await;
        world.sandbox().push_fault(FaultRule::once(fault).on_refresh()).unwrap();
        world.advance(Span::from_mins(61));
        let lease =
            world.acquire(&READ).await.unwrap_or_else(|refused| panic!("{name}: {refused:?}")).lease();
        assert_eq!(lease.generation, 2, "{name}");
        world.advance(Span::from_mins(61));
        let lease =
            world.acquire(&READ).await.unwrap_or_else(|refused| panic!("{name}: {refused:?}")).lease();
        assert_eq!(lease.generation, 3, "{name}");
        assert_eq!(world.sandbox().reuse_detected(), 0, "{name}");
        world.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_client_suspends_the_connector_and_a_new_secret_heals_it() {
    let world = about_to_expire().await;
    world
        .sandbox()
        .replace_client_secrets(
            leasehold_sandbox::Issuer::Provider,
            "leasehold",
            "another-secret-of-the-provider",
        )
        .unwrap();
    world.advance(Span::from_mins(61));
    let refused = world.acquire(&READ).await.err().unwrap();
    assert_eq!(reason(&refused), "CONNECTOR_SUSPENDED");
    world.add_connector_secret("another-secret-of-the-provider").await;
    world.advance(Span::from_mins(1));
    let lease = world.acquire(&READ).await.unwrap().lease();
    assert_eq!(lease.generation, 2);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_is_suspended_and_disabled_is_neither_once_it_is_enabled() {
    let world = about_to_expire().await;
    world
        .sandbox()
        .replace_client_secrets(leasehold_sandbox::Issuer::Provider, "leasehold", "another-secret")
        .unwrap();
    world.advance(Span::from_mins(61));
    assert_eq!(reason(&world.acquire(&READ).await.err().unwrap()), "CONNECTOR_SUSPENDED");
    let mut catalog = CatalogServiceClient::new(world.admin());
    for enabled in [false, true] {
        let connector = "sandbox".to_owned();
        let request = SetConnectorEnabledRequest { connector, enabled, expected_revision: None };
        let revision = catalog.set_connector_enabled(request).await.unwrap().into_inner().revision;
        let listed = catalog.list_connectors(ListConnectorsRequest {}).await.unwrap().into_inner();
        let known = &listed.connectors[0];
        assert_eq!((known.enabled, known.suspended.is_empty(), known.revision), (enabled, enabled, revision));
    }
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_providers_verdict_that_a_grant_is_dead_asks_for_a_new_consent() {
    let world = about_to_expire().await;
    world.sandbox().withdraw("alice").unwrap();
    world.advance(Span::from_mins(61));
    let needed = world.acquire(&READ).await.unwrap().consent();
    assert_eq!(needed.reason(), ConsentReason::Reauthentication);
    world.consent(&needed.connect_url, "alice", &[]).await.unwrap();
    let lease = world.acquire(&READ).await.unwrap().lease();
    assert!(world.sandbox().is_active(&lease.access_token));
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_whose_exchange_fails_grants_nothing_and_says_so() {
    for (name, fault) in [
        ("500", error(500, "server_error")),
        ("invalid_grant", error(400, "invalid_grant")),
        ("a page", Fault::Html { status: 200 }),
        ("truncated", Fault::Truncated),
        ("an endless answer", Fault::Oversized { bytes: 4 << 20 }),
    ] {
        let world = World::start().await.unwrap();
        let needed = world.acquire(&READ).await.unwrap().consent();
        // Whatever might be a lost answer is asked for once more, so that one fault alone would do no harm.
        world.sandbox().push_fault(FaultRule::sticky(fault).on_grant("authorization_code")).unwrap();
        let failed = world.consent(&needed.connect_url, "alice", &[]).await;
        assert!(failed.is_err(), "{name}");
        world.sandbox().clear_faults();
        world.acquire(&READ).await.unwrap_or_else(|refused| panic!("{name}: {refused:?}")).consent();
        // The next consent works.
        world.alice_consents(&READ, &[]).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        world.acquire(&READ).await.unwrap().lease();
        world.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_cannot_be_looked_up_never_becomes_a_grant_and_its_tokens_are_revoked() {
    use leasehold_sandbox::Endpoint;
    let world = World::start().await.unwrap();
    let needed = world.acquire(&READ).await.unwrap().consent();
    world.sandbox().push_fault(FaultRule::sticky(error(500, "server_error")).at(Endpoint::Account)).unwrap();
    assert!(world.consent(&needed.connect_url, "alice", &[]).await.is_err());
    world.sandbox().clear_faults();
    world
        .sandbox()
        .wait_until(|control| {
            let families = control.families();
            !families.is_empty() && families.iter().all(|family| family.ended.is_some())
        })
        .await;
    world.acquire(&READ).await.unwrap().consent();
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_whose_answer_is_lost_leaves_no_token_at_the_provider() {
    for (name, fault) in [("cut off", Fault::CommitThenDrop), ("truncated", Fault::Truncated)] {
        let world = World::start().await.unwrap();
        let needed = world.acquire(&READ).await.unwrap().consent();
        world.sandbox().push_fault(FaultRule::once(fault).on_grant("authorization_code")).unwrap();
        assert!(world.consent(&needed.connect_url, "alice", &[]).await.is_err(), "{name}");
        let living =
            world.sandbox().all_secrets().into_iter().filter(|token| world.sandbox().is_active(token));
        assert_eq!(living.count(), 0, "{name}");
        assert_eq!(world.sandbox().code_reuse_detected(), 1, "{name}");
        world.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_that_never_arrived_is_made_once_more() {
    let world = World::start().await.unwrap();
    let needed = world.acquire(&READ).await.unwrap().consent();
    world.sandbox().push_fault(FaultRule::once(Fault::Drop).on_grant("authorization_code")).unwrap();
    world.consent(&needed.connect_url, "alice", &[]).await.unwrap();
    world.acquire(&READ).await.unwrap().lease();
    assert_eq!(world.sandbox().families().len(), 1);
    world.stop().await.unwrap();
}
