//! When work on a grant is due. A function of the grant alone, so that the index of what is due follows from the rows.

use super::{Grant, Phase, Refresh};
use crate::time::{Span, Timestamp};

/// How long before the end of a token a refresh is due, where its life is longer than twice that.
pub const MARGIN_MAX: Span = Span::from_mins(5);
/// After which time an intent without an outcome is looked at again.
pub const INTENT_TTL: Span = Span::from_secs(60);
/// The first pause after a failed refresh; it doubles with each further one.
const BACKOFF_FIRST: Span = Span::from_secs(5);
/// The longest pause after a failed refresh.
pub const BACKOFF_MAX: Span = Span::from_mins(15);
/// The longest pause that a provider may ask for.
const ASKED_MAX: Span = Span::from_mins(60);
/// The longest time that a token is left alone after a refresh.
const REST_MAX: Span = Span::from_secs(60);
/// The first pause after a failed upstream revocation; it doubles with each further one.
const UPSTREAM_BACKOFF_FIRST: Span = Span::from_secs(10);
/// After how many failures an upstream revocation is tried once a day.
const UPSTREAM_FAILURES_DAILY: u32 = 6;

/// When the leader's worker should look at the grant: to refresh, to let it expire, to settle an attempt without an outcome. `None` where
/// nothing is to be done by time.
pub fn due_at(grant: &Grant) -> Option<Timestamp> {
    match (grant.phase, grant.refresh) {
        (Phase::NeedsConsent(_) | Phase::Revoked { .. }, _) => None,
        (Phase::Active, Refresh::Intended { at, .. }) => Some(at + INTENT_TTL),
        (Phase::Active, Refresh::Unknown { resend_at, .. }) => {
            Some(grant.trouble.map_or(resend_at, |trouble| trouble.retry_at.max(resend_at)))
        }
        (Phase::Active, Refresh::Idle) => match grant.trouble {
            Some(trouble) => Some(trouble.retry_at),
            None if grant.tokens.refresh.is_none() => grant.tokens.access_expires_at,
            None => {
                let ends = [grant.tokens.access_expires_at, grant.tokens.refresh_expires_at];
                ends.into_iter().flatten().min().map(|end| refresh_at(grant, end))
            }
        },
    }
}

/// For the token that ends first: not before half of its life and not later than the margin before its end, spread over a quarter of the
/// margin by the grant's id, so that grants of one minute do not fall due together.
fn refresh_at(grant: &Grant, end: Timestamp) -> Timestamp {
    let life = grant.refreshed_at.until(end);
    let margin = life.half().min(MARGIN_MAX).as_millis();
    let [first, second, ..] = grant.id.to_bytes();
    let spread = u64::from(u16::from_be_bytes([first, second])) * (margin / 4) / u64::from(u16::MAX);
    end.minus(Span::from_millis(margin)) + Span::from_millis(spread)
}

/// The pause after this many failures in a row, at least what the provider asked for, within an hour.
pub fn refresh_pause(failures: u32, asked: Option<Span>) -> Span {
    let asked = asked.unwrap_or(Span::ZERO).min(ASKED_MAX);
    doubled(BACKOFF_FIRST, failures.saturating_sub(1)).min(BACKOFF_MAX).max(asked)
}

/// How long a token is left alone after a refresh, where it is not the schedule that asks for another: half its life, and at most a minute.
pub fn rest(grant: &Grant) -> Span {
    let life = grant.tokens.access_expires_at.map_or(REST_MAX, |end| grant.refreshed_at.until(end).half());
    life.min(REST_MAX)
}

/// The pause after this many failed upstream revocations.
pub fn upstream_pause(failures: u32) -> Span {
    if failures >= UPSTREAM_FAILURES_DAILY {
        Span::from_mins(24 * 60)
    } else {
        doubled(UPSTREAM_BACKOFF_FIRST, failures.saturating_sub(1))
    }
}

fn doubled(first: Span, times: u32) -> Span {
    Span::from_millis(first.as_millis().saturating_mul(1 << times.min(20)))
}
