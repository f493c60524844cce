//! Subject tokens: what is believed, and every way in which one can be wrong.

use jsonwebtoken::Algorithm;
use leasehold_domain::{identity_provider::JoinClaim, time::Timestamp};
use leasehold_identity::{
    person::NoJoinClaim,
    subject_token::{Declared, Presented, SubjectToken, SubjectTokenError, TOKEN_LEN_MAX},
};
use serde_json::{Value, json};

use crate::{
    idp::NOW_SECONDS,
    keys::{Key, altered, sign_hmac, unsigned},
    rig::{NOW, Rig, after},
};

const AUDIENCE: &str = "https://files.example/mcp";
const AUDIENCES: [&str; 2] = ["gateway", AUDIENCE];

impl Rig {
    fn claims(&self) -> Value {
        json!({
            "iss": self.idp.issuer,
            "sub": "alice-at-the-idp",
            "aud": AUDIENCE,
            "iat": NOW_SECONDS,
            "exp": NOW_SECONDS + 300,
        })
    }

    fn token_with(&self, changes: Value) -> String {
        let mut claims = self.claims();
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let key = self.idp.lock().signing.clone();
        key.sign(&key.header(), &claims)
    }

    fn token_headed(&self, changes: Value) -> String {
        let key = self.idp.lock().signing.clone();
        let mut header = key.header();
        for (name, value) in changes.as_object().unwrap() {
            header[name] = value.clone();
        }
        header.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        key.sign(&header, &self.claims())
    }

    async fn verify_at(&self, token: &str, now: Timestamp) -> Result<SubjectToken, SubjectTokenError> {
        Presented::read(&self.state(), token, Declared::Jwt)?.verify(&self.cache, &AUDIENCES, now).await
    }

    async fn refused(&self, token: &str) -> Option<SubjectTokenError> {
        self.verify_at(token, NOW).await.err()
    }
}

#[tokio::test]
async fn a_subject_token_speaks_of_its_person_until_it_ends() {
    for algorithm in [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA] {
        let rig = Rig::of(algorithm, 1).await;
        let token = rig.token_with(json!({}));
        let verified = rig.verify_at(&token, NOW).await.ok().unwrap();
        assert_eq!(verified.identity_provider, rig.provider.id);
        assert_eq!(verified.identifier.issuer.as_str(), rig.idp.issuer);
        assert_eq!(verified.identifier.value.as_str(), "alice-at-the-idp");
        assert_eq!(verified.expires_at, after(300));
        assert!(rig.verify_at(&token, after(359)).await.is_ok());
        assert_eq!(rig.verify_at(&token, after(360)).await.err(), Some(SubjectTokenError::Time));
    }
}

#[tokio::test]
async fn a_subject_token_with_a_wrong_claim_is_refused() {
    let rig = Rig::new().await;
    for (changes, expected) in [
        (json!({ "aud": "another" }), SubjectTokenError::Audience),
        (json!({ "aud": [] }), SubjectTokenError::Audience),
        (json!({ "aud": [AUDIENCE, "another"] }), SubjectTokenError::Audience),
        (json!({ "aud": ["gateway", AUDIENCE] }), SubjectTokenError::Audience),
        (json!({ "aud": null }), SubjectTokenError::Malformed),
        (json!({ "aud": 7 }), SubjectTokenError::Malformed),
        (json!({ "exp": null }), SubjectTokenError::Malformed),
        (json!({ "exp": "soon" }), SubjectTokenError::Malformed),
        (json!({ "exp": -1 }), SubjectTokenError::Time),
        (json!({ "exp": NOW_SECONDS - 60 }), SubjectTokenError::Time),
        (json!({ "nbf": NOW_SECONDS + 61 }), SubjectTokenError::Time),
        (json!({ "iat": NOW_SECONDS + 61 }), SubjectTokenError::Time),
        (json!({ "iss": "https://evil.example" }), SubjectTokenError::Issuer),
        (json!({ "iss": format!("{}/", rig.idp.issuer) }), SubjectTokenError::Issuer),
        (json!({ "iss": [rig.idp.issuer] }), SubjectTokenError::Malformed),
        (json!({ "iss": null }), SubjectTokenError::Malformed),
        (json!({ "sub": null }), SubjectTokenError::Person(NoJoinClaim)),
        (json!({ "sub": "" }), SubjectTokenError::Person(NoJoinClaim)),
    ] {
        assert_eq!(rig.refused(&rig.token_with(changes.clone())).await, Some(expected), "{changes}");
    }
    for good in [
        json!({ "aud": [AUDIENCE] }),
        json!({ "aud": "gateway" }),
        json!({ "nbf": NOW_SECONDS + 60 }),
        json!({ "exp": NOW_SECONDS as f64 + 0.5 }),
        json!({ "iat": null }),
    ] {
        assert_eq!(rig.refused(&rig.token_with(good.clone())).await, None, "{good}");
    }
}

