//! Sign-in, consent and the code: the provider as a journey meets it first.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use leasehold_interop::require;
use reqwest::StatusCode;
use serde_json::Value;

use crate::oauth::{CALLBACK, CLIENT, Flow, LOGIN, config, start, start_with, tokens};

#[tokio::test]
async fn a_person_signs_in_consents_and_the_client_gets_opaque_tokens() {
    let provider = start(&require!(Node, Npm)).await;
    let flow = Flow::new(&provider);

    let callback = flow.approve(&[]).await;
    assert_eq!(callback["state"], "the state");
    assert_eq!(callback["iss"], provider.issuer());

    let answer = flow.exchange(&callback["code"]).await;
    let got = tokens(&answer);
    assert_eq!(answer.scopes(), ["openid", "email", "files.read", "files.write"]);
    assert!(!got.access.contains('.'), "an opaque token has no parts");

    let seen = flow.introspect(&got.access).await;
    assert_eq!(seen["active"], true, "{seen}");
    assert_eq!(seen["client_id"], CLIENT);
    assert_eq!(seen["sub"], "sub-alice");

    let user = flow.get(&format!("{}/me", provider.issuer()), &got.access).await;
    assert_eq!(user.field("email"), "alice@example.test");
    let resource = flow.get(&provider.resource("files.read"), &got.access).await;
    assert_eq!((resource.status, resource.field("subject")), (StatusCode::OK, "sub-alice"));

    let ledger = provider.ledger().await.unwrap();
    assert_eq!(ledger.outcomes("authorization_code", CLIENT, "ok"), 1);
    assert_eq!((ledger.faults, ledger.introspections), (0, 1), "{}", provider.log());
}

#[tokio::test]
async fn the_id_token_is_signed_with_es256_and_names_the_person() {
    let provider = start(&require!(Node, Npm)).await;
    let flow = Flow::new(&provider);
    let answer = flow.exchange(&flow.approve(&[("nonce", Some("the nonce"))]).await["code"]).await;

    let parts: Vec<&str> = answer.field("id_token").split('.').collect();
    let part = |index: usize| -> Value {
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(parts[index]).unwrap()).unwrap()
    };
    assert_eq!(part(0)["alg"], "ES256");
    let claims = part(1);
    assert_eq!(claims["iss"], provider.issuer());
    assert_eq!(claims["aud"], CLIENT);
    assert_eq!(claims["nonce"], "the nonce");
    assert_eq!(claims["sub"], "sub-alice");
    assert_eq!(claims["email"], "alice@example.test");
}

#[tokio::test]
async fn a_wrong_password_shows_the_login_page_again() {
    let provider = start(&require!(Node, Npm)).await;
    let flow = Flow::new(&provider);
    let page = flow.browser.open(flow.authorize_url(&[]), CALLBACK).await;

    let wrong = page.form("login").with("login", LOGIN).with("password", "battery staple");
    let again = flow.browser.submit(wrong, CALLBACK).await;
    assert_eq!(again.status, StatusCode::UNAUTHORIZED);
    assert!(again.text().contains("The login or the password is wrong."));

    let right = again.form("login").with("login", "bob").with("password", "battery staple");
    let consent = flow.browser.submit(right, CALLBACK).await.form("consent");
    assert_eq!(consent.values("scope"), ["email", "files.read", "files.write"]);
}

#[tokio::test]
async fn a_scope_unticked_on_the_consent_page_is_not_granted() {
    let provider = start(&require!(Node, Npm)).await;
    let flow = Flow::new(&provider);
    let consent =
        flow.sign_in(&[]).await.form("consent").untick("scope", "files.write").with("decision", "allow");
    let callback = flow.browser.submit(consent, CALLBACK).await.parameters();

    let answer = flow.exchange(&callback["code"]).await;
    assert_eq!(answer.scopes(), ["openid", "email", "files.read"]);
    let refused = flow.get(&provider.resource("files.write"), &tokens(&answer).access).await;
    assert_eq!((refused.status, refused.field("error")), (StatusCode::FORBIDDEN, "insufficient_scope"));
}

