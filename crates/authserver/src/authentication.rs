//! Which workload asks, before a byte of its body is read: a stranger costs nothing.
//!
//! By `Authorization` alone. Credentials in the body are refused (RFC 6749 section 2.3.1 advises against them), and so are assertions, which
//! nobody here verifies.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use leasehold_control::{Caller, Control, Credentials};
use leasehold_identity::caller::{Basic, basic, bearer};

use crate::{edge::Edge, form::Parameters, problem, refusal::Refusal, visit::Visit};

/// How else a client may try to authenticate.
const OTHER_WAYS: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];

/// A caller that proved who it is.
pub(crate) struct Authenticated(pub(crate) Caller);

impl Authenticated {
    /// Sees to it that the body says nothing else about who asks.
    ///
    /// # Errors
    /// `invalid_client` where it tries another way, or names another client.
    pub(crate) fn alone(&self, control: &Control, parameters: &mut Parameters) -> Result<(), Refusal> {
        let named = parameters.take("client_id");
        let other = named.is_some_and(|named| !control.goes_by(&self.0, &named));
        if other || OTHER_WAYS.iter().any(|way| parameters.has(way)) {
            return Err(Refusal::invalid_client());
        }
        Ok(())
    }
}

impl FromRequestParts<Arc<Edge>> for Authenticated {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, edge: &Arc<Edge>) -> Result<Self, Refusal> {
        let visit = Visit::from_request_parts(parts, edge).await?;
        let shown = shown(&parts.headers);
        // Nothing behind this sees it.
        parts.headers.remove(header::AUTHORIZATION);
        let Some((named, credential)) = shown else { return Err(stranger("nothing that is well formed")) };
        let credentials = Credentials::Credential(credential);
        let identified = edge.control.identify(&credentials, visit.from, Some(visit.trace));
        let caller = identified.map_err(|problem| problem::refusal(&problem, edge.control.now()))?;
        let Some(caller) = caller else { return Err(stranger("a credential that is not valid")) };
        if named.is_some_and(|named| !edge.control.goes_by(&caller, &named)) {
            return Err(stranger("a credential of another than it names"));
        }
        tracing::info!(caller = ?caller.actor.principal, "a client authenticated");
        Ok(Self(caller))
    }
}

fn stranger(showed: &'static str) -> Refusal {
    tracing::info!(showed, "a client is not known");
    Refusal::invalid_client()
}

/// The credential, and of whom it says that it is. Exactly one header, of either scheme.
fn shown(headers: &HeaderMap) -> Option<(Option<String>, leasehold_vault::CredentialSecret)> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let only = all.next().filter(|_| all.next().is_none())?.as_bytes();
    match basic(only) {
        Ok(Basic { client_id, secret }) => Some((Some(client_id), secret)),
        Err(_) => Some((None, bearer(only).ok()?)),
    }
}