#[tokio::test]
async fn a_subject_token_of_another_type_or_form_is_refused() {
    let rig = Rig::new().await;
    for typ in ["logout+jwt", "secevent+jwt", "dpop+jwt", "oauth-id-jag+jwt", "application/logout+jwt", ""] {
        let token = rig.token_headed(json!({ "typ": typ }));
        assert_eq!(rig.refused(&token).await, Some(SubjectTokenError::Type), "{typ}");
    }
    for typ in [json!("JWT"), json!("at+jwt"), json!("AT+JWT"), json!("application/at+jwt"), Value::Null] {
        assert_eq!(rig.refused(&rig.token_headed(json!({ "typ": typ }))).await, None, "{typ}");
    }
    for changes in [json!({ "crit": ["b64"] }), json!({ "cty": "JWT" }), json!({ "enc": "A128GCM" })] {
        let token = rig.token_headed(changes.clone());
        assert_eq!(rig.refused(&token).await, Some(SubjectTokenError::Malformed), "{changes}");
    }
    let good = rig.token_with(json!({}));
    let long = rig.token_with(json!({ "padding": "x".repeat(TOKEN_LEN_MAX) }));
    for bad in ["", ".", "..", "a.b.c", "....", &good[1..], &format!("{good}.x"), &format!("x.{good}"), &long]
    {
        assert_eq!(rig.refused(bad).await, Some(SubjectTokenError::Malformed), "{bad}");
    }
}

#[tokio::test]
async fn an_access_token_is_no_id_token_whatever_it_is_declared_as() {
    let rig = Rig::new().await;
    let state = rig.state();
    let read = |token: &str, declared| Presented::read(&state, token, declared).err();
    let (plain, access) = (rig.token_headed(json!({})), rig.token_headed(json!({ "typ": "at+jwt" })));
    for declared in [Declared::Jwt, Declared::AccessToken] {
        assert_eq!((read(&plain, declared), read(&access, declared)), (None, None));
    }
    assert_eq!(read(&plain, Declared::IdToken), None);
    assert_eq!(read(&access, Declared::IdToken), Some(SubjectTokenError::Type));
}

