//! Google: discovery, offline access, partial consent, a refresh token that stays, and revocation by either token.

use leasehold_domain::time::Span;
use leasehold_upstream::token::{ExpirySource, Granted};
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::*;

const DRIVE: &str = "https://www.googleapis.com/auth/drive.readonly";
const CALENDAR: &str = "https://www.googleapis.com/auth/calendar.readonly";

async fn play() -> Play {
    let hosts = ["accounts.google.com"];
    let mut play = Play::begin("google", include_str!("../../../providers/google.toml"), &hosts).await;
    let base = play.base();
    let document = json!({
        "issuer": base,
        "authorization_endpoint": format!("{base}/o/oauth2/v2/auth"),
        "device_authorization_endpoint": "https://oauth2.googleapis.com/device/code",
        "token_endpoint": format!("{base}/token"),
        "userinfo_endpoint": format!("{base}/v1/userinfo"),
        "revocation_endpoint": format!("{base}/revoke"),
        "jwks_uri": "https://www.googleapis.com/oauth2/v3/certs",
        "response_types_supported": ["code", "token", "id_token", "code token", "none"],
        "scopes_supported": ["openid", "email", "profile"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "code_challenge_methods_supported": ["plain", "S256"],
    });
    play.says("/.well-known/openid-configuration", 200, document);
    play.find(None).await;
    play
}

#[tokio::test]
async fn google_is_asked_for_offline_access_and_for_no_more_than_is_needed() {
    let asked = play().await.authorize(DRIVE);
    assert_eq!(asked["scope"].split(' ').collect::<Vec<_>>(), ["email", DRIVE, "openid"]);
    assert_eq!((asked["access_type"].as_str(), asked["prompt"].as_str()), ("offline", "consent"));
    assert_eq!(asked["code_challenge_method"], "S256");
    assert!(!asked.contains_key("include_granted_scopes"));
}

#[tokio::test]
async fn google_grants_a_part_and_keeps_its_refresh_token() {
    let play = play().await;
    let scope = format!("https://www.googleapis.com/auth/userinfo.email openid {DRIVE}");
    play.says(
        "/token",
        200,
        json!({"access_token": "ya29.a0-1", "expires_in": 3599, "refresh_token": "1//0g-1", "scope": scope,
               "token_type": "Bearer", "id_token": "e30.e30.c2ln", "refresh_token_expires_in": 604799}),
    );
    let asked = format!("{CALENDAR} {DRIVE} email");
    let set = play.exchange(&asked).await.unwrap();
    let (_, form) = play.last();
    assert_eq!((form["client_id"].as_str(), form["client_secret"].as_str()), ("client-1", "s3cret"));
    let Granted::Stated(granted) = &set.scopes else { panic!("the answer states the scopes") };
    let missing = asked.parse::<leasehold_domain::scope::ScopeSet>().unwrap().missing_from(granted);
    assert_eq!(missing, CALENDAR.parse().unwrap(), "what was refused, and not what is named otherwise");
    assert_eq!(set.refresh_expires_at.unwrap().at, SENT_AT + Span::from_secs(604_799), "an app in testing");

    play.says(
        "/token",
        200,
        json!({"access_token": "ya29.a0-2", "expires_in": 3599, "scope": scope, "token_type": "Bearer"}),
    );
    let next = play.refresh("1//0g-1", &granted.to_string()).await.unwrap();
    assert_eq!(next.access_token.expose_secret(), "ya29.a0-2");
    assert_eq!(refresh_token(&next), None);
    assert_eq!(next.expires_at.unwrap().source, ExpirySource::Stated);
    assert_eq!(next.scopes.scopes(), granted);

    play.says(
        "/v1/userinfo",
        200,
        json!({"sub": "110248495921238986420", "email": "alice@acme.example", "email_verified": true}),
    );
    let account = play.account("ya29.a0-2").await;
    assert_eq!(
        (account.id.as_str(), account.label.as_deref()),
        ("110248495921238986420", Some("alice@acme.example"))
    );
}

#[tokio::test]
async fn google_refuses_in_words_that_are_known() {
    let play = play().await;
    for (status, body, class) in [
        (
            400,
            json!({"error": "invalid_grant", "error_description": "Token has been expired or revoked."}),
            ProviderFailure::GrantDead,
        ),
        (
            400,
            json!({"error": "invalid_grant", "error_description": "reauth related error (invalid_rapt)", "error_subtype": "invalid_rapt"}),
            ProviderFailure::GrantDead,
        ),
        (
            401,
            json!({"error": "invalid_client", "error_description": "The OAuth client was not found."}),
            ProviderFailure::ClientFault,
        ),
        (
            401,
            json!({"error": "deleted_client", "error_description": "The OAuth client was deleted."}),
            ProviderFailure::ClientFault,
        ),
        (400, json!({"error": "admin_policy_enforced"}), ProviderFailure::RequestFault),
        // A refresh token that stays may be sent again.
        (500, json!({"error": "internal_failure"}), ProviderFailure::Transient),
    ] {
        play.says("/token", status, &body);
        assert_eq!(play.refused("1//0g-1").await.0, class, "{body}");
    }
}

#[tokio::test]
async fn google_revokes_either_token_and_a_dead_one_is_no_failure() {
    let play = play().await;
    play.says("/revoke", 200, "{}");
    assert_eq!(play.revoke("1//0g-1", TokenKind::Refresh).await, Ok(Ok(Revoked::Confirmed)));
    assert_eq!(play.last().1["token"], "1//0g-1");
    // The access token went with it.
    play.says(
        "/revoke",
        400,
        json!({"error": "invalid_token", "error_description": "Token expired or revoked"}),
    );
    assert_eq!(play.revoke("ya29.a0-1", TokenKind::Access).await, Ok(Ok(Revoked::Confirmed)));
    play.says("/revoke", 503, json!({"error": "invalid_token"}));
    assert!(play.revoke("ya29.a0-1", TokenKind::Access).await.unwrap().is_err(), "trouble confirms nothing");
}
