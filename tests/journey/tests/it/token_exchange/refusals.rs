//! What is refused to a client that is known: every error code, and that nothing changed.

use leasehold_journey::World;
use leasehold_proto::v1::{
    DisableSubjectRequest, RegisterMcpServerRequest, SetPolicyRequest,
    catalog_service_client::CatalogServiceClient, policy_service_client::PolicyServiceClient,
    subject_service_client::SubjectServiceClient,
};
use leasehold_sandbox::IdTokenFlaw;

use super::{
    client::{GATEWAY, RESOURCE, exchange, subject_token},
    consented, ledger_size,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_addressed_to_somebody_else_is_refused() {
    let world = consented().await;
    for audience in ["leasehold", "another-app", "https://files.example.test/", "files", "sandbox"] {
        if audience == "leasehold" {
            // What we ourselves are given when somebody signs in here: no workload may use it.
            let flaw = IdTokenFlaw::OtherAuthorizedParty;
            world.sandbox().flaw_next_id_token(flaw).unwrap();
            let both = subject_token(&world, "alice", GATEWAY).await;
            let refused = exchange(&world, &both, &[]).await;
            assert_eq!(refused.refusal(), (400, "invalid_request", "SUBJECT_TOKEN_INVALID"), "two audiences");
            continue;
        }
        let token = subject_token(&world, "alice", audience).await;
        let refused = exchange(&world, &token, &[]).await;
        assert_eq!(refused.refusal(), (400, "invalid_request", "SUBJECT_TOKEN_INVALID"), "{audience}");
    }
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_with_any_flaw_is_refused_and_changes_nothing() {
    let world = consented().await;
    let before = ledger_size(&world).await;
    for flaw in [
        IdTokenFlaw::OtherIssuer,
        IdTokenFlaw::OtherAudience,
        IdTokenFlaw::Expired,
        IdTokenFlaw::Unsigned,
        IdTokenFlaw::OtherKey,
        IdTokenFlaw::HmacWithPublicKey,
        IdTokenFlaw::AlteredClaims,
    ] {
        world.sandbox().flaw_next_id_token(flaw).unwrap();
        let token = subject_token(&world, "alice", GATEWAY).await;
        let refused = exchange(&world, &token, &[]).await;
        assert_eq!(refused.refusal(), (400, "invalid_request", "SUBJECT_TOKEN_INVALID"), "{flaw:?}");
    }
    for text in ["x", "eyJhbGciOiJub25lIn0.e30.", &"x".repeat(12_000)] {
        let refused = exchange(&world, text, &[]).await;
        assert_eq!(refused.refusal(), (400, "invalid_request", "SUBJECT_TOKEN_INVALID"));
    }
    assert_eq!(ledger_size(&world).await, before);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_is_named_by_its_token_alone_and_has_to_have_signed_in_here() {
    let world = consented().await;
    // By name, as gRPC lets a workload vouch that may.
    let vouched = exchange(&world, "", &[("subject", "alice")]).await;
    assert_eq!(vouched.refusal(), (400, "invalid_request", "INVALID_ARGUMENT"));
    assert_eq!(exchange(&world, "alice", &[]).await.refusal().2, "SUBJECT_TOKEN_INVALID");
    let bob = subject_token(&world, "bob", GATEWAY).await;
    assert_eq!(exchange(&world, &bob, &[]).await.refusal(), (400, "invalid_request", "SUBJECT_UNKNOWN"));
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_revoked_is_not_exchanged_and_a_disabled_subject_has_no_token() {
    let world = consented().await;
    let token = subject_token(&world, "alice", GATEWAY).await;
    let first = exchange(&world, &token, &[]).await;
    assert_eq!(first.status, 200);
    world.revoke_subject("alice").await;
    let revoked = exchange(&world, &token, &[]).await;
    assert_eq!(revoked.refusal(), (400, "interaction_required", "NO_GRANT"));
    let disable = DisableSubjectRequest { subject: "alice".to_owned(), ..DisableSubjectRequest::default() };
    SubjectServiceClient::new(world.admin()).disable(disable).await.unwrap();
    let disabled = exchange(&world, &token, &[]).await;
    assert_eq!(disabled.refusal(), (400, "invalid_request", "SUBJECT_UNKNOWN"));
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_target_and_scope_that_is_not_registered_or_permitted_is_refused_by_its_code() {
    let world = consented().await;
    let token = subject_token(&world, "alice", GATEWAY).await;
    register_twice(&world).await;
    let before = ledger_size(&world).await;
    for (name, value, error, reason) in [
        ("resource", "https://unknown.example.test/mcp", "invalid_target", "UNKNOWN"),
        ("resource", "https://files.example.test/mcp/", "invalid_target", "UNKNOWN"),
        ("resource", "https://FILES.example.test/mcp", "invalid_target", "UNKNOWN"),
        ("resource", "https://twice.example.test/mcp", "invalid_target", "INVALID_ARGUMENT"),
        ("resource", "files", "invalid_target", "INVALID_ARGUMENT"),
        ("resource", "", "invalid_target", "INVALID_ARGUMENT"),
        ("audience", "unknown", "invalid_target", "UNKNOWN"),
        ("audience", "", "invalid_target", "INVALID_ARGUMENT"),
        ("scope", "files\\read", "invalid_scope", "INVALID_ARGUMENT"),
        ("grant_type", "client_credentials", "unsupported_grant_type", "INVALID_ARGUMENT"),
        ("grant_type", "", "invalid_request", "INVALID_ARGUMENT"),
        (
            "subject_token_type",
            "urn:ietf:params:oauth:token-type:saml2",
            "invalid_request",
            "INVALID_ARGUMENT",
        ),
        (
            "requested_token_type",
            "urn:ietf:params:oauth:token-type:jwt",
            "invalid_request",
            "INVALID_ARGUMENT",
        ),
        ("actor_token", "eyJ", "invalid_request", "INVALID_ARGUMENT"),
        ("actor_token_type", "x", "invalid_request", "INVALID_ARGUMENT"),
        ("account", "alice", "invalid_request", "INVALID_ARGUMENT"),
    ] {
        let refused = exchange(&world, &token, &[(name, value)]).await;
        assert_eq!(refused.refusal(), (400, error, reason), "{name}={value}");
    }
    assert_eq!(ledger_size(&world).await, before);
    // The policy speaks before anything about scopes does, and a denial is a line.
    let denied = exchange(&world, &token, &[("scope", "files.admin")]).await;
    assert_eq!(denied.refusal(), (400, "invalid_target", "POLICY_DENIED"));
    permit_everything(&world).await;
    let unregistered = exchange(&world, &token, &[("scope", "files.admin")]).await;
    assert_eq!(unregistered.refusal(), (400, "invalid_scope", "SCOPES_NOT_REGISTERED"));
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_may_be_repeated_but_not_be_several() {
    let world = consented().await;
    let token = subject_token(&world, "alice", GATEWAY).await;
    let by = super::By::Basic(GATEWAY, &world.gateway_credential);
    let send = async |more: &[(&str, &str)]| {
        let mut fields = super::client::parameters(&token, &[]);
        fields.extend(more);
        let request = super::client::request(&world, "/oauth2/token", by, &fields);
        super::client::send(&world, request).await
    };
    assert_eq!(send(&[("resource", RESOURCE), ("audience", "sandbox")]).await.status, 200);
    for several in [("resource", "https://other.example.test/mcp"), ("audience", "other")] {
        assert_eq!(send(&[several]).await.refusal().1, "invalid_target");
    }
    for twice in ["scope", "subject_token", "grant_type", "unknown_to_everybody"] {
        assert_eq!(send(&[(twice, "x"), (twice, "x")]).await.refusal().2, "FIELD_AMBIGUOUS", "{twice}");
    }
    assert_eq!(send(&[("unknown_to_everybody", "x")]).await.status, 200);
    world.stop().await.unwrap();
}

async fn register_twice(world: &World) {
    for name in ["twice-one", "twice-two"] {
        let request = RegisterMcpServerRequest {
            name: name.to_owned(),
            resource: "https://twice.example.test/mcp".to_owned(),
            ..RegisterMcpServerRequest::default()
        };
        CatalogServiceClient::new(world.admin()).register_mcp_server(request).await.unwrap();
    }
}

async fn permit_everything(world: &World) {
    let text = "@id(\"everything\") permit (principal is Leasehold::Workload, action, resource);";
    let request = SetPolicyRequest { text: text.to_owned(), ..SetPolicyRequest::default() };
    PolicyServiceClient::new(world.admin()).set(request).await.unwrap();
}
