//! Microsoft Entra: a tenant in the path, an issuer that stands for all of them, numbers behind errors, and no revocation.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use leasehold_domain::time::Span;
use leasehold_upstream::account::account_in_id_token;
use serde_json::{Value, json};

use super::*;

const TENANT: &str = "11111111-aaaa-2222-bbbb-333333333333";
const PERSON: &str = "00000000-0000-0000-66f3-3332eca7ea81";

/// The server as that tenant, or as `organizations`, which names the issuer of none.
async fn play(tenant: &str) -> Play {
    let hosts = ["login.microsoftonline.com"];
    let text = include_str!("../../../providers/microsoft-entra.toml");
    let mut play = Play::begin("microsoft-entra", text, &hosts).await;
    let base = play.base();
    let named = if tenant == TENANT { TENANT } else { "{tenantid}" };
    let document = json!({
        "token_endpoint": format!("{base}/{tenant}/oauth2/v2.0/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic", "self_signed_tls_client_auth"],
        "jwks_uri": format!("{base}/{tenant}/discovery/v2.0/keys"),
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": format!("{base}/{named}/v2.0"),
        "request_uri_parameter_supported": false,
        "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
        "authorization_endpoint": format!("{base}/{tenant}/oauth2/v2.0/authorize"),
        "device_authorization_endpoint": format!("{base}/{tenant}/oauth2/v2.0/devicecode"),
        "http_logout_supported": true,
        "tenant_region_scope": null,
        "cloud_instance_name": "microsoftonline.com",
    });
    play.says(&format!("/{tenant}/v2.0/.well-known/openid-configuration"), 200, document);
    play.find(Some(format!("{base}/{tenant}/v2.0"))).await;
    play
}

fn id_token(claims: &Value) -> SecretString {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    SecretString::from(format!(
        "{}.{}.c2ln",
        part(&json!({"typ": "JWT", "alg": "RS256", "kid": "1"})),
        part(claims)
    ))
}

fn claims(play: &Play) -> Value {
    json!({"ver": "2.0", "iss": format!("{}/{TENANT}/v2.0", play.base()), "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
           "aud": "client-1", "exp": 1_795_003_600, "iat": 1_795_000_000, "nbf": 1_795_000_000, "name": "Alice Archer",
           "preferred_username": "alice@acme.example", "oid": PERSON, "tid": TENANT})
}

#[tokio::test]
async fn entra_is_asked_for_offline_access_with_proof_keys_and_no_resource() {
    let asked = play(TENANT).await.authorize("Mail.Read");
    assert_eq!(asked["scope"], "Mail.Read offline_access openid profile");
    assert_eq!(asked["code_challenge_method"], "S256");
}

#[tokio::test]
async fn entra_gives_tokens_and_a_new_refresh_token_each_time() {
    let play = play(TENANT).await;
    let token = format!("/{TENANT}/oauth2/v2.0/token");
    let answer = |number: u32| {
        json!({"token_type": "Bearer", "scope": "mail.read openid profile", "expires_in": 3599, "ext_expires_in": 3599,
               "access_token": format!("eyJ0-{number}"), "refresh_token": format!("0.AR-{number}"),
               "id_token": id_token(&claims(&play)).expose_secret()})
    };
    play.says(&token, 200, answer(1));
    let set = play.exchange("Mail.Read").await.unwrap();
    assert!(
        set.scopes.scopes().iter().any(|scope| scope.as_str() == "Mail.Read"),
        "spelled as it was asked for"
    );
    assert_eq!(set.refresh_expires_at.unwrap().at, SENT_AT + Span::from_secs(90 * 24 * 60 * 60));
    let account =
        account_in_id_token(&play.provider, play.endpoints(), "client-1", set.id_token.as_ref()).unwrap();
    assert_eq!(
        (account.id, account.label.as_deref()),
        (format!("{TENANT}/{PERSON}"), Some("alice@acme.example"))
    );
    play.says(&token, 200, answer(2));
    assert_eq!(refresh_token(&play.refresh("0.AR-1", "Mail.Read").await.unwrap()), Some("0.AR-2"));
}

