//! The provider's authorization code flow, its consent page and its API.

use std::time::Duration;

use leasehold_sandbox::browser::Form;
use leasehold_sandbox::{Client, Fault, FaultRule, Issuer, IssuerParameter, Outcome, TokenKind, fingerprint};

use crate::support::{CALLBACK, CLIENT, PASSWORD, Rig, SECRET, VERIFIER, login};

#[tokio::test]
async fn the_code_flow_yields_tokens_that_open_the_api() {
    let rig = Rig::start().await;
    let (access, refresh) = rig.tokens().await;
    let me = rig.api("/api/me", &access).await;
    assert_eq!(me.status, 200);
    assert_eq!(me.field("login"), "alice");
    assert_eq!(me.field("email"), "alice@saas.test");
    assert_eq!(me.field("id"), rig.sandbox.control().subject(Issuer::Provider, "alice").unwrap());
    let files = rig.api("/api/files", &access).await;
    assert_eq!(files.json()["files"][0]["name"], "welcome.txt");
    let issued = rig.sandbox.control().issued(|_| true);
    let kinds: Vec<TokenKind> = issued.iter().map(|line| line.kind).collect();
    assert_eq!(kinds, [TokenKind::Code, TokenKind::Access, TokenKind::Refresh]);
    assert!(issued.iter().all(|line| line.family == issued[0].family));
    assert_eq!(issued[2].fingerprint, fingerprint(&refresh));
}

#[tokio::test]
async fn the_metadata_promise_what_the_provider_does() {
    let rig = Rig::start().await;
    let url = rig.provider("/.well-known/oauth-authorization-server");
    let reply = crate::support::read(rig.http.get(url)).await.unwrap().json();
    assert_eq!(reply["issuer"], rig.sandbox.provider_issuer());
    assert_eq!(reply["code_challenge_methods_supported"], serde_json::json!(["S256"]));
    assert_eq!(reply["authorization_response_iss_parameter_supported"], true);
}

#[tokio::test]
async fn the_authorization_response_carries_state_and_issuer() {
    let rig = Rig::start().await;
    let mut browser = rig.browser();
    browser.goto(&rig.authorization(&rig.provider("/authorize"), &[])).await.unwrap();
    browser.submit(&login("alice")).await.unwrap();
    let page = browser.submit(&Form::with_button("Allow")).await.unwrap();
    assert!(page.stopped);
    assert_eq!(browser.query("state").as_deref(), Some("the-state"));
    assert_eq!(browser.query("iss").as_deref(), Some(rig.sandbox.provider_issuer()));
}

#[tokio::test]
async fn the_issuer_parameter_can_be_left_out_or_forged() {
    let rig = Rig::start().await;
    let control = rig.sandbox.control();
    for (parameter, seen) in [
        (IssuerParameter::Omitted, None),
        (IssuerParameter::Claimed("https://evil.test".to_owned()), Some("https://evil.test")),
    ] {
        control.set_issuer_parameter(Issuer::Provider, parameter);
        let mut browser = rig.browser();
        browser.goto(&rig.authorization(&rig.provider("/authorize"), &[])).await.unwrap();
        browser.submit(&login("alice")).await.unwrap();
        browser.submit(&Form::with_button("Allow")).await.unwrap();
        assert_eq!(browser.query("iss").as_deref(), seen);
    }
}

#[tokio::test]
async fn an_unticked_scope_is_not_granted() {
    let rig = Rig::start().await;
    let mut browser = rig.browser();
    browser.goto(&rig.authorization(&rig.provider("/authorize"), &[])).await.unwrap();
    browser.submit(&login("alice")).await.unwrap();
    let consent = Form::with_id("consent").untick("scope", "files.write").press("Allow");
    browser.submit(&consent).await.unwrap();
    let reply = rig.exchange(&browser.query("code").unwrap()).await;
    assert_eq!(reply.field("scope"), "files.read");
    let refused = crate::support::read(
        rig.http.post(rig.provider("/api/files")).bearer_auth(reply.field("access_token")),
    )
    .await
    .unwrap();
    assert_eq!((refused.status, refused.error().as_str()), (403, "insufficient_scope"));
    let challenge = refused.headers["www-authenticate"].to_str().unwrap().to_owned();
    assert!(challenge.contains("scope=\"files.write\""), "{challenge}");
}

