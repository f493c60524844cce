//! The keys of a running cluster: what there is and what is under it; versions that are added, emptied and retired.
//!
//! Nothing secret leaves: keys are given out wrapped by the root key alone, and check values say which key is which.

pub(crate) mod live;
pub(crate) mod rewrap;
pub(crate) mod root;
pub(crate) mod usage;

use leasehold_domain::{
    command::{Command, Entity, Fact},
    event::Event,
    organisation::{self, KeyId, KeyPurpose},
    rejection::{Kind, Rejection},
    time::Timestamp,
};
use leasehold_policy::AdministratorAction;
use leasehold_vault::{Keyring, Purpose, WrappedKey};

use crate::{
    caller::Caller,
    control::Control,
    founding::blob,
    problem::Problem,
    propose::{Applied, Retry},
};
use usage::KeyUse;

/// How often something is tried again because a key was added meanwhile.
const ROUNDS_MAX: usize = 4;

/// A key, and what is under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyState {
    /// Which key.
    pub id: KeyId,
    /// Whether it is the one that seals.
    pub current: bool,
    /// When it was added.
    pub added_at: Timestamp,
    /// What is under it.
    pub uses: KeyUse,
    /// Its check value, which tells it from other keys and nothing else.
    pub check: [u8; 16],
}

/// All keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysState {
    /// The keys, by purpose and version.
    pub keys: Vec<KeyState>,
    /// The check value of the root key that wraps them.
    pub root_key_check: [u8; 16],
    /// The size of the ledger that this speaks of.
    pub size: u64,
}

/// The keyring as it is stored: ciphertext under the root key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKeys {
    /// Whose.
    pub organisation: leasehold_domain::id::OrganisationId,
    /// The keys.
    pub keys: Vec<Vec<u8>>,
    /// The check value of the root key that wraps them.
    pub root_key_check: [u8; 16],
}

/// A key as commands carry it.
pub(crate) fn wrapped_key(key: &WrappedKey) -> Result<organisation::WrappedKey, Problem> {
    let wrapped = blob(key.to_bytes().to_vec())?;
    Ok(organisation::WrappedKey { purpose: domain_purpose(key.purpose()), version: key.version(), wrapped })
}

pub(crate) const fn domain_purpose(purpose: Purpose) -> KeyPurpose {
    match purpose {
        Purpose::AccessTokens => KeyPurpose::AccessTokens,
        Purpose::RefreshTokens => KeyPurpose::RefreshTokens,
        Purpose::Signing => KeyPurpose::Signing,
        Purpose::Pseudonyms => KeyPurpose::Pseudonyms,
    }
}

pub(crate) const fn vault_purpose(purpose: KeyPurpose) -> Purpose {
    match purpose {
        KeyPurpose::AccessTokens => Purpose::AccessTokens,
        KeyPurpose::RefreshTokens => Purpose::RefreshTokens,
        KeyPurpose::Signing => Purpose::Signing,
        KeyPurpose::Pseudonyms => Purpose::Pseudonyms,
    }
}

