//! Signing in: what succeeds, and every way in which an answer can be wrong.

use std::collections::BTreeMap;

use jsonwebtoken::Algorithm;
use leasehold_domain::identity_provider::JoinClaim;
use leasehold_identity::{
    metadata::MetadataError,
    sign_in::{BeginError, FinishError, IdTokenError, SignIn},
};
use leasehold_upstream::callback::{CallbackError, Refusal};
use leasehold_vault::{OsEntropy, Secret};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use crate::{
    idp::{CLIENT, NOW_SECONDS, SECRET},
    keys::{Key, altered, sign_hmac, unsigned},
    rig::{NOW, REDIRECT, Rig, after},
};

/// The query with one parameter replaced, or removed.
fn with(query: &str, name: &str, value: Option<&str>) -> String {
    let mut pairs: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    pairs.remove(name);
    pairs.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

async fn callback(rig: &Rig, change: impl Fn(&str) -> String) -> Option<FinishError> {
    let (url, pending) = rig.begin().await;
    let query = rig.idp.visit(&url);
    rig.finish(pending, &change(&query)).await.err()
}

async fn id_token_refused(rig: &Rig) -> IdTokenError {
    match rig.run().await {
        Err(FinishError::IdToken(error)) => error,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("the id token was believed"),
    }
}

#[tokio::test]
async fn a_person_signs_in_whichever_algorithm_their_identity_provider_signs_with() {
    for algorithm in [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA] {
        let rig = Rig::of(algorithm, 1).await;
        let person = rig.run().await.ok().unwrap();
        assert_eq!(person.identifier.issuer.as_str(), rig.idp.issuer);
        assert_eq!(person.identifier.value.as_str(), "alice-at-the-idp");
        assert_eq!(person.email.unwrap().as_str(), "alice@corp.example");
        assert_eq!(person.name.unwrap().as_str(), "Alice Example");
    }
}

#[tokio::test]
async fn the_url_asks_for_a_code_with_a_proof_key_and_never_twice_for_the_same() {
    let rig = Rig::new().await;
    let (url, _) = rig.begin().await;
    let parameters = |url: &str| -> BTreeMap<String, String> {
        Url::parse(url).unwrap().query_pairs().into_owned().collect()
    };
    let first = parameters(&url);
    let names: Vec<&str> = first.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "client_id",
            "code_challenge",
            "code_challenge_method",
            "nonce",
            "redirect_uri",
            "response_type",
            "scope",
            "state"
        ]
    );
    assert_eq!(first["redirect_uri"], REDIRECT);
    assert_eq!(first["scope"], "openid email profile");
    let second = parameters(&rig.begin().await.0);
    for secret in ["state", "nonce", "code_challenge"] {
        assert_eq!(first[secret].len(), 43);
        assert_ne!(first[secret], second[secret]);
    }
}

#[tokio::test]
async fn a_callback_with_a_wrong_missing_or_doubled_state_is_not_believed() {
    let rig = Rig::new().await;
    let wrong = callback(&rig, |query| with(query, "state", Some("x"))).await;
    assert_eq!(wrong, Some(FinishError::Callback(CallbackError::State)));
    let missing = callback(&rig, |query| with(query, "state", None)).await;
    assert_eq!(missing, Some(FinishError::Callback(CallbackError::NoState)));
    let doubled = callback(&rig, |query| format!("{query}&state=x")).await;
    assert_eq!(doubled, Some(FinishError::Callback(CallbackError::Duplicate)));
    assert_eq!(rig.idp.asked_for("/token"), 0);
}

#[tokio::test]
async fn an_issuer_that_is_wrong_or_was_promised_and_is_missing_ends_the_sign_in_before_the_code_is_sent() {
    let rig = Rig::new().await;
    let slash = format!("{}/", rig.idp.issuer);
    for wrong in ["https://evil.example", slash.as_str(), ""] {
        let refused = callback(&rig, |query| with(query, "iss", Some(wrong))).await;
        assert_eq!(refused, Some(FinishError::Callback(CallbackError::Issuer)), "{wrong}");
    }
    let missing = callback(&rig, |query| with(query, "iss", None)).await;
    assert_eq!(missing, Some(FinishError::Callback(CallbackError::IssuerMissing)));
    assert_eq!(rig.idp.asked_for("/token"), 0);
}

#[tokio::test]
async fn an_issuer_that_was_not_promised_may_be_missing_and_still_not_wrong() {
    let rig = Rig::new().await;
    rig.idp.lock().metadata.as_object_mut().unwrap().remove("authorization_response_iss_parameter_supported");
    assert_eq!(callback(&rig, |query| with(query, "iss", None)).await, None);
    let wrong = callback(&rig, |query| with(query, "iss", Some("https://evil.example"))).await;
    assert_eq!(wrong, Some(FinishError::Callback(CallbackError::Issuer)));
}

