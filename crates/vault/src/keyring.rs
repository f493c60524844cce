//! The keyring: versioned key-encryption keys for each purpose, wrapped by the root key.
//!
//! The current version of a purpose, its highest, seals; every version opens. A new version is first drawn, then committed by the
//! caller, and only then admitted on each node: a key that not every node is sure to have must not seal anything. Wrapped keys are
//! safe to store and to replicate.

use std::collections::BTreeMap;

use leasehold_domain::id::OrganisationId;
use thiserror::Error;

use crate::{
    cipher::{CHECK_LEN, CipherKey, KeyMaterial},
    entropy::Entropy,
    frame::Frame,
    purpose::Purpose,
    root::{RootKey, RootKeyCheck},
};

mod wrapped;

pub use wrapped::{MalformedWrappedKey, WrappedKey};

/// The key-encryption keys of one organisation. It may hold some purposes only; what it lacks it cannot seal or open.
pub struct Keyring {
    organisation: OrganisationId,
    root: RootKeyCheck,
    keys: BTreeMap<(Purpose, u32), KeyEncryptionKey>,
}

/// One version of one purpose. Each use has a key of its own, derived from the same material.
pub(crate) struct KeyEncryptionKey {
    pub(crate) material: KeyMaterial,
    /// Wraps data keys.
    pub(crate) wrapping: CipherKey,
    /// Seals secrets that belong to no grant.
    pub(crate) sealing: CipherKey,
}

impl KeyEncryptionKey {
    fn new(material: KeyMaterial) -> Self {
        let wrapping = CipherKey::derive(&material, &Frame::new("leasehold/v1/key/wrapping"));
        let sealing = CipherKey::derive(&material, &Frame::new("leasehold/v1/key/sealing"));
        Self { material, wrapping, sealing }
    }
}

/// Why wrapped keys could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenKeyringError {
    /// There is nothing to open.
    #[error("there are no wrapped keys to open")]
    Empty,
    /// Not one of the wrapped keys carries this root key's check value.
    #[error(
        "the root key is not the one that wrapped this keyring: give the root key that the cluster was initialised with"
    )]
    WrongRootKey,
    /// The root key is right, and this wrapped key does not open: it was changed, or belongs to another organisation.
    #[error(
        "the wrapped {purpose} key of version {version} is damaged: restore it from another node or a backup"
    )]
    Damaged {
        /// Of which purpose.
        purpose: Purpose,
        /// Of which version.
        version: u32,
    },
    /// Two different keys claim one version.
    #[error("there are two different {purpose} keys of version {version}")]
    Ambiguous {
        /// Of which purpose.
        purpose: Purpose,
        /// Of which version.
        version: u32,
    },
    /// More keys than [`Keyring::KEYS_MAX`].
    #[error("there are more than {} wrapped keys", Keyring::KEYS_MAX)]
    TooMany,
}

/// Why no further version can be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DrawVersionError {
    /// The keyring was opened with another root key, so the new version could not be opened beside the others.
    #[error("the root key is not the one that this keyring was opened with")]
    WrongRootKey,
    /// The keyring holds no key of this purpose, so it cannot know which version is next.
    #[error("the keyring holds no {purpose} key")]
    NoCurrentKey {
        /// Of which purpose.
        purpose: Purpose,
    },
    /// The keyring is full.
    #[error("the keyring holds {} keys: retire old versions first", Keyring::KEYS_MAX)]
    Full,
}

/// Why a version cannot be retired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RetireVersionError {
    /// It is the one that seals.
    #[error("version {version} of the {purpose} key is the current one: add a version first")]
    Current {
        /// Of which purpose.
        purpose: Purpose,
        /// Of which version.
        version: u32,
    },
    /// There is no such version.
    #[error("the keyring holds no {purpose} key of version {version}")]
    Unknown {
        /// Of which purpose.
        purpose: Purpose,
        /// Of which version.
        version: u32,
    },
}

/// The keyring holds no key of a purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the keyring holds no {purpose} key")]
pub struct NoCurrentKey {
    /// Of which purpose.
    pub purpose: Purpose,
}

impl Keyring {
    /// The most keys of all purposes and versions together: at one rotation of every purpose a month, 21 years.
    pub const KEYS_MAX: usize = 1024;

    /// Draws version 1 of every purpose, and gives the keyring with its wrapped keys, which the caller stores.
    pub fn generate(
        organisation: OrganisationId,
        root: &RootKey,
        entropy: &dyn Entropy,
    ) -> (Self, Vec<WrappedKey>) {
        let keys =
            Purpose::ALL.map(|purpose| ((purpose, 1), KeyEncryptionKey::new(KeyMaterial::draw(entropy))));
        let keyring = Self { organisation, root: root.check(organisation), keys: BTreeMap::from(keys) };
        let wrapped = keyring.rewrap(root, entropy);
        (keyring, wrapped)
    }

    /// Opens wrapped keys, of all purposes or of some.
    ///
    /// # Errors
    /// [`OpenKeyringError::WrongRootKey`] when none of them carries the check value of `root`; where only some do not, those are
    /// [`OpenKeyringError::Damaged`], for a keyring is always wrapped as a whole.
    pub fn open(
        organisation: OrganisationId,
        root: &RootKey,
        wrapped: &[WrappedKey],
    ) -> Result<Self, OpenKeyringError> {
        let check = root.check(organisation);
        if wrapped.is_empty() {
            return Err(OpenKeyringError::Empty);
        }
        if wrapped.iter().all(|key| key.root_check() != check) {
            return Err(OpenKeyringError::WrongRootKey);
        }
        let mut keyring = Self { organisation, root: check, keys: BTreeMap::new() };
        wrapped.iter().try_for_each(|key| keyring.admit_under(&root.wrapping(organisation), key))?;
        Ok(keyring)
    }

