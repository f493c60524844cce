//! Token revocation (RFC 7009).

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::Provider;
use super::grants::Ended;
use super::shown::Shown;
use crate::answer::Answer;
use crate::clients::Credentials;
use crate::fault::{Exchange, Fault, deliver};
use crate::ledger::{Endpoint, Outcome, TokenKind};
use crate::options::Client;
use crate::params::Params;
use crate::serve::Connection;

struct Revocation<'a> {
    provider: &'a Provider,
    params: Params,
    credentials: Credentials,
}

pub(crate) async fn revoke(
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
    let fault = provider.faults.take(Endpoint::Revocation, None, credentials.id.as_deref());
    let request = Revocation { provider: provider.as_ref(), params, credentials };
    let struck = fault.is_some();
    let response = deliver(&provider.faults, fault, &connection, &request).await;
    // Section 2.2: the body of a success is to be ignored, so it is left empty.
    if response.status() == StatusCode::OK && !struck {
        let (parts, _) = response.into_parts();
        return Response::from_parts(parts, Body::empty());
    }
    response
}

impl Exchange for Revocation<'_> {
    fn carry_out(&self, fault: Option<&Fault>) -> Answer {
        let _turn = self.provider.turn();
        let client = match self.provider.front.clients.authenticate(&self.credentials) {
            Ok(client) => client,
            Err(refusal) => {
                self.record(Outcome::Refused, Some("invalid_client"), fault);
                return refusal;
            }
        };
        let Some(token) = self.params.get("token") else {
            return Answer::error(StatusCode::BAD_REQUEST, "invalid_request", "token is missing");
        };
        match self.end(&client, token) {
            Ok(()) => {
                self.record(Outcome::Accepted, None, fault);
                Answer::ok(json!({}))
            }
            Err((error, description)) => {
                self.record(Outcome::Refused, Some(error), fault);
                Answer::error(StatusCode::BAD_REQUEST, error, description)
            }
        }
    }

    fn left_undone(&self, fault: &Fault) {
        self.record(Outcome::Unprocessed, None, Some(fault));
    }

    fn announce(&self) {
        self.provider.ledger.announce();
    }
}

impl Revocation<'_> {
    fn end(&self, client: &Client, token: &str) -> Result<(), (&'static str, &'static str)> {
        let known = self.provider.known(token);
        let Some(family) = known.family else {
            // Section 2.2: an unknown token is as good as revoked.
            return Ok(());
        };
        let mut grants = self.provider.grants();
        let owner = grants.family(&family).map(|family| family.client.clone());
        if owner.is_some_and(|owner| owner != client.id) {
            return Err(("invalid_request", "the token was issued to another client"));
        }
        match known.kind {
            TokenKind::Refresh if client.behaviour.refresh_revocation_ends_access => {
                grants.end(&family, Ended::Revoked);
            }
            TokenKind::Refresh => grants.end_refresh_only(&family, Ended::Revoked),
            TokenKind::Access if client.behaviour.access_token_revocable => grants.kill_access(token),
            TokenKind::Access => {
                return Err(("unsupported_token_type", "access tokens cannot be revoked here"));
            }
            TokenKind::Code | TokenKind::Id | TokenKind::Unknown => {}
        }
        Ok(())
    }

    fn record(&self, outcome: Outcome, error: Option<&str>, fault: Option<&Fault>) {
        if let Some(token) = self.params.get("token") {
            self.provider.record(Shown {
                token,
                endpoint: Endpoint::Revocation,
                client: self.credentials.id.as_deref(),
                outcome,
                error,
                fault,
                resource: Vec::new(),
            });
        }
    }
}
