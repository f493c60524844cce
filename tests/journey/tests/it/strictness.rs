//! Bad input gets a clear error and changes nothing.

use leasehold_journey::{
    World,
    calls::{acquire, for_alice},
    reason,
};
use leasehold_proto::v1::{
    AcquireRequest, ClusterStatusRequest, GetGrantRequest, ReleaseRequest, RevokeRequest, Selector,
    WaitAuthorizationRequest, cluster_service_client::ClusterServiceClient,
    grant_service_client::GrantServiceClient, lease_service_client::LeaseServiceClient, selector,
};
use tonic::Code;

const READ: [&str; 1] = ["files.read"];

async fn ledger_size(world: &World) -> u64 {
    let status = ClusterServiceClient::new(world.admin()).status(ClusterStatusRequest {}).await.unwrap();
    status.into_inner().ledger_size
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_and_oversized_requests_are_refused_and_change_nothing() {
    let world = World::start().await.unwrap();
    let before = ledger_size(&world).await;
    let bad: Vec<(&str, AcquireRequest)> = vec![
        ("no subject", AcquireRequest { for_subject: None, ..for_alice(&READ) }),
        ("an empty MCP server", AcquireRequest { mcp_server: String::new(), ..for_alice(&READ) }),
        ("a scope with a space", for_alice(&["files read"])),
        ("a scope that is too long", for_alice(&[&"x".repeat(300)])),
        ("a request id that is too long", AcquireRequest { request_id: "x".repeat(65), ..for_alice(&READ) }),
        ("a validity that is too long", AcquireRequest { min_validity_seconds: 3600, ..for_alice(&READ) }),
        ("a huge name", AcquireRequest { connector: "x".repeat(300_000), ..for_alice(&READ) }),
    ];
    for (name, request) in bad {
        let refused =
            acquire(world.gateway(), request).await.err().unwrap_or_else(|| panic!("{name} was accepted"));
        let codes = [Code::InvalidArgument, Code::OutOfRange, Code::ResourceExhausted, Code::NotFound];
        assert!(codes.contains(&refused.code()), "{name}: {refused:?}");
    }
    assert_eq!(ledger_size(&world).await, before);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_ids_are_unknown() {
    let world = World::start().await.unwrap();
    let nothing = "grt_00000000000000000000000000".to_owned();
    let mut grants = GrantServiceClient::new(world.admin());
    let refused = grants.get(GetGrantRequest { grant: nothing.clone() }).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    let refused = grants.get(GetGrantRequest { grant: "not an id".to_owned() }).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let selector = Some(Selector { selector: Some(selector::Selector::Grant(nothing)) });
    let refused = grants.revoke(RevokeRequest { selector, ..RevokeRequest::default() }).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    let refused = grants.revoke(RevokeRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let wait = WaitAuthorizationRequest {
        authorization: "aut_00000000000000000000000000".to_owned(),
        wait_seconds: 0,
    };
    assert_eq!(grants.wait_authorization(wait).await.unwrap_err().code(), Code::NotFound);
    let mut leases = LeaseServiceClient::new(world.gateway());
    let release =
        ReleaseRequest { lease_id: "lse_00000000000000000000000000".to_owned(), ..ReleaseRequest::default() };
    assert_eq!(leases.release(release).await.unwrap_err().code(), Code::NotFound);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_nobody_knows_is_refused_and_named() {
    use prost::Message;
    /// What a newer client might send.
    #[derive(Clone, PartialEq, Message)]
    struct Newer {
        #[prost(string, tag = "1")]
        mcp_server: String,
        #[prost(string, tag = "99")]
        from_the_future: String,
    }
    let world = World::start().await.unwrap();
    let mut grpc = tonic::client::Grpc::new(world.gateway());
    grpc.ready().await.unwrap();
    let codec: tonic_prost::ProstCodec<Newer, leasehold_proto::v1::AcquireResponse> =
        tonic_prost::ProstCodec::default();
    let path = tonic::codegen::http::uri::PathAndQuery::from_static("/leasehold.v1.LeaseService/Acquire");
    let newer = Newer { mcp_server: "files".to_owned(), from_the_future: "x".to_owned() };
    let refused = grpc.unary(tonic::Request::new(newer), path, codec).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("99"), "{}", refused.message());
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_may_not_administer() {
    let world = World::start().await.unwrap();
    let refused = GrantServiceClient::new(world.gateway())
        .revoke(RevokeRequest {
            selector: Some(Selector { selector: Some(selector::Selector::Subject("alice".to_owned())) }),
            ..RevokeRequest::default()
        })
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(reason(&refused), "WRONG_CALLER");
    world.stop().await.unwrap();
}