#[tokio::test]
async fn a_token_that_lets_somebody_else_act_is_refused() {
    let rig = Rig::new().await;
    for good in [json!({ "sub": "gateway" }), json!({ "sub": AUDIENCE }), Value::Null] {
        assert_eq!(rig.refused(&rig.token_with(json!({ "may_act": good.clone() }))).await, None, "{good}");
    }
    for (bad, expected) in [
        (json!({ "sub": "another" }), SubjectTokenError::MayAct),
        (json!({ "sub": "gateway", "iss": "https://elsewhere.example" }), SubjectTokenError::MayAct),
        (json!({ "client_id": "gateway" }), SubjectTokenError::MayAct),
        (json!({}), SubjectTokenError::MayAct),
        (json!("gateway"), SubjectTokenError::Malformed),
        (json!({ "sub": ["gateway"] }), SubjectTokenError::Malformed),
    ] {
        assert_eq!(
            rig.refused(&rig.token_with(json!({ "may_act": bad.clone() }))).await,
            Some(expected),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn a_subject_token_that_its_issuer_did_not_sign_is_refused() {
    let (rig, other) = (Rig::of(Algorithm::ES256, 1).await, Rig::of(Algorithm::ES256, 2).await);
    let claims = rig.claims();
    let public = rig.idp.lock().published[0].to_string();
    let hmac = json!({ "alg": "HS256", "kid": "first", "typ": "JWT" });
    let none = json!({ "alg": "none", "typ": "JWT" });
    let key = rig.idp.lock().signing.clone();
    let foreign = other.idp.lock().signing.clone();
    let good = rig.token_with(json!({}));
    let somebody = json!({ "iss": claims["iss"], "sub": "somebody", "aud": AUDIENCE, "exp": claims["exp"] });
    for (token, expected) in [
        (unsigned(&none, &claims), SubjectTokenError::Malformed),
        (unsigned(&key.header(), &claims), SubjectTokenError::Signature),
        (sign_hmac(&hmac, &claims, public.as_bytes()), SubjectTokenError::Algorithm),
        (sign_hmac(&hmac, &claims, b""), SubjectTokenError::Algorithm),
        (foreign.sign(&foreign.header(), &claims), SubjectTokenError::Signature),
        (altered(&good, &somebody), SubjectTokenError::Signature),
        (rig.token_headed(json!({ "kid": "unknown" })), SubjectTokenError::UnknownKey),
        // Another algorithm than the key's own.
        (rig.token_headed(json!({ "alg": "ES384" })), SubjectTokenError::UnknownKey),
        (rig.token_headed(json!({ "alg": "RS256" })), SubjectTokenError::UnknownKey),
    ] {
        assert_eq!(rig.refused(&token).await, Some(expected), "{token}");
    }
    assert_eq!(rig.refused(&good).await, None);
}

#[tokio::test]
async fn nothing_is_fetched_for_a_token_of_an_unknown_issuer() {
    let (rig, other) = (Rig::of(Algorithm::ES256, 1).await, Rig::of(Algorithm::ES256, 2).await);
    let token = other.token_with(json!({}));
    assert_eq!(rig.refused(&token).await, Some(SubjectTokenError::Issuer));
    assert!(rig.idp.lock().seen.is_empty() && other.idp.lock().seen.is_empty());
}

#[tokio::test]
async fn a_token_without_a_key_id_is_good_while_only_one_key_fits() {
    let rig = Rig::new().await;
    rig.idp.lock().published.push(Key::draw("rsa", Algorithm::RS256).public());
    let token = rig.token_headed(json!({ "kid": null }));
    assert_eq!(rig.refused(&token).await, None);
    let rig = Rig::new().await;
    rig.idp.lock().published.push(Key::draw("second", Algorithm::ES256).public());
    let token = rig.token_headed(json!({ "kid": null }));
    assert_eq!(rig.refused(&token).await, Some(SubjectTokenError::UnknownKey));
}

#[tokio::test]
async fn a_key_that_is_not_for_signatures_verifies_nothing() {
    let rig = Rig::new().await;
    rig.idp.lock().published[0]["use"] = json!("enc");
    assert_eq!(rig.refused(&rig.token_with(json!({}))).await, Some(SubjectTokenError::UnknownKey));
}

#[tokio::test]
async fn a_key_that_was_rotated_in_is_fetched() {
    let rig = Rig::new().await;
    assert_eq!(rig.refused(&rig.token_with(json!({}))).await, None);
    rig.idp.rotate("second");
    let token = rig.token_with(json!({}));
    assert_eq!(rig.verify_at(&token, after(9)).await.err(), Some(SubjectTokenError::UnknownKey));
    assert!(rig.verify_at(&token, after(10)).await.is_ok());
    assert_eq!(rig.idp.asked_for("/jwks"), 2);
}

#[tokio::test]
async fn the_join_claim_of_the_identity_provider_names_the_person() {
    let mut rig = Rig::new().await;
    rig.provider.registration.join_claim = JoinClaim::TidOid;
    let (tid, oid) = ("0b5f2c1e-27a4-4c0e-9d53-1f0c6a2b7e90", "9a1d4f66-0c3b-4ad8-8f7e-5b2e8c4d1a37");
    let token = rig.token_with(json!({ "tid": tid, "oid": oid, "sub": null }));
    let verified = rig.verify_at(&token, NOW).await.ok().unwrap();
    assert_eq!(verified.identifier.value.as_str(), format!("{tid}/{oid}"));
    let token = rig.token_with(json!({ "tid": tid }));
    assert_eq!(rig.refused(&token).await, Some(SubjectTokenError::Person(NoJoinClaim)));
}
