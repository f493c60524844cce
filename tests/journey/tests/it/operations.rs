//! What operators and their monitoring ask a node.

use leasehold_journey::{
    World,
    calls::{acquire, for_alice},
    world::none_in,
};
use leasehold_proto::v1::lease_service_client::LeaseServiceClient;

async fn ask(world: &World, path: &str) -> (u16, String) {
    let answer = reqwest::get(format!("http://{}{path}", world.dev.node.operations)).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_says_that_it_lives_and_that_it_can_answer() {
    let world = World::start().await.unwrap();
    assert_eq!(ask(&world, "/healthz").await, (200, "ok\n".to_owned()));
    let (status, text) = ask(&world, "/readyz").await;
    assert_eq!(status, 200);
    assert!(text.starts_with("ready at entry "), "{text}");
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_what_was_answered_and_hold_no_secret() {
    let world = World::start().await.unwrap();
    world.alice_consents(&["files.read"], &[]).await.unwrap();
    acquire(world.gateway(), for_alice(&["files.read"])).await.unwrap().lease();
    LeaseServiceClient::new(world.nobody()).acquire(for_alice(&["files.read"])).await.unwrap_err();
    let (status, metrics) = ask(&world, "/metrics").await;
    assert_eq!(status, 200);
    for line in [
        "# TYPE leasehold_grpc_calls_total counter",
        // One asked for the consent, one got the lease.
        r#"leasehold_grpc_calls_total{code="Ok",method="Acquire",service="leasehold.v1.LeaseService"} 2"#,
        "leasehold_grpc_calls_unauthenticated_total 1",
        "# TYPE leasehold_grpc_connections gauge",
        "leasehold_grants 1",
        "leasehold_raft_leader 1",
    ] {
        assert!(metrics.lines().any(|shown| shown == line), "no line {line} in\n{metrics}");
    }
    none_in(&world.canaries(), metrics.as_bytes()).unwrap();
    world.stop().await.unwrap();
}