#[tokio::test]
async fn a_scope_that_was_not_asked_for_cannot_be_smuggled_into_the_consent() {
    let rig = Rig::start().await;
    let mut browser = rig.browser();
    let url = rig.authorization(&rig.provider("/authorize"), &[("scope", "files.read")]);
    browser.goto(&url).await.unwrap();
    browser.submit(&login("alice")).await.unwrap();
    let smuggled = Form::with_id("consent").tamper("scope", "files.write").press("Allow");
    browser.submit(&smuggled).await.unwrap();
    assert_eq!(browser.query("error").as_deref(), Some("access_denied"));
}

#[tokio::test]
async fn a_denial_reaches_the_client_with_state_and_issuer() {
    let rig = Rig::start().await;
    let mut browser = rig.browser();
    browser.goto(&rig.authorization(&rig.provider("/authorize"), &[])).await.unwrap();
    browser.submit(&login("alice")).await.unwrap();
    browser.submit(&Form::with_button("Deny")).await.unwrap();
    assert_eq!(browser.query("error").as_deref(), Some("access_denied"));
    assert_eq!(browser.query("state").as_deref(), Some("the-state"));
    assert_eq!(browser.query("iss").as_deref(), Some(rig.sandbox.provider_issuer()));
    assert!(rig.sandbox.control().issued(|_| true).is_empty());
}

#[tokio::test]
async fn unticking_everything_is_a_denial() {
    let rig = Rig::start().await;
    let mut browser = rig.browser();
    browser.goto(&rig.authorization(&rig.provider("/authorize"), &[("scope", "files.read")])).await.unwrap();
    browser.submit(&login("alice")).await.unwrap();
    browser.submit(&Form::with_button("Allow").untick("scope", "files.read")).await.unwrap();
    assert_eq!(browser.query("error").as_deref(), Some("access_denied"));
}

#[tokio::test]
async fn another_account_can_be_chosen_on_the_consent_page() {
    let rig = Rig::start().await;
    let mut browser = rig.browser();
    browser.goto(&rig.authorization(&rig.provider("/authorize"), &[])).await.unwrap();
    browser.submit(&login("alice")).await.unwrap();
    browser.submit(&Form::with_button("Use another account")).await.unwrap();
    browser.submit(&login("bob")).await.unwrap();
    browser.submit(&Form::with_button("Allow")).await.unwrap();
    let reply = rig.exchange(&browser.query("code").unwrap()).await;
    assert_eq!(rig.api("/api/me", &reply.field("access_token")).await.field("login"), "bob");
}

#[tokio::test]
async fn a_wrong_password_says_so_and_a_right_one_goes_on() {
    let rig = Rig::start().await;
    let mut browser = rig.browser();
    browser.goto(&rig.authorization(&rig.provider("/authorize"), &[])).await.unwrap();
    let wrong = Form::with_id("login").fill("username", "alice").fill("password", "wrong");
    let page = browser.submit(&wrong).await.unwrap();
    assert_eq!(page.status.as_u16(), 422);
    assert_eq!(page.select("[role=alert]").len(), 1);
    let page = browser.submit(&login("alice")).await.unwrap();
    assert!(page.has_form("consent"));
}

#[tokio::test]
async fn someone_signed_in_is_not_asked_for_a_password_again_unless_the_client_insists() {
    let rig = Rig::start().await;
    let mut browser = rig.browser();
    let url = rig.authorization(&rig.provider("/authorize"), &[]);
    browser.goto(&url).await.unwrap();
    browser.submit(&login("alice")).await.unwrap();
    assert!(browser.goto(&url).await.unwrap().has_form("consent"));
    let insisting = rig.authorization(&rig.provider("/authorize"), &[("prompt", "login")]);
    assert!(browser.goto(&insisting).await.unwrap().has_form("login"));
}

#[tokio::test]
async fn a_bad_client_or_redirect_uri_never_leads_anywhere() {
    let rig = Rig::start().await;
    for change in
        [("client_id", "nobody"), ("redirect_uri", "http://127.0.0.1:9/callback/"), ("redirect_uri", "")]
    {
        let mut browser = rig.browser();
        let url = rig.authorization(&rig.provider("/authorize"), &[change]);
        let page = browser.goto(&url).await.unwrap();
        assert_eq!(page.status.as_u16(), 400, "{change:?}");
        assert!(!page.stopped);
    }
}

