//! Leases: who gets one, which one, and what asking again does.

use leasehold_domain::time::Span;
use leasehold_journey::{
    World,
    calls::{acquire, for_alice},
    reason,
};
use leasehold_proto::v1::{
    AcquireStreamRequest, ClusterStatusRequest, ListLeasesRequest, ReleaseRequest, RenewRequest,
    ReportRejectedRequest, SetPolicyRequest, SetWorkloadEnabledRequest, acquire_request::ForSubject,
    acquire_stream_response, cluster_service_client::ClusterServiceClient,
    lease_service_client::LeaseServiceClient, policy_service_client::PolicyServiceClient,
    workload_service_client::WorkloadServiceClient,
};
use tonic::Code;

const READ: [&str; 1] = ["files.read"];
const BOTH: [&str; 2] = ["files.read", "files.write"];

async fn ledger_size(world: &World) -> u64 {
    let status = ClusterServiceClient::new(world.admin()).status(ClusterStatusRequest {}).await.unwrap();
    status.into_inner().ledger_size
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_again_under_a_live_lease_is_the_same_lease_and_no_event() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let first = world.acquire(&READ).await.unwrap().lease();
    let before = ledger_size(&world).await;
    for _ in 0..5 {
        let again = world.acquire(&READ).await.unwrap().lease();
        assert_eq!((&again.lease_id, &again.access_token), (&first.lease_id, &first.access_token));
    }
    assert_eq!(ledger_size(&world).await, before);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_ends_no_later_than_its_time_and_then_a_new_one_is_issued() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let first = world.acquire(&READ).await.unwrap().lease();
    assert!(first.lease_remaining_seconds <= 300);
    world.clock.advance(Span::from_mins(6));
    let second = world.acquire(&READ).await.unwrap().lease();
    assert_ne!(second.lease_id, first.lease_id);
    let mut leases = LeaseServiceClient::new(world.gateway());
    let refused =
        leases.renew(RenewRequest { lease_id: first.lease_id, ..RenewRequest::default() }).await.unwrap_err();
    assert_eq!(reason(&refused), "LEASE_ENDED");
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_renewed_within_the_hour_of_its_issue_and_not_beyond() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let lease = world.acquire(&READ).await.unwrap().lease();
    let mut leases = LeaseServiceClient::new(world.gateway());
    let request = RenewRequest { lease_id: lease.lease_id, ttl_seconds: 3600, ..RenewRequest::default() };
    let renewed = leases.renew(request).await.unwrap().into_inner();
    assert!(renewed.lease_remaining_seconds > 300 && renewed.lease_remaining_seconds <= 3600);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_released_lease_is_over() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let lease = world.acquire(&READ).await.unwrap().lease();
    let mut leases = LeaseServiceClient::new(world.gateway());
    let release = ReleaseRequest { lease_id: lease.lease_id.clone(), ..ReleaseRequest::default() };
    leases.release(release.clone()).await.unwrap();
    assert_eq!(reason(&leases.release(release).await.unwrap_err()), "LEASE_ENDED");
    let listed = leases.list(ListLeasesRequest {}).await.unwrap().into_inner();
    assert!(listed.leases.iter().all(|held| held.lease_id != lease.lease_id));
    assert!(listed.as_of.unwrap().complete);
    assert_ne!(world.acquire(&READ).await.unwrap().lease().lease_id, lease.lease_id);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_and_no_administrator_may_lease() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let nobody = LeaseServiceClient::new(world.nobody()).acquire(for_alice(&READ)).await.unwrap_err();
    assert_eq!(nobody.code(), Code::Unauthenticated);
    let unknown = acquire(world.speaking("lh_wk_nonsense"), for_alice(&READ)).await.err().unwrap();
    assert_eq!(unknown.code(), Code::Unauthenticated);
    let administrator = acquire(world.admin(), for_alice(&READ)).await.err().unwrap();
    assert_eq!(administrator.code(), Code::PermissionDenied);
    assert_eq!(reason(&administrator), "WRONG_CALLER");
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_can_do_more_than_the_workload_may_have_is_too_broad() {
    let world = World::start().await.unwrap();
    world.alice_consents(&BOTH, &[]).await.unwrap();
    let text = r#"
        @id("reads-only") permit (
          principal == Leasehold::Workload::"demo-gateway",
          action == Leasehold::Action::"lease",
          resource == Leasehold::Connector::"sandbox"
        ) when { ["files.read"].containsAll(context.scopes) };
        @id("vouches") permit (
          principal == Leasehold::Workload::"demo-gateway", action == Leasehold::Action::"act_as", resource
        );
    "#;
    set_policies(&world, text).await;
    let refused = world.acquire(&READ).await.err().unwrap();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(reason(&refused), "TOKEN_TOO_BROAD");
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_policy_everything_is_denied_and_a_live_lease_ends() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let lease = world.acquire(&READ).await.unwrap().lease();
    set_policies(&world, "").await;
    let refused = world.acquire(&READ).await.err().unwrap();
    assert_eq!(reason(&refused), "POLICY_DENIED");
    let mut leases = LeaseServiceClient::new(world.gateway());
    for _ in 0..100 {
        let listed = leases.list(ListLeasesRequest {}).await.unwrap().into_inner();
        if listed.leases.iter().all(|held| held.lease_id != lease.lease_id) {
            return world.stop().await.unwrap();
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the lease did not end");
}

async fn set_policies(world: &World, text: &str) {
    let request = SetPolicyRequest { text: text.to_owned(), ..SetPolicyRequest::default() };
    PolicyServiceClient::new(world.admin()).set(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_workloads_credential_is_nobodys() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    world.acquire(&READ).await.unwrap().lease();
    let request = SetWorkloadEnabledRequest {
        workload: "demo-gateway".to_owned(),
        enabled: false,
        ..SetWorkloadEnabledRequest::default()
    };
    WorkloadServiceClient::new(world.admin()).set_enabled(request).await.unwrap();
    let refused = world.acquire(&READ).await.err().unwrap();
    assert_eq!(refused.code(), Code::Unauthenticated);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_id_gives_the_same_lease_and_another_body_is_refused() {
    let world = World::start().await.unwrap();
    world.alice_consents(&BOTH, &[]).await.unwrap();
    let mut request = for_alice(&READ);
    request.request_id = "order-66".to_owned();
    let first = acquire(world.gateway(), request.clone()).await.unwrap().lease();
    let again = acquire(world.gateway(), request.clone()).await.unwrap().lease();
    assert_eq!(again.lease_id, first.lease_id);
    let mut leases = LeaseServiceClient::new(world.gateway());
    leases.release(ReleaseRequest { lease_id: first.lease_id, ..ReleaseRequest::default() }).await.unwrap();
    request.scopes = vec!["files.write".to_owned()];
    let refused = acquire(world.gateway(), request).await.err().unwrap();
    assert_eq!(reason(&refused), "REQUEST_ID_REUSED");
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_reports_a_refused_token_causes_one_recheck_and_ends_nothing() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let lease = world.acquire(&READ).await.unwrap().lease();
    // A token that was just issued is left alone for a minute, whoever reports it.
    world.clock.advance(Span::from_secs(61));
    let mut leases = LeaseServiceClient::new(world.gateway());
    for _ in 0..3 {
        let report = ReportRejectedRequest {
            lease_id: lease.lease_id.clone(),
            status: 401,
            ..ReportRejectedRequest::default()
        };
        leases.report_rejected(report).await.unwrap();
    }
    world.sandbox().wait_until(|control| control.refresh_requests("leasehold") == 1).await;
    let mut fresh = world.acquire(&READ).await.unwrap().lease();
    for _ in 0..200 {
        if fresh.generation == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        fresh = world.acquire(&READ).await.unwrap().lease();
    }
    assert_eq!(fresh.generation, 2);
    assert!(world.sandbox().is_active(&fresh.access_token));
    assert_eq!(world.sandbox().refresh_requests("leasehold"), 1);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_leases_come_over_one_stream_each_with_its_tag() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let requests: Vec<AcquireStreamRequest> = (1..=50)
        .map(|tag| {
            let mut acquire = for_alice(&READ);
            if tag % 10 == 0 {
                acquire.for_subject = Some(ForSubject::Subject("nobody-known".to_owned()));
            }
            AcquireStreamRequest { tag, acquire: Some(acquire) }
        })
        .collect();
    let mut answers = LeaseServiceClient::new(world.gateway())
        .acquire_stream(futures::stream::iter(requests))
        .await
        .unwrap()
        .into_inner();
    let mut tags = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        match answer.result.unwrap() {
            acquire_stream_response::Result::Response(_) => assert_ne!(answer.tag % 10, 0),
            acquire_stream_response::Result::Error(error) => {
                assert_eq!(answer.tag % 10, 0);
                assert_eq!(error.reason, "SUBJECT_UNKNOWN");
            }
        }
        tags.push(answer.tag);
    }
    tags.sort_unstable();
    assert_eq!(tags, (1..=50).collect::<Vec<_>>());
    world.stop().await.unwrap();
}
