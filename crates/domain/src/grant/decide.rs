//! Deciding for grants: every change of a token set, every death, every end.

use alloc::vec::Vec;

use super::{
    CLOSE_BATCH_MAX, Command, DEATHS_SPREAD, DEATHS_TO_BELIEVE, Death, Event, Grant, Occasion, Phase,
    Refresh, UpstreamTarget, UpstreamTask,
    resend::{class, may_send},
    schedule,
};
use crate::{
    actor::Principal,
    authorization::TokenFacts,
    connector,
    event::Event as AnyEvent,
    id::GrantId,
    machine::{Answer, Context, Decided, Write},
    provider::{ProviderFailure, RefreshClass},
    rejection::{Kind, Rejection},
    revocation::Selector,
    scope::ScopeSet,
    state::{BlobKey, State},
    text::Sealed,
};

/// Decides.
///
/// # Errors
/// The [`Rejection`] that says why nothing may happen; [`Rejection::WrongPrincipal`] for anybody but the cluster.
pub fn decide(state: &State, context: Context, command: Command) -> Result<Decided, Rejection> {
    if context.actor.principal != Principal::Cluster {
        return Err(Rejection::WrongPrincipal);
    }
    match command {
        Command::IntendRefresh { grant, generation, node, occasion } => {
            let known = refreshable(state, context, grant, generation, occasion)?;
            let attempt = known.attempts + 1;
            let event = Event::RefreshIntended { grant, generation, attempt, node, occasion };
            Ok(Decided { answer: Answer::Attempt(attempt), ..decided(event) })
        }
        Command::CommitRefresh { grant, generation, attempt, granted, tokens, facts } => {
            commit(state, Outcome { grant, generation, attempt }, granted, tokens, facts)
        }
        Command::FailRefresh { grant, generation, attempt, failure } => {
            fail(state, context, Outcome { grant, generation, attempt }, failure)
        }
        Command::LoseRefresh { grant, generation, attempt } => {
            let known = attempted(state, Outcome { grant, generation, attempt })?;
            if matches!(known.refresh, Refresh::Unknown { .. }) {
                return Err(Rejection::Unchanged(Kind::Grant));
            }
            Ok(decided(Event::RefreshUnknown { grant, generation, attempt }))
        }
        Command::Expire { grant } => expire(state, context, grant),
        Command::Close { selector, grants } => close(state, selector, grants),
        Command::ConfirmUpstream { target } => {
            upstream_task(state, target)?;
            Ok(forget_tokens(state, target, decided(Event::UpstreamRevoked { target })))
        }
        Command::FailUpstream { target, failure: None } => {
            upstream_task(state, target)?;
            Ok(forget_tokens(state, target, decided(Event::UpstreamRevocationUnsupported { target })))
        }
        Command::FailUpstream { target, failure: Some(failure) } => {
            let failures = upstream_task(state, target)?.failures.saturating_add(1);
            let retry_at = context.at + schedule::upstream_pause(failures);
            Ok(decided(Event::UpstreamRevocationFailed { target, failure, failures, retry_at }))
        }
    }
}

fn decided(event: Event) -> Decided {
    Decided::event(AnyEvent::Grant(event))
}

fn known(state: &State, grant: GrantId) -> Result<&Grant, Rejection> {
    state.grants.get(&grant).ok_or(Rejection::Unknown(Kind::Grant))
}

/// The grant, if it can be used.
///
/// # Errors
/// [`Rejection::GrantRevoked`] or [`Rejection::ConsentNeeded`] where it cannot.
pub fn usable(state: &State, grant: GrantId) -> Result<&Grant, Rejection> {
    let known = known(state, grant)?;
    if known.revoked_by(state).is_some() {
        return Err(Rejection::GrantRevoked);
    }
    match known.phase {
        Phase::Active => Ok(known),
        Phase::NeedsConsent(_) => Err(Rejection::ConsentNeeded),
        Phase::Revoked { .. } => Err(Rejection::GrantRevoked),
    }
}

fn refreshable(
    state: &State,
    context: Context,
    grant: GrantId,
    generation: u64,
    occasion: Occasion,
) -> Result<&Grant, Rejection> {
    let known = usable(state, grant)?;
    let connector = connector::decide::usable(state, known.key.connector)?;
    if connector.suspended.is_some() {
        return Err(Rejection::Disabled(Kind::Connector));
    }
    if known.generation != generation {
        return Err(Rejection::Superseded);
    }
    if known.tokens.refresh.is_none() {
        return Err(Rejection::NoRefreshToken);
    }
    if let Some(trouble) = known.trouble
        && context.at < trouble.retry_at
    {
        return Err(Rejection::TooEarly(trouble.retry_at));
    }
    let rested_at = known.refreshed_at + schedule::rest(known);
    // No caller may make the provider work for every call of its own.
    let must_rest = context.at < rested_at && matches!(occasion, Occasion::Demand | Occasion::Recheck);
    match known.refresh {
        Refresh::Idle if must_rest => Err(Rejection::TooEarly(rested_at)),
        Refresh::Idle => Ok(known),
        Refresh::Intended { .. } => Err(Rejection::RefreshInFlight),
        Refresh::Unknown { .. } if may_send(state, known, context.at) => Ok(known),
        Refresh::Unknown { .. } => Err(Rejection::ResendForbidden),
    }
}

