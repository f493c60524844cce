//! Whether a refresh token whose answer was lost may be sent again, and when: it depends on what its provider does with a refresh token that
//! arrives twice.

use super::{Grant, Refresh};
use crate::{
    provider::RefreshClass,
    state::State,
    time::{Span, Timestamp},
};

/// How long a provider that honours a refresh token once is given, after a lost answer, where there is no access token left to serve.
const LOST_ANSWER_WAIT: Span = Span::from_secs(60);

/// How the grant's provider treats a refresh token that arrives twice.
pub(super) fn class(state: &State, grant: &Grant) -> RefreshClass {
    state.connectors.get(&grant.key.connector).map_or(RefreshClass::Strict, |known| known.registration.class)
}

/// Whether the refresh token may be sent at `now` as far as a lost answer is concerned. A grace is measured at the send, not when the loss
/// was noticed; once it has passed, its provider is one that honours a refresh token once.
pub fn may_send(state: &State, grant: &Grant, now: Timestamp) -> bool {
    let Refresh::Unknown { since, resend_at, .. } = grant.refresh else { return true };
    let class = class(state, grant);
    let missed = match class {
        RefreshClass::Grace(_) => {
            class.may_resend(since.until(resend_at)) && !class.may_resend(since.until(now))
        }
        RefreshClass::Static
        | RefreshClass::Stable
        | RefreshClass::NonRevoking
        | RefreshClass::UntilSuccessorUsed
        | RefreshClass::Strict => false,
    };
    let allowed_at = if missed { second_look_at(grant, resend_at) } else { resend_at };
    allowed_at <= now
}

/// When a provider that honours a refresh token once may be asked again: when there is nothing left to lose.
pub(super) fn second_look_at(grant: &Grant, lost_at: Timestamp) -> Timestamp {
    let patience = lost_at + LOST_ANSWER_WAIT;
    grant.tokens.access_expires_at.map_or(patience, |end| end.max(patience))
}
