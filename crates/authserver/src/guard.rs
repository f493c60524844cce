//! What stands before and after every handler: who may ask at all, within which bounds, what every answer carries, and what is logged of it.
//!
//! Neither the address with its query nor a header nor a body is ever logged.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, header, request::Parts},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use tokio::time::{Instant, timeout};
use tracing::Instrument as _;

use crate::{
    edge::Edge,
    refusal::Refusal,
    router::{REVOCATION_PATH, TOKEN_PATH},
    visit::{self, Visit},
};

/// Guards a request.
pub(crate) async fn guard(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let (mut parts, body) = request.into_parts();
    let trace = visit::trace(&parts.headers, edge.control.entropy());
    let endpoint = endpoint(&parts);
    let mut response = match admit(&parts, Visit::read(&parts, trace)) {
        Ok(visit) => {
            parts.extensions.insert(visit);
            let span = tracing::info_span!("exchange", endpoint, %trace);
            edge.bounded(Request::from_parts(parts, body), next).instrument(span).await
        }
        Err(refusal) => refusal.into_response(),
    };
    let mut outcome = ("ok", "OK");
    if let Some(refusal) = response.extensions_mut().remove::<Refusal>() {
        outcome = (refusal.error, refusal.reason);
        response = refusal.render(trace);
    }
    apply(response.headers_mut());
    edge.metrics.count(endpoint, outcome.0);
    let (status, millis) = (response.status().as_u16(), started.elapsed().as_millis());
    let millis = u64::try_from(millis).unwrap_or(u64::MAX);
    let (outcome, reason) = outcome;
    tracing::info!(endpoint, status, outcome, reason, millis, %trace, "served a workload over HTTP");
    response
}

/// Lets in what a program sends. A browser puts an `Origin` on every POST, and could be made to send one from any page.
fn admit(parts: &Parts, visit: Option<Visit>) -> Result<Visit, Refusal> {
    let Some(visit) = visit else {
        tracing::error!("the server does not say by whose connection a request came");
        return Err(Refusal::fault());
    };
    if parts.headers.contains_key(header::ORIGIN) {
        return Err(Refusal::browser());
    }
    // What stands in an address stands in other programs' logs.
    if parts.uri.query().is_some() {
        return Err(Refusal::query());
    }
    Ok(visit)
}

/// What the endpoint is called in logs and counters.
fn endpoint(parts: &Parts) -> &'static str {
    match parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str) {
        Some(TOKEN_PATH) => "token",
        Some(REVOCATION_PATH) => "revoke",
        Some(_) | None => "none",
    }
}

/// What every answer carries (RFC 6749 section 5.1).
fn apply(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

impl Edge {
    async fn bounded(&self, request: Request, next: Next) -> Response {
        let Ok(_permit) = self.in_flight.try_acquire() else {
            return Refusal::overloaded().into_response();
        };
        match timeout(self.answer_within, next.run(request)).await {
            Ok(response) => response,
            Err(_) => Refusal::timed_out().into_response(),
        }
    }
}