#[derive(Clone, Copy)]
struct Outcome {
    grant: GrantId,
    generation: u64,
    attempt: u64,
}

/// The grant, if the outcome is of its present generation and attempt: the fence against late writers.
fn attempted(state: &State, outcome: Outcome) -> Result<&Grant, Rejection> {
    let known = known(state, outcome.grant)?;
    let attempt = match known.refresh {
        Refresh::Intended { attempt, .. } | Refresh::Unknown { attempt, .. } => Some(attempt),
        Refresh::Idle => None,
    };
    if known.generation == outcome.generation && attempt == Some(outcome.attempt) {
        Ok(known)
    } else {
        Err(Rejection::Superseded)
    }
}

fn commit(
    state: &State,
    outcome: Outcome,
    granted: ScopeSet,
    tokens: Sealed,
    facts: TokenFacts,
) -> Result<Decided, Rejection> {
    let known = attempted(state, outcome)?;
    // Of somebody who is forgotten nothing comes back, late tokens least of all.
    if state.is_erased(known.key.subject) {
        return Err(Rejection::Superseded);
    }
    let Outcome { grant, generation, attempt } = outcome;
    let next = generation + 1;
    // The set before the one whose refresh token was sent has done its duty, unless it is the last of a former consent.
    let spent = generation.saturating_sub(1);
    let spent = (!known.earlier.contains(&spent)).then_some(spent);
    let kept = |decided: Decided| {
        let decided = decided.with(Write::Blob(BlobKey::Tokens(grant, next), Some(tokens)));
        match spent {
            Some(spent) => decided.with(Write::Blob(BlobKey::Tokens(grant, spent), None)),
            None => decided,
        }
    };
    if usable(state, grant).is_err() {
        return Ok(kept(decided(Event::LateTokensKept { grant, generation: next, tokens: facts })));
    }
    let lost = known.granted.missing_from(&granted);
    let scopes = if !lost.is_empty() {
        Some(Event::ScopesNarrowed { grant, generation: next, granted, lost })
    } else if granted != known.granted {
        Some(Event::ScopesWidened { grant, generation: next, granted })
    } else {
        None
    };
    let refreshed = Event::Refreshed { grant, generation: next, attempt, tokens: facts };
    Ok(kept(Decided::events([Some(refreshed), scopes].into_iter().flatten().map(AnyEvent::Grant))))
}

fn fail(
    state: &State,
    context: Context,
    outcome: Outcome,
    failure: ProviderFailure,
) -> Result<Decided, Rejection> {
    let known = attempted(state, outcome)?;
    let Outcome { grant, generation, attempt } = outcome;
    let failures = known.trouble.map_or(0, |trouble| trouble.failures).saturating_add(1);
    let asked = match failure {
        ProviderFailure::Ambiguous | ProviderFailure::Malformed => {
            return match known.refresh {
                Refresh::Unknown { .. } => Err(Rejection::Unchanged(Kind::Grant)),
                Refresh::Idle | Refresh::Intended { .. } => {
                    Ok(decided(Event::RefreshUnknown { grant, generation, attempt }))
                }
            };
        }
        ProviderFailure::GrantDead => match verdict(state, context, known) {
            Some(death) => return Ok(decided(Event::ConsentNeeded { grant, generation, death })),
            // Three words over ten minutes: spread them so that the third comes when it counts.
            None => Some(DEATHS_SPREAD.half()),
        },
        ProviderFailure::Throttled(asked) => asked,
        ProviderFailure::ClientFault
        | ProviderFailure::RequestFault
        | ProviderFailure::Transient
        | ProviderFailure::TooEarly => None,
    };
    let retry_at = context.at + schedule::refresh_pause(failures, asked);
    Ok(decided(Event::RefreshFailed { grant, generation, attempt, failure, retry_at }))
}

