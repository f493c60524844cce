//! Deciding for the organisation.

use alloc::vec;

use super::{Command, Event, LEVEL, Organisation};
use crate::{
    event::Event as AnyEvent,
    machine::{Decided, Write},
    rejection::Rejection,
    state::{BlobKey, State},
};

/// The most key-encryption keys with which an organisation begins.
const FIRST_KEYS_MAX: usize = 7;

/// Decides.
///
/// # Errors
/// [`Rejection::AlreadyFounded`] a second time, [`Rejection::TooMany`] for more keys than the first entry may carry.
pub fn decide(state: &State, command: Command) -> Result<Decided, Rejection> {
    let Command::Found { organisation, root_check, keys, signer } = command;
    if state.singular.organisation.is_some() {
        return Err(Rejection::AlreadyFounded);
    }
    if keys.len() > FIRST_KEYS_MAX {
        return Err(Rejection::TooMany { limit: FIRST_KEYS_MAX });
    }
    let mut events = vec![AnyEvent::Organisation(Event::Founded {
        organisation: organisation.id,
        origin: organisation.origin,
        development: organisation.development,
        level: LEVEL,
        verifier: signer.verifier.clone(),
    })];
    events.extend(keys.iter().map(|key| {
        AnyEvent::Organisation(Event::KeyVersionAdded { purpose: key.purpose, version: key.version })
    }));
    let mut decided = Decided::events(events)
        .with(Write::Blob(BlobKey::RootCheck, Some(root_check)))
        .with(Write::Blob(BlobKey::SigningKey, Some(signer.sealed)))
        .with(Write::Verifier(signer.verifier));
    for key in keys {
        decided = decided.with(Write::Blob(BlobKey::WrappedKey(key.purpose, key.version), Some(key.wrapped)));
    }
    Ok(decided)
}

/// Folds.
pub fn evolve(state: &mut State, event: &Event) {
    match event {
        Event::Founded { organisation, origin, development, level, verifier: _ } => {
            state.singular.organisation = Some(Organisation {
                id: *organisation,
                origin: origin.clone(),
                development: *development,
                level: *level,
            });
        }
        Event::KeyVersionAdded { purpose, version } => {
            state.singular.key_versions.insert(*purpose, *version);
        }
    }
}
