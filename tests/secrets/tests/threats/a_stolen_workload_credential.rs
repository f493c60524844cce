//! A thief who has a gateway's API credential, and another address.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use leasehold_journey::{
    World,
    calls::{acquire, for_alice},
    reason,
    world::{Bearer, Speaking},
};
use leasehold_proto::v1::{
    AcquireRequest, AddWorkloadCredentialRequest, ListLeasesRequest, RegisterWorkloadRequest, ReleaseRequest,
    RenewRequest, ReportRejectedRequest, RevokeRequest, Selector, SetWorkloadEnabledRequest, WatchRequest,
    acquire_response::Outcome, grant_service_client::GrantServiceClient,
    lease_service_client::LeaseServiceClient, selector, watch_response::Change,
    workload_service_client::WorkloadServiceClient,
};
use leasehold_secrets::{
    bad_calls::{self, Interface},
    furnish::furnish,
    production::{KeyBy, Production},
};
use serde_json::Value;
use tokio::time::timeout;
use tonic::{
    Code,
    service::interceptor::InterceptedService,
    transport::{Channel, Endpoint},
};

use crate::scene;

const READ: [&str; 1] = ["files.read"];
const SOON: Duration = Duration::from_secs(10);

/// A channel for a credential from 127.0.0.2: another address, as far as the node can see.
fn from_elsewhere(world: &World, credential: &str) -> Speaking {
    let endpoint: Endpoint = Channel::from_shared(format!("http://{}", world.dev.node.grpc)).unwrap();
    let channel = endpoint.local_address(Some(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)))).connect_lazy();
    InterceptedService::new(channel, Bearer::new(credential))
}

