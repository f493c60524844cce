//! Faults: what a test makes an endpoint do wrong, and the queue they wait in.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::ledger::Endpoint;

mod deliver;

pub(crate) use deliver::{Exchange, deliver};

const RULES_MAX: usize = 1_000;

/// One way to go wrong. *Commits* means that the request takes its effect before the answer goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Fault {
    /// 200 with `{"ok":false,"error":…}`. Commits nothing.
    ErrorWithOk {
        /// The error named.
        error: String,
    },
    /// An OAuth error with this status. Commits nothing.
    Error {
        /// 400 to 599; anything else becomes 500.
        status: u16,
        /// The error named.
        error: String,
        /// `error_description`.
        #[serde(default)]
        description: Option<String>,
    },
    /// 400 `invalid_grant` for a token that is perfectly good. Commits nothing.
    SpuriousInvalidGrant,
    /// 429 with Retry-After. Commits nothing.
    Throttled {
        /// Value of the header.
        retry_after_seconds: u64,
    },
    /// An HTML page with this status. Commits nothing.
    Html {
        /// 200 to 599; anything else becomes 500.
        status: u16,
    },
    /// A redirect elsewhere. Commits nothing.
    Redirect {
        /// 300 to 399; anything else becomes 302.
        status: u16,
        /// The target.
        location: String,
    },
    /// The connection is cut without an answer. Commits nothing.
    Drop,
    /// No answer until released (then the right one) or the client is gone. Commits on release.
    Hang,
    /// As `Hang`, but commits first.
    CommitThenHang,
    /// Commits, then cuts the connection without an answer.
    CommitThenDrop,
    /// Commits, then answers with a `server_error` of this status.
    CommitThenError {
        /// 400 to 599; anything else becomes 500.
        status: u16,
    },
    /// Commits, sends the headers and half of the body, then cuts the connection.
    Truncated,
    /// Commits, and pads the answer to at least this many bytes.
    Oversized {
        /// At most 64 MiB.
        bytes: usize,
    },
    /// The right answer, late, in real time. Commits after the delay.
    Slow {
        /// At most ten minutes.
        millis: u64,
    },
    /// Commits, and answers form-encoded instead of in JSON.
    FormEncoded,
    /// Commits; the scopes in the answer are separated by commas.
    CommaScopes,
    /// Commits; the token truly carries only these of its scopes.
    NarrowScope {
        /// Space-separated.
        scope: String,
    },
    /// Commits; the answer has no refresh token. In a refresh, the one presented stays valid (RFC 6749 section 6).
    OmitRefreshToken,
    /// Commits; the answer does not say how long the token lives.
    OmitExpiresIn,
}

impl Fault {
    /// The name it has in JSON and in `Presentation::fault`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ErrorWithOk { .. } => "error_with_ok",
            Self::Error { .. } => "error",
            Self::SpuriousInvalidGrant => "spurious_invalid_grant",
            Self::Throttled { .. } => "throttled",
            Self::Html { .. } => "html",
            Self::Redirect { .. } => "redirect",
            Self::Drop => "drop",
            Self::Hang => "hang",
            Self::CommitThenHang => "commit_then_hang",
            Self::CommitThenDrop => "commit_then_drop",
            Self::CommitThenError { .. } => "commit_then_error",
            Self::Truncated => "truncated",
            Self::Oversized { .. } => "oversized",
            Self::Slow { .. } => "slow",
            Self::FormEncoded => "form_encoded",
            Self::CommaScopes => "comma_scopes",
            Self::NarrowScope { .. } => "narrow_scope",
            Self::OmitRefreshToken => "omit_refresh_token",
            Self::OmitExpiresIn => "omit_expires_in",
        }
    }
}

/// A fault and what it waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// What happens.
    pub fault: Fault,
    /// Where. Default: the provider's token endpoint.
    #[serde(default)]
    pub endpoint: Endpoint,
    /// Only requests with this `grant_type`. Default: any.
    #[serde(default)]
    pub grant_type: Option<String>,
    /// Only requests that name this client. Default: any.
    #[serde(default)]
    pub client: Option<String>,
    /// Whether it stays after it struck. Default: no.
    #[serde(default)]
    pub sticky: bool,
}

impl FaultRule {
    /// Strikes the next request at the provider's token endpoint, once.
    pub fn once(fault: Fault) -> Self {
        Self { fault, endpoint: Endpoint::Token, grant_type: None, client: None, sticky: false }
    }

    /// Strikes every request at the provider's token endpoint, until cleared.
    pub fn sticky(fault: Fault) -> Self {
        Self { sticky: true, ..Self::once(fault) }
    }

    /// The same, at another endpoint.
    pub fn at(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = endpoint;
        self
    }

    /// The same, only for this `grant_type`.
    pub fn on_grant(mut self, grant_type: impl Into<String>) -> Self {
        self.grant_type = Some(grant_type.into());
        self
    }

