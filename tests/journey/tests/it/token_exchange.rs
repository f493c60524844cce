//! Token exchange over HTTP (RFC 8693), as a gateway without gRPC uses it.

mod client;
mod doors;
mod refusals;

use leasehold_domain::time::Span;
use leasehold_journey::{World, world::none_in};
use leasehold_proto::v1::{
    ClusterStatusRequest, ListLeasesRequest, cluster_service_client::ClusterServiceClient,
    lease_service_client::LeaseServiceClient,
};
use leasehold_sandbox::{Fault, FaultRule};

use client::{By, GATEWAY, RESOURCE, exchange, release, subject_token};

const READ: [&str; 1] = ["files.read"];
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

async fn ledger_size(world: &World) -> u64 {
    let status = ClusterServiceClient::new(world.admin()).status(ClusterStatusRequest {}).await.unwrap();
    status.into_inner().ledger_size
}

/// A world in which Alice has consented to reading, and so has signed in once.
async fn consented() -> World {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subjects_token_is_exchanged_for_a_token_that_the_provider_takes() {
    let world = consented().await;
    let token = subject_token(&world, "alice", GATEWAY).await;
    let answer = exchange(&world, &token, &[]).await;
    assert_eq!(answer.status, 200, "{:?}", answer.json);
    assert!(world.sandbox().is_active(answer.text("access_token")));
    assert_eq!(answer.text("issued_token_type"), ACCESS_TOKEN);
    assert_eq!(answer.text("token_type"), "Bearer");
    assert_eq!(answer.text("scope"), "files.read");
    assert!(answer.text("lease_id").starts_with("lse_") && answer.text("grant").starts_with("grt_"));
    let seconds = answer.json["expires_in"].as_u64().unwrap();
    assert!((1..=300).contains(&seconds), "{seconds}");
    assert!(answer.json.get("refresh_token").is_none());
    // What gRPC says that the gateway holds is this lease.
    let held =
        LeaseServiceClient::new(world.gateway()).list(ListLeasesRequest {}).await.unwrap().into_inner();
    let held: Vec<&str> = held.leases.iter().map(|lease| lease.lease_id.as_str()).collect();
    assert_eq!(held, [answer.text("lease_id")]);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_may_be_addressed_to_the_mcp_server_and_the_workload_named_by_its_id() {
    let world = consented().await;
    let token = subject_token(&world, "alice", RESOURCE).await;
    for declared in ["id_token", "jwt", "access_token"] {
        let declared = format!("urn:ietf:params:oauth:token-type:{declared}");
        let changes = [("subject_token_type", declared.as_str()), ("client_id", GATEWAY)];
        assert_eq!(exchange(&world, &token, &changes).await.status, 200, "{declared}");
    }
    let lease = [("requested_token_type", "urn:leasehold:token-type:lease")];
    assert_eq!(exchange(&world, &token, &lease).await.text("issued_token_type"), lease[0].1);
    let bearer = client::exchange_by(&world, By::Bearer(&world.gateway_credential), &token).await;
    assert_eq!(bearer.status, 200);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_under_a_live_lease_is_the_same_lease_and_no_event() {
    let world = consented().await;
    let token = subject_token(&world, "alice", GATEWAY).await;
    let first = exchange(&world, &token, &[]).await;
    let before = ledger_size(&world).await;
    for _ in 0..5 {
        let again = exchange(&world, &token, &[]).await;
        assert_eq!(again.text("lease_id"), first.text("lease_id"));
        assert_eq!(again.text("access_token"), first.text("access_token"));
    }
    assert_eq!(ledger_size(&world).await, before);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_ends_with_the_subjects_token_and_that_token_opens_nothing_more() {
    let world = consented().await;
    let token = subject_token(&world, "alice", GATEWAY).await;
    world.advance(Span::from_mins(4));
    let late = exchange(&world, &token, &[]).await;
    assert!(late.json["expires_in"].as_u64().unwrap() <= 60, "{:?}", late.json["expires_in"]);
    world.advance(Span::from_mins(3));
    let before = ledger_size(&world).await;
    let expired = exchange(&world, &token, &[]).await;
    assert_eq!(expired.refusal(), (400, "invalid_request", "SUBJECT_TOKEN_INVALID"));
    assert_eq!(ledger_size(&world).await, before);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_that_is_needed_is_asked_for_and_then_the_exchange_works() {
    let world = consented().await;
    let token = subject_token(&world, "alice", GATEWAY).await;
    let write = [("scope", "files.read files.write")];
    let needed = exchange(&world, &token, &write).await;
    assert_eq!(needed.refusal(), (400, "interaction_required", "SCOPES_MISSING"));
    assert_eq!(needed.json["missing_scopes"], serde_json::json!(["files.write"]));
    let url = needed.text("connect_url").to_owned();
    assert!(url.ends_with(needed.text("authorization")), "{url}");
    let before = ledger_size(&world).await;
    assert_eq!(exchange(&world, &token, &write).await.text("connect_url"), url);
    assert_eq!(ledger_size(&world).await, before, "asking again writes nothing");
    world.consent(&url, "alice", &[]).await.unwrap();
    let given = exchange(&world, &token, &write).await;
    assert_eq!((given.status, given.text("scope")), (200, "files.read files.write"));
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_carries_more_than_was_asked_for_says_so() {
    let world = World::start().await.unwrap();
    world.alice_consents(&["files.read", "files.write"], &[]).await.unwrap();
    let token = subject_token(&world, "alice", GATEWAY).await;
    assert_eq!(exchange(&world, &token, &[]).await.text("scope"), "files.read files.write");
    assert_eq!(exchange(&world, &token, &[("scope", "")]).await.text("scope"), "files.read files.write");
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_given_back_by_its_holder_and_by_nobody_else() {
    let world = consented().await;
    let other = doors::another_workload(&world).await;
    let token = subject_token(&world, "alice", GATEWAY).await;
    let lease = exchange(&world, &token, &[]).await;
    let (id, access_token) = (lease.text("lease_id"), lease.text("access_token"));
    let by = By::Basic(GATEWAY, &world.gateway_credential);
    let held = async || {
        let held = LeaseServiceClient::new(world.gateway()).list(ListLeasesRequest {}).await.unwrap();
        held.into_inner().leases.iter().any(|held| held.lease_id == id)
    };
    // The answers that tell a stranger nothing.
    assert_eq!(release(&world, By::Bearer(&other), id).await.status, 200);
    assert_eq!(release(&world, by, "lse_00000000000000000000000000").await.status, 200);
    assert_eq!(release(&world, by, access_token).await.refusal().1, "unsupported_token_type");
    assert_eq!(release(&world, By::Nothing, id).await.refusal().1, "invalid_client");
    assert!(held().await);
    let done = release(&world, by, id).await;
    assert_eq!((done.status, done.json), (200, serde_json::Value::Null));
    assert!(!held().await);
    assert_eq!(release(&world, by, id).await.status, 200, "what is over is over");
    assert_ne!(exchange(&world, &token, &[]).await.text("lease_id"), id);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_fails_is_a_wait_and_no_end() {
    let world = consented().await;
    let throttled = Fault::Throttled { retry_after_seconds: 30 };
    world.sandbox().push_fault(FaultRule::once(throttled).on_refresh()).unwrap();
    world.advance(Span::from_mins(61));
    let token = subject_token(&world, "alice", GATEWAY).await;
    let refused = exchange(&world, &token, &[]).await;
    assert_eq!(refused.refusal(), (503, "temporarily_unavailable", "PROVIDER_UNAVAILABLE"));
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=3600).contains(&wait), "{wait}");
    world.advance(Span::from_mins(2));
    assert_eq!(exchange(&world, &token, &[]).await.json["generation"], 2);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_stands_in_a_file_a_line_or_the_log_and_the_exchanges_are_counted() {
    let world = consented().await;
    let token = subject_token(&world, "alice", GATEWAY).await;
    exchange(&world, &token, &[]).await;
    exchange(&world, "eyJ.not-a-token.x", &[]).await.refusal();
    client::exchange_by(&world, By::Basic("demo-gateway", &world.admin_credential), &token).await.refusal();
    // As a client would that mistakes the one for the other.
    exchange(&world, &world.gateway_credential, &[]).await.refusal();
    release(&world, By::Bearer(&world.gateway_credential), &token).await.refusal();
    assert!(world.canaries().contains(&token));
    let (lines, _) = world.export().await.unwrap();
    none_in(&world.canaries(), &lines.join(&b'\n')).unwrap();
    assert!(world.look_for_canaries().unwrap() > 10);
    let metrics = reqwest::get(format!("http://{}/metrics", world.dev.node.operations)).await.unwrap();
    let metrics = metrics.text().await.unwrap();
    for (endpoint, outcome, count) in [
        ("token", "ok", 1),
        ("token", "invalid_request", 2),
        ("token", "invalid_client", 1),
        ("revoke", "unsupported_token_type", 1),
    ] {
        let line = format!(
            r#"leasehold_exchange_requests_total{{endpoint="{endpoint}",outcome="{outcome}"}} {count}"#
        );
        assert!(metrics.lines().any(|shown| shown == line), "no line {line} in\n{metrics}");
    }
    world.stop().await.unwrap();
}