#[tokio::test]
async fn a_refusal_is_told_only_if_it_comes_from_the_right_issuer() {
    let rig = Rig::new().await;
    let error = |query: &str| with(&with(query, "code", None), "error", Some("access_denied"));
    assert_eq!(callback(&rig, error).await, Some(FinishError::Refused(Refusal::AccessDenied)));
    let hidden = callback(&rig, |query| with(&error(query), "iss", Some("https://evil.example"))).await;
    assert_eq!(hidden, Some(FinishError::Callback(CallbackError::Issuer)));
}

#[tokio::test]
async fn an_id_token_with_a_wrong_claim_is_refused() {
    let rig = Rig::new().await;
    let cases: [(Value, IdTokenError); 15] = [
        (json!({ "nonce": "of another sign-in" }), IdTokenError::Nonce),
        (json!({ "nonce": null }), IdTokenError::Nonce),
        (json!({ "iss": "https://evil.example" }), IdTokenError::Issuer),
        (json!({ "iss": format!("{}/", rig.idp.issuer) }), IdTokenError::Issuer),
        (json!({ "aud": "another-client" }), IdTokenError::Audience),
        (json!({ "aud": null }), IdTokenError::Audience),
        (json!({ "aud": [] }), IdTokenError::Audience),
        (json!({ "aud": [CLIENT, "another-client"], "azp": CLIENT }), IdTokenError::Audience),
        (json!({ "azp": "another-client" }), IdTokenError::AuthorizedParty),
        (json!({ "exp": NOW_SECONDS - 60 }), IdTokenError::Time),
        (json!({ "iat": NOW_SECONDS + 61 }), IdTokenError::Time),
        (json!({ "nbf": NOW_SECONDS + 61 }), IdTokenError::Time),
        (json!({ "nbf": -1 }), IdTokenError::Time),
        (json!({ "sub": "" }), IdTokenError::Person(leasehold_identity::person::NoJoinClaim)),
        (json!({ "sub": "x".repeat(256) }), IdTokenError::Person(leasehold_identity::person::NoJoinClaim)),
    ];
    for (claims, expected) in cases {
        rig.idp.claim(claims.clone());
        assert_eq!(id_token_refused(&rig).await, expected, "{claims}");
    }
    for good in [
        json!({ "exp": NOW_SECONDS - 59 }),
        json!({ "iat": NOW_SECONDS + 60 }),
        json!({ "nbf": NOW_SECONDS + 60 }),
        json!({ "azp": CLIENT }),
        json!({ "aud": [CLIENT] }),
    ] {
        rig.idp.claim(good.clone());
        assert!(rig.run().await.is_ok(), "{good}");
    }
}

#[tokio::test]
async fn an_id_token_without_a_needed_claim_cannot_be_read() {
    let rig = Rig::new().await;
    for missing in ["iss", "sub", "exp", "iat"] {
        rig.idp.claim(json!({ missing: null }));
        assert_eq!(rig.run().await.err(), Some(FinishError::Unreadable), "{missing}");
    }
}

#[tokio::test]
async fn an_id_token_that_is_not_signed_as_agreed_is_refused() {
    let rig = Rig::new().await;
    let public = rig.idp.lock().published[0].to_string();
    let header = |alg: &str| json!({ "alg": alg, "kid": "first", "typ": "JWT" });
    type Mint = Box<dyn Fn(&Key, Value, Value) -> String + Send + Sync>;
    let none = header("none");
    let (hmac, hmac_public) = (header("HS256"), header("HS256"));
    let other = Key::draw("first", Algorithm::ES256);
    let cases: [(Mint, IdTokenError); 8] = [
        (Box::new(move |_, _, claims| unsigned(&none, &claims)), IdTokenError::Algorithm),
        (Box::new(move |_, _, claims| sign_hmac(&hmac, &claims, SECRET.as_bytes())), IdTokenError::Algorithm),
        (
            Box::new(move |_, _, claims| sign_hmac(&hmac_public, &claims, public.as_bytes())),
            IdTokenError::Algorithm,
        ),
        (Box::new(move |_, header, claims| other.sign(&header, &claims)), IdTokenError::Signature),
        (Box::new(|_, header, claims| unsigned(&header, &claims)), IdTokenError::Signature),
        (
            Box::new(|key, header, claims| {
                let token = key.sign(&header, &claims);
                let mut claims = claims;
                claims["sub"] = json!("somebody-else");
                altered(&token, &claims)
            }),
            IdTokenError::Signature,
        ),
        (
            Box::new(|key, mut header, claims| {
                header["typ"] = json!("logout+jwt");
                key.sign(&header, &claims)
            }),
            IdTokenError::Form,
        ),
        (
            Box::new(|key, mut header, claims| {
                header["crit"] = json!(["b64"]);
                key.sign(&header, &claims)
            }),
            IdTokenError::Form,
        ),
    ];
    for (index, (mint, expected)) in cases.into_iter().enumerate() {
        rig.idp.mint(mint);
        assert_eq!(id_token_refused(&rig).await, expected, "case {index}");
    }
    rig.idp.mint(|_, _, _| "no token".to_owned());
    assert_eq!(rig.run().await.err(), Some(FinishError::Unreadable));
}

