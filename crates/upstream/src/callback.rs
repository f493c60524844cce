//! The callback: what the provider's redirect brings back through a browser, all of it hostile until checked.
//!
//! Reading comes first and believes nothing. Only then, when the caller has found the authorization that belongs to the state,
//! is the callback judged: state, then issuer, and only then what it says.

use std::{collections::BTreeMap, fmt};

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::{
    catalogue::{IssRule, Provider},
    endpoints::{Endpoints, Issuer},
};

/// The longest query, in bytes.
const QUERY_LEN_MAX: usize = 8 * 1024;
/// The most parameters.
const PARAMETERS_MAX: usize = 32;
/// The longest authorization code, in bytes.
const CODE_LEN_MAX: usize = 4 * 1024;

/// Why a callback is not believed. None of these carries anything out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CallbackError {
    /// The query is too long, has too many parameters or is not properly encoded.
    #[error("the callback is malformed")]
    Malformed,
    /// A parameter occurs twice (RFC 6749 section 3.1).
    #[error("a parameter occurs twice")]
    Duplicate,
    /// No state.
    #[error("the callback has no state")]
    NoState,
    /// Neither a code nor an error, or both.
    #[error("the callback must have either a code or an error")]
    Neither,
    /// The state is not that of the authorization.
    #[error("the state is not that of this authorization")]
    State,
    /// The issuer is not the one at which the authorization was started (RFC 9207 section 2.4).
    #[error("the issuer is not the one that was asked")]
    Issuer,
    /// The issuer is missing, although it was promised or is required.
    #[error("the issuer is missing")]
    IssuerMissing,
}

/// What a provider refused, reduced to the codes of RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6 and RFC 8707.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// The person, or a policy at the provider, said no.
    AccessDenied,
    /// The person has to do something at the provider first.
    InteractionRequired,
    /// The client may not ask.
    UnauthorizedClient,
    /// A scope is unknown or not allowed.
    InvalidScope,
    /// The resource is unknown or not allowed.
    InvalidTarget,
    /// The request was refused for its form.
    InvalidRequest,
    /// The provider is in trouble, or says so.
    Unavailable,
    /// A code that is none of these.
    Other,
}

impl Refusal {
    fn from_code(code: &str) -> Self {
        match code {
            "access_denied" => Self::AccessDenied,
            "interaction_required" | "login_required" | "consent_required" | "account_selection_required" => {
                Self::InteractionRequired
            }
            "unauthorized_client" => Self::UnauthorizedClient,
            "invalid_scope" => Self::InvalidScope,
            "invalid_target" => Self::InvalidTarget,
            "invalid_request" | "unsupported_response_type" => Self::InvalidRequest,
            "server_error" | "temporarily_unavailable" => Self::Unavailable,
            _ => Self::Other,
        }
    }
}

/// A callback that is believed.
#[derive(Debug)]
pub enum Callback {
    /// An authorization code.
    Code(SecretString),
    /// The provider refused.
    Refused(Refusal),
}

/// What a callback is judged against: what was recorded before the browser was sent away.
#[derive(Debug, Clone)]
pub struct Expectation<'a> {
    /// The state that was sent.
    pub state: &'a SecretString,
    /// The issuer that was asked, if it is known. Without one an `iss` parameter cannot be compared and says nothing; then only the
    /// connector's own redirect URI keeps providers apart.
    pub issuer: Option<&'a Issuer>,
    /// Whether the callback must name its issuer.
    pub issuer_required: bool,
}

impl<'a> Expectation<'a> {
    /// What a provider's entry and endpoints make of it.
    pub fn new(provider: &Provider, endpoints: &'a Endpoints, state: &'a SecretString) -> Self {
        let required = match provider.entry.authorize.iss {
            IssRule::Required => true,
            IssRule::AsAdvertised => endpoints.iss_advertised,
        };
        Self { state, issuer: endpoints.issuer.as_ref(), issuer_required: required }
    }
}

/// A callback that was read and is not believed yet. It never prints.
pub struct UntrustedCallback {
    state: SecretString,
    issuer: Option<String>,
    outcome: Callback,
}

impl fmt::Debug for UntrustedCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UntrustedCallback([redacted])")
    }
}

impl UntrustedCallback {
    /// Reads a query string, without its question mark. Parameters that are not known are passed over (RFC 6749 section 4.1.2).
    ///
    /// # Errors
    /// [`CallbackError`] for a query that is ambiguous or incomplete.
    pub fn read(query: &str) -> Result<Self, CallbackError> {
        let mut parameters = parameters(query)?;
        let state = parameters.remove("state").filter(|state| !state.expose_secret().is_empty());
        let state = state.ok_or(CallbackError::NoState)?;
        let issuer = parameters.remove("iss").map(|issuer| issuer.expose_secret().to_owned());
        let outcome = match (parameters.remove("code"), parameters.remove("error")) {
            (Some(code), None) => {
                let exposed = code.expose_secret();
                let printable = exposed.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
                if exposed.is_empty() || exposed.len() > CODE_LEN_MAX || !printable {
                    return Err(CallbackError::Malformed);
                }
                Callback::Code(code)
            }
            (None, Some(error)) => Callback::Refused(Refusal::from_code(error.expose_secret())),
            (None, None) | (Some(_), Some(_)) => return Err(CallbackError::Neither),
        };
        Ok(Self { state, issuer, outcome })
    }

    /// The state, to find the authorization that it belongs to.
    pub fn state(&self) -> &SecretString {
        &self.state
    }

    /// Judges the callback against what was recorded (RFC 9207 section 2.4). On any mismatch nothing of it is given out, its error
    /// included.
    ///
    /// # Errors
    /// [`CallbackError`], by the first check that fails: state, then issuer.
    pub fn judge(self, expected: &Expectation<'_>) -> Result<Callback, CallbackError> {
        let states = (self.state.expose_secret().as_bytes(), expected.state.expose_secret().as_bytes());
        if !bool::from(states.0.ct_eq(states.1)) {
            return Err(CallbackError::State);
        }
        match (&self.issuer, expected.issuer) {
            (Some(named), Some(asked)) if named != asked.as_str() => Err(CallbackError::Issuer),
            (None, _) if expected.issuer_required => Err(CallbackError::IssuerMissing),
            // Required, named, and nothing to compare it with: that cannot be satisfied.
            (Some(_), None) if expected.issuer_required => Err(CallbackError::Issuer),
            (Some(_), Some(_) | None) | (None, _) => Ok(self.outcome),
        }
    }
}

fn parameters(query: &str) -> Result<BTreeMap<String, SecretString>, CallbackError> {
    if query.len() > QUERY_LEN_MAX {
        return Err(CallbackError::Malformed);
    }
    let mut parameters = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = SecretString::from(decode(value)?);
        if parameters.insert(decode(name)?, value).is_some() {
            return Err(CallbackError::Duplicate);
        }
        if parameters.len() > PARAMETERS_MAX {
            return Err(CallbackError::Malformed);
        }
    }
    Ok(parameters)
}

/// Form decoding that refuses what lenient decoders repair: broken escapes and bytes that are no UTF-8.
fn decode(text: &str) -> Result<String, CallbackError> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('%') {
        let digits = after.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if digits.is_none() {
            return Err(CallbackError::Malformed);
        }
        rest = after;
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().map_err(|_| CallbackError::Malformed)?;
    Ok(decoded.into_owned())
}

#[cfg(test)]
#[path = "callback_tests.rs"]
mod tests;