/// What the provider's word that the grant is dead comes to, if it is believed now. Where a repeat is harmless it must be heard three times
/// over ten minutes; where it is not, asking again could kill what lives.
fn verdict(state: &State, context: Context, grant: &Grant) -> Option<Death> {
    // What was revoked here stays revoked, whatever its provider says of it.
    if grant.revoked_by(state).is_some() {
        return None;
    }
    match class(state, grant) {
        RefreshClass::Stable | RefreshClass::NonRevoking => {
            let heard = grant.trouble.filter(|trouble| trouble.deaths > 0)?;
            let enough =
                heard.deaths + 1 >= DEATHS_TO_BELIEVE && heard.since.until(context.at) >= DEATHS_SPREAD;
            enough.then_some(Death::ProviderVerdict)
        }
        RefreshClass::Static
        | RefreshClass::Grace(_)
        | RefreshClass::UntilSuccessorUsed
        | RefreshClass::Strict => match grant.refresh {
            Refresh::Intended { after_loss: true, .. } => Some(Death::AnswerLost),
            Refresh::Idle | Refresh::Intended { .. } | Refresh::Unknown { .. } => {
                Some(Death::ProviderVerdict)
            }
        },
    }
}

fn expire(state: &State, context: Context, grant: GrantId) -> Result<Decided, Rejection> {
    let known = usable(state, grant)?;
    // The answer that is on its way may bring the next token set.
    if matches!(known.refresh, Refresh::Intended { .. }) {
        return Err(Rejection::RefreshInFlight);
    }
    let end = match known.tokens.refresh {
        Some(_) => known.tokens.refresh_expires_at,
        None => known.tokens.access_expires_at,
    };
    match end {
        Some(end) if end <= context.at => {
            Ok(decided(Event::ConsentNeeded { grant, generation: known.generation, death: Death::Expired }))
        }
        Some(_) | None => Err(Rejection::Unchanged(Kind::Grant)),
    }
}

fn close(state: &State, selector: Selector, mut grants: Vec<GrantId>) -> Result<Decided, Rejection> {
    if grants.len() > CLOSE_BATCH_MAX {
        return Err(Rejection::TooMany { limit: CLOSE_BATCH_MAX });
    }
    grants.sort_unstable();
    grants.dedup();
    let ended = |grant: &&Grant| !matches!(grant.phase, Phase::Revoked { .. });
    let events: Vec<AnyEvent> = grants
        .iter()
        .filter_map(|id| state.grants.get(id))
        .filter(ended)
        .filter_map(|grant| {
            let by = grant.revoked_by(state)?;
            Some(AnyEvent::Grant(Event::Revoked {
                grant: grant.id,
                subject: grant.key.subject,
                connector: grant.key.connector,
                by,
                residual_exposure_until: grant.tokens.access_expires_at,
            }))
        })
        .collect();
    let decided = Decided::events(events);
    let more = state.grants_to_close(selector, CLOSE_BATCH_MAX + 1).iter().any(|id| !grants.contains(id));
    Ok(if more { decided } else { decided.with(Write::EpochClosed(selector)) })
}

fn upstream_task(state: &State, target: UpstreamTarget) -> Result<&UpstreamTask, Rejection> {
    state.upstream_tasks.get(&target).ok_or(Rejection::Unknown(Kind::UpstreamTask))
}

/// Once the provider has revoked them, or cannot, ended tokens are of no use to anybody.
fn forget_tokens(state: &State, target: UpstreamTarget, decided: Decided) -> Decided {
    match target {
        UpstreamTarget::Grant(id) => {
            let Some(grant) = state.grants.get(&id) else { return decided };
            let before = grant.generation.saturating_sub(1);
            grant
                .generations_to_revoke()
                .chain([before])
                .fold(decided, |decided, each| decided.with(Write::Blob(BlobKey::Tokens(id, each), None)))
        }
        UpstreamTarget::Authorization(id) => decided
            .with(Write::Blob(BlobKey::PendingTokens(id), None))
            .with(Write::Blob(BlobKey::PendingAccount(id), None)),
    }
}

impl State {
    /// The grants that the revocation of this selector covers and that are still to be said to have ended; at most `limit`.
    pub fn grants_to_close(&self, selector: Selector, limit: usize) -> Vec<GrantId> {
        let one;
        let candidates = match selector {
            Selector::Grant(id) => {
                one = [id].into();
                Some(&one)
            }
            Selector::Subject(id) => self.indexes.grants_by_subject.get(&id),
            Selector::Connector(id) => self.indexes.grants_by_connector.get(&id),
            Selector::McpServer(id) => self.indexes.grants_by_mcp_server.get(&id),
            Selector::Workload(_) => None,
        };
        let to_close = |id: &&GrantId| {
            let grant = self.grants.get(id);
            grant.is_some_and(|grant| {
                !matches!(grant.phase, Phase::Revoked { .. }) && grant.revoked_by(self).is_some()
            })
        };
        candidates.into_iter().flatten().filter(to_close).take(limit).copied().collect()
    }
}