    /// The same, only for `grant_type=refresh_token`.
    pub fn on_refresh(self) -> Self {
        self.on_grant("refresh_token")
    }

    /// The same, only for this client.
    pub fn for_client(mut self, client: impl Into<String>) -> Self {
        self.client = Some(client.into());
        self
    }

    fn matches(&self, endpoint: Endpoint, grant_type: Option<&str>, client: Option<&str>) -> bool {
        self.endpoint == endpoint
            && self.grant_type.as_deref().is_none_or(|wanted| grant_type == Some(wanted))
            && self.client.as_deref().is_none_or(|wanted| client == Some(wanted))
    }
}

/// The queue of faults, and the requests that hang.
#[derive(Debug)]
pub(crate) struct Faults {
    rules: Mutex<Vec<(u64, FaultRule)>>,
    next: AtomicU64,
    releases: watch::Sender<u64>,
    hanging: AtomicU64,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            rules: Mutex::default(),
            next: AtomicU64::new(1),
            releases: watch::channel(0).0,
            hanging: AtomicU64::new(0),
        }
    }
}

impl Faults {
    fn rules(&self) -> MutexGuard<'_, Vec<(u64, FaultRule)>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a rule; none is taken once a thousand wait.
    pub(crate) fn push(&self, rule: FaultRule) -> Option<u64> {
        let mut rules = self.rules();
        if rules.len() >= RULES_MAX {
            return None;
        }
        let id = self.next.fetch_add(1, Ordering::SeqCst);
        rules.push((id, rule));
        Some(id)
    }

    pub(crate) fn pending(&self) -> Vec<(u64, FaultRule)> {
        self.rules().clone()
    }

    pub(crate) fn clear(&self) {
        self.rules().clear();
    }

    /// The first rule that matches, used up unless it is sticky.
    pub(crate) fn take(
        &self,
        endpoint: Endpoint,
        grant_type: Option<&str>,
        client: Option<&str>,
    ) -> Option<Fault> {
        let mut rules = self.rules();
        let position = rules.iter().position(|(_, rule)| rule.matches(endpoint, grant_type, client))?;
        let rule = rules.get(position).map(|(_, rule)| rule.clone())?;
        if !rule.sticky {
            rules.remove(position);
        }
        Some(rule.fault)
    }

    pub(crate) fn release(&self) {
        self.releases.send_modify(|round| *round = round.wrapping_add(1));
    }

    pub(crate) fn hanging(&self) -> u64 {
        self.hanging.load(Ordering::SeqCst)
    }

    /// Holds the caller until the next release. Dropping the future, as when the client leaves, stops counting it.
    async fn hang(&self, announce: impl Fn()) {
        let mut releases = self.releases.subscribe();
        self.hanging.fetch_add(1, Ordering::SeqCst);
        announce();
        let _held = Held { hanging: &self.hanging, announce };
        // An error means that the sandbox is gone, which releases everyone as well.
        let _released = releases.changed().await;
    }
}

/// Counts a hanging request for as long as it lives, and tells those who wait when it ends.
struct Held<'a, F: Fn()> {
    hanging: &'a AtomicU64,
    announce: F,
}

impl<F: Fn()> Drop for Held<'_, F> {
    fn drop(&mut self) {
        self.hanging.fetch_sub(1, Ordering::SeqCst);
        (self.announce)();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_strikes_once_unless_it_is_sticky() {
        let faults = Faults::default();
        faults.push(FaultRule::once(Fault::Drop).on_refresh());
        faults.push(FaultRule::sticky(Fault::Truncated));
        let refresh = || faults.take(Endpoint::Token, Some("refresh_token"), Some("app"));
        assert_eq!(refresh(), Some(Fault::Drop));
        assert_eq!(refresh(), Some(Fault::Truncated));
        assert_eq!(refresh(), Some(Fault::Truncated));
    }

    #[test]
    fn a_rule_waits_for_its_grant_its_client_and_its_endpoint() {
        let faults = Faults::default();
        faults.push(FaultRule::once(Fault::Drop).on_refresh().for_client("app"));
        assert_eq!(faults.take(Endpoint::Token, Some("authorization_code"), Some("app")), None);
        assert_eq!(faults.take(Endpoint::Token, Some("refresh_token"), Some("other")), None);
        assert_eq!(faults.take(Endpoint::Revocation, Some("refresh_token"), Some("app")), None);
        assert_eq!(faults.take(Endpoint::Token, Some("refresh_token"), Some("app")), Some(Fault::Drop));
    }

    #[test]
    fn the_kind_of_a_fault_is_its_name_in_json() {
        let fault = Fault::Redirect { status: 307, location: "http://10.0.0.1/".to_owned() };
        let json = serde_json::to_value(&fault).unwrap();
        assert_eq!(json["kind"], fault.kind());
    }
}
