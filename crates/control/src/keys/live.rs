//! The keys of this node: always those that the state speaks of.
//!
//! They are looked at anew at every use. So a version seals on each node as soon as the node has applied the event that added it, and not
//! before, and a retired one opens nothing any more.

use std::sync::{Arc, PoisonError, RwLock};

use leasehold_domain::{
    id::OrganisationId,
    organisation::KeyId,
    rejection::Rejection,
    state::{BlobKey, State},
    text::Sealed,
};
use leasehold_ledger::Ledger;
use leasehold_vault::{CheckpointSigner, Keyring, OpenKeyringError, RootKey, RootKeyCheck, WrappedKey};

use crate::{
    founding::{FIRST_SIGNING_KEY, key_name},
    problem::Problem,
};

/// How often the keys are read again that changed while they were read.
const ROUNDS_MAX: usize = 4;

/// The keys of this node. The root key stays with them: every node unwraps a version that was added by itself.
pub struct Keys {
    ledger: Ledger,
    root_key: RootKey,
    held: RwLock<Held>,
}

/// Which keys there are, each with the revision at which it is wrapped as it is.
pub(super) type Revisions = Vec<(KeyId, u64)>;

struct Held {
    made_of: Revisions,
    keyring: Arc<Keyring>,
}

impl Keys {
    /// Opens the keys of an organisation that exists, and its checkpoint signing key. Nothing is written, whatever comes of it.
    ///
    /// # Errors
    /// [`Problem::Invalid`] where the root key is not the one that wraps them; [`Problem::Fault`] where the stored keys are damaged.
    pub fn open(ledger: Ledger, root_key: RootKey) -> Result<(Self, CheckpointSigner), Problem> {
        let held = open_held(&ledger, &root_key)?;
        let signer = open_signer(&ledger, &held.keyring)?;
        Ok((Self { ledger, root_key, held: RwLock::new(held) }, signer))
    }

    /// The keyring as the state of this moment has it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn current(&self) -> Result<Arc<Keyring>, Problem> {
        {
            let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
            let same = self.ledger.read(|state| versions(state).eq(held.made_of.iter().copied()));
            if same.map_err(|error| Problem::fault("read the keys", &error))? {
                return Ok(held.keyring.clone());
            }
        }
        let opened = open_held(&self.ledger, &self.root_key)?;
        let keyring = opened.keyring.clone();
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = opened;
        Ok(keyring)
    }

    pub(crate) fn root_key(&self) -> &RootKey {
        &self.root_key
    }
}

fn versions(state: &State) -> impl Iterator<Item = (KeyId, u64)> {
    state.keys.iter().map(|(id, key)| (*id, key.revision))
}

pub(super) fn organisation(ledger: &Ledger) -> Result<OrganisationId, Problem> {
    let known = ledger.read(|state| state.singular.organisation.as_ref().map(|known| known.id));
    let known = known.map_err(|error| Problem::fault("read the organisation", &error))?;
    Ok(known.ok_or(Rejection::NotFounded)?)
}

fn stored(ledger: &Ledger, key: &BlobKey) -> Result<Option<Sealed>, Problem> {
    ledger.blob(key).map_err(|error| Problem::fault("read a wrapped key", &error))
}

/// The check value of the root key that wraps the stored keys.
pub(super) fn stored_check(ledger: &Ledger) -> Result<RootKeyCheck, Problem> {
    let blob = stored(ledger, &BlobKey::RootCheck)?;
    let bytes = blob.as_ref().and_then(|blob| blob.as_bytes().try_into().ok());
    bytes
        .map(RootKeyCheck::from_bytes)
        .ok_or_else(|| Problem::fault("read the root key's check", &"it is not there, or has another length"))
}

/// Whether this root key wraps the stored keys.
///
/// # Errors
/// [`Problem::Fault`] where its check value is damaged.
pub(super) fn root_key_fits(ledger: &Ledger, root_key: &RootKey) -> Result<bool, Problem> {
    Ok(stored_check(ledger)? == root_key.check(organisation(ledger)?))
}

/// The stored keys, wrapped as they are, with the revision at which they are wrapped so.
pub(super) fn wrapped(ledger: &Ledger) -> Result<(Revisions, Vec<WrappedKey>), Problem> {
    for _ in 0..ROUNDS_MAX {
        let read = || ledger.read(|state| versions(state).collect::<Vec<_>>());
        let before = read().map_err(|error| Problem::fault("read the keys", &error))?;
        let blobs = before
            .iter()
            .map(|(id, _)| stored(ledger, &BlobKey::WrappedKey(id.purpose, id.version)))
            .collect::<Result<Vec<_>, _>>()?;
        // What changed while it was read is read again.
        if read().map_err(|error| Problem::fault("read the keys", &error))? != before {
            continue;
        }
        let keys = blobs.into_iter().map(|blob| {
            let blob = blob.ok_or_else(|| Problem::fault("read a wrapped key", &"it is gone"))?;
            WrappedKey::from_bytes(blob.as_bytes())
                .map_err(|error| Problem::fault("read a wrapped key", &error))
        });
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        return Ok((before, keys));
    }
    Err(Problem::Overloaded)
}

fn open_held(ledger: &Ledger, root_key: &RootKey) -> Result<Held, Problem> {
    let wrong = || {
        Problem::invalid(
            "root key",
            "the one that wraps the keys of this data directory: it does not open them, and nothing was changed",
        )
    };
    if !root_key_fits(ledger, root_key)? {
        return Err(wrong());
    }
    let (made_of, wrapped) = wrapped(ledger)?;
    let opened = Keyring::open(organisation(ledger)?, root_key, &wrapped);
    let keyring = opened.map_err(|error| {
        if error == OpenKeyringError::WrongRootKey {
            wrong()
        } else {
            Problem::fault("open the keyring", &error)
        }
    })?;
    Ok(Held { made_of, keyring: Arc::new(keyring) })
}

/// Opens the checkpoint signing key.
pub(super) fn open_signer(ledger: &Ledger, keyring: &Keyring) -> Result<CheckpointSigner, Problem> {
    let origin = ledger
        .read(|state| state.singular.organisation.as_ref().map(|known| known.origin.to_string()))
        .map_err(|error| Problem::fault("read the organisation", &error))?
        .ok_or(Rejection::NotFounded)?;
    let blob = stored(ledger, &BlobKey::SigningKey)?
        .ok_or_else(|| Problem::fault("read the signing key", &"it is gone"))?;
    let sealed = leasehold_vault::Sealed::from_bytes(blob.as_bytes())
        .map_err(|error| Problem::fault("read the signing key", &error))?;
    CheckpointSigner::open(key_name(&origin)?, FIRST_SIGNING_KEY, keyring, &sealed)
        .map_err(|error| Problem::fault("open the signing key", &error))
}
