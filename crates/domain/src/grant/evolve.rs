//! Folding what happened to grants.

use super::{
    EARLIER_MAX, Event, Grant, Key, Phase, Refresh, Trouble, UpstreamTarget, UpstreamTask,
    resend::{class, second_look_at},
    schedule,
};
use crate::{
    authorization::{self, End, TokenFacts},
    id::GrantId,
    machine::Context,
    provider::{ProviderFailure, RefreshClass},
    state::State,
    time::{Span, Timestamp},
};

/// Folds.
pub fn evolve(state: &mut State, context: Context, event: &Event) {
    match event {
        Event::Activated {
            grant,
            authorization,
            subject,
            connector,
            isolation,
            account,
            generation,
            requested,
            granted,
            tokens,
        } => {
            let before = state.grants.get(grant);
            let attempts = before.map_or(0, |known| known.attempts);
            let mut earlier = before.map(|known| known.earlier.clone()).unwrap_or_default();
            earlier.extend(before.map(|known| known.generation));
            if earlier.len() > EARLIER_MAX {
                earlier.remove(0);
            }
            state.put_grant(Grant {
                id: *grant,
                key: Key {
                    subject: *subject,
                    connector: *connector,
                    isolation: *isolation,
                    account: *account,
                },
                requested: requested.clone(),
                granted: granted.clone(),
                generation: *generation,
                tokens: tokens.clone(),
                refreshed_at: context.at,
                consented_at: context.at,
                consented_seq: context.seq,
                earlier,
                attempts,
                phase: Phase::Active,
                refresh: Refresh::Idle,
                trouble: None,
                revision: context.seq,
            });
            authorization::decide::end(state, context, *authorization, End::Confirmed(*grant));
        }
        Event::RefreshIntended { grant, attempt, node, .. } => change(state, context, *grant, |row| {
            let after_loss = matches!(row.refresh, Refresh::Unknown { .. });
            row.attempts = *attempt;
            row.refresh = Refresh::Intended { attempt: *attempt, node: *node, at: context.at, after_loss };
        }),
        Event::Refreshed { grant, generation, tokens, .. } => change(state, context, *grant, |row| {
            next_tokens(row, *generation, tokens, context.at);
            row.trouble = None;
        }),
        Event::LateTokensKept { grant, generation, tokens } => {
            change(state, context, *grant, |row| next_tokens(row, *generation, tokens, context.at));
            let task = UpstreamTask { failures: 0, due_at: context.at };
            state.put_upstream_task(UpstreamTarget::Grant(*grant), task);
        }
        Event::ScopesNarrowed { grant, granted, .. } | Event::ScopesWidened { grant, granted, .. } => {
            change(state, context, *grant, |row| row.granted = granted.clone());
        }
        Event::RefreshFailed { grant, failure, retry_at, .. } => {
            fold_failure(state, context, *grant, *failure, *retry_at)
        }
        Event::RefreshUnknown { grant, attempt, .. } => lose(state, context, *grant, *attempt),
        Event::ConsentNeeded { grant, death, .. } => change(state, context, *grant, |row| {
            row.phase = Phase::NeedsConsent(*death);
            row.refresh = Refresh::Idle;
            row.trouble = None;
        }),
        Event::Revoked { grant, by, .. } => {
            change(state, context, *grant, |row| row.phase = Phase::Revoked { by: *by });
            let task = UpstreamTask { failures: 0, due_at: context.at };
            state.put_upstream_task(UpstreamTarget::Grant(*grant), task);
        }
        Event::UpstreamRevoked { target } | Event::UpstreamRevocationUnsupported { target } => {
            state.remove_upstream_task(*target)
        }
        Event::UpstreamRevocationFailed { target, failures, retry_at, .. } => {
            state.put_upstream_task(*target, UpstreamTask { failures: *failures, due_at: *retry_at });
        }
    }
}

fn next_tokens(row: &mut Grant, generation: u64, tokens: &TokenFacts, at: Timestamp) {
    row.generation = generation;
    row.tokens = tokens.clone();
    row.refreshed_at = at;
    row.refresh = Refresh::Idle;
}

fn troubled(
    before: Option<Trouble>,
    failure: ProviderFailure,
    at: Timestamp,
    retry_at: Timestamp,
) -> Trouble {
    let dead = u8::from(failure == ProviderFailure::GrantDead);
    match before {
        Some(before) => Trouble {
            failure,
            failures: before.failures.saturating_add(1),
            deaths: before.deaths.saturating_add(dead),
            since: before.since,
            retry_at,
        },
        None => Trouble { failure, failures: 1, deaths: dead, since: at, retry_at },
    }
}

fn fold_failure(
    state: &mut State,
    context: Context,
    grant: GrantId,
    failure: ProviderFailure,
    retry_at: Timestamp,
) {
    let Some(known) = state.grants.get(&grant) else { return };
    let class = class(state, known);
    let graceful = matches!(class, RefreshClass::Grace(_));
    let refresh = match known.refresh {
        // The second look failed without an answer: what was unknown is still unknown.
        Refresh::Intended { attempt, at, after_loss: true, .. } => {
            let resend_at = if graceful { second_look_at(known, context.at).max(retry_at) } else { retry_at };
            Refresh::Unknown { attempt, since: at, resend_at }
        }
        // Of a resend within the grace it is known now that it failed, of the send before it still nothing.
        Refresh::Unknown { since, resend_at, .. }
            if graceful && !class.may_resend(since.until(resend_at)) =>
        {
            known.refresh
        }
        Refresh::Idle | Refresh::Intended { .. } | Refresh::Unknown { .. } => Refresh::Idle,
    };
    change(state, context, grant, |row| {
        row.trouble = Some(troubled(row.trouble, failure, context.at, retry_at));
        row.refresh = refresh;
    });
}

/// What may follow a lost answer depends on the provider: a resend where repeats are harmless, else a wait until there is nothing left to
/// lose. A grace allows one resend: of a second one it is not known any more how long ago the first send was.
fn lose(state: &mut State, context: Context, grant: GrantId, attempt: u64) {
    let Some(known) = state.grants.get(&grant) else { return };
    let class = class(state, known);
    let (since, again) = match known.refresh {
        Refresh::Intended { at, after_loss, .. } => (at, after_loss),
        Refresh::Idle | Refresh::Unknown { .. } => (context.at, false),
    };
    let spent = again && matches!(class, RefreshClass::Grace(_));
    let resend_at = if class.may_resend(since.until(context.at)) && !spent {
        context.at
    } else {
        second_look_at(known, context.at)
    };
    change(state, context, grant, |row| {
        let failures = row.trouble.map_or(0, |trouble| trouble.failures).saturating_add(1);
        // A grace is short, and allows one resend: no pause may eat it.
        let resend_in_grace = matches!(class, RefreshClass::Grace(_)) && resend_at <= context.at;
        let pause = if resend_in_grace { Span::ZERO } else { schedule::refresh_pause(failures, None) };
        let retry_at = context.at + pause;
        row.trouble = Some(troubled(row.trouble, ProviderFailure::Ambiguous, context.at, retry_at));
        row.refresh = Refresh::Unknown { attempt, since, resend_at };
    });
}

fn change(state: &mut State, context: Context, grant: GrantId, change: impl FnOnce(&mut Grant)) {
    if let Some(known) = state.grants.get(&grant) {
        let mut row = known.clone();
        change(&mut row);
        row.revision = context.seq;
        state.put_grant(row);
    }
}
