//! Samples for the tests of this crate's modules.

use leasehold_domain::time::Timestamp;
use secrecy::SecretString;
use url::Url;
use zeroize::Zeroizing;

use crate::{
    call::{Leg, RawAnswer},
    catalogue::{Provider, tests::provider},
    client::Client,
    endpoints::Endpoints,
    transport::Completeness,
};

/// The moment at which sample answers arrived.
pub(crate) const RECEIVED: Timestamp = Timestamp::from_millis(1_700_000_000_500);

/// A provider with fixed endpoints and whatever else `added` says.
pub(crate) fn acme(added: &str) -> Provider {
    provider(&format!(
        "display_name = \"Acme\"\n[endpoints]\nauthorize = \"https://acme.example/a\"\n\
         token = \"https://acme.example/t\"\n{added}"
    ))
}

/// All endpoints a provider can have.
pub(crate) fn endpoints() -> Endpoints {
    let at = |path: &str| Url::parse(&format!("https://acme.example/{path}")).unwrap();
    Endpoints {
        issuer: None,
        shared_issuer: None,
        iss_advertised: false,
        authorize: at("authorize"),
        token: at("token?v=2"),
        revocation: Some(at("revoke")),
        introspection: Some(at("introspect")),
        userinfo: Some(at("userinfo")),
        client_auth: None,
        offers_offline_access: false,
    }
}

/// A client with two secrets.
pub(crate) fn client() -> Client {
    Client::new("app", vec![SecretString::from("new secret"), SecretString::from("old")]).unwrap()
}

/// A whole JSON answer.
pub(crate) fn answer(leg: Leg, status: u16, body: &str) -> RawAnswer {
    RawAnswer {
        leg,
        status,
        content_type: Some("application/json".to_owned()),
        retry_after: None,
        completeness: Completeness::Whole,
        received: RECEIVED,
        body: Zeroizing::new(body.as_bytes().to_vec()),
    }
}