#[tokio::test]
async fn an_id_token_of_another_issuer_or_for_another_client_names_nobody() {
    for tenant in [TENANT, "organizations"] {
        let play = play(tenant).await;
        let read = |claims: &Value| {
            account_in_id_token(&play.provider, play.endpoints(), "client-1", Some(&id_token(claims)))
        };
        assert!(read(&claims(&play)).is_ok(), "{tenant}");
        for (claim, value) in [
            ("iss", json!(format!("{}/99999999-aaaa-2222-bbbb-333333333333/v2.0", play.base()))),
            ("iss", json!("https://evil.example")),
            ("iss", Value::Null),
            ("aud", json!("client-2")),
            ("aud", json!(["client-1", "client-2"])),
            ("aud", Value::Null),
            ("oid", Value::Null),
            ("oid", json!("a/b")),
            ("tid", Value::Null),
        ] {
            let mut changed = claims(&play);
            changed[claim] = value.clone();
            let failure = read(&changed).unwrap_err();
            assert_eq!(failure.class, ProviderFailure::Malformed, "{tenant}: {claim} {value}");
        }
        let none = account_in_id_token(&play.provider, play.endpoints(), "client-1", None);
        assert!(none.is_err(), "no token names nobody");
    }
}

#[tokio::test]
async fn a_tenant_is_not_believed_with_the_issuer_of_another() {
    let hosts = ["login.microsoftonline.com"];
    let text = include_str!("../../../providers/microsoft-entra.toml");
    let play = Play::begin("microsoft-entra", text, &hosts).await;
    let base = play.base();
    let document = json!({"issuer": format!("{base}/{TENANT}/v2.0"), "token_endpoint": format!("{base}/t"),
                          "authorization_endpoint": format!("{base}/a")});
    play.says("/acme.example/v2.0/.well-known/openid-configuration", 200, document);
    let issuer = leasehold_upstream::endpoints::Issuer::new(&format!("{base}/acme.example/v2.0")).unwrap();
    let found =
        discover(&transport(), &play.provider, &issuer, leasehold_upstream::catalogue::DiscoveryKind::Oidc)
            .await;
    assert!(found.is_err(), "{found:?}");
}

#[tokio::test]
async fn entra_tells_by_a_number_what_its_errors_mean() {
    let play = play(TENANT).await;
    for (error, number, class) in [
        ("invalid_grant", 700_082, ProviderFailure::GrantDead),
        ("invalid_grant", 50_173, ProviderFailure::GrantDead),
        ("interaction_required", 50_076, ProviderFailure::GrantDead),
        ("interaction_required", 1, ProviderFailure::GrantDead),
        ("invalid_grant", 65_001, ProviderFailure::GrantDead),
        ("invalid_grant", 53_003, ProviderFailure::RequestFault),
        ("invalid_client", 7_000_215, ProviderFailure::ClientFault),
        ("invalid_client", 7_000_222, ProviderFailure::ClientFault),
        ("unauthorized_client", 700_016, ProviderFailure::ClientFault),
        ("invalid_scope", 70_011, ProviderFailure::RequestFault),
        ("temporarily_unavailable", 90_033, ProviderFailure::Transient),
        ("invalid_request", 90_055, ProviderFailure::Throttled(None)),
    ] {
        let body = json!({"error": error, "error_description": format!("AADSTS{number}: canary.\r\nTrace ID: 0"),
                          "error_codes": [number], "timestamp": "2026-11-24 02:02:12Z", "trace_id": "0",
                          "correlation_id": "0", "suberror": "bad_token"});
        play.says(
            &format!("/{TENANT}/oauth2/v2.0/token"),
            if class == ProviderFailure::ClientFault { 401 } else { 400 },
            body,
        );
        let (found, told) = play.refused("0.AR-1").await;
        assert_eq!(found, class, "{error} {number}");
        assert!(!told.contains("canary"), "{told}");
    }
}

#[tokio::test]
async fn entra_has_no_way_to_revoke() {
    let play = play(TENANT).await;
    for kind in [TokenKind::Access, TokenKind::Refresh] {
        assert_eq!(play.revoke("0.AR-1", kind).await, Err(RevokeError::Unsupported));
    }
}
