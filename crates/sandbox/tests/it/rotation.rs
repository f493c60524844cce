//! Refresh tokens: each class, and what reuse does to a family.

use std::time::Duration;

use leasehold_sandbox::browser::Form;
use leasehold_sandbox::{Behaviour, Ended, ExpiresIn, Outcome, Replay, Rotation, fingerprint};

use crate::support::{CLIENT, Rig, SECRET, login};

#[tokio::test]
async fn strict_rotation_replaces_the_refresh_token_and_reuse_kills_the_family() {
    let rig = Rig::start().await;
    let control = rig.sandbox.control();
    let (access, first) = rig.tokens().await;
    let reply = rig.refresh(&first).await;
    let (next_access, second) = (reply.field("access_token"), reply.field("refresh_token"));
    assert_ne!(first, second);
    assert!(control.is_active(&access) && control.is_active(&next_access) && control.is_active(&second));
    assert!(!control.is_active(&first));

    assert_eq!(rig.refresh(&first).await.error(), "invalid_grant");
    assert_eq!(control.reuse_detected(), 1);
    let family = control.issued(|_| true)[0].family.clone();
    assert_eq!(control.families_revoked_by_reuse(), std::slice::from_ref(&family));
    assert_eq!(control.family(&family).unwrap().ended, Some(Ended::RefreshTokenReuse));
    assert_eq!(control.family(&family).unwrap().refresh_requests, 2);
    for token in [&access, &next_access, &second] {
        assert!(!control.is_active(token));
    }
    assert_eq!(rig.refresh(&second).await.error(), "invalid_grant");
    let outcomes: Vec<Outcome> =
        control.presentations(&fingerprint(&first)).iter().map(|line| line.outcome).collect();
    assert_eq!(outcomes, [Outcome::Accepted, Outcome::Reuse]);
}

#[tokio::test]
async fn two_simultaneous_refreshes_of_one_strict_token_end_in_reuse() {
    let rig = Rig::start().await;
    let (_, token) = rig.tokens().await;
    let (one, two) = tokio::join!(rig.refresh(&token), rig.refresh(&token));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
    assert_eq!(rig.sandbox.control().reuse_detected(), 1);
}

#[tokio::test]
async fn reuse_may_leave_the_family_alone() {
    let rig = Rig::with(Behaviour { reuse_revokes_family: false, ..Behaviour::default() }).await;
    let (_, first) = rig.tokens().await;
    let second = rig.refresh(&first).await.field("refresh_token");
    assert_eq!(rig.refresh(&first).await.error(), "invalid_grant");
    assert_eq!(rig.sandbox.control().reuse_detected(), 1);
    assert!(rig.sandbox.control().families_revoked_by_reuse().is_empty());
    assert_eq!(rig.refresh(&second).await.status, 200);
}

#[tokio::test]
async fn within_its_grace_a_used_refresh_token_is_accepted_again_and_afterwards_kills_the_family() {
    let rig = Rig::with(Behaviour::rotating(Rotation::Grace(30))).await;
    let control = rig.sandbox.control();
    let (_, first) = rig.tokens().await;
    let second = rig.refresh(&first).await.field("refresh_token");
    control.advance(Duration::from_secs(29));
    let again = rig.refresh(&first).await;
    assert_eq!(again.status, 200);
    assert_ne!(again.field("refresh_token"), second);
    assert!(control.is_active(&second));
    assert_eq!((control.replays(), control.reuse_detected()), (1, 0));
    control.advance(Duration::from_secs(2));
    assert_eq!(rig.refresh(&first).await.error(), "invalid_grant");
    assert_eq!(control.reuse_detected(), 1);
    assert!(!control.is_active(&second));
}

#[tokio::test]
async fn a_replay_may_answer_with_the_same_pair() {
    let behaviour = Behaviour { replay: Replay::SamePair, ..Behaviour::rotating(Rotation::Grace(30)) };
    let rig = Rig::with(behaviour).await;
    let (_, first) = rig.tokens().await;
    let (one, two) = (rig.refresh(&first).await, rig.refresh(&first).await);
    assert_eq!(one.field("access_token"), two.field("access_token"));
    assert_eq!(one.field("refresh_token"), two.field("refresh_token"));
    let family = rig.sandbox.control().families().remove(0);
    assert_eq!(family.generation, 2);
}

