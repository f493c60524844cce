//! Deciding for the policy set, and counting identical denials.

use super::{Command, Event, TEXT_LEN_MAX};
use crate::{
    actor::Principal,
    event::Event as AnyEvent,
    machine::{Context, Decided, Write},
    rejection::{Kind, Rejection},
    state::{BlobKey, DenialCount, DenialKey, State},
    text::Sealed,
    time::Span,
};

/// Over which time identical denials are counted as one.
pub const DENIAL_WINDOW: Span = Span::from_mins(1);

/// Decides.
///
/// # Errors
/// [`Rejection::TooLong`] for a policy set beyond its bound.
pub fn decide(state: &State, context: Context, command: Command) -> Result<Decided, Rejection> {
    match command {
        Command::Set { text, digest } => {
            if text.len() > TEXT_LEN_MAX {
                return Err(Rejection::TooLong { limit: TEXT_LEN_MAX });
            }
            let len = text.len() as u64;
            let kept = Sealed::new(text.into_bytes()).ok_or(Rejection::TooLong { limit: TEXT_LEN_MAX })?;
            let event = AnyEvent::Policy(Event::Set { digest, len });
            Ok(Decided::event(event).with(Write::Blob(BlobKey::PolicyText, Some(kept))))
        }
        Command::RecordDenial { action, resource, reason, decision } => {
            let key = DenialKey { principal: context.actor.principal, action, resource, reason };
            let count = state.denials.get(&key).copied();
            if let Some(count) = count
                && context.at < count.since + DENIAL_WINDOW
            {
                let count = DenialCount { coalesced: count.coalesced.saturating_add(1), ..count };
                return Ok(Decided::default().with(Write::Denials(key, count)));
            }
            let decision = decision.bounded();
            let coalesced = count.map_or(0, |count| count.coalesced);
            let event = AnyEvent::Policy(Event::Denied { action, resource, reason, decision, coalesced });
            Ok(Decided::event(event)
                .with(Write::Denials(key, DenialCount { since: context.at, coalesced: 0 })))
        }
        Command::CountDenials { principal, action, resource, reason } => {
            if context.actor.principal != Principal::Cluster {
                return Err(Rejection::WrongPrincipal);
            }
            let key = DenialKey { principal, action, resource, reason };
            let known = state.denials.get(&key).filter(|count| count.since + DENIAL_WINDOW <= context.at);
            let DenialCount { since, coalesced } = *known.ok_or(Rejection::Unchanged(Kind::Workload))?;
            let gone = Write::DenialsForgotten(key);
            if coalesced == 0 {
                return Ok(Decided::default().with(gone));
            }
            let event =
                Event::DenialsCounted { principal, action, resource, reason, count: coalesced, since };
            Ok(Decided::event(AnyEvent::Policy(event)).with(gone))
        }
    }
}

/// Folds. The count of identical denials begins again, or leaves, beside the events.
pub fn evolve(state: &mut State, context: Context, event: &Event) {
    match event {
        Event::Set { .. } => state.singular.policy_version = context.seq,
        Event::Denied { .. } | Event::DenialsCounted { .. } => {}
    }
}
