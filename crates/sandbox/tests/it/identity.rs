//! The identity provider: discovery, sign-in, ID tokens, userinfo, logout.

use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use leasehold_sandbox::browser::{Browser, Form};
use leasehold_sandbox::{IdTokenFlaw, Issuer};
use serde_json::Value;

use crate::support::{CALLBACK, CLIENT, Reply, Rig, SECRET, VERIFIER, login, read};

const SCOPE: (&str, &str) = ("scope", "openid email profile");
const NONCE: (&str, &str) = ("nonce", "the-nonce");

async fn sign_in(rig: &Rig, browser: &mut Browser, username: &str) -> Reply {
    let url = rig.authorization(&rig.idp("/authorize"), &[SCOPE, NONCE]);
    browser.goto(&url).await.unwrap();
    browser.submit(&login(username)).await.unwrap();
    exchange(rig, &browser.query("code").unwrap()).await
}

async fn exchange(rig: &Rig, code: &str) -> Reply {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
        ("client_id", CLIENT),
        ("client_secret", SECRET),
    ];
    rig.post(&rig.idp("/token"), &fields).await
}

/// A relying party's check, with the expiry left out: the sandbox has a clock of its own.
async fn verify(rig: &Rig, id_token: &str) -> Result<Value, jsonwebtoken::errors::Error> {
    let keys = read(rig.http.get(rig.idp("/jwks"))).await.unwrap();
    let keys: JwkSet = serde_json::from_str(&keys.text).unwrap();
    let kid = decode_header(id_token)?.kid.unwrap();
    let key = keys.find(&kid).ok_or(jsonwebtoken::errors::ErrorKind::InvalidToken)?;
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&[CLIENT]);
    validation.set_issuer(&[rig.sandbox.idp_issuer()]);
    Ok(decode::<Value>(id_token, &DecodingKey::from_jwk(key)?, &validation)?.claims)
}

#[tokio::test]
async fn the_id_token_is_signed_and_says_who_signed_in() {
    let rig = Rig::start().await;
    let reply = sign_in(&rig, &mut rig.browser(), "alice").await;
    let claims = verify(&rig, &reply.field("id_token")).await.unwrap();
    assert_eq!(claims["nonce"], "the-nonce");
    assert_eq!(claims["email"], "team@example.test");
    assert_eq!(claims["email_verified"], true);
    assert_eq!(claims["name"], "Alice");
    assert_eq!(claims["sub"], rig.sandbox.control().subject(Issuer::Idp, "alice").unwrap());
}

#[tokio::test]
async fn a_subject_is_stable_and_two_people_with_one_address_have_two() {
    let rig = Rig::start().await;
    let mut subjects = Vec::new();
    for username in ["alice", "alice", "bob"] {
        let reply = sign_in(&rig, &mut rig.browser(), username).await;
        let claims = verify(&rig, &reply.field("id_token")).await.unwrap();
        assert_eq!(claims["email"], "team@example.test");
        subjects.push(claims["sub"].as_str().unwrap().to_owned());
    }
    assert_eq!(subjects[0], subjects[1]);
    assert_ne!(subjects[0], subjects[2]);
}

#[tokio::test]
async fn discovery_names_every_endpoint_under_the_issuer() {
    let rig = Rig::start().await;
    let url = rig.idp("/.well-known/openid-configuration");
    let metadata = read(rig.http.get(url)).await.unwrap().json();
    assert_eq!(metadata["issuer"], rig.sandbox.idp_issuer());
    for endpoint in
        ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "end_session_endpoint"]
    {
        assert!(metadata[endpoint].as_str().unwrap().starts_with(rig.sandbox.idp_issuer()), "{endpoint}");
    }
    assert_eq!(metadata["id_token_signing_alg_values_supported"], serde_json::json!(["ES256"]));
}

