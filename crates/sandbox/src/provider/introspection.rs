//! Token introspection (RFC 7662), for the client that a token was issued to.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::Provider;
use super::shown::Shown;
use crate::answer::Answer;
use crate::clients::Credentials;
use crate::clock::Millis;
use crate::fault::{Exchange, Fault, deliver};
use crate::front::Site as _;
use crate::ledger::{Endpoint, Outcome};
use crate::options::Client;
use crate::params::Params;
use crate::serve::Connection;

struct Introspection<'a> {
    provider: &'a Provider,
    params: Params,
    credentials: Credentials,
}

pub(crate) async fn introspect(
    State(provider): State<Arc<Provider>>,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let params = match Params::of_form(&headers, &body, &[]) {
        Ok(params) => params,
        Err(error) => {
            return Answer::error(StatusCode::BAD_REQUEST, "invalid_request", &error.to_string())
                .into_response();
        }
    };
    let credentials = Credentials::of(&headers, &params);
    let fault = provider.faults.take(Endpoint::Introspection, None, credentials.id.as_deref());
    let request = Introspection { provider: provider.as_ref(), params, credentials };
    deliver(&provider.faults, fault, &connection, &request).await
}

impl Exchange for Introspection<'_> {
    fn carry_out(&self, fault: Option<&Fault>) -> Answer {
        let client = match self.provider.front.clients.authenticate(&self.credentials) {
            Ok(client) if !client.secrets.is_empty() => client,
            Ok(_) => {
                self.record(Outcome::Refused, Some("invalid_client"), fault);
                let text = "introspection needs an authenticated client";
                return Answer::error(StatusCode::UNAUTHORIZED, "invalid_client", text);
            }
            Err(refusal) => {
                self.record(Outcome::Refused, Some("invalid_client"), fault);
                return refusal;
            }
        };
        let Some(token) = self.params.get("token") else {
            return Answer::error(StatusCode::BAD_REQUEST, "invalid_request", "token is missing");
        };
        self.record(Outcome::Accepted, None, fault);
        // Section 2.2: of a token that is dead, unknown or another's, not one word more.
        Answer::ok(self.describe(&client, token).unwrap_or_else(|| json!({ "active": false })))
    }

    fn left_undone(&self, fault: &Fault) {
        self.record(Outcome::Unprocessed, None, Some(fault));
    }

    fn announce(&self) {
        self.provider.ledger.announce();
    }
}

impl Introspection<'_> {
    fn describe(&self, client: &Client, token: &str) -> Option<Value> {
        let front = self.provider.front();
        let now = front.clock.now();
        let mut grants = self.provider.grants();
        let (family, scope, issued_at, expires_at, kind) =
            if let Some((access, family)) = grants.live_access(token, now, false) {
                (family, access.scope, access.issued_at, access.expires_at, Some("Bearer"))
            } else {
                let (refresh, family) = grants.live_refresh(token, &client.behaviour, now)?;
                let scope = family.scope.clone();
                (family, scope, refresh.issued_at, refresh.expires_at, None)
            };
        drop(grants);
        if family.client != client.id {
            return None;
        }
        let username =
            front.people.of_subject(&family.subject).map(|account| account.person.username.clone());
        let seconds = |at: Millis| at / 1000;
        let mut body = json!({
            "active": true,
            "iss": front.issuer,
            "client_id": family.client,
            "sub": family.subject,
            "scope": scope.join(" "),
            "iat": seconds(issued_at),
        });
        if let Value::Object(fields) = &mut body {
            let optional = [
                ("username", username.map(Value::from)),
                ("exp", expires_at.map(seconds).map(Value::from)),
                ("token_type", kind.map(Value::from)),
            ];
            for (name, value) in optional {
                if let Some(value) = value {
                    fields.insert(name.to_owned(), value);
                }
            }
        }
        Some(body)
    }

    fn record(&self, outcome: Outcome, error: Option<&str>, fault: Option<&Fault>) {
        if let Some(token) = self.params.get("token") {
            self.provider.record(Shown {
                token,
                endpoint: Endpoint::Introspection,
                client: self.credentials.id.as_deref(),
                outcome,
                error,
                fault,
                resource: Vec::new(),
            });
        }
    }
}
