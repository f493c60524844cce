//! Deciding for the organisation and its keys.

use alloc::{collections::BTreeSet, vec, vec::Vec};

use super::{
    Command, Event, KEYS_MAX, KeyId, KeyPurpose, KeyVersion, LEVEL, Organisation, WrappedKey, rewrap,
};
use crate::{
    actor::Principal,
    authorization::Phase,
    event::Event as AnyEvent,
    grant,
    machine::{Context, Decided, Write},
    rejection::{Kind, Rejection},
    state::{BlobKey, State},
    text::{KeyCheck, Sealed},
};

/// The most key-encryption keys with which an organisation begins.
const FIRST_KEYS_MAX: usize = 7;

/// Decides.
///
/// # Errors
/// [`Rejection::AlreadyFounded`] a second time, [`Rejection::TooMany`] for more keys than may be, [`Rejection::Superseded`] for what was
/// made from another keyring than the present one, [`Rejection::CurrentKey`] and [`Rejection::KeyInUse`] for a key that is needed.
pub fn decide(state: &State, context: Context, command: Command) -> Result<Decided, Rejection> {
    match command {
        Command::Found { organisation, root_check, keys, signer } => {
            found(state, organisation, root_check, keys, signer)
        }
        Command::AddKeyVersion { key, keyring } => add(state, key, keyring),
        Command::RetireKeyVersion { key } => retire(state, key),
        Command::Rewrap { items } => {
            founded(state)?;
            rewrap::decide(state, context, items)
        }
        Command::ReplaceRootKey { .. } if context.actor.principal != Principal::Cluster => {
            Err(Rejection::WrongPrincipal)
        }
        Command::ReplaceRootKey { keyring, before, after, keys } => {
            replace_root_key(state, keyring, before, after, keys)
        }
    }
}

fn found(
    state: &State,
    organisation: Organisation,
    root_check: Sealed,
    keys: Vec<WrappedKey>,
    signer: super::Signer,
) -> Result<Decided, Rejection> {
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
    let decided = Decided::events(events)
        .with(Write::Blob(BlobKey::RootCheck, Some(root_check)))
        .with(Write::Blob(BlobKey::SigningKey, Some(signer.sealed)))
        .with(Write::Verifier(signer.verifier));
    Ok(keep_keys(decided, keys))
}

fn keep_keys(decided: Decided, keys: Vec<WrappedKey>) -> Decided {
    keys.into_iter().fold(decided, |decided, key| {
        decided.with(Write::Blob(BlobKey::WrappedKey(key.purpose, key.version), Some(key.wrapped)))
    })
}

fn add(state: &State, key: WrappedKey, keyring: u64) -> Result<Decided, Rejection> {
    founded(state)?;
    let current = state.singular.key_versions.get(&key.purpose).copied().unwrap_or(0);
    if keyring != state.keyring_revision() || current.checked_add(1) != Some(key.version) {
        return Err(Rejection::Superseded);
    }
    if state.keys.len() >= KEYS_MAX {
        return Err(Rejection::TooMany { limit: KEYS_MAX });
    }
    let event = Event::KeyVersionAdded { purpose: key.purpose, version: key.version };
    Ok(keep_keys(Decided::event(AnyEvent::Organisation(event)), vec![key]))
}

fn retire(state: &State, key: KeyId) -> Result<Decided, Rejection> {
    founded(state)?;
    if !state.keys.contains(&key) {
        return Err(Rejection::Unknown(Kind::Key));
    }
    if state.singular.key_versions.get(&key.purpose) == Some(&key.version) {
        return Err(Rejection::CurrentKey);
    }
    // Of what is sealed the domain knows nothing; whoever proposes has looked, and since the next version was added nothing comes under
    // this one any more. Names of accounts are in its own state, and go on coming.
    let named =
        if key.purpose == KeyPurpose::Pseudonyms { state.accounts_named_under(key.version) } else { 0 };
    if named > 0 {
        return Err(Rejection::KeyInUse { count: named });
    }
    let KeyId { purpose, version } = key;
    let event = AnyEvent::Organisation(Event::KeyVersionRetired { purpose, version });
    Ok(Decided::event(event).with(Write::Blob(BlobKey::WrappedKey(purpose, version), None)))
}

fn replace_root_key(
    state: &State,
    keyring: u64,
    before: KeyCheck,
    after: KeyCheck,
    keys: Vec<WrappedKey>,
) -> Result<Decided, Rejection> {
    founded(state)?;
    let given: BTreeSet<KeyId> =
        keys.iter().map(|key| KeyId { purpose: key.purpose, version: key.version }).collect();
    let all = given.len() == keys.len() && given.iter().eq(state.keys.iter().map(|(id, _)| id));
    if keyring != state.keyring_revision() || !all {
        return Err(Rejection::Superseded);
    }
    let count = u32::try_from(keys.len()).unwrap_or(u32::MAX);
    let event = Event::RootKeyReplaced { before, after, keys: count };
    let decided = Decided::event(AnyEvent::Organisation(event))
        .with(Write::Blob(BlobKey::RootCheck, Sealed::new(after.to_bytes())));
    Ok(keep_keys(decided, keys))
}

fn founded(state: &State) -> Result<(), Rejection> {
    if state.singular.organisation.is_some() { Ok(()) } else { Err(Rejection::NotFounded) }
}

impl State {
    /// The sequence number of the event since which the keyring is wrapped as it is now. It never goes back: the newest key of a purpose is
    /// never retired.
    pub fn keyring_revision(&self) -> u64 {
        self.keys.iter().map(|(_, key)| key.revision).max().unwrap_or(0)
    }

    /// How many accounts, of grants and of consents on their way, are named under this version of the pseudonym key.
    pub fn accounts_named_under(&self, version: u32) -> u64 {
        let grants = self.grants.iter().filter(|(_, grant)| {
            !matches!(grant.phase, grant::Phase::Revoked { .. }) && grant.key.account.key_version() == version
        });
        let consents = self.authorizations.iter().filter(|(_, known)| {
            matches!(&known.phase, Phase::Exchanged { account, .. } if account.key_version() == version)
        });
        (grants.count() + consents.count()) as u64
    }
}

/// Folds.
pub fn evolve(state: &mut State, context: Context, event: &Event) {
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
            let key = KeyVersion { added_at: context.at, revision: context.seq };
            state.keys.put(KeyId { purpose: *purpose, version: *version }, key);
        }
        Event::KeyVersionRetired { purpose, version } => {
            state.keys.remove(&KeyId { purpose: *purpose, version: *version });
        }
        Event::SecretsRewrapped { .. } => {}
        Event::RootKeyReplaced { .. } => {
            let all: Vec<(KeyId, KeyVersion)> = state.keys.iter().map(|(id, key)| (*id, *key)).collect();
            for (id, key) in all {
                state.keys.put(id, KeyVersion { revision: context.seq, ..key });
            }
        }
    }
}
