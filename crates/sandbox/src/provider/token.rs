//! The provider's token endpoint: codes and refresh tokens for token sets.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::Provider;
use super::grants::{Ended, RefreshRefusal, RefreshRequest, TokenSet};
use super::shown::Shown;
use crate::answer::Answer;
use crate::behaviour::{Behaviour, ExpiresIn};
use crate::clients::Credentials;
use crate::clock::Millis;
use crate::codes::CodeRefusal;
use crate::fault::{Exchange, Fault, deliver};
use crate::ledger::{Endpoint, Issued, Outcome, TokenKind};
use crate::options::Client;
use crate::params::{Params, words};
use crate::secret;
use crate::serve::Connection;

struct TokenRequest<'a> {
    provider: &'a Provider,
    params: Params,
    credentials: Credentials,
}

pub(crate) async fn token(
    State(provider): State<Arc<Provider>>,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let params = match Params::of_form(&headers, &body, &[]) {
        Ok(params) => params,
        Err(error) => return invalid_request(&error.to_string()).into_response(),
    };
    let credentials = Credentials::of(&headers, &params);
    let grant_type = params.get("grant_type");
    if grant_type == Some("refresh_token") {
        let family = params.get("refresh_token").and_then(|text| provider.known(text).family);
        let client = credentials.id.as_deref().unwrap_or("");
        provider.ledger.record_refresh_request(client, family.as_deref());
    }
    let fault = provider.faults.take(Endpoint::Token, grant_type, credentials.id.as_deref());
    let request = TokenRequest { provider: provider.as_ref(), params, credentials };
    deliver(&provider.faults, fault, &connection, &request).await
}

impl Exchange for TokenRequest<'_> {
    fn carry_out(&self, fault: Option<&Fault>) -> Answer {
        let _turn = self.provider.turn();
        let client = match self.provider.front.clients.authenticate(&self.credentials) {
            Ok(client) => client,
            Err(refusal) => {
                self.record(Outcome::Refused, Some("invalid_client"), fault);
                return refusal;
            }
        };
        match self.params.get("grant_type") {
            Some("authorization_code") => self.redeem(&client, fault),
            Some("refresh_token") => self.refresh(&client, fault),
            Some(_) => Answer::error(StatusCode::BAD_REQUEST, "unsupported_grant_type", ""),
            None => invalid_request("grant_type is missing"),
        }
    }

    fn left_undone(&self, fault: &Fault) {
        self.record(Outcome::Unprocessed, None, Some(fault));
    }

    fn announce(&self) {
        self.provider.ledger.announce();
    }
}