#[tokio::test]
async fn a_stable_refresh_token_is_never_replaced() {
    let rig = Rig::with(Behaviour::rotating(Rotation::Stable)).await;
    let (_, token) = rig.tokens().await;
    for _ in 0..3 {
        assert_eq!(rig.refresh(&token).await.field("refresh_token"), token);
    }
    assert_eq!(rig.sandbox.control().reuse_detected(), 0);
}

#[tokio::test]
async fn a_non_revoking_provider_accepts_every_refresh_token_it_ever_gave() {
    let rig = Rig::with(Behaviour::rotating(Rotation::NonRevoking)).await;
    let (_, first) = rig.tokens().await;
    let second = rig.refresh(&first).await.field("refresh_token");
    assert_ne!(first, second);
    assert_eq!(rig.refresh(&first).await.status, 200);
    assert_eq!(rig.refresh(&second).await.status, 200);
    assert_eq!(rig.sandbox.control().reuse_detected(), 0);
}

#[tokio::test]
async fn an_old_refresh_token_lives_until_a_new_access_token_is_used() {
    let rig = Rig::with(Behaviour::rotating(Rotation::UntilSuccessorUsed)).await;
    let control = rig.sandbox.control();
    let (_, first) = rig.tokens().await;
    let lost = rig.refresh(&first).await;
    let again = rig.refresh(&first).await;
    assert_eq!(again.status, 200);
    assert!(!control.is_active(&lost.field("access_token")), "the newest set wins");
    assert_eq!(rig.refresh(&lost.field("refresh_token")).await.error(), "invalid_grant");
    assert_eq!(control.reuse_detected(), 0);
    assert_eq!(rig.api("/api/me", &again.field("access_token")).await.status, 200);
    assert_eq!(rig.refresh(&first).await.error(), "invalid_grant");
    assert_eq!(control.reuse_detected(), 1);
}

#[tokio::test]
async fn an_old_refresh_token_lives_until_its_successor_is_refreshed() {
    let rig = Rig::with(Behaviour::rotating(Rotation::UntilSuccessorUsed)).await;
    let (_, first) = rig.tokens().await;
    let second = rig.refresh(&first).await.field("refresh_token");
    assert_eq!(rig.refresh(&second).await.status, 200);
    assert_eq!(rig.refresh(&first).await.error(), "invalid_grant");
}

#[tokio::test]
async fn a_class_can_change_while_the_provider_runs() {
    let rig = Rig::start().await;
    let (_, first) = rig.tokens().await;
    rig.refresh(&first).await;
    rig.sandbox.control().set_behaviour(CLIENT, Behaviour::rotating(Rotation::Grace(60))).unwrap();
    assert_eq!(rig.refresh(&first).await.status, 200);
}

#[tokio::test]
async fn a_refresh_may_kill_the_old_access_token() {
    let rig = Rig::with(Behaviour { old_access_token_dies: true, ..Behaviour::default() }).await;
    let (first_access, first) = rig.tokens().await;
    let reply = rig.refresh(&first).await;
    assert!(!rig.sandbox.control().is_active(&first_access));
    let second_access = reply.field("access_token");
    rig.refresh(&reply.field("refresh_token")).await;
    assert!(!rig.sandbox.control().is_active(&second_access));
}

#[tokio::test]
async fn lifetimes_are_stated_omitted_or_made_up_as_told() {
    for (expires_in, seen) in [
        (ExpiresIn::Stated, serde_json::json!(60)),
        (ExpiresIn::Omitted, serde_json::Value::Null),
        (ExpiresIn::Claimed(86_400), serde_json::json!(86_400)),
    ] {
        let behaviour = Behaviour { access_lifetime_seconds: Some(60), expires_in, ..Behaviour::default() };
        let rig = Rig::with(behaviour).await;
        let reply = rig.exchange(&rig.code().await).await;
        assert_eq!(reply.json()["expires_in"], seen);
        rig.sandbox.control().advance(Duration::from_secs(61));
        assert!(!rig.sandbox.control().is_active(&reply.field("access_token")));
    }
}