/// The events of these kinds, in order.
async fn events(world: &World, kinds: &[&str]) -> Vec<Value> {
    let (lines, _) = world.export().await.unwrap();
    let lines = lines.iter().map(|line| serde_json::from_slice::<Value>(line).unwrap());
    lines.filter(|line| kinds.contains(&line["event"].as_str().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_from_a_new_address_is_a_line_with_a_new_pseudonym_and_what_is_not_permitted_is_a_line_too() {
    let world = World::start().await.unwrap();
    world.alice_consents(&["files.read", "files.write"], &[]).await.unwrap();
    let held = world.acquire(&READ).await.unwrap().lease();
    let thief = || from_elsewhere(&world, &world.gateway_credential);

    let stolen = acquire(thief(), for_alice(&READ)).await.unwrap().lease();
    assert_ne!(stolen.lease_id, held.lease_id, "the thief's lease is the gateway's own");
    let issued = events(&world, &["LeaseIssued"]).await;
    let addresses: Vec<&str> =
        issued.iter().map(|line| line["origin"]["address"].as_str().unwrap()).collect();
    assert_eq!(issued.len(), 2);
    assert_ne!(addresses[0], addresses[1]);
    assert!(addresses.iter().all(|address| address.starts_with("hmac-v") && !address.contains("127.0.0")));
    assert_eq!(issued[0]["actor"], issued[1]["actor"], "both by the same credential");

    // Another MCP server than the policies name: denied, and said.
    let beyond = AcquireRequest { mcp_server: "nowhere".to_owned(), ..for_alice(&READ) };
    acquire(thief(), beyond).await.err().unwrap();
    let beyond = for_alice(&["profile"]);
    let refused = acquire(thief(), beyond).await.err().unwrap();
    assert_eq!(reason(&refused), "POLICY_DENIED", "{refused:?}");
    let denied = events(&world, &["AccessDenied"]).await;
    assert_eq!(denied.last().unwrap()["origin"]["address"], issued[1]["origin"]["address"]);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_workloads_leases_are_out_of_reach() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let held = world.acquire(&READ).await.unwrap().lease();
    let mut workloads = WorkloadServiceClient::new(world.admin());
    let register = RegisterWorkloadRequest { name: "other".to_owned(), ..RegisterWorkloadRequest::default() };
    workloads.register(register).await.unwrap();
    let credential = AddWorkloadCredentialRequest { workload: "other".to_owned(), ttl_seconds: 0 };
    let credential = workloads.add_credential(credential).await.unwrap().into_inner().secret;
    let mut thief = LeaseServiceClient::new(world.speaking(&credential));

    let lease_id = held.lease_id.clone();
    let renew = RenewRequest { lease_id: lease_id.clone(), ..RenewRequest::default() };
    assert_eq!(thief.renew(renew).await.unwrap_err().code(), Code::NotFound);
    let release = ReleaseRequest { lease_id: lease_id.clone(), ..ReleaseRequest::default() };
    assert_eq!(thief.release(release).await.unwrap_err().code(), Code::NotFound);
    let report = ReportRejectedRequest { lease_id, status: 401, ..ReportRejectedRequest::default() };
    assert_eq!(thief.report_rejected(report).await.unwrap_err().code(), Code::NotFound);
    assert!(thief.list(ListLeasesRequest {}).await.unwrap().into_inner().leases.is_empty());
    let mut watch = thief.watch(WatchRequest { resume_after: 0 }).await.unwrap().into_inner();
    let first = timeout(SOON, watch.message()).await.unwrap().unwrap().unwrap();
    let Some(Change::Resync(resync)) = first.change else { panic!("no resync came first") };
    assert!(resync.leases.is_empty());
    drop(watch);
    // Nor does it get the token by asking: nothing permits it.
    let refused = acquire(world.speaking(&credential), for_alice(&READ)).await.err().unwrap();
    assert_eq!(reason(&refused), "POLICY_DENIED");
    // The gateway's lease is what it was.
    assert_eq!(world.acquire(&READ).await.unwrap().lease().lease_id, held.lease_id);
    assert_eq!(world.sandbox().refresh_requests("leasehold"), 0, "a report of a stranger caused a recheck");
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_of_an_administrator_is_answered_to_a_workload() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let (before, _) = world.export().await.unwrap();
    let interface = Interface::read().unwrap();
    // What a workload is for: leases, consents for its own needs, and how the cluster is.
    let its_own = [
        "/leasehold.v1.LeaseService/",
        "/leasehold.v1.ClusterService/",
        "StartAuthorization",
        "WaitAuthorization",
        "ListProviders",
    ];
    let mut refused = BTreeSet::new();
    for call in interface.calls.iter().filter(|call| !its_own.iter().any(|own| call.path.contains(own))) {
        // Whatever is not even an id is told so before anybody asks who calls.
        let nothing = "grt_00000000000000000000000000";
        let filled = interface.wrong(call, nothing).into_iter().map(|(_, message)| message);
        for message in filled.chain([Vec::new()]) {
            let said = bad_calls::send(world.gateway(), &call.path, message).await.unwrap();
            let said = String::from_utf8_lossy(&said).into_owned();
            assert!(said.contains("google.rpc.ErrorInfo"), "{} said {said}", call.path);
            refused.extend(said.contains("WRONG_CALLER").then(|| call.path.clone()));
        }
    }
    assert!(refused.len() > 30, "only {refused:?} came so far");
    let (after, _) = world.export().await.unwrap();
    let left = after.iter().skip(before.len()).map(|line| serde_json::from_slice::<Value>(line).unwrap());
    let done = |line: &Value| line["outcome"] != "denied" && line["actor"]["kind"] == "workload";
    let other: Vec<Value> = left.filter(done).collect();
    assert!(other.is_empty(), "refused calls left {other:?}");
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn disabling_the_workload_ends_its_leases_its_credential_and_its_open_streams_at_once() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let thief = || from_elsewhere(&world, &world.gateway_credential);
    let stolen = acquire(thief(), for_alice(&READ)).await.unwrap().lease();
    let mut watch =
        LeaseServiceClient::new(thief()).watch(WatchRequest { resume_after: 0 }).await.unwrap().into_inner();
    timeout(SOON, watch.message()).await.unwrap().unwrap().unwrap();
    let disable = SetWorkloadEnabledRequest {
        workload: "demo-gateway".to_owned(),
        enabled: false,
        ..SetWorkloadEnabledRequest::default()
    };
    WorkloadServiceClient::new(world.admin()).set_enabled(disable).await.unwrap();

    let refused = acquire(thief(), for_alice(&READ)).await.err().unwrap();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let renew = RenewRequest { lease_id: stolen.lease_id.clone(), ..RenewRequest::default() };
    let refused = LeaseServiceClient::new(thief()).renew(renew).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let ended = timeout(SOON, async {
        let mut told = false;
        loop {
            match watch.message().await {
                Ok(Some(message)) => {
                    if let Some(Change::Ended(ended)) = message.change {
                        told |= ended.lease_id == stolen.lease_id;
                    }
                }
                Ok(None) => break (told, Code::Ok),
                Err(status) => break (told, status.code()),
            }
        }
    });
    let (_, code) = ended.await.expect("the stream goes on");
    assert_eq!(code, Code::Unauthenticated, "the stream ends because its caller is nobody any more");
    // Enabled again, nothing that ended comes back.
    let enable = SetWorkloadEnabledRequest {
        workload: "demo-gateway".to_owned(),
        enabled: true,
        ..SetWorkloadEnabledRequest::default()
    };
    WorkloadServiceClient::new(world.admin()).set_enabled(enable).await.unwrap();
    let refused = acquire(thief(), for_alice(&READ)).await.err().unwrap();
    assert_eq!(refused.code(), Code::Unauthenticated, "the stolen credential is somebody's again");
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn revoking_the_workload_says_until_when_copies_of_its_tokens_live() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let stolen = world.acquire(&READ).await.unwrap().lease();
    let revoke = RevokeRequest {
        selector: Some(Selector { selector: Some(selector::Selector::Workload("demo-gateway".to_owned())) }),
        reason: "its credential was stolen".to_owned(),
        ..RevokeRequest::default()
    };
    let answer = GrantServiceClient::new(world.admin()).revoke(revoke).await.unwrap().into_inner();
    let radius = answer.blast_radius.unwrap();
    assert_eq!((radius.workloads, radius.leases), (1, 1));
    let until = radius.residual_exposure_until.unwrap();
    assert_eq!(Some(until), stolen.token_expires_at);
    assert!(world.sandbox().is_active(&stolen.access_token), "the copy lives, as the model says");
    let refused = acquire(world.gateway(), for_alice(&READ)).await.err().unwrap();
    assert_eq!(refused.code(), Code::Unauthenticated);
    // Registered anew, it begins without anything: its old credential is nobody's for ever.
    let enable = SetWorkloadEnabledRequest {
        workload: "demo-gateway".to_owned(),
        enabled: true,
        ..SetWorkloadEnabledRequest::default()
    };
    let _ = WorkloadServiceClient::new(world.admin()).set_enabled(enable).await;
    let refused = acquire(world.gateway(), for_alice(&READ)).await.err().unwrap();
    assert_eq!(refused.code(), Code::Unauthenticated);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn in_production_an_api_credential_vouches_for_nobody() {
    let production = Production::start(KeyBy::File, None).await.unwrap();
    let furnished = furnish(&production).await.unwrap();
    let refused = LeaseServiceClient::new(production.speaking(&furnished.gateway).unwrap())
        .acquire(scene::for_alice())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused:?}");
    assert!(refused.message().contains("certificate"), "{refused:?}");
    // The certificate, whose key the thief has not got, does.
    let answer = LeaseServiceClient::new(production.gateway().unwrap())
        .acquire(scene::for_alice())
        .await
        .unwrap()
        .into_inner();
    assert!(matches!(answer.outcome, Some(Outcome::ConsentRequired(_))));
    production.stop().await.unwrap();
}