impl TokenRequest<'_> {
    fn redeem(&self, client: &Client, fault: Option<&Fault>) -> Answer {
        let Some(text) = self.params.get("code") else {
            return invalid_request("code is missing");
        };
        let provider = self.provider;
        let now = provider.front.clock.now();
        let (redirect_uri, verifier) = (self.params.get("redirect_uri"), self.params.get("code_verifier"));
        if let Some(verifier) = verifier {
            provider.canaries.keep(verifier);
        }
        let code = match provider.codes.redeem(text, &client.id, redirect_uri, verifier, now) {
            Ok(code) => code,
            Err(refusal) => {
                let mut outcome = Outcome::Refused;
                if let CodeRefusal::Reused(family) = &refusal {
                    outcome = Outcome::Reuse;
                    provider.grants().end(family, Ended::CodeReuse);
                }
                self.record(outcome, Some("invalid_grant"), fault);
                return Answer::error(StatusCode::BAD_REQUEST, "invalid_grant", refusal.description());
            }
        };
        let asked = self.params.all("resource");
        if !asked.iter().all(|resource| code.resource.contains(resource)) {
            self.record(Outcome::Refused, Some("invalid_target"), fault);
            let text = "the resource was not asked for at the authorization endpoint";
            return Answer::error(StatusCode::BAD_REQUEST, "invalid_target", text);
        }
        let scope = match narrowed(fault) {
            Some(narrowed) => code.scope.iter().filter(|scope| narrowed.contains(scope)).cloned().collect(),
            None => code.scope.clone(),
        };
        let with_refresh = !matches!(fault, Some(Fault::OmitRefreshToken));
        let set = provider.grants().open(&code, scope, &client.behaviour, with_refresh, now);
        self.record(Outcome::Accepted, None, fault);
        match set {
            Some(set) => self.hand_out(client, &set, now, true),
            None => Answer::error(StatusCode::INTERNAL_SERVER_ERROR, "server_error", ""),
        }
    }

    fn refresh(&self, client: &Client, fault: Option<&Fault>) -> Answer {
        let Some(token) = self.params.get("refresh_token") else {
            return invalid_request("refresh_token is missing");
        };
        let provider = self.provider;
        let now = provider.front.clock.now();
        let request = RefreshRequest {
            token,
            client: &client.id,
            scope: self.params.list("scope"),
            resource: self.params.all("resource"),
            narrowed: narrowed(fault),
            keep_refresh: matches!(fault, Some(Fault::OmitRefreshToken)),
        };
        let family = provider.known(token).family;
        let result = provider.grants().refresh(&request, &client.behaviour, now);
        match result {
            Ok(refreshed) => {
                let outcome = if refreshed.replayed { Outcome::Replayed } else { Outcome::Accepted };
                self.record(outcome, None, fault);
                self.hand_out(client, &refreshed.set, now, !refreshed.repeated)
            }
            Err(refusal) => {
                let reuse = matches!(refusal, RefreshRefusal::Reuse { .. });
                if let (RefreshRefusal::Reuse { ended: true }, Some(family)) = (refusal, &family) {
                    provider.ledger.record_ended_by_reuse(family);
                }
                let (error, description) = refusal.error();
                let outcome = if reuse { Outcome::Reuse } else { Outcome::Refused };
                self.record(outcome, Some(error), fault);
                Answer::error(StatusCode::BAD_REQUEST, error, description)
            }
        }
    }

    /// Enters a set into the record, if it is new, and makes the answer of it.
    fn hand_out(&self, client: &Client, set: &TokenSet, now: Millis, new: bool) -> Answer {
        let provider = self.provider;
        if new {
            let account =
                provider.grants().family(&set.family).map_or(String::new(), |family| family.subject.clone());
            let line = |text: &str, kind, expires_at| Issued {
                sequence: 0,
                at: now,
                fingerprint: secret::fingerprint(text),
                kind,
                family: set.family.clone(),
                generation: set.generation,
                client: client.id.clone(),
                account: account.clone(),
                scope: set.scope.clone(),
                expires_at,
            };
            provider.canaries.keep(&set.access);
            provider.ledger.record_issued(line(&set.access, TokenKind::Access, set.access_expires_at));
            if let Some(refresh) = set.refresh.as_ref().filter(|_| set.refresh_is_new) {
                provider.canaries.keep(refresh);
                provider.ledger.record_issued(line(refresh, TokenKind::Refresh, set.refresh_expires_at));
            }
        }
        Answer::ok(body(&client.behaviour, set, now))
    }

    fn record(&self, outcome: Outcome, error: Option<&str>, fault: Option<&Fault>) {
        let shown = match self.params.get("grant_type") {
            Some("refresh_token") => self.params.get("refresh_token"),
            Some(_) | None => self.params.get("code"),
        };
        if let Some(token) = shown {
            self.provider.record(Shown {
                token,
                endpoint: Endpoint::Token,
                client: self.credentials.id.as_deref(),
                outcome,
                error,
                fault,
                resource: self.params.all("resource"),
            });
        }
    }
}

fn body(behaviour: &Behaviour, set: &TokenSet, now: Millis) -> Value {
    let left = |end: Millis| end.saturating_sub(now) / 1000;
    let mut body = json!({
        "access_token": set.access,
        "token_type": "Bearer",
        "scope": set.scope.join(" "),
    });
    let expires_in = match behaviour.expires_in {
        ExpiresIn::Stated => set.access_expires_at.map(left),
        ExpiresIn::Omitted => None,
        ExpiresIn::Claimed(seconds) => Some(seconds),
    };
    if let Value::Object(fields) = &mut body {
        if let Some(seconds) = expires_in {
            fields.insert("expires_in".to_owned(), json!(seconds));
        }
        if let Some(refresh) = &set.refresh {
            fields.insert("refresh_token".to_owned(), json!(refresh));
            if let Some(end) = set.refresh_expires_at {
                fields.insert("refresh_token_expires_in".to_owned(), json!(left(end)));
            }
        }
    }
    body
}

fn narrowed(fault: Option<&Fault>) -> Option<Vec<String>> {
    if let Some(Fault::NarrowScope { scope }) = fault { Some(words(scope)) } else { None }
}

fn invalid_request(description: &str) -> Answer {
    Answer::error(StatusCode::BAD_REQUEST, "invalid_request", description)
}
