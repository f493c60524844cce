//! Introspection (RFC 7662): asking the provider what a token still is.

use std::fmt;

use leasehold_domain::{provider::ProviderFailure, scope::ScopeSet, time::Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use thiserror::Error;

use crate::{
    call::{Call, Leg, RawAnswer},
    catalogue::Provider,
    classify,
    client::Counterpart,
    failure::{Code, Failure},
    form,
    revoke::TokenKind,
};

/// The provider does not offer introspection to this client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the provider does not offer introspection")]
pub struct IntrospectUnsupported;

/// An introspection.
pub struct Introspection<'a> {
    /// Who speaks to whom.
    pub counterpart: Counterpart<'a>,
    /// The token.
    pub token: &'a SecretString,
    /// Which kind it is.
    pub kind: TokenKind,
}

impl Introspection<'_> {
    /// The request.
    ///
    /// # Errors
    /// [`IntrospectUnsupported`] when the entry or the endpoints do not offer it.
    pub fn call(&self) -> Result<Call, IntrospectUnsupported> {
        let supported = self.counterpart.provider.entry.introspection.supported;
        let url = self.counterpart.endpoints.introspection.clone().filter(|_| supported);
        let hint = match self.kind {
            TokenKind::Access => "access_token",
            TokenKind::Refresh => "refresh_token",
        };
        let parameters = [("token", self.token.expose_secret()), ("token_type_hint", hint)];
        let request = form::post(&self.counterpart, url.ok_or(IntrospectUnsupported)?, &parameters);
        Ok(Call { leg: Leg::Introspect, request })
    }
}

/// What a provider says of a token.
#[derive(Clone, PartialEq, Eq)]
pub enum Introspected {
    /// The token is good.
    Active {
        /// Its scopes, if they are stated and readable.
        scopes: Option<ScopeSet>,
        /// Its end, if it is stated.
        expires_at: Option<Timestamp>,
    },
    /// It is not, or not this client's.
    Inactive,
}

impl fmt::Debug for Introspected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active { .. } => "Active",
            Self::Inactive => "Inactive",
        })
    }
}

/// Reads the answer to an introspection.
///
/// # Errors
/// [`Failure`] when the provider refused, or does not say whether the token is active.
pub fn parse_introspection(provider: &Provider, answer: &RawAnswer) -> Result<Introspected, Failure> {
    let document = classify::judge(provider, answer)?;
    let malformed = Failure { class: ProviderFailure::Malformed, code: Code::Absent, status: answer.status };
    let Some(fields) = document.object(None) else { return Err(malformed) };
    match fields.get("active").and_then(Value::as_bool) {
        Some(true) => {
            let scopes = fields.get("scope").and_then(Value::as_str).and_then(|text| text.parse().ok());
            let exp = fields.get("exp").and_then(Value::as_u64);
            let expires_at = exp.map(|secs| Timestamp::from_millis(secs.saturating_mul(1000)));
            Ok(Introspected::Active { scopes, expires_at })
        }
        Some(false) => Ok(Introspected::Inactive),
        None => Err(malformed),
    }
}

#[cfg(test)]
#[path = "introspect_tests.rs"]
mod tests;
