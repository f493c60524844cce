//! ID tokens (OpenID Connect Core section 2), right ones and, on order, wrong ones.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::keys::Key;
use crate::codes::Code;
use crate::people::Account;

const ID_TOKEN_TTL_SECONDS: u64 = 300;
const FLAWS_MAX: usize = 100;

/// What is wrong with the next ID token. A relying party must refuse each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IdTokenFlaw {
    /// `iss` of another issuer.
    OtherIssuer,
    /// `aud` of another client.
    OtherAudience,
    /// Two audiences and an `azp` of the other one.
    OtherAuthorizedParty,
    /// `nonce` of another request.
    OtherNonce,
    /// No `nonce`.
    OmittedNonce,
    /// `exp` an hour ago.
    Expired,
    /// `alg` none and no signature.
    Unsigned,
    /// Signed with a key that is published nowhere, under the id of the published one.
    OtherKey,
    /// HS256 keyed with the public key's x coordinate.
    HmacWithPublicKey,
    /// A good signature over other claims.
    AlteredClaims,
}

/// Flaws in waiting, each for one token.
#[derive(Debug, Default)]
pub(crate) struct Flaws(Mutex<VecDeque<IdTokenFlaw>>);

impl Flaws {
    pub(crate) fn push(&self, flaw: IdTokenFlaw) -> bool {
        let mut flaws = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = flaws.len() < FLAWS_MAX;
        if room {
            flaws.push_back(flaw);
        }
        room
    }

    pub(crate) fn take(&self) -> Option<IdTokenFlaw> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

/// What an account lets a client know under its scopes.
pub(crate) fn profile(account: &Account, scope: &[String]) -> Map<String, Value> {
    let mut claims = Map::from_iter([("sub".to_owned(), json!(account.subject))]);
    let has = |name: &str| scope.iter().any(|granted| granted == name);
    if has("email") {
        claims.insert("email".to_owned(), json!(account.person.email));
        claims.insert("email_verified".to_owned(), json!(account.person.email_verified));
    }
    if has("profile") {
        claims.insert("name".to_owned(), json!(account.person.name));
        claims.insert("preferred_username".to_owned(), json!(account.person.username));
    }
    claims
}

/// Signs an ID token for a redeemed code; none if the key does not sign.
pub(crate) fn sign(
    key: &Key,
    issuer: &str,
    code: &Code,
    account: &Account,
    now_seconds: u64,
    flaw: Option<IdTokenFlaw>,
) -> Option<String> {
    let mut claims = profile(account, &code.scope);
    claims.extend([
        ("iss".to_owned(), json!(issuer)),
        ("aud".to_owned(), json!(code.client)),
        ("iat".to_owned(), json!(now_seconds)),
        ("exp".to_owned(), json!(now_seconds.saturating_add(ID_TOKEN_TTL_SECONDS))),
        ("auth_time".to_owned(), json!(code.signed_in_at / 1000)),
    ]);
    if let Some(nonce) = &code.nonce {
        claims.insert("nonce".to_owned(), json!(nonce));
    }
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some(key.id.clone());
    match flaw {
        None => signed(&header, &claims, &key.signing),
        Some(flaw) => flawed(flaw, header, claims, key, now_seconds),
    }
}

fn signed(header: &Header, claims: &Map<String, Value>, key: &EncodingKey) -> Option<String> {
    jsonwebtoken::encode(header, claims, key).ok()
}

fn flawed(
    flaw: IdTokenFlaw,
    mut header: Header,
    mut claims: Map<String, Value>,
    key: &Key,
    now_seconds: u64,
) -> Option<String> {
    let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    match flaw {
        IdTokenFlaw::OtherIssuer => put("iss", json!("http://127.0.0.1:1")),
        IdTokenFlaw::OtherAudience => put("aud", json!("another-client")),
        IdTokenFlaw::OtherAuthorizedParty => {
            let own = put("aud", Value::Null);
            put("aud", json!([own, "another-client"]));
            put("azp", json!("another-client"))
        }
        IdTokenFlaw::OtherNonce => put("nonce", json!("the nonce of another request")),
        IdTokenFlaw::OmittedNonce => claims.remove("nonce"),
        IdTokenFlaw::Expired => {
            put("iat", json!(now_seconds.saturating_sub(3600 + ID_TOKEN_TTL_SECONDS)));
            put("exp", json!(now_seconds.saturating_sub(3600)))
        }
        IdTokenFlaw::Unsigned => {
            let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            let head = part(&json!({ "alg": "none", "typ": "JWT" }));
            return Some(format!("{head}.{}.", part(&Value::Object(claims))));
        }
        IdTokenFlaw::OtherKey => return signed(&header, &claims, &Key::draw().ok()?.signing),
        IdTokenFlaw::HmacWithPublicKey => {
            let public = serde_json::to_value(&key.public).ok()?;
            header.alg = Algorithm::HS256;
            let shared = public.get("x").and_then(Value::as_str).unwrap_or("");
            return signed(&header, &claims, &EncodingKey::from_secret(shared.as_bytes()));
        }
        IdTokenFlaw::AlteredClaims => {
            let token = signed(&header, &claims, &key.signing)?;
            let (head, rest) = token.split_once('.')?;
            let (_, signature) = rest.split_once('.')?;
            claims.insert("sub".to_owned(), json!("somebody-else"));
            let altered = URL_SAFE_NO_PAD.encode(Value::Object(claims).to_string());
            return Some(format!("{head}.{altered}.{signature}"));
        }
    };
    signed(&header, &claims, &key.signing)
}
