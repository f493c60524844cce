//! The identity provider's token endpoint: a code for an ID token and an access token for userinfo.

use std::sync::{Arc, PoisonError};

use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::{Idp, id_token};
use crate::answer::Answer;
use crate::clients::Credentials;
use crate::clock::Millis;
use crate::codes::{Code, CodeRefusal};
use crate::fault::{Exchange, Fault, deliver};
use crate::front::Site as _;
use crate::ledger::{Endpoint, Issued, Outcome, Presentation, TokenKind};
use crate::params::Params;
use crate::secret;
use crate::serve::Connection;

const ACCESS_TTL_SECONDS: u64 = 300;
const ACCESS_KEPT_MAX: usize = 10_000;

/// An access token, good for userinfo only.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) subject: String,
    pub(crate) scope: Vec<String>,
    pub(crate) family: String,
    pub(crate) client: String,
    pub(crate) expires_at: Millis,
}

struct TokenRequest<'a> {
    idp: &'a Idp,
    params: Params,
    credentials: Credentials,
}

pub(crate) async fn token(
    State(idp): State<Arc<Idp>>,
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
    let fault = idp.faults.take(Endpoint::IdpToken, params.get("grant_type"), credentials.id.as_deref());
    let request = TokenRequest { idp: idp.as_ref(), params, credentials };
    deliver(&idp.faults, fault, &connection, &request).await
}

impl Exchange for TokenRequest<'_> {
    fn carry_out(&self, fault: Option<&Fault>) -> Answer {
        let client = match self.idp.front().clients.authenticate(&self.credentials) {
            Ok(client) => client,
            Err(refusal) => {
                self.record(Outcome::Refused, Some("invalid_client"), fault);
                return refusal;
            }
        };
        match self.params.get("grant_type") {
            Some("authorization_code") => self.redeem(&client.id, fault),
            Some(_) => Answer::error(StatusCode::BAD_REQUEST, "unsupported_grant_type", ""),
            None => Answer::error(StatusCode::BAD_REQUEST, "invalid_request", "grant_type is missing"),
        }
    }

    fn left_undone(&self, fault: &Fault) {
        self.record(Outcome::Unprocessed, None, Some(fault));
    }

    fn announce(&self) {
        self.idp.ledger.announce();
    }
}

impl TokenRequest<'_> {
    fn redeem(&self, client: &str, fault: Option<&Fault>) -> Answer {
        let Some(text) = self.params.get("code") else {
            return Answer::error(StatusCode::BAD_REQUEST, "invalid_request", "code is missing");
        };
        let redirect_uri = self.params.get("redirect_uri");
        let verifier = self.params.get("code_verifier");
        let now = self.idp.front().clock.now();
        match self.idp.codes.redeem(text, client, redirect_uri, verifier, now) {
            Ok(code) => {
                self.record(Outcome::Accepted, None, fault);
                self.issue(&code, now)
            }
            Err(refusal) => {
                let mut outcome = Outcome::Refused;
                if let CodeRefusal::Reused(family) = &refusal {
                    outcome = Outcome::Reuse;
                    self.idp.end_family(family);
                }
                self.record(outcome, Some("invalid_grant"), fault);
                Answer::error(StatusCode::BAD_REQUEST, "invalid_grant", refusal.description())
            }
        }
    }

    fn issue(&self, code: &Code, now: Millis) -> Answer {
        let idp = self.idp;
        let front = idp.front();
        let signed =
            front.people.of_subject(&code.subject).zip(idp.keys.current()).and_then(|(account, key)| {
                let flaw = idp.flaws.take();
                id_token::sign(&key, &front.issuer, code, &account, now / 1000, flaw)
            });
        let Some(id_token) = signed else {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            return Answer::error(status, "server_error", "the id token could not be signed");
        };
        let access = secret::random("sbx_idp_at_");
        let expires_at = now.saturating_add(ACCESS_TTL_SECONDS * 1000);
        idp.keep(&access, code, expires_at);
        for (text, kind) in [(&access, TokenKind::Access), (&id_token, TokenKind::Id)] {
            idp.canaries.keep(text);
            idp.ledger.record_issued(Issued {
                sequence: 0,
                at: now,
                fingerprint: secret::fingerprint(text),
                kind,
                family: code.family.clone(),
                generation: 1,
                client: code.client.clone(),
                account: code.subject.clone(),
                scope: code.scope.clone(),
                expires_at: Some(expires_at),
            });
        }
        Answer::ok(json!({
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": ACCESS_TTL_SECONDS,
            "scope": code.scope.join(" "),
            "id_token": id_token,
        }))
    }

    fn record(&self, outcome: Outcome, error: Option<&str>, fault: Option<&Fault>) {
        let Some(text) = self.params.get("code") else {
            return;
        };
        self.idp.canaries.keep(text);
        if let Some(verifier) = self.params.get("code_verifier") {
            self.idp.canaries.keep(verifier);
        }
        let code = self.idp.codes.find(text);
        self.idp.ledger.record_presentation(Presentation {
            sequence: 0,
            at: self.idp.front().clock.now(),
            endpoint: Endpoint::IdpToken,
            kind: if code.is_some() { TokenKind::Code } else { TokenKind::Unknown },
            fingerprint: secret::fingerprint(text),
            generation: code.as_ref().map(|_| 0),
            family: code.map(|code| code.family),
            client: self.credentials.id.clone(),
            outcome,
            error: error.map(str::to_owned),
            fault: fault.map(|fault| fault.kind().to_owned()),
            resource: Vec::new(),
        });
    }
}

impl Idp {
    fn keep(&self, access: &str, code: &Code, expires_at: Millis) {
        let mut kept = self.access.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= ACCESS_KEPT_MAX {
            let now = self.front.clock.now();
            kept.retain(|_, access| access.expires_at > now);
        }
        if kept.len() < ACCESS_KEPT_MAX {
            let access_token = Access {
                subject: code.subject.clone(),
                scope: code.scope.clone(),
                family: code.family.clone(),
                client: code.client.clone(),
                expires_at,
            };
            kept.insert(secret::fingerprint(access), access_token);
        }
    }

    fn end_family(&self, family: &str) {
        self.access
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|_, access| access.family != family);
    }

    /// A live access token.
    pub(crate) fn access(&self, text: &str) -> Option<Access> {
        let kept = self.access.lock().unwrap_or_else(PoisonError::into_inner);
        let access = kept.get(&secret::fingerprint(text))?;
        (self.front.clock.now() < access.expires_at).then(|| access.clone())
    }
}
