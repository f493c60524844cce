//! Refreshing: once, whoever asks, and never at the grant's cost.

use leasehold_domain::time::Span;
use leasehold_journey::{
    World,
    calls::{acquire, for_alice},
};
use leasehold_proto::v1::{RefreshGrantRequest, grant_service_client::GrantServiceClient};

const READ: [&str; 1] = ["files.read"];

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_callers_at_expiry_make_one_refresh_request() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let before = world.acquire(&READ).await.unwrap().lease();
    world.advance(Span::from_mins(61));
    let calls = (0..200).map(|_| acquire(world.gateway(), for_alice(&READ)));
    let leases: Vec<_> =
        futures::future::join_all(calls).await.into_iter().map(|answer| answer.unwrap().lease()).collect();
    let first = leases.first().unwrap();
    assert_ne!(first.access_token, before.access_token);
    assert!(leases.iter().all(|lease| lease.access_token == first.access_token && lease.generation == 2));
    assert_eq!(world.sandbox().refresh_requests("leasehold"), 1);
    assert_eq!(world.sandbox().reuse_detected(), 0);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_refreshed_ahead_of_time_though_nobody_asks() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    world.advance(Span::from_mins(58));
    world.sandbox().wait_until(|control| control.refresh_requests("leasehold") == 1).await;
    assert_eq!(world.sandbox().reuse_detected(), 0);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_needs_a_longer_life_gets_a_refreshed_token() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    world.advance(Span::from_mins(40));
    let mut request = for_alice(&READ);
    request.min_validity_seconds = 25 * 60;
    let lease = acquire(world.gateway(), request).await.unwrap().lease();
    assert_eq!(lease.generation, 2);
    assert!(lease.token_remaining_seconds.unwrap() >= 25 * 60);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_refreshes_in_a_row_never_present_a_refresh_token_twice() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let grant = world.acquire(&READ).await.unwrap().lease().grant;
    let mut grants = GrantServiceClient::new(world.admin());
    for generation in 2..12 {
        let answer = grants.refresh(RefreshGrantRequest { grant: grant.clone() }).await.unwrap().into_inner();
        assert_eq!(answer.grant.unwrap().generation, generation);
    }
    assert_eq!(world.sandbox().refresh_requests("leasehold"), 10);
    assert_eq!(world.sandbox().reuse_detected(), 0);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_does_not_end_the_refresh_that_others_wait_for() {
    use leasehold_sandbox::{Fault, FaultRule};
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    world.acquire(&READ).await.unwrap().lease();
    world.sandbox().push_fault(FaultRule::once(Fault::Slow { millis: 500 }).on_refresh()).unwrap();
    world.advance(Span::from_mins(61));
    let impatient = tokio::spawn(acquire(world.gateway(), for_alice(&READ)));
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    impatient.abort();
    let lease = world.acquire(&READ).await.unwrap().lease();
    assert_eq!(lease.generation, 2);
    assert_eq!(world.sandbox().refresh_requests("leasehold"), 1);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn where_answers_state_no_end_introspection_tells_it() {
    use leasehold_sandbox::{Behaviour, ExpiresIn};
    let world = World::start().await.unwrap();
    let silent = Behaviour {
        expires_in: ExpiresIn::Omitted,
        access_lifetime_seconds: Some(20 * 60),
        ..Behaviour::default()
    };
    world.sandbox().set_behaviour("leasehold", silent).unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let first = world.acquire(&READ).await.unwrap().lease();
    let mut grants = GrantServiceClient::new(world.admin());
    grants.refresh(RefreshGrantRequest { grant: first.grant }).await.unwrap();
    let second = world.acquire(&READ).await.unwrap().lease();
    assert_eq!((first.generation, second.generation), (1, 2));
    for lease in [first.token_remaining_seconds, second.token_remaining_seconds] {
        let left = lease.unwrap();
        assert!((19 * 60..=20 * 60).contains(&left), "{left} seconds, and an hour would have been a guess");
    }
    world.stop().await.unwrap();
}
