//! Erasing a subject: who it was goes at once, what is sealed for it goes when nobody needs it any more.
//!
//! Revoking tokens at their provider takes the tokens. So their ciphertext outlives the order until the provider has answered for good, and
//! not beyond the moment that the order's event states.

use alloc::vec::Vec;

use super::{Command, Erasure, Event, FORGET_BATCH_MAX, TOKENS_KEPT};
use crate::{
    actor::Principal,
    authorization::{Authorization, Phase},
    event::Event as AnyEvent,
    grant::{self, Grant, Refresh, UpstreamTarget, schedule::INTENT_TTL},
    id::{AuthorizationId, GrantId, NoteId, SubjectId},
    machine::{Context, Decided, Write},
    rejection::{Kind, Rejection},
    state::{BlobKey, State},
    time::Timestamp,
};

/// Whether the grant of an erased subject may still need its tokens: for their revocation at the provider, or because a refresh is on its way.
pub fn needs_tokens(state: &State, grant: &Grant, now: Timestamp) -> bool {
    let in_flight = matches!(grant.refresh, Refresh::Intended { at, .. } if now < at + INTENT_TTL);
    in_flight
        || !matches!(grant.phase, grant::Phase::Revoked { .. })
        || state.upstream_tasks.contains(&UpstreamTarget::Grant(grant.id))
}

/// Whether the consent of an erased subject may still bring tokens, or has some that are to be revoked.
pub fn may_hold_tokens(state: &State, known: &Authorization) -> bool {
    let open = matches!(known.phase, Phase::Exchanging { .. } | Phase::Exchanged { .. });
    open || state.upstream_tasks.contains(&UpstreamTarget::Authorization(known.id))
}

pub(super) fn begin(state: &State, context: Context, subject: SubjectId) -> Result<Decided, Rejection> {
    if state.erasures.contains(&subject) {
        return Err(Rejection::SubjectErased);
    }
    if !state.subjects.contains(&subject) {
        return Err(Rejection::Unknown(Kind::Subject));
    }
    let event = Event::Erased { subject, tokens_until: context.at + TOKENS_KEPT };
    Ok(Decided::event(AnyEvent::Subject(event)).with(Write::DirectoryForgotten(subject)))
}

fn unfinished(state: &State, context: Context, subject: SubjectId) -> Result<Erasure, Rejection> {
    if context.actor.principal != Principal::Cluster {
        return Err(Rejection::WrongPrincipal);
    }
    let known = state.erasures.get(&subject).copied().ok_or(Rejection::Unknown(Kind::Subject))?;
    if known.finished_at.is_some() { Err(Rejection::Unchanged(Kind::Subject)) } else { Ok(known) }
}

pub(super) fn forget(
    state: &State,
    context: Context,
    subject: SubjectId,
    notes: Vec<NoteId>,
    grants: Vec<GrantId>,
    authorizations: Vec<AuthorizationId>,
) -> Result<Decided, Rejection> {
    let erasure = unfinished(state, context, subject)?;
    if notes.len() > FORGET_BATCH_MAX || grants.len() + authorizations.len() > FORGET_BATCH_MAX {
        return Err(Rejection::TooMany { limit: FORGET_BATCH_MAX });
    }
    let late = erasure.tokens_until <= context.at;
    let mut targets = Vec::new();
    let mut gone: Vec<BlobKey> = notes.into_iter().map(BlobKey::Note).collect();
    let known = grants.iter().filter_map(|id| state.grants.get(id));
    for grant in known.filter(|grant| grant.key.subject == subject) {
        gone.push(BlobKey::Account(grant.id));
        if late || !needs_tokens(state, grant, context.at) {
            targets.push(UpstreamTarget::Grant(grant.id));
            let before = grant.generation.saturating_sub(1);
            let all = grant.generations_to_revoke().chain([before]);
            gone.extend(all.map(|generation| BlobKey::Tokens(grant.id, generation)));
        }
    }
    let known = authorizations.iter().filter_map(|id| state.authorizations.get(id));
    for consent in known.filter(|known| known.subject == subject) {
        gone.push(BlobKey::Verifier(consent.id));
        if late || !may_hold_tokens(state, consent) {
            targets.push(UpstreamTarget::Authorization(consent.id));
            gone.extend([BlobKey::PendingTokens(consent.id), BlobKey::PendingAccount(consent.id)]);
        }
    }
    targets.sort_unstable();
    targets.dedup();
    let abandoned = targets.into_iter().filter(|target| state.upstream_tasks.contains(target));
    let events = abandoned.map(|target| AnyEvent::Subject(Event::TokensAbandoned { subject, target }));
    Ok(gone.into_iter().fold(Decided::events(events), |decided, key| decided.with(Write::Blob(key, None))))
}

pub(super) fn finish(state: &State, context: Context, subject: SubjectId) -> Result<Decided, Rejection> {
    let erasure = unfinished(state, context, subject)?;
    let late = erasure.tokens_until <= context.at;
    let left = state.subject_holds(subject, context.at);
    // After its time a lost outcome holds up nothing: what it might bring is refused.
    if left.tasks > 0 || (left.other > 0 && !late) {
        return Err(Rejection::TooEarly(erasure.tokens_until));
    }
    Ok(Decided::event(AnyEvent::Subject(Event::ErasureFinished { subject })))
}

/// What of an erased subject still needs its tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Upstream revocations that are still to be done.
    pub tasks: usize,
    /// Grants that are not said to have ended, refreshes and exchanges on their way.
    pub other: usize,
}

impl State {
    /// What of this subject still needs its tokens. Looks at every grant: an erasure is rare, and the grants of a subject that have ended are
    /// in no index.
    pub fn subject_holds(&self, subject: SubjectId, now: Timestamp) -> Held {
        let mut held = Held::default();
        for (id, grant) in self.grants.iter().filter(|(_, grant)| grant.key.subject == subject) {
            if self.upstream_tasks.contains(&UpstreamTarget::Grant(*id)) {
                held.tasks += 1;
            } else if needs_tokens(self, grant, now) {
                held.other += 1;
            }
        }
        for (id, known) in self.authorizations.iter().filter(|(_, known)| known.subject == subject) {
            if self.upstream_tasks.contains(&UpstreamTarget::Authorization(*id)) {
                held.tasks += 1;
            } else if may_hold_tokens(self, known) {
                held.other += 1;
            }
        }
        held
    }

    /// Whether what is sealed for the subject may stay for now: always, until it is erased, and then while its provider may still need it.
    pub fn may_keep_tokens(&self, subject: SubjectId, now: Timestamp) -> bool {
        let erasure = self.erasures.get(&subject);
        erasure.is_none_or(|known| known.finished_at.is_none() && now < known.tokens_until)
    }

    /// Whether everything of the subject is gone, and nothing of it may come any more.
    pub fn is_erased(&self, subject: SubjectId) -> bool {
        self.erasures.get(&subject).is_some_and(|known| known.finished_at.is_some())
    }
}

impl Command {
    /// The erasure's next batch.
    pub const fn forget(subject: SubjectId) -> Self {
        Self::Forget { subject, notes: Vec::new(), grants: Vec::new(), authorizations: Vec::new() }
    }
}