#[tokio::test]
async fn a_key_that_was_rotated_in_is_fetched_but_not_at_a_strangers_pace() {
    let rig = Rig::new().await;
    assert!(rig.run().await.is_ok());
    rig.idp.rotate("second");
    assert_eq!(rig.run_at(after(9)).await.err(), Some(FinishError::IdToken(IdTokenError::UnknownKey)));
    assert_eq!(rig.idp.asked_for("/jwks"), 1);
    assert!(rig.run_at(after(10)).await.is_ok());
    assert_eq!(rig.idp.asked_for("/jwks"), 2);
    // The old key is gone with the old set.
    let old = Key::draw("first", Algorithm::ES256);
    rig.idp.mint(move |_, _, claims| old.sign(&old.header(), &claims));
    for seconds in [11, 15, 19] {
        let refused = rig.run_at(after(seconds)).await.err();
        assert_eq!(refused, Some(FinishError::IdToken(IdTokenError::UnknownKey)));
    }
    assert_eq!(rig.idp.asked_for("/jwks"), 2);
}

#[tokio::test]
async fn a_key_that_was_replaced_under_its_old_name_is_fetched_too() {
    let rig = Rig::new().await;
    assert!(rig.run().await.is_ok());
    rig.idp.rotate("first");
    assert!(rig.run_at(after(10)).await.is_ok());
}

#[tokio::test]
async fn two_identity_providers_are_never_mistaken_for_each_other() {
    let (honest, evil) = (Rig::of(Algorithm::ES256, 1).await, Rig::of(Algorithm::ES256, 2).await);
    // Begun at one, finished at the other.
    let (url, pending) = honest.begin().await;
    let query = honest.idp.visit(&url);
    assert_eq!(evil.finish(pending, &query).await.err(), Some(FinishError::OtherProvider));
    // The browser was sent on to the other, which answers with the first one's state.
    let (url, pending) = honest.begin().await;
    let detour = url.replacen(&honest.idp.issuer, &evil.idp.issuer, 1);
    let query = evil.idp.visit(&detour);
    let refused = honest.finish(pending, &query).await.err();
    assert_eq!(refused, Some(FinishError::Callback(CallbackError::Issuer)));
    assert_eq!(honest.idp.asked_for("/token") + evil.idp.asked_for("/token"), 0);
    // The one hands out an ID token of the other, good in itself and with the right nonce.
    let (key, issuer) = (honest.idp.lock().signing.clone(), honest.idp.issuer.clone());
    evil.idp.mint(move |_, _, mut claims| {
        claims["iss"] = json!(issuer);
        key.sign(&key.header(), &claims)
    });
    assert_eq!(id_token_refused(&evil).await, IdTokenError::Issuer);
}

#[tokio::test]
async fn metadata_of_another_identity_provider_begins_nothing() {
    let (rig, other) = (Rig::of(Algorithm::ES256, 1).await, Rig::of(Algorithm::ES256, 2).await);
    let metadata = other.cache.current(&other.provider, NOW).await.unwrap();
    assert_eq!(rig.sign_in().begin(&metadata, &OsEntropy).err(), Some(BeginError::OtherProvider));
}

#[tokio::test]
async fn the_redirect_uri_is_https_or_on_this_machine() {
    let rig = Rig::new().await;
    let metadata = rig.cache.current(&rig.provider, NOW).await.unwrap();
    for (redirect_uri, good) in [
        ("http://127.0.0.1:9/cb", true),
        ("http://leasehold.example/cb", false),
        ("javascript:alert(1)", false),
        ("https://leasehold.example/cb#x", false),
        ("/cb", false),
    ] {
        let sign_in = SignIn { provider: &rig.provider, redirect_uri };
        let refused = sign_in.begin(&metadata, &OsEntropy).err();
        assert_eq!(refused, (!good).then_some(BeginError::RedirectUri), "{redirect_uri}");
    }
}

#[tokio::test]
async fn an_authorization_endpoint_that_sets_a_parameter_of_ours_begins_nothing() {
    let rig = Rig::new().await;
    let endpoint = format!("{}/authorize?state=fixed", rig.idp.issuer);
    rig.idp.lock().metadata["authorization_endpoint"] = json!(endpoint);
    let metadata = rig.cache.current(&rig.provider, NOW).await.unwrap();
    assert_eq!(rig.sign_in().begin(&metadata, &OsEntropy).err(), Some(BeginError::DuplicateParameter));
}

