//! Salesforce: a login host for each connector, a pinned instance, an end that only introspection tells, rotation, and texts.

use leasehold_domain::time::Span;
use leasehold_upstream::{endpoints::EndpointError, token::ExpirySource};
use serde_json::json;

use super::*;

const TOKEN: &str = "/services/oauth2/token";
const REVOKE: &str = "/services/oauth2/revoke";

async fn play() -> Play {
    let mut play = Play::begin("salesforce", include_str!("../../../providers/salesforce.toml"), &[]).await;
    let base = play.base();
    let document = json!({
        "issuer": base,
        "authorization_endpoint": format!("{base}/services/oauth2/authorize"),
        "token_endpoint": format!("{base}{TOKEN}"),
        "revocation_endpoint": format!("{base}{REVOKE}"),
        "userinfo_endpoint": format!("{base}/services/oauth2/userinfo"),
        "jwks_uri": format!("{base}/id/keys"),
        "registration_endpoint": format!("{base}/services/oauth2/register"),
        "introspection_endpoint": format!("{base}/services/oauth2/introspect"),
        "scopes_supported": ["api", "id", "refresh_token", "offline_access", "openid", "web"],
        "response_types_supported": ["code", "token", "token id_token"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic", "private_key_jwt"],
    });
    play.says("/.well-known/openid-configuration", 200, document);
    play.find(Some(base)).await;
    play
}

fn tokens(access: &str, instance: &str) -> serde_json::Value {
    json!({"access_token": access, "signature": "c2ln", "scope": "refresh_token api openid", "id_token": "e30.e30.c2ln",
           "instance_url": instance, "id": "https://login.salesforce.com/id/00Dx0000000BV7z/005x00000012Q9P",
           "token_type": "Bearer", "issued_at": "1795000000000"})
}

#[tokio::test]
async fn salesforce_is_at_the_login_host_of_the_connector_and_nowhere_else() {
    let catalogue = Catalogue::load(None).unwrap();
    let salesforce = catalogue.get(&Name::new("salesforce").unwrap()).unwrap();
    let plan = |issuer: &str| {
        salesforce
            .plan(&ConnectorSettings { issuer: Some(issuer.to_owned()), ..ConnectorSettings::default() })
    };
    for host in [
        "login.salesforce.com",
        "test.salesforce.com",
        "acme.my.salesforce.com",
        "acme--uat.sandbox.my.salesforce.com",
    ] {
        assert!(plan(&format!("https://{host}")).is_ok(), "{host}");
    }
    for host in ["salesforce.com", "my.salesforce.com", "acme.my.salesforce.com.evil.example", "127.0.0.1"] {
        assert_eq!(plan(&format!("https://{host}")), Err(EndpointError::IssuerHost), "{host}");
    }
}

#[tokio::test]
async fn salesforce_gives_an_instance_and_no_end_and_introspection_tells_it() {
    let play = play().await;
    assert_eq!(play.authorize("api")["scope"], "api openid refresh_token");
    let mut first = tokens("00Dx!AQ-1", "https://acme.my.salesforce.com");
    first["refresh_token"] = json!("5Aep-1");
    play.says(TOKEN, 200, first);
    let set = play.exchange("api").await.unwrap();
    assert_eq!(set.metadata["instance_url"], "https://acme.my.salesforce.com");
    let end = set.expires_at.unwrap();
    assert_eq!(
        (end.at, end.source),
        (SENT_AT + Span::from_secs(900), ExpirySource::Derived),
        "the least there is"
    );

    assert!(play.provider.entry.introspection.decides_expiry);
    play.says(
        "/services/oauth2/introspect",
        200,
        json!({"active": true, "scope": "api refresh_token openid", "client_id": "client-1", "username": "alice@acme.example",
               "sub": "https://login.salesforce.com/id/00Dx0000000BV7z/005x00000012Q9P", "token_type": "access_token",
               "exp": 1_795_007_200, "iat": 1_795_000_000, "nbf": 1_795_000_000}),
    );
    let Introspected::Active { expires_at, .. } = play.introspect("00Dx!AQ-1").await else {
        panic!("active")
    };
    assert_eq!(expires_at, Some(SENT_AT + Span::from_secs(7200)));
    assert_eq!(play.last().1["client_secret"], "s3cret");

    play.says(
        "/services/oauth2/userinfo",
        200,
        json!({"sub": "https://login.salesforce.com/id/00Dx0000000BV7z/005x00000012Q9P", "user_id": "005x00000012Q9P",
               "organization_id": "00Dx0000000BV7z", "preferred_username": "alice@acme.example"}),
    );
    let account = play.account("00Dx!AQ-1").await;
    assert_eq!(account.id, "00Dx0000000BV7z/005x00000012Q9P");
}

#[tokio::test]
async fn an_instance_elsewhere_is_not_kept() {
    let play = play().await;
    for instance in [
        "https://evil.example",
        "https://salesforce.com.evil.example",
        "http://acme.my.salesforce.com",
        "https://acme.my.salesforce.com@evil.example",
        "javascript:1",
    ] {
        play.says(TOKEN, 200, tokens("00Dx!AQ-1", instance));
        let set = play.exchange("api").await.unwrap();
        assert!(set.metadata.is_empty(), "{instance}");
    }
}

#[tokio::test]
async fn salesforce_rotates_where_the_app_does() {
    let play = play().await;
    play.says(TOKEN, 200, tokens("00Dx!AQ-2", "https://acme.my.salesforce.com"));
    assert_eq!(refresh_token(&play.refresh("5Aep-1", "api").await.unwrap()), None);
    let mut rotated = tokens("00Dx!AQ-3", "https://acme.my.salesforce.com");
    rotated["refresh_token"] = json!("5Aep-2");
    play.says(TOKEN, 200, rotated);
    assert_eq!(refresh_token(&play.refresh("5Aep-1", "api").await.unwrap()), Some("5Aep-2"));
}

#[tokio::test]
async fn salesforce_tells_by_a_text_what_invalid_grant_means() {
    let play = play().await;
    for (error, text, class) in [
        ("invalid_grant", "expired access/refresh token", ProviderFailure::GrantDead),
        ("invalid_grant", "inactive user", ProviderFailure::GrantDead),
        ("invalid_grant", "ip restricted", ProviderFailure::RequestFault),
        ("invalid_grant", "inactive organization", ProviderFailure::RequestFault),
        ("invalid_grant", "rate limit exceeded", ProviderFailure::Throttled(None)),
        ("invalid_grant", "a text that nobody has seen", ProviderFailure::GrantDead),
        ("invalid_client", "invalid client credentials", ProviderFailure::ClientFault),
        ("invalid_client_id", "client identifier invalid", ProviderFailure::ClientFault),
    ] {
        play.says(TOKEN, 400, json!({"error": error, "error_description": text}));
        assert_eq!(play.refused("5Aep-1").await.0, class, "{text}");
    }
}

#[tokio::test]
async fn salesforce_revokes_and_a_dead_token_is_no_failure() {
    let play = play().await;
    play.says(REVOKE, 200, "");
    assert_eq!(play.revoke("5Aep-1", TokenKind::Refresh).await, Ok(Ok(Revoked::Confirmed)));
    play.says(REVOKE, 400, json!({"error": "invalid_token", "error_description": "invalid token: 00Dx"}));
    assert_eq!(play.revoke("00Dx!AQ-1", TokenKind::Access).await, Ok(Ok(Revoked::Confirmed)));
    play.says(
        REVOKE,
        400,
        json!({"error": "unsupported_token_type", "error_description": "this token type is not supported"}),
    );
    assert_eq!(play.revoke("00Dx!AQ-1", TokenKind::Access).await, Ok(Ok(Revoked::KindUnsupported)));
}
