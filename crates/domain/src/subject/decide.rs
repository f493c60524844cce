//! Deciding for subjects.

use super::{
    Command, DirectoryEntry, Erasure, Event, IDENTIFIERS_MAX, Identifier, Kind, Note, Subject, erase,
};
use crate::{
    event::Event as AnyEvent,
    id::{IdentityProviderId, SubjectId},
    machine::{Context, Decided, Write},
    rejection::{Kind as Thing, Rejection},
    revocation::Selector,
    state::{BlobKey, State},
    text::{Commitment, Sealed},
};

/// Decides.
///
/// # Errors
/// The [`Rejection`] that says why nothing may happen.
pub fn decide(state: &State, context: Context, command: Command) -> Result<Decided, Rejection> {
    match command {
        Command::Register { subject, kind, entry, commitment } => {
            register(state, subject, kind, entry, commitment)
        }
        Command::SignIn { subject, identity_provider, identifier, commitment } => {
            sign_in(state, subject, identity_provider, identifier, commitment)
        }
        Command::Disable { subject, note } => {
            enabled(state, subject)?;
            let commitment = note.as_ref().map(|note| note.commitment);
            let event = AnyEvent::Subject(Event::Disabled { subject, note: commitment });
            Ok(keep_note(Decided::event(event), note))
        }
        Command::Enable { subject } => {
            if state.erasures.contains(&subject) {
                return Err(Rejection::SubjectErased);
            }
            if state.subjects.get(&subject).ok_or(Rejection::Unknown(Thing::Subject))?.enabled {
                return Err(Rejection::Unchanged(Thing::Subject));
            }
            Ok(Decided::event(AnyEvent::Subject(Event::Enabled { subject })))
        }
        Command::Erase { subject } => erase::begin(state, context, subject),
        Command::Forget { subject, notes, grants, authorizations } => {
            erase::forget(state, context, subject, notes, grants, authorizations)
        }
        Command::FinishErasure { subject } => erase::finish(state, context, subject),
    }
}

/// Adds the clear text of a note to what stands beside the ledger: its salt, then its text.
pub(crate) fn keep_note(decided: Decided, note: Option<Note>) -> Decided {
    let Some(note) = note else { return decided };
    let mut bytes = note.salt.to_vec();
    bytes.extend_from_slice(note.text.as_str().as_bytes());
    decided.with(Write::Blob(BlobKey::Note(note.id), Sealed::new(bytes)))
}

/// The subject, if anything may be done for it.
pub(crate) fn enabled(state: &State, subject: SubjectId) -> Result<&Subject, Rejection> {
    let known = state.subjects.get(&subject).ok_or(Rejection::Unknown(Thing::Subject))?;
    if known.enabled { Ok(known) } else { Err(Rejection::Disabled(Thing::Subject)) }
}

fn register(
    state: &State,
    subject: SubjectId,
    kind: Kind,
    entry: DirectoryEntry,
    commitment: Commitment,
) -> Result<Decided, Rejection> {
    if state.subjects.contains(&subject) {
        return Err(Rejection::Exists(Thing::Subject));
    }
    let taken = |identifier| state.subject_identified(identifier).is_some();
    if state.subject_named(entry.user_name.as_str()).is_some() || entry.identifiers.iter().any(taken) {
        return Err(Rejection::NameTaken(Thing::Subject));
    }
    if entry.identifiers.len() > IDENTIFIERS_MAX {
        return Err(Rejection::TooMany { limit: IDENTIFIERS_MAX });
    }
    match kind {
        Kind::Person => {}
        Kind::Service { owner } | Kind::Shared { owner } => {
            let owner = enabled(state, owner)?;
            if owner.kind != Kind::Person {
                return Err(Rejection::Unknown(Thing::Subject));
            }
        }
    }
    let event = AnyEvent::Subject(Event::Registered { subject, kind, commitment });
    Ok(Decided::event(event).with(Write::Directory(subject, entry)))
}

fn sign_in(
    state: &State,
    subject: SubjectId,
    identity_provider: IdentityProviderId,
    identifier: Identifier,
    commitment: Commitment,
) -> Result<Decided, Rejection> {
    let known = enabled(state, subject)?;
    if known.kind != Kind::Person {
        return Err(Rejection::WrongPrincipal);
    }
    let provider = state
        .identity_providers
        .get(&identity_provider)
        .ok_or(Rejection::Unknown(Thing::IdentityProvider))?;
    if provider.registration.issuer != identifier.issuer {
        return Err(Rejection::IdentifierMismatch);
    }
    let entry = state.directory.get(&subject).ok_or(Rejection::Unknown(Thing::Subject))?;
    let signed_in = AnyEvent::Subject(Event::SignedIn { subject, identity_provider });
    match state.subject_identified(&identifier) {
        Some(owner) if owner.id == subject => Ok(Decided::event(signed_in)),
        Some(_) => Err(Rejection::IdentifierMismatch),
        None if entry.identifiers.iter().any(|pinned| pinned.issuer == identifier.issuer) => {
            Err(Rejection::IdentifierMismatch)
        }
        None if entry.identifiers.len() >= IDENTIFIERS_MAX => {
            Err(Rejection::TooMany { limit: IDENTIFIERS_MAX })
        }
        None => {
            let mut entry = entry.clone();
            entry.identifiers.push(identifier);
            let pinned = AnyEvent::Subject(Event::Pinned { subject, identity_provider, commitment });
            Ok(Decided::events([pinned, signed_in]).with(Write::Directory(subject, entry)))
        }
    }
}

/// Folds.
pub fn evolve(state: &mut State, context: Context, event: &Event) {
    match event {
        Event::Registered { subject, kind, commitment: _ } => {
            let row =
                Subject { id: *subject, kind: *kind, enabled: true, pinned: false, revision: context.seq };
            state.subjects.put(*subject, row);
        }
        Event::Pinned { subject, .. } => change(state, context, *subject, |row| row.pinned = true),
        Event::SignedIn { .. } => {}
        Event::Disabled { subject, .. } => {
            change(state, context, *subject, |row| row.enabled = false);
            state.raise_epoch(Selector::Subject(*subject), context.seq, true);
        }
        Event::Enabled { subject } => change(state, context, *subject, |row| row.enabled = true),
        Event::Erased { subject, tokens_until } => {
            change(state, context, *subject, |row| row.enabled = false);
            state.raise_epoch(Selector::Subject(*subject), context.seq, true);
            let erasure = Erasure { erased_at: context.at, tokens_until: *tokens_until, finished_at: None };
            state.erasures.put(*subject, erasure);
        }
        Event::TokensAbandoned { target, .. } => state.remove_upstream_task(*target),
        Event::ErasureFinished { subject } => {
            if let Some(known) = state.erasures.get(subject).copied() {
                state.erasures.put(*subject, Erasure { finished_at: Some(context.at), ..known });
            }
        }
    }
}

fn change(state: &mut State, context: Context, subject: SubjectId, change: impl FnOnce(&mut Subject)) {
    if let Some(known) = state.subjects.get(&subject) {
        let mut row = known.clone();
        change(&mut row);
        row.revision = context.seq;
        state.subjects.put(subject, row);
    }
}