#[tokio::test]
async fn the_client_authenticates_as_metadata_lists_it() {
    for (listed, expected) in [
        (json!(["client_secret_post", "client_secret_basic"]), "basic"),
        (json!(["client_secret_post", "private_key_jwt"]), "post"),
        (Value::Null, "basic"),
    ] {
        let rig = Rig::new().await;
        rig.idp.lock().metadata["token_endpoint_auth_methods_supported"] = listed.clone();
        assert!(rig.run().await.is_ok(), "{listed}");
        assert_eq!(rig.idp.lock().authenticated, [expected], "{listed}");
    }
    let rig = Rig::new().await;
    rig.idp.lock().metadata["token_endpoint_auth_methods_supported"] = json!(["private_key_jwt"]);
    assert_eq!(rig.run().await.err(), Some(FinishError::ClientAuth));
    assert_eq!(rig.idp.asked_for("/token"), 0);
}

#[tokio::test]
async fn a_wrong_client_secret_and_a_used_code_are_told_apart() {
    let rig = Rig::new().await;
    let (url, pending) = rig.begin().await;
    let query = rig.idp.visit(&url);
    let wrong = Secret::copy_of(b"wrong").unwrap();
    let refused = rig.sign_in().finish(&rig.cache, pending, &query, Some(&wrong), NOW).await.err();
    assert_eq!(refused, Some(FinishError::ClientRefused));
    let used = callback(&rig, |query| with(query, "code", Some("used"))).await;
    assert_eq!(used, Some(FinishError::CodeRefused));
}

#[tokio::test]
async fn a_code_is_worth_nothing_without_the_proof_key_of_its_own_sign_in() {
    let rig = Rig::new().await;
    let (url, _) = rig.begin().await;
    let stolen = rig.idp.visit(&url);
    let code =
        form_urlencoded::parse(stolen.as_bytes()).find(|(name, _)| name == "code").unwrap().1.into_owned();
    let injected = callback(&rig, |query| with(query, "code", Some(&code))).await;
    assert_eq!(injected, Some(FinishError::CodeRefused));
}

#[tokio::test]
async fn a_public_client_sends_no_secret() {
    let rig = Rig::new().await;
    let (url, pending) = rig.begin().await;
    let query = rig.idp.visit(&url);
    assert!(rig.sign_in().finish(&rig.cache, pending, &query, None, NOW).await.is_ok());
    assert_eq!(rig.idp.lock().authenticated, ["none"]);
}

#[tokio::test]
async fn an_email_counts_only_if_it_is_verified_and_plain() {
    let rig = Rig::new().await;
    for (claims, expected) in [
        (json!({ "email_verified": false }), None),
        (json!({ "email_verified": null }), None),
        (json!({ "email": null }), None),
        (json!({ "email": "ali\u{212a}e@corp.example" }), None),
        (json!({ "email": "bob@corp.example" }), Some("bob@corp.example")),
    ] {
        rig.idp.claim(claims.clone());
        let email = rig.run().await.ok().unwrap().email;
        assert_eq!(email.as_ref().map(|email| email.as_str()), expected, "{claims}");
    }
}

#[tokio::test]
async fn a_person_is_named_by_tenant_and_object_where_that_is_the_join_claim() {
    let mut rig = Rig::new().await;
    rig.provider.registration.join_claim = JoinClaim::TidOid;
    let (tid, oid) = ("0b5f2c1e-27a4-4c0e-9d53-1f0c6a2b7e90", "9a1d4f66-0c3b-4ad8-8f7e-5b2e8c4d1a37");
    rig.idp.claim(json!({ "tid": tid, "oid": oid }));
    let person = rig.run().await.ok().unwrap();
    assert_eq!(person.identifier.value.as_str(), format!("{tid}/{oid}"));
    rig.idp.claim(json!({ "tid": tid }));
    let missing = IdTokenError::Person(leasehold_identity::person::NoJoinClaim);
    assert_eq!(id_token_refused(&rig).await, missing);
}

#[tokio::test]
async fn a_sign_in_whose_identity_provider_is_gone_says_so() {
    let rig = Rig::new().await;
    let (url, pending) = rig.begin().await;
    let query = rig.idp.visit(&url);
    rig.idp.lock().down = true;
    assert_eq!(rig.finish(pending, &query).await.err(), Some(FinishError::Unreadable));
    let fresh = Rig::new().await;
    fresh.idp.lock().down = true;
    let refused = fresh.cache.current(&fresh.provider, NOW).await.err();
    assert_eq!(refused, Some(MetadataError::Status(503)));
}