#[tokio::test]
async fn a_malformed_request_is_told_to_the_client_only_after_sign_in() {
    let rig = Rig::start().await;
    for (change, error) in [
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("response_type", "token"), "unsupported_response_type"),
        (("scope", "everything"), "invalid_scope"),
        (("resource", "not a uri"), "invalid_target"),
    ] {
        let mut browser = rig.browser();
        let url = rig.authorization(&rig.provider("/authorize"), &[change]);
        assert!(browser.goto(&url).await.unwrap().has_form("login"), "{change:?}");
        browser.submit(&login("alice")).await.unwrap();
        assert_eq!(browser.query("error").as_deref(), Some(error), "{change:?}");
        assert_eq!(browser.query("state").as_deref(), Some("the-state"));
    }
}

#[tokio::test]
async fn a_code_expires_after_sixty_seconds() {
    let rig = Rig::start().await;
    let code = rig.code().await;
    rig.sandbox.control().advance(Duration::from_secs(60));
    assert_eq!(rig.exchange(&code).await.error(), "invalid_grant");
}

#[tokio::test]
async fn a_code_that_is_used_twice_ends_what_came_of_it() {
    let rig = Rig::start().await;
    let code = rig.code().await;
    let first = rig.exchange(&code).await;
    assert_eq!(rig.exchange(&code).await.error(), "invalid_grant");
    let control = rig.sandbox.control();
    assert_eq!(control.code_reuse_detected(), 1);
    assert!(!control.is_active(&first.field("access_token")));
    assert!(!control.is_active(&first.field("refresh_token")));
    assert_eq!(rig.api("/api/me", &first.field("access_token")).await.status, 401);
}

#[tokio::test]
async fn a_code_is_bound_to_its_client_its_redirect_uri_and_its_verifier() {
    let rig = Rig::start().await;
    let code = rig.code().await;
    let fields = |redirect, verifier| {
        [
            ("grant_type", "authorization_code"),
            ("code", &*code),
            ("redirect_uri", redirect),
            ("code_verifier", verifier),
        ]
    };
    let stolen = rig.token_as(("other", "the secret of the other one"), &fields(CALLBACK, VERIFIER)).await;
    assert_eq!(stolen.error(), "invalid_grant");
    let wrong = "x".repeat(43);
    assert_eq!(rig.token_as((CLIENT, SECRET), &fields(CALLBACK, &wrong)).await.error(), "invalid_grant");
    let code = rig.code().await;
    let moved = [
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", "http://127.0.0.1:9/"),
        ("code_verifier", VERIFIER),
    ];
    assert_eq!(rig.token_as((CLIENT, SECRET), &moved).await.error(), "invalid_grant");
}

#[tokio::test]
async fn every_secret_of_a_client_is_valid_until_it_is_replaced() {
    let rig = Rig::start().await;
    let control = rig.sandbox.control();
    let (_, refresh) = rig.tokens().await;
    control.add_client_secret(Issuer::Provider, CLIENT, "the second secret of the app").unwrap();
    let fields = [("grant_type", "refresh_token"), ("refresh_token", &*refresh)];
    let next = rig.token_as((CLIENT, "the second secret of the app"), &fields).await.field("refresh_token");
    assert_eq!(rig.refresh(&next).await.status, 200);
    control.replace_client_secrets(Issuer::Provider, CLIENT, "the third secret of the app").unwrap();
    let refused = rig.refresh(&next).await;
    assert_eq!((refused.status, refused.error().as_str()), (401, "invalid_client"));
}

#[tokio::test]
async fn a_wrong_client_secret_leaves_the_grant_alone() {
    let rig = Rig::start().await;
    let (_, refresh) = rig.tokens().await;
    let fields = [("grant_type", "refresh_token"), ("refresh_token", &*refresh)];
    assert_eq!(rig.token_as((CLIENT, "wrong"), &fields).await.error(), "invalid_client");
    assert_eq!(rig.refresh(&refresh).await.status, 200);
    let shown = rig.sandbox.control().presentations(&fingerprint(&refresh));
    let outcomes: Vec<Outcome> = shown.iter().map(|line| line.outcome).collect();
    assert_eq!(outcomes, [Outcome::Refused, Outcome::Accepted]);
    assert_eq!(rig.sandbox.control().refresh_requests(CLIENT), 2);
}