#[tokio::test]
async fn metadata_can_lie_and_be_set_right_again() {
    let rig = Rig::start().await;
    let control = rig.sandbox.control();
    let url = rig.idp("/.well-known/openid-configuration");
    control.edit_metadata(Issuer::Idp, "issuer", "https://evil.test".into());
    control.edit_metadata(Issuer::Idp, "code_challenge_methods_supported", Value::Null);
    let metadata = read(rig.http.get(&url)).await.unwrap().json();
    assert_eq!(metadata["issuer"], "https://evil.test");
    assert!(metadata.get("code_challenge_methods_supported").is_none());
    control.restore_metadata(Issuer::Idp);
    assert_eq!(read(rig.http.get(&url)).await.unwrap().json()["issuer"], rig.sandbox.idp_issuer());
}

#[tokio::test]
async fn userinfo_tells_what_the_scopes_allow() {
    let rig = Rig::start().await;
    let mut browser = rig.browser();
    let url = rig.authorization(&rig.idp("/authorize"), &[("scope", "openid email"), NONCE]);
    browser.goto(&url).await.unwrap();
    browser.submit(&login("alice")).await.unwrap();
    let reply = exchange(&rig, &browser.query("code").unwrap()).await;
    let access = reply.field("access_token");
    let info = read(rig.http.get(rig.idp("/userinfo")).bearer_auth(&access)).await.unwrap().json();
    assert_eq!(info["email"], "team@example.test");
    assert!(info.get("name").is_none());
    rig.sandbox.control().advance(Duration::from_secs(300));
    let late = read(rig.http.get(rig.idp("/userinfo")).bearer_auth(&access)).await.unwrap();
    assert_eq!((late.status, late.error().as_str()), (401, "invalid_token"));
}

#[tokio::test]
async fn the_authorization_response_names_the_issuer() {
    let rig = Rig::start().await;
    let mut browser = rig.browser();
    sign_in(&rig, &mut browser, "alice").await;
    assert_eq!(browser.query("iss").as_deref(), Some(rig.sandbox.idp_issuer()));
}

#[tokio::test]
async fn a_request_without_openid_is_refused() {
    let rig = Rig::start().await;
    let mut browser = rig.browser();
    browser.goto(&rig.authorization(&rig.idp("/authorize"), &[("scope", "email")])).await.unwrap();
    browser.submit(&login("alice")).await.unwrap();
    assert_eq!(browser.query("error").as_deref(), Some("invalid_scope"));
}

#[tokio::test]
async fn a_second_sign_in_needs_no_password_and_a_silent_one_no_page() {
    let rig = Rig::start().await;
    let mut browser = rig.browser();
    let silent = rig.authorization(&rig.idp("/authorize"), &[SCOPE, NONCE, ("prompt", "none")]);
    browser.goto(&silent).await.unwrap();
    assert_eq!(browser.query("error").as_deref(), Some("login_required"));
    sign_in(&rig, &mut browser, "alice").await;
    browser.goto(&rig.authorization(&rig.idp("/authorize"), &[SCOPE, NONCE])).await.unwrap();
    assert!(browser.query("code").is_some());
    browser.goto(&silent).await.unwrap();
    assert!(browser.query("code").is_some());
}

#[tokio::test]
async fn a_code_works_once() {
    let rig = Rig::start().await;
    let mut browser = rig.browser();
    let reply = sign_in(&rig, &mut browser, "alice").await;
    assert_eq!(exchange(&rig, &browser.query("code").unwrap()).await.error(), "invalid_grant");
    assert_eq!(rig.sandbox.control().code_reuse_detected(), 1);
    let info =
        read(rig.http.get(rig.idp("/userinfo")).bearer_auth(reply.field("access_token"))).await.unwrap();
    assert_eq!(info.status, 401);
}

#[tokio::test]
async fn logout_with_an_id_token_ends_the_session_at_once() {
    let rig = Rig::start().await;
    let mut browser = rig.browser();
    let id_token = sign_in(&rig, &mut browser, "alice").await.field("id_token");
    let url = url::Url::parse_with_params(
        &rig.idp("/logout"),
        [
            ("id_token_hint", id_token.as_str()),
            ("post_logout_redirect_uri", "http://127.0.0.1:9/bye"),
            ("state", "after"),
        ],
    )
    .unwrap();
    browser.goto(url.as_str()).await.unwrap();
    assert_eq!(browser.url().unwrap().as_str(), "http://127.0.0.1:9/bye?state=after");
    let again = rig.authorization(&rig.idp("/authorize"), &[SCOPE, NONCE]);
    assert!(browser.goto(&again).await.unwrap().has_form("login"));
}