#[tokio::test]
async fn a_scope_once_unticked_is_asked_for_again() {
    let provider = start(&require!(Node, Npm)).await;
    let flow = Flow::new(&provider);
    let consent =
        flow.sign_in(&[]).await.form("consent").untick("scope", "files.write").with("decision", "allow");
    flow.browser.submit(consent, CALLBACK).await;

    let page = flow.browser.open(flow.authorize_url(&[]), CALLBACK).await;
    let consent = page.form("consent").with("decision", "allow");
    let callback = flow.browser.submit(consent, CALLBACK).await.parameters();
    assert!(flow.exchange(&callback["code"]).await.scopes().contains(&"files.write"));
}

#[tokio::test]
async fn a_refused_consent_reaches_the_callback_as_access_denied() {
    let provider = start(&require!(Node, Npm)).await;
    let flow = Flow::new(&provider);
    let consent = flow.sign_in(&[]).await.form("consent").with("decision", "deny");
    let callback = flow.browser.submit(consent, CALLBACK).await.parameters();
    assert_eq!(callback["error"], "access_denied");
    assert_eq!(callback["state"], "the state");
    assert_eq!(callback["iss"], provider.issuer());
}

#[tokio::test]
async fn a_request_without_a_code_challenge_is_refused() {
    let provider = start(&require!(Node, Npm)).await;
    let flow = Flow::new(&provider);
    let bare = flow.authorize_url(&[("code_challenge", None), ("code_challenge_method", None)]);
    assert_eq!(flow.browser.open(bare, CALLBACK).await.parameters()["error"], "invalid_request");
    let plain = flow.authorize_url(&[("code_challenge_method", Some("plain"))]);
    assert_eq!(flow.browser.open(plain, CALLBACK).await.parameters()["error"], "invalid_request");
}

#[tokio::test]
async fn a_request_without_a_scope_gets_the_default_scope() {
    let toolchain = require!(Node, Npm);
    let mut config = config();
    config.default_scope = Some("files.read".to_owned());
    let provider = start_with(&toolchain, &config).await;
    let flow = Flow::new(&provider);
    let answer = flow.exchange(&flow.approve(&[("scope", None)]).await["code"]).await;
    assert_eq!(answer.scopes(), ["files.read"]);
}

#[tokio::test]
async fn a_code_can_be_used_once() {
    let provider = start(&require!(Node, Npm)).await;
    let flow = Flow::new(&provider);
    let code = flow.approve(&[]).await["code"].clone();
    let first = tokens(&flow.exchange(&code).await);

    let again = flow.exchange(&code).await;
    assert_eq!((again.status, again.field("error")), (StatusCode::BAD_REQUEST, "invalid_grant"));
    assert_eq!(flow.introspect(&first.access).await["active"], false, "the replay ends what the code gave");
}

#[tokio::test]
async fn a_redirect_uri_is_refused_until_it_is_added() {
    const LATER: &str = "http://127.0.0.1:9/known-later";
    let provider = start(&require!(Node, Npm)).await;
    let flow = Flow::new(&provider);
    let asked = || flow.authorize_url(&[("redirect_uri", Some(LATER))]);
    assert_eq!(flow.browser.open(asked(), LATER).await.status, StatusCode::BAD_REQUEST);
    provider.add_redirect_uri(CLIENT, LATER).await.unwrap();
    assert_eq!(flow.browser.open(asked(), LATER).await.status, StatusCode::OK);
    let before = flow.browser.open(flow.authorize_url(&[]), CALLBACK).await;
    assert_eq!(before.status, StatusCode::OK, "the first one is still good");
    assert!(provider.add_redirect_uri("stranger", LATER).await.is_err());
}
