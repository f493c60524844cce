//! The clients of one issuer, and their authentication at its endpoints (RFC 6749 section 2.3).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode, header};
use secrecy::ExposeSecret as _;

use crate::answer::Answer;
use crate::canary::Canaries;
use crate::options::Client;
use crate::params::Params;
use crate::secret;

const CLIENTS_MAX: usize = 10_000;

#[derive(Debug)]
pub(crate) struct Clients {
    by_id: Mutex<BTreeMap<String, Arc<Client>>>,
    canaries: Arc<Canaries>,
}

/// What a request says about who sends it.
pub(crate) struct Credentials {
    pub(crate) id: Option<String>,
    secret: Option<String>,
    basic: bool,
    conflicting: bool,
}

impl Clients {
    pub(crate) fn new(clients: Vec<Client>, canaries: Arc<Canaries>) -> Self {
        let registry = Self { by_id: Mutex::default(), canaries };
        for client in clients {
            registry.put(client);
        }
        registry
    }

    /// Adds or replaces a registration. Answers whether there was room.
    pub(crate) fn put(&self, client: Client) -> bool {
        for known in &client.secrets {
            self.canaries.keep(known.expose_secret());
        }
        let mut clients = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= CLIENTS_MAX && !clients.contains_key(&client.id) {
            return false;
        }
        clients.insert(client.id.clone(), Arc::new(client));
        true
    }

    pub(crate) fn get(&self, id: &str) -> Option<Arc<Client>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Changes a registration. Answers whether there is such a client.
    pub(crate) fn change(&self, id: &str, change: impl FnOnce(&mut Client)) -> bool {
        let Some(known) = self.get(id) else {
            return false;
        };
        let mut client = Client::clone(&known);
        change(&mut client);
        self.put(client)
    }

    /// Who sends this request, proven; else the error to answer with.
    pub(crate) fn authenticate(&self, credentials: &Credentials) -> Result<Arc<Client>, Answer> {
        if let Some(shown) = &credentials.secret {
            self.canaries.keep(shown);
        }
        if credentials.conflicting {
            let text = "more than one client authentication method";
            return Err(Answer::error(StatusCode::BAD_REQUEST, "invalid_request", text));
        }
        let client = credentials.id.as_deref().and_then(|id| self.get(id));
        match client {
            Some(client) if proves(&client, credentials) => Ok(client),
            Some(_) | None => {
                let refusal =
                    Answer::error(StatusCode::UNAUTHORIZED, "invalid_client", "client authentication failed");
                Err(if credentials.basic {
                    refusal.with_header(header::WWW_AUTHENTICATE, "Basic realm=\"sandbox\"")
                } else {
                    refusal
                })
            }
        }
    }
}

fn proves(client: &Client, credentials: &Credentials) -> bool {
    match &credentials.secret {
        None => client.secrets.is_empty(),
        Some(shown) => client.secrets.iter().any(|known| secret::same(known.expose_secret(), shown)),
    }
}

impl Credentials {
    /// Reads `client_secret_basic` and `client_secret_post`, without judging them.
    pub(crate) fn of(headers: &HeaderMap, params: &Params) -> Self {
        let in_body = (params.get("client_id"), params.get("client_secret"));
        let Some(header) = headers.get(header::AUTHORIZATION) else {
            return Self {
                id: in_body.0.map(str::to_owned),
                secret: in_body.1.map(str::to_owned),
                basic: false,
                conflicting: false,
            };
        };
        let (id, secret) = header.to_str().ok().and_then(basic).unzip();
        let other_id = in_body.0.is_some_and(|named| id.as_deref() != Some(named));
        Self { conflicting: in_body.1.is_some() || other_id, id, secret, basic: true }
    }
}

/// RFC 6749 section 2.3.1: both halves are form-encoded before they are joined.
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((form_decoded(id)?, form_decoded(secret)?))
}

fn form_decoded(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry() -> Clients {
        let mut client = Client::new("app", "a secret: with % signs", "https://app.test/cb");
        client.secrets.push("the next one".into());
        Clients::new(vec![client], Arc::default())
    }

    fn with_basic(id: &str, secret: &str) -> Credentials {
        let mut headers = HeaderMap::new();
        let value = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
        headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        Credentials::of(&headers, &Params::default())
    }

    #[test]
    fn every_valid_secret_of_a_client_opens() {
        let clients = registry();
        assert!(clients.authenticate(&with_basic("app", "a+secret%3A+with+%25+signs")).is_ok());
        assert!(clients.authenticate(&with_basic("app", "the+next+one")).is_ok());
        assert_eq!(
            clients.authenticate(&with_basic("app", "wrong")).unwrap_err().status,
            StatusCode::UNAUTHORIZED
        );
    }

    #[test]
    fn a_confidential_client_cannot_pass_as_a_public_one() {
        let params = Params::parse(b"client_id=app", &[]).unwrap();
        assert!(registry().authenticate(&Credentials::of(&HeaderMap::new(), &params)).is_err());
    }

    #[test]
    fn two_authentication_methods_at_once_are_refused() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::AUTHORIZATION,
            format!("Basic {}", STANDARD.encode("app:the+next+one")).parse().unwrap(),
        );
        let params = Params::parse(b"client_secret=the+next+one", &[]).unwrap();
        let refusal = registry().authenticate(&Credentials::of(&headers, &params)).unwrap_err();
        assert_eq!(refusal.status, StatusCode::BAD_REQUEST);
    }
}