#[tokio::test]
async fn logout_without_an_id_token_asks_first() {
    let rig = Rig::start().await;
    let mut browser = rig.browser();
    sign_in(&rig, &mut browser, "alice").await;
    let again = rig.authorization(&rig.idp("/authorize"), &[SCOPE, NONCE]);
    let page = browser.goto(&rig.idp("/logout")).await.unwrap();
    assert!(page.has_form("logout"));
    browser.goto(&again).await.unwrap();
    assert!(browser.query("code").is_some(), "asking alone ends nothing");
    browser.goto(&rig.idp("/logout")).await.unwrap();
    let page = browser.submit(&Form::with_id("logout")).await.unwrap();
    assert_eq!(page.status.as_u16(), 200);
    assert!(browser.goto(&again).await.unwrap().has_form("login"));
}

#[tokio::test]
async fn logout_never_leads_to_an_unregistered_address() {
    let rig = Rig::start().await;
    let mut browser = rig.browser();
    let url = url::Url::parse_with_params(
        &rig.idp("/logout"),
        [("client_id", CLIENT), ("post_logout_redirect_uri", "http://127.0.0.1:9/elsewhere")],
    )
    .unwrap();
    let page = browser.goto(url.as_str()).await.unwrap();
    assert_eq!(page.status.as_u16(), 400);
}

#[tokio::test]
async fn a_new_signing_key_leaves_old_tokens_valid_until_it_is_forgotten() {
    let rig = Rig::start().await;
    let control = rig.sandbox.control();
    let old = sign_in(&rig, &mut rig.browser(), "alice").await.field("id_token");
    control.rotate_signing_key(false).unwrap();
    let new = sign_in(&rig, &mut rig.browser(), "alice").await.field("id_token");
    assert_ne!(decode_header(&old).unwrap().kid, decode_header(&new).unwrap().kid);
    assert!(verify(&rig, &old).await.is_ok() && verify(&rig, &new).await.is_ok());
    control.rotate_signing_key(true).unwrap();
    assert!(verify(&rig, &old).await.is_err());
}

#[tokio::test]
async fn a_flawed_id_token_is_flawed_as_ordered_and_only_once() {
    let rig = Rig::start().await;
    for flaw in [
        IdTokenFlaw::OtherIssuer,
        IdTokenFlaw::OtherAudience,
        IdTokenFlaw::Expired,
        IdTokenFlaw::OtherKey,
        IdTokenFlaw::HmacWithPublicKey,
        IdTokenFlaw::AlteredClaims,
        IdTokenFlaw::Unsigned,
    ] {
        rig.sandbox.control().flaw_next_id_token(flaw).unwrap();
        let flawed = sign_in(&rig, &mut rig.browser(), "alice").await.field("id_token");
        if flaw == IdTokenFlaw::Unsigned {
            assert!(flawed.ends_with('.'));
        } else {
            assert!(verify(&rig, &flawed).await.is_err(), "{flaw:?}");
        }
    }
    for (flaw, nonce) in
        [(IdTokenFlaw::OtherNonce, Some("the nonce of another request")), (IdTokenFlaw::OmittedNonce, None)]
    {
        rig.sandbox.control().flaw_next_id_token(flaw).unwrap();
        let flawed = sign_in(&rig, &mut rig.browser(), "alice").await.field("id_token");
        assert_eq!(verify(&rig, &flawed).await.unwrap()["nonce"].as_str(), nonce);
    }
    rig.sandbox.control().flaw_next_id_token(IdTokenFlaw::OtherAuthorizedParty).unwrap();
    let flawed = sign_in(&rig, &mut rig.browser(), "alice").await.field("id_token");
    assert_eq!(verify(&rig, &flawed).await.unwrap()["azp"], "another-client");
    let sound = sign_in(&rig, &mut rig.browser(), "alice").await.field("id_token");
    assert!(verify(&rig, &sound).await.is_ok());
}