impl Control {
    /// The keys, and what is under each.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn keys(&self, caller: &Caller) -> Result<KeysState, Problem> {
        self.authorize_any(caller, &[AdministratorAction::Secure, AdministratorAction::Audit]).await?;
        self.read(|_| ()).await?;
        let uses = self.key_use().await?;
        let keyring = self.keyring();
        let (known, size) = self.read_now(|state| {
            let known: Vec<_> = state
                .keys
                .iter()
                .map(|(id, key)| {
                    let current = state.singular.key_versions.get(&id.purpose) == Some(&id.version);
                    (*id, current, key.added_at)
                })
                .collect();
            (known, state.clock.next_seq)
        });
        let keys = known.into_iter().filter_map(|(id, current, added_at)| {
            // One that was retired in this very moment is left out.
            let check = keyring.key_check(vault_purpose(id.purpose), id.version)?;
            Some(KeyState { id, current, added_at, uses: uses.get(&id).copied().unwrap_or_default(), check })
        });
        Ok(KeysState { keys: keys.collect(), root_key_check: keyring.root_check().to_bytes(), size })
    }

    /// Adds a version of a key, which seals from here on.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn rotate_key(&self, caller: &Caller, purpose: KeyPurpose) -> Result<KeyId, Problem> {
        self.authorize_administrator(caller, AdministratorAction::Secure).await?;
        for _ in 0..ROUNDS_MAX {
            let keyring_revision = self.read(leasehold_domain::state::State::keyring_revision).await?;
            let keys = &self.0.parts.keys;
            let drawn = self
                .keyring()
                .draw_version(vault_purpose(purpose), keys.root_key(), self.entropy())
                .map_err(|error| Problem::fault("draw a key", &error))?;
            let key = wrapped_key(&drawn)?;
            let command = organisation::Command::AddKeyVersion { key, keyring: keyring_revision };
            match self.propose(caller, Command::Organisation(command)).await {
                Ok(applied) => return added(&applied),
                Err(Problem::Rejected(Rejection::Superseded)) => {}
                Err(problem) => return Err(problem),
            }
        }
        Err(Problem::Overloaded)
    }

    /// Forgets a version of a key. Looks at everything that is sealed first: where something is under it, it stays.
    ///
    /// # Errors
    /// [`Rejection::KeyInUse`] with how many things are under it, and [`Problem`] as its kinds say.
    pub async fn retire_key(&self, caller: &Caller, key: KeyId) -> Result<u64, Problem> {
        self.authorize_administrator(caller, AdministratorAction::Secure).await?;
        let (known, current) = self
            .read(|state| {
                (
                    state.keys.contains(&key),
                    state.singular.key_versions.get(&key.purpose) == Some(&key.version),
                )
            })
            .await?;
        if !known {
            return Err(Rejection::Unknown(Kind::Key).into());
        }
        if current {
            return Err(Rejection::CurrentKey.into());
        }
        // Another version seals since before this look began, so nothing comes under this one that the look does not meet.
        let count = self.key_use().await?.get(&key).map_or(0, KeyUse::total);
        if count > 0 {
            return Err(Rejection::KeyInUse { count }.into());
        }
        let command = organisation::Command::RetireKeyVersion { key };
        Ok(self.propose(caller, Command::Organisation(command)).await?.first_seq)
    }

    /// The keyring as it is stored, from which whoever has the root key makes a recovery copy.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn wrapped_keys(&self, caller: &Caller) -> Result<WrappedKeys, Problem> {
        self.authorize_administrator(caller, AdministratorAction::Secure).await?;
        self.read(|_| ()).await?;
        let (_, keys) = live::wrapped(self.ledger())?;
        Ok(WrappedKeys {
            organisation: self.organisation(),
            keys: keys.iter().map(|key| key.to_bytes().to_vec()).collect(),
            root_key_check: live::stored_check(self.ledger())?.to_bytes(),
        })
    }

    /// Which versions a keyring seals under: what is proposed rests on it.
    pub(crate) fn sealing_facts(&self, keyring: &Keyring) -> Result<Vec<Fact>, Problem> {
        [Purpose::AccessTokens, Purpose::RefreshTokens, Purpose::Signing]
            .into_iter()
            .map(|purpose| {
                let version = keyring
                    .current_version(purpose)
                    .map_err(|error| Problem::fault("seal a secret", &error))?;
                Ok(Fact { entity: Entity::Keys(domain_purpose(purpose)), revision: u64::from(version) })
            })
            .collect()
    }

    /// The same for a change that rests on the revision of `entity` that was read, where one is expected.
    ///
    /// # Errors
    /// [`Problem::ChangedSinceRead`] where it is another one by now.
    pub(crate) async fn propose_sealed_at(
        &self,
        caller: &Caller,
        entity: Entity,
        expected: Option<u64>,
        seal: impl Fn(&Keyring) -> Result<Command, Problem>,
    ) -> Result<Applied, Problem> {
        for _ in 0..ROUNDS_MAX {
            let keyring = self.keyring();
            let mut facts = self.sealing_facts(&keyring)?;
            facts.extend(expected.map(|revision| Fact { entity, revision }));
            match self.propose_on(caller, facts, seal(&keyring)?).await {
                Ok(applied) => return Ok(applied),
                Err(Retry::Problem(problem)) => return Err(problem),
                Err(Retry::Stale) => {
                    let now = self.read(|state| state.revision(entity)).await?;
                    if expected.is_some_and(|revision| revision != now) {
                        return Err(Problem::ChangedSinceRead);
                    }
                }
            }
        }
        Err(Problem::Overloaded)
    }

    /// Seals, and proposes what was sealed. Where a key was added in between it is sealed again: nothing comes under a former key.
    pub(crate) async fn propose_sealed(
        &self,
        caller: &Caller,
        seal: impl Fn(&Keyring) -> Result<Command, Problem>,
    ) -> Result<Applied, Problem> {
        for _ in 0..ROUNDS_MAX {
            let keyring = self.keyring();
            let facts = self.sealing_facts(&keyring)?;
            match self.propose_on(caller, facts, seal(&keyring)?).await {
                Ok(applied) => return Ok(applied),
                Err(Retry::Stale) => {}
                Err(Retry::Problem(problem)) => return Err(problem),
            }
        }
        Err(Problem::Overloaded)
    }
}

fn added(applied: &Applied) -> Result<KeyId, Problem> {
    match applied.events.first() {
        Some(Event::Organisation(organisation::Event::KeyVersionAdded { purpose, version })) => {
            Ok(KeyId { purpose: *purpose, version: *version })
        }
        Some(_) | None => Err(Problem::fault("add a key", &"the event does not say so")),
    }
}
