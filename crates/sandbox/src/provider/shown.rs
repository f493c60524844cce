//! How the provider enters a presentation into its record.

use super::Provider;
use crate::fault::Fault;
use crate::front::Site as _;
use crate::ledger::{Endpoint, Outcome, Presentation, TokenKind};
use crate::secret;

/// A token that was shown, and what came of it.
pub(crate) struct Shown<'a> {
    pub(crate) token: &'a str,
    pub(crate) endpoint: Endpoint,
    pub(crate) client: Option<&'a str>,
    pub(crate) outcome: Outcome,
    pub(crate) error: Option<&'a str>,
    pub(crate) fault: Option<&'a Fault>,
    pub(crate) resource: Vec<String>,
}

/// What the provider knows a value as.
pub(crate) struct Known {
    pub(crate) kind: TokenKind,
    pub(crate) family: Option<String>,
    pub(crate) generation: Option<u64>,
}

impl Provider {
    pub(crate) fn known(&self, text: &str) -> Known {
        let grants = self.grants();
        if let Some(token) = grants.refresh_token(text) {
            let (family, generation) = (Some(token.family.clone()), Some(token.generation));
            return Known { kind: TokenKind::Refresh, family, generation };
        }
        if let Some(token) = grants.access_token(text) {
            let (family, generation) = (Some(token.family.clone()), Some(token.generation));
            return Known { kind: TokenKind::Access, family, generation };
        }
        drop(grants);
        match self.codes.find(text) {
            Some(code) => Known { kind: TokenKind::Code, family: Some(code.family), generation: Some(0) },
            None => Known { kind: TokenKind::Unknown, family: None, generation: None },
        }
    }

    pub(crate) fn record(&self, shown: Shown<'_>) {
        self.canaries.keep(shown.token);
        let known = self.known(shown.token);
        self.ledger.record_presentation(Presentation {
            sequence: 0,
            at: self.front().clock.now(),
            endpoint: shown.endpoint,
            kind: known.kind,
            fingerprint: secret::fingerprint(shown.token),
            family: known.family,
            generation: known.generation,
            client: shown.client.map(str::to_owned),
            outcome: shown.outcome,
            error: shown.error.map(str::to_owned),
            fault: shown.fault.map(|fault| fault.kind().to_owned()),
            resource: shown.resource,
        });
    }
}