#[tokio::test]
async fn a_refresh_token_expires_and_its_life_is_stated() {
    let rig = Rig::with(Behaviour { refresh_lifetime_seconds: Some(100), ..Behaviour::default() }).await;
    let reply = rig.exchange(&rig.code().await).await;
    assert_eq!(reply.json()["refresh_token_expires_in"], 100);
    rig.sandbox.control().advance(Duration::from_secs(100));
    assert_eq!(rig.refresh(&reply.field("refresh_token")).await.error(), "invalid_grant");
    assert_eq!(rig.sandbox.control().reuse_detected(), 0);
}

#[tokio::test]
async fn a_static_token_comes_alone_and_never_expires() {
    let rig = Rig::with(Behaviour::static_token()).await;
    let reply = rig.exchange(&rig.code().await).await;
    assert!(reply.json().get("refresh_token").is_none());
    assert!(reply.json().get("expires_in").is_none());
    rig.sandbox.control().advance(Duration::from_secs(10 * 365 * 86_400));
    assert!(rig.sandbox.control().is_active(&reply.field("access_token")));
}

#[tokio::test]
async fn a_refresh_may_narrow_the_scopes_but_never_widen_them() {
    let rig = Rig::start().await;
    let mut browser = rig.browser();
    browser.goto(&rig.authorization(&rig.provider("/authorize"), &[])).await.unwrap();
    browser.submit(&login("alice")).await.unwrap();
    browser.submit(&Form::with_button("Allow").untick("scope", "files.write")).await.unwrap();
    let first = rig.exchange(&browser.query("code").unwrap()).await.field("refresh_token");
    let widen =
        [("grant_type", "refresh_token"), ("refresh_token", &*first), ("scope", "files.read files.write")];
    assert_eq!(rig.token_as((CLIENT, SECRET), &widen).await.error(), "invalid_scope");
    let narrow = [("grant_type", "refresh_token"), ("refresh_token", &*first), ("scope", "files.read")];
    assert_eq!(rig.token_as((CLIENT, SECRET), &narrow).await.field("scope"), "files.read");
}

#[tokio::test]
async fn a_refresh_token_of_another_client_is_unknown_and_unharmed() {
    let rig = Rig::start().await;
    let (_, token) = rig.tokens().await;
    let fields = [("grant_type", "refresh_token"), ("refresh_token", &*token)];
    let stolen = rig.token_as(("other", "the secret of the other one"), &fields).await;
    assert_eq!(stolen.error(), "invalid_grant");
    assert_eq!(rig.refresh(&token).await.status, 200);
}

#[tokio::test]
async fn a_provider_may_insist_on_the_resource_at_every_refresh() {
    let rig = Rig::with(Behaviour { refresh_requires_resource: true, ..Behaviour::default() }).await;
    let resource = "https://mcp.example.test/files";
    let mut browser = rig.browser();
    let url = rig.authorization(&rig.provider("/authorize"), &[("resource", resource)]);
    browser.goto(&url).await.unwrap();
    browser.submit(&login("alice")).await.unwrap();
    browser.submit(&Form::with_button("Allow")).await.unwrap();
    let token = rig.exchange(&browser.query("code").unwrap()).await.field("refresh_token");
    assert_eq!(rig.refresh(&token).await.error(), "invalid_target");
    let fields = [("grant_type", "refresh_token"), ("refresh_token", &*token), ("resource", resource)];
    assert_eq!(rig.token_as((CLIENT, SECRET), &fields).await.status, 200);
    let shown = rig.sandbox.control().presentations(&fingerprint(&token));
    assert_eq!(shown[1].resource, [resource]);
}
