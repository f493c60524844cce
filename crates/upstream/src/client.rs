//! The connector's registration at its provider: a client id and the secrets that go with it.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use url::form_urlencoded;
use zeroize::Zeroizing;

use crate::{
    catalogue::{ClientAuth, Provider},
    endpoints::Endpoints,
    failure::Failure,
};

/// What is wrong with a client's registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidClient {
    /// The id is empty, longer than 512 bytes or not visible ASCII (RFC 6749 appendix A.1).
    #[error("a client id has 1 to 512 characters of visible ascii")]
    Id,
    /// A secret is empty, longer than 2,048 bytes or not printable ASCII (RFC 6749 appendix A.2).
    #[error("a client secret has 1 to 2048 characters of printable ascii")]
    Secret,
    /// More than four secrets.
    #[error("a client has at most 4 secrets")]
    TooManySecrets,
}

/// A client's id and secrets. The secrets never print.
#[derive(Clone)]
pub struct Client {
    id: String,
    secrets: Vec<SecretString>,
}

impl Client {
    /// The most secrets that are valid side by side.
    pub const SECRETS_MAX: usize = 4;

    /// A client with its secrets, newest first; none for a public client.
    ///
    /// # Errors
    /// [`InvalidClient`] when id or secrets are not of the form of RFC 6749, or too many.
    pub fn new(id: &str, secrets: Vec<SecretString>) -> Result<Self, InvalidClient> {
        if !(1..=512).contains(&id.len()) || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidClient::Id);
        }
        if secrets.len() > Self::SECRETS_MAX {
            return Err(InvalidClient::TooManySecrets);
        }
        let printable = |secret: &SecretString| {
            let exposed = secret.expose_secret();
            (1..=2048).contains(&exposed.len()) && exposed.bytes().all(|byte| matches!(byte, 0x20..=0x7e))
        };
        if !secrets.iter().all(printable) {
            return Err(InvalidClient::Secret);
        }
        Ok(Self { id: id.to_owned(), secrets })
    }

    /// The client id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Which secret to try after `tried` was refused with `failure`; nothing when it was refused for another reason or no older
    /// secret is left.
    pub fn next_secret(&self, tried: usize, failure: &Failure) -> Option<usize> {
        let next = tried.checked_add(1)?;
        (failure.blames_secret() && next < self.secrets.len()).then_some(next)
    }

    pub(crate) fn secret(&self, index: usize) -> Option<&SecretString> {
        self.secrets.get(index)
    }

    /// The value of `Authorization` for HTTP Basic with id and secret as they are, marked sensitive.
    pub(crate) fn basic(&self, secret: &SecretString) -> Option<HeaderValue> {
        basic(&self.id, secret.expose_secret())
    }

    /// The same with id and secret form-encoded first, as RFC 6749 section 2.3.1 wants it.
    pub(crate) fn basic_encoded(&self, secret: &SecretString) -> Option<HeaderValue> {
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        basic(&encode(&self.id), &Zeroizing::new(encode(secret.expose_secret())))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("id", &self.id).field("secrets", &self.secrets.len()).finish()
    }
}

fn basic(id: &str, secret: &str) -> Option<HeaderValue> {
    let pair = Zeroizing::new(format!("{id}:{secret}"));
    let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The value of `Authorization` for a bearer token (RFC 6750 section 2.1), marked sensitive.
pub(crate) fn bearer(token: &SecretString) -> Option<HeaderValue> {
    let text = Zeroizing::new(format!("Bearer {}", token.expose_secret()));
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Who speaks to whom: what every call to a provider needs.
#[derive(Debug, Clone, Copy)]
pub struct Counterpart<'a> {
    /// The provider.
    pub provider: &'a Provider,
    /// Where it is.
    pub endpoints: &'a Endpoints,
    /// As whom.
    pub client: &'a Client,
    /// With which of the client's secrets, counted from the newest. Public clients have none, and then this does not matter.
    pub secret: usize,
}

impl<'a> Counterpart<'a> {
    /// How the client authenticates: as the entry says, else as metadata says, else basic; never with a secret that is not there.
    pub(crate) fn auth(&self) -> (ClientAuth, Option<&'a SecretString>) {
        let stated = self.provider.entry.token.auth.or(self.endpoints.client_auth);
        let secret = self.client.secret(self.secret);
        match (stated.unwrap_or(ClientAuth::Basic), secret) {
            (ClientAuth::None, _) | (_, None) => (ClientAuth::None, None),
            (auth @ (ClientAuth::Basic | ClientAuth::Post), Some(secret)) => (auth, Some(secret)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_prints_its_id_and_no_secret() {
        let client = Client::new("app-1", vec![SecretString::from("s3cr3t-canary")]).unwrap();
        assert_eq!(format!("{client:?}"), r#"Client { id: "app-1", secrets: 1 }"#);
    }

    #[test]
    fn ids_and_secrets_outside_the_grammar_are_refused() {
        assert_eq!(Client::new("", vec![]).unwrap_err(), InvalidClient::Id);
        assert_eq!(Client::new("a b", vec![]).unwrap_err(), InvalidClient::Id);
        assert_eq!(Client::new("a", vec![SecretString::from("")]).unwrap_err(), InvalidClient::Secret);
        assert_eq!(Client::new("a", vec![SecretString::from("s\n")]).unwrap_err(), InvalidClient::Secret);
        let five = vec![SecretString::from("s"); 5];
        assert_eq!(Client::new("a", five).unwrap_err(), InvalidClient::TooManySecrets);
    }

    #[test]
    fn basic_credentials_are_form_encoded_first_and_marked_sensitive() {
        let client = Client::new("a:b", vec![]).unwrap();
        let value = client.basic_encoded(&SecretString::from("p w/%")).unwrap();
        assert!(value.is_sensitive());
        assert_eq!(value.to_str().unwrap(), format!("Basic {}", STANDARD.encode("a%3Ab:p+w%2F%25")));
    }
}
