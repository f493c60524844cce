//! Slack: a user's token inside another object, failures inside 200, rotation, and a revocation of its own.

use leasehold_domain::time::Span;
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::*;

const TOKEN: &str = "/api/oauth.v2.access";
const REVOKE: &str = "/api/auth.revoke";

async fn play() -> Play {
    let mut play = Play::begin("slack", include_str!("../../../providers/slack.toml"), &["slack.com"]).await;
    play.find(None).await;
    play
}

fn granted() -> serde_json::Value {
    json!({"ok": true, "app_id": "A0KRD7HC3",
           "authed_user": {"id": "U1234", "scope": "chat:write,users:read", "access_token": "xoxe.xoxp-1-a",
                           "token_type": "user", "refresh_token": "xoxe-1-a", "expires_in": 43200},
           "team": {"id": "T9TK3CUKW", "name": "Slack Softball Team"}, "enterprise": null,
           "is_enterprise_install": false})
}

#[tokio::test]
async fn slack_is_asked_for_what_a_user_may_do_and_for_no_bot() {
    let asked = play().await.authorize("users:read chat:write");
    assert_eq!(asked["user_scope"], "chat:write,users:read");
    assert!(!asked.contains_key("scope") && !asked.contains_key("code_challenge"));
}

#[tokio::test]
async fn slack_gives_a_users_token_inside_and_rotates_it() {
    let play = play().await;
    play.says(TOKEN, 200, granted());
    let set = play.exchange("chat:write users:read").await.unwrap();
    assert_eq!(set.access_token.expose_secret(), "xoxe.xoxp-1-a");
    assert_eq!(refresh_token(&set), Some("xoxe-1-a"));
    assert_eq!(set.expires_at.unwrap().at, SENT_AT + Span::from_secs(43_200));
    assert_eq!(set.scopes.scopes().to_string(), "chat:write users:read");
    assert_eq!((set.token_type.as_str(), set.unkept), ("Bearer", 0));
    let (seen, form) = play.last();
    assert!(seen.headers["authorization"].to_str().unwrap().starts_with("Basic "));
    assert!(!form.contains_key("client_secret"));

    play.says(
        TOKEN,
        200,
        json!({"ok": true, "app_id": "A0KRD7HC3", "access_token": "xoxe.xoxp-1-b", "refresh_token": "xoxe-1-b",
               "token_type": "user", "expires_in": 43200, "team": {"id": "T9TK3CUKW", "name": "Slack Softball Team"}}),
    );
    let next = play.refresh("xoxe-1-a", "chat:write users:read").await.unwrap();
    assert_eq!(next.access_token.expose_secret(), "xoxe.xoxp-1-b");
    assert_eq!(refresh_token(&next), Some("xoxe-1-b"));
    assert_eq!((next.token_type.as_str(), next.unkept), ("Bearer", 0));
    assert_eq!(next.scopes.scopes().to_string(), "chat:write users:read");
}

#[tokio::test]
async fn a_bot_token_beside_it_is_told_and_not_taken_for_the_users() {
    let play = play().await;
    let mut both = granted();
    both["access_token"] = json!("xoxb-1");
    both["token_type"] = json!("bot");
    play.says(TOKEN, 200, both);
    let set = play.exchange("chat:write").await.unwrap();
    assert_eq!((set.access_token.expose_secret(), set.unkept), ("xoxe.xoxp-1-a", 1));

    let mut bot = granted();
    bot["access_token"] = json!("xoxb-1");
    bot["authed_user"] = json!({"id": "U1234"});
    play.says(TOKEN, 200, bot);
    let failure = play.exchange("chat:write").await.unwrap_err();
    assert_eq!(failure.class, ProviderFailure::Malformed, "a bot's token alone is no grant");
}

#[tokio::test]
async fn slack_says_no_inside_a_200() {
    let play = play().await;
    for (error, class) in [
        ("invalid_refresh_token", ProviderFailure::GrantDead),
        ("token_revoked", ProviderFailure::GrantDead),
        ("bad_client_secret", ProviderFailure::ClientFault),
        ("invalid_client_id", ProviderFailure::ClientFault),
        ("bad_redirect_uri", ProviderFailure::RequestFault),
        ("never_heard_of", ProviderFailure::RequestFault),
        ("ratelimited", ProviderFailure::Throttled(None)),
        // A refresh token that is good once, and nobody knows whether that was this time.
        ("internal_error", ProviderFailure::Ambiguous),
        ("service_unavailable", ProviderFailure::Ambiguous),
    ] {
        play.says(TOKEN, 200, json!({"ok": false, "error": error}));
        assert_eq!(play.refused("xoxe-1-a").await.0, class, "{error}");
    }
}

#[tokio::test]
async fn slack_tells_the_account_by_team_and_user() {
    let play = play().await;
    play.says(
        "/api/auth.test",
        200,
        json!({"ok": true, "url": "https://subarachnoid.slack.com/", "team": "Subarachnoid Workspace", "user": "grace",
               "team_id": "T12345678", "user_id": "W12345678"}),
    );
    let account = play.account("xoxe.xoxp-1-a").await;
    assert_eq!((account.id.as_str(), account.label.as_deref()), ("T12345678/W12345678", Some("grace")));
    let (seen, _) = play.last();
    assert_eq!(
        (seen.method.as_str(), &seen.headers["authorization"]),
        ("POST", &"Bearer xoxe.xoxp-1-a".parse().unwrap())
    );
}

#[tokio::test]
async fn slack_revokes_the_token_that_asks_and_says_so() {
    let play = play().await;
    play.says(REVOKE, 200, json!({"ok": true, "revoked": true}));
    assert_eq!(play.revoke("xoxe.xoxp-1-a", TokenKind::Access).await, Ok(Ok(Revoked::Confirmed)));
    let (seen, form) = play.last();
    assert_eq!(
        (seen.method.as_str(), &seen.headers["authorization"]),
        ("POST", &"Bearer xoxe.xoxp-1-a".parse().unwrap())
    );
    assert!(form.is_empty(), "no client speaks here");
    play.says(REVOKE, 200, json!({"ok": false, "error": "token_revoked"}));
    assert_eq!(play.revoke("xoxe.xoxp-1-a", TokenKind::Access).await, Ok(Ok(Revoked::Confirmed)));
    for body in [
        json!({"ok": true, "revoked": false}),
        json!({"ok": true}),
        json!({"ok": false, "error": "invalid_auth"}),
    ] {
        play.says(REVOKE, 200, &body);
        assert!(play.revoke("xoxe.xoxp-1-a", TokenKind::Access).await.unwrap().is_err(), "{body}");
    }
    assert_eq!(play.revoke("xoxe-1-a", TokenKind::Refresh).await, Err(RevokeError::Unsupported));
    assert!(play.provider.entry.revocation.spares_refresh_token);
}
