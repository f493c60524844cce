//! What is due: pure functions of state and time, from which the leader's worker plans. Doing it leads to commands like any others.

use alloc::vec::Vec;

use crate::{
    grant::{CLOSE_BATCH_MAX, Grant, Phase, Refresh, UpstreamTarget, resend::may_send, schedule::INTENT_TTL},
    id::GrantId,
    policy::decide::DENIAL_WINDOW,
    revocation::Selector,
    state::{DenialCount, DenialKey, State},
    time::Timestamp,
};

/// What is to be done about a grant whose moment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantWork {
    /// Refresh it: send the refresh token of this generation.
    Refresh {
        /// The generation.
        generation: u64,
    },
    /// Its tokens' stated end has passed, and nothing can replace them.
    Expire,
    /// An attempt has no outcome: offer what the outbox holds, else say that it is unknown.
    Settle {
        /// The generation.
        generation: u64,
        /// The attempt.
        attempt: u64,
        /// The node that was to send.
        node: u64,
    },
}

/// What is to be done about `grant`.
pub fn grant_work(grant: &Grant, now: Timestamp) -> Option<GrantWork> {
    if grant.phase != Phase::Active {
        return None;
    }
    let ended = |end: Option<Timestamp>| end.is_some_and(|end| end <= now);
    match grant.refresh {
        Refresh::Intended { attempt, node, .. } => {
            Some(GrantWork::Settle { generation: grant.generation, attempt, node })
        }
        Refresh::Idle | Refresh::Unknown { .. } if grant.tokens.refresh.is_none() => {
            ended(grant.tokens.access_expires_at).then_some(GrantWork::Expire)
        }
        Refresh::Idle | Refresh::Unknown { .. } if ended(grant.tokens.refresh_expires_at) => {
            Some(GrantWork::Expire)
        }
        Refresh::Idle | Refresh::Unknown { .. } => Some(GrantWork::Refresh { generation: grant.generation }),
    }
}

/// The grants whose moment has come, the longest waiting first; at most `limit`. Grants whose connector may not be called are left out.
/// Those of which `skip` says that they are being worked on, or cannot be now, are left out too, so that they hold up nobody.
pub fn grants_due(
    state: &State,
    now: Timestamp,
    limit: usize,
    skip: impl Fn(&Grant) -> bool,
) -> Vec<(GrantId, GrantWork)> {
    let callable = |grant: &Grant| {
        let connector = state.connectors.get(&grant.key.connector);
        connector.is_some_and(|connector| connector.enabled && connector.suspended.is_none())
    };
    state
        .indexes
        .grants_due
        .iter()
        .take_while(|(due, _)| *due <= now)
        .filter_map(|(_, id)| state.grants.get(id))
        .filter(|grant| grant.revoked_by(state).is_none() && callable(grant) && !skip(grant))
        .filter_map(|grant| grant_work(grant, now).map(|work| (grant, work)))
        .filter(|(grant, work)| !matches!(work, GrantWork::Refresh { .. }) || may_send(state, grant, now))
        .map(|(grant, work)| (grant.id, work))
        .take(limit)
        .collect()
}

/// Refreshes that were intended on `node` and have no outcome: after a restart none of them is in flight any more.
pub fn intents_open(state: &State, node: u64) -> Vec<(GrantId, u64, u64)> {
    state
        .grants
        .iter()
        .filter_map(|(id, grant)| match grant.refresh {
            Refresh::Intended { attempt, node: sender, .. } if sender == node => {
                Some((*id, grant.generation, attempt))
            }
            Refresh::Intended { .. } | Refresh::Idle | Refresh::Unknown { .. } => None,
        })
        .collect()
}

/// Revocations whose grants are still to be said to have ended, each with its next batch. An empty batch says that nothing is left.
pub fn closures_due(state: &State, limit: usize) -> Vec<(Selector, Vec<GrantId>)> {
    let batch = |selector: &Selector| (*selector, state.grants_to_close(*selector, CLOSE_BATCH_MAX));
    state.indexes.epochs_open.iter().take(limit).map(batch).collect()
}

/// Upstream revocations whose moment has come, the longest waiting first; at most `limit`. One whose grant has a refresh in flight waits for
/// its outcome, for as long as an intent may take: what that brings is to be revoked too. Those of which `skip` says that they are being worked on are left out.
pub fn upstream_due(
    state: &State,
    now: Timestamp,
    limit: usize,
    skip: impl Fn(&UpstreamTarget) -> bool,
) -> Vec<UpstreamTarget> {
    let in_flight = |target: &UpstreamTarget| match target {
        UpstreamTarget::Grant(id) => {
            let sending = |refresh| matches!(refresh, Refresh::Intended { at, .. } if now < at + INTENT_TTL);
            state.grants.get(id).is_some_and(|grant| sending(grant.refresh))
        }
        UpstreamTarget::Authorization(_) => false,
    };
    state
        .indexes
        .upstream_due
        .iter()
        .take_while(|(due, _)| *due <= now)
        .map(|(_, target)| *target)
        .filter(|target| !in_flight(target) && !skip(target))
        .take(limit)
        .collect()
}

/// Denial counts whose minute has passed; at most `limit`.
pub fn denials_to_count(state: &State, now: Timestamp, limit: usize) -> Vec<DenialKey> {
    let passed = |count: &DenialCount| count.since + DENIAL_WINDOW <= now;
    state.denials.iter().filter(|(_, count)| passed(count)).map(|(key, _)| *key).take(limit).collect()
}