    /// Draws the version after the current one, wrapped, without adding it: commit it first, then [`Keyring::admit`] it everywhere.
    ///
    /// # Errors
    /// [`DrawVersionError`].
    pub fn draw_version(
        &self,
        purpose: Purpose,
        root: &RootKey,
        entropy: &dyn Entropy,
    ) -> Result<WrappedKey, DrawVersionError> {
        if root.check(self.organisation) != self.root {
            return Err(DrawVersionError::WrongRootKey);
        }
        let current =
            self.current_version(purpose).map_err(|_| DrawVersionError::NoCurrentKey { purpose })?;
        let next = current.checked_add(1).filter(|_| self.keys.len() < Self::KEYS_MAX);
        let version = next.ok_or(DrawVersionError::Full)?;
        let wrapping = root.wrapping(self.organisation);
        let material = KeyMaterial::draw(entropy);
        Ok(WrappedKey::wrap(&wrapping, self.organisation, purpose, version, &material, entropy))
    }

    /// Adds a wrapped key that was drawn and committed. If its version is the highest of its purpose, it seals from now on.
    /// Admitting the same key again changes nothing.
    ///
    /// # Errors
    /// [`OpenKeyringError`]; the keyring is then as it was.
    pub fn admit(&mut self, root: &RootKey, wrapped: &WrappedKey) -> Result<(), OpenKeyringError> {
        let check = root.check(self.organisation);
        if check != self.root || check != wrapped.root_check() {
            return Err(OpenKeyringError::WrongRootKey);
        }
        self.admit_under(&root.wrapping(self.organisation), wrapped)
    }

    /// Forgets a version, which destroys it on this node: what is sealed or wrapped under it alone no longer opens here.
    ///
    /// # Errors
    /// [`RetireVersionError`].
    pub fn retire_version(&mut self, purpose: Purpose, version: u32) -> Result<(), RetireVersionError> {
        if self.current_version(purpose) == Ok(version) {
            return Err(RetireVersionError::Current { purpose, version });
        }
        let removed = self.keys.remove(&(purpose, version));
        removed.map(drop).ok_or(RetireVersionError::Unknown { purpose, version })
    }

    /// Wraps every key anew, under this or another root key: how a root key is replaced.
    pub fn rewrap(&self, root: &RootKey, entropy: &dyn Entropy) -> Vec<WrappedKey> {
        let wrapping = root.wrapping(self.organisation);
        let wrap = |(&(purpose, version), key): (&(Purpose, u32), &KeyEncryptionKey)| {
            WrappedKey::wrap(&wrapping, self.organisation, purpose, version, &key.material, entropy)
        };
        self.keys.iter().map(wrap).collect()
    }

    /// Whose keyring it is.
    pub const fn organisation(&self) -> OrganisationId {
        self.organisation
    }

    /// The check value of the root key that it was opened with.
    pub const fn root_check(&self) -> RootKeyCheck {
        self.root
    }

    /// The version that seals for a purpose.
    ///
    /// # Errors
    /// [`NoCurrentKey`] when the keyring holds none.
    pub fn current_version(&self, purpose: Purpose) -> Result<u32, NoCurrentKey> {
        self.versions(purpose).next_back().ok_or(NoCurrentKey { purpose })
    }

    /// The check value of a key: equal check values mean equal keys, and the value tells nothing else. Nothing, where the keyring holds no
    /// such version.
    pub fn key_check(&self, purpose: Purpose, version: u32) -> Option<[u8; CHECK_LEN]> {
        self.key(purpose, version).map(|key| key.wrapping.check())
    }

    /// Whether its key of this version is the one whose check value stands beside something sealed or wrapped.
    pub fn holds(&self, purpose: Purpose, version: u32, check: [u8; CHECK_LEN]) -> bool {
        self.key(purpose, version)
            .is_some_and(|key| key.wrapping.check() == check || key.sealing.check() == check)
    }

    /// The versions that it holds for a purpose, in ascending order.
    pub fn versions(&self, purpose: Purpose) -> impl DoubleEndedIterator<Item = u32> {
        self.keys.range((purpose, 0)..=(purpose, u32::MAX)).map(|(&(_, version), _)| version)
    }

    /// The key that seals for a purpose, with its version.
    pub(crate) fn current(&self, purpose: Purpose) -> Result<(u32, &KeyEncryptionKey), NoCurrentKey> {
        let mut keys = self.keys.range((purpose, 0)..=(purpose, u32::MAX));
        keys.next_back().map(|(&(_, version), key)| (version, key)).ok_or(NoCurrentKey { purpose })
    }

    /// The key of a version.
    pub(crate) fn key(&self, purpose: Purpose, version: u32) -> Option<&KeyEncryptionKey> {
        self.keys.get(&(purpose, version))
    }

    fn admit_under(&mut self, wrapping: &CipherKey, wrapped: &WrappedKey) -> Result<(), OpenKeyringError> {
        let (purpose, version) = (wrapped.purpose(), wrapped.version());
        let material = wrapped
            .open(wrapping, self.organisation)
            .map_err(|_| OpenKeyringError::Damaged { purpose, version })?;
        match self.key(purpose, version) {
            Some(known) if known.material.matches(&material) => Ok(()),
            Some(_) => Err(OpenKeyringError::Ambiguous { purpose, version }),
            None if self.keys.len() >= Self::KEYS_MAX => Err(OpenKeyringError::TooMany),
            None => {
                self.keys.insert((purpose, version), KeyEncryptionKey::new(material));
                Ok(())
            }
        }
    }
}

#[cfg(test)]
#[path = "keyring_tests.rs"]
mod tests;
