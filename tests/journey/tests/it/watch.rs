//! Watches: what a holder is told, and when.

use std::time::Duration;

use leasehold_journey::{World, calls::for_alice};
use leasehold_proto::v1::{
    WatchRequest, WatchResponse, lease_service_client::LeaseServiceClient, watch_response::Change,
};
use tokio::time::timeout;
use tonic::Streaming;

const READ: [&str; 1] = ["files.read"];
const SOON: Duration = Duration::from_secs(10);

async fn watch(world: &World, resume_after: u64) -> Streaming<WatchResponse> {
    LeaseServiceClient::new(world.gateway()).watch(WatchRequest { resume_after }).await.unwrap().into_inner()
}

async fn next_change(stream: &mut Streaming<WatchResponse>) -> (u64, Change) {
    loop {
        let message = timeout(SOON, stream.message()).await.unwrap().unwrap().unwrap();
        match message.change.unwrap() {
            Change::Keepalive(_) => {}
            change @ (Change::Resync(_) | Change::Ended(_) | Change::Held(_)) => {
                return (message.seq, change);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_begins_with_the_whole_set_and_is_pushed_what_a_revocation_ends() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let held = world.acquire(&READ).await.unwrap().lease();
    let mut stream = watch(&world, 0).await;
    let (_, first) = next_change(&mut stream).await;
    let Change::Resync(resync) = first else { panic!("no resync came first") };
    assert_eq!(resync.grace_seconds, 10);
    assert!(resync.leases.iter().any(|lease| lease.lease_id == held.lease_id));
    world.revoke_subject("alice").await;
    let (_, change) = next_change(&mut stream).await;
    let Change::Ended(ended) = change else { panic!("no end came") };
    assert_eq!((ended.lease_id, ended.reason.as_str()), (held.lease_id, "revoked"));
    assert!(ended.residual_exposure_until.is_some());
    drop(stream);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_sends_keepalives_while_its_node_is_current() {
    let world = World::start().await.unwrap();
    let mut stream = watch(&world, 0).await;
    let mut keepalives = 0;
    while keepalives < 2 {
        let message = timeout(SOON, stream.message()).await.unwrap().unwrap().unwrap();
        keepalives += u32::from(matches!(message.change, Some(Change::Keepalive(_))));
    }
    drop(stream);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_resumes_is_told_what_ended_while_it_was_away() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let held = world.acquire(&READ).await.unwrap().lease();
    let mut stream = watch(&world, 0).await;
    let (seq, _) = next_change(&mut stream).await;
    drop(stream);
    world.revoke_subject("alice").await;
    let mut stream = watch(&world, seq).await;
    let (_, change) = next_change(&mut stream).await;
    let Change::Ended(ended) = change else { panic!("no end came") };
    assert_eq!(ended.lease_id, held.lease_id);
    drop(stream);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_tells_of_leases_that_are_issued_and_released() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let mut stream = watch(&world, 0).await;
    next_change(&mut stream).await;
    let mut leases = LeaseServiceClient::new(world.gateway());
    leases.acquire(for_alice(&READ)).await.unwrap();
    let (_, change) = next_change(&mut stream).await;
    let Change::Held(held) = change else { panic!("no lease came") };
    leases
        .release(leasehold_proto::v1::ReleaseRequest {
            lease_id: held.lease_id.clone(),
            ..Default::default()
        })
        .await
        .unwrap();
    let (_, change) = next_change(&mut stream).await;
    let Change::Ended(ended) = change else { panic!("no end came") };
    assert_eq!((ended.lease_id, ended.reason.as_str()), (held.lease_id, "released"));
    drop(stream);
    world.stop().await.unwrap();
}