#[tokio::test]
async fn a_public_client_needs_no_secret_but_pkce() {
    let rig = Rig::start().await;
    let control = rig.sandbox.control();
    let mut public = Client::new("public", "unused", CALLBACK);
    public.secrets.clear();
    control.register_client(Issuer::Provider, public).unwrap();
    let mut browser = rig.browser();
    let url = rig.authorization(&rig.provider("/authorize"), &[("client_id", "public")]);
    browser.goto(&url).await.unwrap();
    browser.submit(&login("alice")).await.unwrap();
    browser.submit(&Form::with_button("Allow")).await.unwrap();
    let code = browser.query("code").unwrap();
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", "public"),
        ("code", &*code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    assert_eq!(rig.post(&rig.provider("/token"), &fields).await.status, 200);
}

#[tokio::test]
async fn a_repeated_parameter_or_another_content_type_is_refused() {
    let rig = Rig::start().await;
    let repeated = [("grant_type", "refresh_token"), ("grant_type", "refresh_token")];
    assert_eq!(rig.post(&rig.provider("/token"), &repeated).await.error(), "invalid_request");
    let json = rig.http.post(rig.provider("/token")).header("content-type", "application/json").body("{}");
    assert_eq!(crate::support::read(json).await.unwrap().error(), "invalid_request");
    let unknown = rig.token_as((CLIENT, SECRET), &[("grant_type", "password")]).await;
    assert_eq!(unknown.error(), "unsupported_grant_type");
}

#[tokio::test]
async fn the_api_takes_a_token_from_the_header_only() {
    let rig = Rig::start().await;
    let (access, _) = rig.tokens().await;
    let url = format!("{}?access_token={access}", rig.provider("/api/me"));
    let refused = crate::support::read(rig.http.get(url)).await.unwrap();
    assert_eq!(refused.status, 401);
    assert_eq!(rig.api("/api/me", "sbx_at_invented_by_a_stranger").await.error(), "invalid_token");
}

#[tokio::test]
async fn a_file_written_is_read_again_by_its_account_only() {
    let rig = Rig::start().await;
    let (access, _) = rig.tokens().await;
    let post = rig.http.post(rig.provider("/api/files")).bearer_auth(&access);
    let reply = crate::support::read(post.body(r#"{"name":"notes.txt","content":"hello"}"#)).await.unwrap();
    assert_eq!(reply.status, 201);
    let files = rig.api("/api/files", &access).await.json();
    assert_eq!(files["files"][1]["content"], "hello");
}

#[tokio::test]
async fn an_access_token_dies_with_its_lifetime() {
    let rig = Rig::start().await;
    let (access, _) = rig.tokens().await;
    rig.sandbox.control().advance(Duration::from_secs(3599));
    assert_eq!(rig.api("/api/me", &access).await.status, 200);
    rig.sandbox.control().advance(Duration::from_secs(1));
    assert_eq!(rig.api("/api/me", &access).await.status, 401);
}

#[tokio::test]
async fn a_consent_withdrawn_at_the_provider_ends_its_tokens() {
    let rig = Rig::start().await;
    let (access, refresh) = rig.tokens().await;
    assert_eq!(rig.sandbox.control().withdraw("alice").unwrap(), 1);
    assert_eq!(rig.api("/api/me", &access).await.status, 401);
    assert_eq!(rig.refresh(&refresh).await.error(), "invalid_grant");
}

#[tokio::test]
async fn the_account_endpoint_can_fail_too() {
    let rig = Rig::start().await;
    let (access, _) = rig.tokens().await;
    let fault = Fault::Error { status: 503, error: "down".to_owned(), description: None };
    let rule = FaultRule::once(fault).at(leasehold_sandbox::Endpoint::Account);
    rig.sandbox.control().push_fault(rule).unwrap();
    assert_eq!(rig.api("/api/me", &access).await.status, 503);
    assert_eq!(rig.api("/api/me", &access).await.status, 200);
}

#[tokio::test]
async fn the_canaries_hold_every_secret_and_no_password() {
    let rig = Rig::start().await;
    let code = rig.code().await;
    let reply = rig.exchange(&code).await;
    let secrets = rig.sandbox.control().all_secrets();
    for secret in [&code, &reply.field("access_token"), &reply.field("refresh_token")] {
        assert!(secrets.contains(secret));
    }
    assert!(secrets.iter().any(|secret| secret == SECRET));
    assert!(secrets.iter().any(|secret| secret == VERIFIER));
    assert!(!secrets.iter().any(|secret| secret == PASSWORD));
}
