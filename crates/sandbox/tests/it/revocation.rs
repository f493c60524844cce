//! Revocation (RFC 7009) and introspection (RFC 7662).

use leasehold_sandbox::{Behaviour, Ended, Endpoint, Fault, FaultRule, Outcome, fingerprint};

use crate::support::{CLIENT, Reply, Rig, SECRET};

const OTHER: (&str, &str) = ("other", "the secret of the other one");

async fn call(rig: &Rig, path: &str, client: (&str, &str), token: &str) -> Reply {
    let fields = [("token", token), ("client_id", client.0), ("client_secret", client.1)];
    rig.post(&rig.provider(path), &fields).await
}

async fn active(rig: &Rig, token: &str) -> bool {
    call(rig, "/introspect", (CLIENT, SECRET), token).await.json()["active"] == true
}

#[tokio::test]
async fn revoking_a_refresh_token_ends_its_family() {
    let rig = Rig::start().await;
    let (access, refresh) = rig.tokens().await;
    assert!(active(&rig, &access).await && active(&rig, &refresh).await);
    let reply = call(&rig, "/revoke", (CLIENT, SECRET), &refresh).await;
    assert_eq!((reply.status, reply.text.as_str()), (200, ""));
    assert!(!active(&rig, &access).await && !active(&rig, &refresh).await);
    assert_eq!(rig.refresh(&refresh).await.error(), "invalid_grant");
    let control = rig.sandbox.control();
    assert_eq!(control.families()[0].ended, Some(Ended::Revoked));
    assert_eq!(control.reuse_detected(), 0);
    let shown = control.presentations(&fingerprint(&refresh));
    let at_revocation: Vec<_> = shown.iter().filter(|line| line.endpoint == Endpoint::Revocation).collect();
    assert_eq!(at_revocation.len(), 1);
    assert_eq!(at_revocation[0].outcome, Outcome::Accepted);
}

#[tokio::test]
async fn revoking_a_refresh_token_may_spare_the_access_tokens() {
    let rig = Rig::with(Behaviour { refresh_revocation_ends_access: false, ..Behaviour::default() }).await;
    let (access, refresh) = rig.tokens().await;
    call(&rig, "/revoke", (CLIENT, SECRET), &refresh).await;
    assert!(!active(&rig, &refresh).await);
    assert!(active(&rig, &access).await);
    assert_eq!(rig.api("/api/me", &access).await.status, 200);
}

#[tokio::test]
async fn revoking_an_access_token_spares_the_refresh_token() {
    let rig = Rig::start().await;
    let (access, refresh) = rig.tokens().await;
    assert_eq!(call(&rig, "/revoke", (CLIENT, SECRET), &access).await.status, 200);
    assert!(!active(&rig, &access).await);
    assert_eq!(rig.refresh(&refresh).await.status, 200);
}

#[tokio::test]
async fn a_provider_may_be_unable_to_revoke_access_tokens() {
    let rig = Rig::with(Behaviour { access_token_revocable: false, ..Behaviour::default() }).await;
    let (access, _) = rig.tokens().await;
    assert_eq!(call(&rig, "/revoke", (CLIENT, SECRET), &access).await.error(), "unsupported_token_type");
    assert!(active(&rig, &access).await);
}

#[tokio::test]
async fn an_unknown_token_is_as_good_as_revoked() {
    let rig = Rig::start().await;
    assert_eq!(call(&rig, "/revoke", (CLIENT, SECRET), "never issued by anybody").await.status, 200);
}

#[tokio::test]
async fn nobody_revokes_or_sees_the_token_of_another_client() {
    let rig = Rig::start().await;
    let (access, refresh) = rig.tokens().await;
    assert_eq!(call(&rig, "/revoke", OTHER, &refresh).await.status, 400);
    assert!(active(&rig, &refresh).await);
    let seen = call(&rig, "/introspect", OTHER, &access).await;
    assert_eq!(seen.text, r#"{"active":false}"#);
}

#[tokio::test]
async fn both_endpoints_want_an_authenticated_client() {
    let rig = Rig::start().await;
    let (access, _) = rig.tokens().await;
    for path in ["/revoke", "/introspect"] {
        let reply = call(&rig, path, (CLIENT, "wrong"), &access).await;
        assert_eq!((reply.status, reply.error().as_str()), (401, "invalid_client"));
    }
    assert!(active(&rig, &access).await);
}

#[tokio::test]
async fn introspection_describes_a_live_access_token() {
    let rig = Rig::start().await;
    let (access, _) = rig.tokens().await;
    let seen = call(&rig, "/introspect", (CLIENT, SECRET), &access).await.json();
    assert_eq!(seen["scope"], "files.read files.write");
    assert_eq!(seen["username"], "alice");
    assert_eq!(seen["client_id"], CLIENT);
    assert_eq!(seen["exp"].as_u64().unwrap() - seen["iat"].as_u64().unwrap(), 3600);
}

#[tokio::test]
async fn introspection_does_not_count_as_use() {
    let rig = Rig::with(Behaviour::rotating(leasehold_sandbox::Rotation::UntilSuccessorUsed)).await;
    let (_, first) = rig.tokens().await;
    let access = rig.refresh(&first).await.field("access_token");
    assert!(active(&rig, &access).await);
    assert_eq!(rig.refresh(&first).await.status, 200);
}

#[tokio::test]
async fn a_revocation_can_fail_and_be_tried_again() {
    let rig = Rig::start().await;
    let (_, refresh) = rig.tokens().await;
    let fault = Fault::Error { status: 503, error: "temporarily_unavailable".to_owned(), description: None };
    rig.sandbox.control().push_fault(FaultRule::once(fault).at(Endpoint::Revocation)).unwrap();
    assert_eq!(call(&rig, "/revoke", (CLIENT, SECRET), &refresh).await.status, 503);
    assert!(rig.sandbox.control().is_active(&refresh));
    assert_eq!(call(&rig, "/revoke", (CLIENT, SECRET), &refresh).await.status, 200);
    assert!(!rig.sandbox.control().is_active(&refresh));
}
