//! Data keys: one for each grant and purpose. Deleting a grant's wrapped data keys is how its tokens are erased.
//!
//! Bytes of a wrapped one: format 1, purpose 1, key version 4, version of the wrapping key 4, check value of the wrapping key 16, nonce
//! 12, ciphertext with tag 48. Numbers are big-endian.

use std::fmt;

use leasehold_domain::id::{GrantId, OrganisationId};
use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::{
    cipher::{CHECK_LEN, CipherKey, KeyMaterial, NONCE_LEN, WRAPPED_LEN},
    entropy::Entropy,
    frame::Frame,
    keyring::{Keyring, NoCurrentKey},
    purpose::Purpose,
};

const FORMAT: u8 = 1;

/// The key that seals one grant's tokens of one purpose. Wiped when dropped; without `Debug`, `Clone` or `PartialEq`.
pub struct DataKey {
    pub(crate) organisation: OrganisationId,
    pub(crate) grant: GrantId,
    pub(crate) purpose: Purpose,
    pub(crate) key_version: u32,
    pub(crate) cipher: CipherKey,
}

impl DataKey {
    fn new(
        organisation: OrganisationId,
        grant: GrantId,
        wrapped: &WrappedDataKey,
        material: &KeyMaterial,
    ) -> Self {
        let cipher = CipherKey::derive(material, &Frame::new("leasehold/v1/data-key/sealing"));
        Self { organisation, grant, purpose: wrapped.purpose, key_version: wrapped.key_version, cipher }
    }

    /// What it is for.
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The version of the key-encryption key that was current when it was drawn. Wrapping it anew does not change that.
    pub const fn key_version(&self) -> u32 {
        self.key_version
    }
}

/// A data key wrapped by a key-encryption key. Safe to store and to replicate.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedDataKey {
    purpose: Purpose,
    key_version: u32,
    wrapped_with: u32,
    check: [u8; CHECK_LEN],
    nonce: [u8; NONCE_LEN],
    ciphertext: [u8; WRAPPED_LEN],
}

/// Bytes are not a wrapped data key of a known format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the bytes are not a wrapped data key of a known format")]
pub struct MalformedDataKey;

/// Why a wrapped data key could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenDataKeyError {
    /// The keyring does not hold the version that wrapped it: retired, or never given to this node.
    #[error("the keyring holds no {purpose} key of version {version}")]
    NoKey {
        /// Of which purpose.
        purpose: Purpose,
        /// Of which version.
        version: u32,
    },
    /// The keyring's key of that version is not the one that wrapped it.
    #[error("the data key was wrapped by another {purpose} key of version {version}")]
    OtherKey {
        /// Of which purpose.
        purpose: Purpose,
        /// Of which version.
        version: u32,
    },
    /// It does not authenticate: damaged, or of another grant or organisation.
    #[error("the data key is damaged or belongs to another grant")]
    Refused,
}

impl WrappedDataKey {
    /// Bytes of one.
    pub const LEN: usize = 1 + 1 + 4 + 4 + CHECK_LEN + NONCE_LEN + WRAPPED_LEN;

    /// The bytes to store. They never change for a format.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let (version, wrapped_with) = (self.key_version.to_be_bytes(), self.wrapped_with.to_be_bytes());
        let header = [FORMAT, self.purpose.code()];
        let parts: [&[u8]; 6] =
            [&header, &version, &wrapped_with, &self.check, &self.nonce, &self.ciphertext];
        bytes.iter_mut().zip(parts.concat()).for_each(|(byte, part)| *byte = part);
        bytes
    }

    /// Reads stored bytes.
    ///
    /// # Errors
    /// [`MalformedDataKey`] for a wrong length, another format, an unknown purpose or a version 0.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MalformedDataKey> {
        Self::read(bytes).ok_or(MalformedDataKey)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (&[format, purpose], rest) = bytes.split_first_chunk()?;
        let (key_version, rest) = rest.split_first_chunk()?;
        let (wrapped_with, rest) = rest.split_first_chunk()?;
        let (check, rest) = rest.split_first_chunk()?;
        let (nonce, rest) = rest.split_first_chunk()?;
        let ciphertext = rest.try_into().ok()?;
        let (key_version, wrapped_with) =
            (u32::from_be_bytes(*key_version), u32::from_be_bytes(*wrapped_with));
        if format != FORMAT || key_version == 0 || wrapped_with == 0 {
            return None;
        }
        let purpose = Purpose::from_code(purpose)?;
        Some(Self { purpose, key_version, wrapped_with, check: *check, nonce: *nonce, ciphertext })
    }

    /// What the data key is for.
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The version that was current when the data key was drawn.
    pub const fn key_version(&self) -> u32 {
        self.key_version
    }

    /// The version that wraps it now.
    pub const fn wrapped_with(&self) -> u32 {
        self.wrapped_with
    }

    /// The check value of the key that wraps it.
    pub const fn check(&self) -> [u8; CHECK_LEN] {
        self.check
    }

    fn associated(&self, organisation: OrganisationId, grant: GrantId) -> Frame {
        Frame::new("leasehold/v1/data-key")
            .field(&organisation.to_bytes())
            .field(&grant.to_bytes())
            .field(&[self.purpose.code()])
            .field(&self.key_version.to_be_bytes())
            .field(&self.wrapped_with.to_be_bytes())
    }
}

impl fmt::Debug for WrappedDataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "WrappedDataKey({} v{}, wrapped with v{})",
            self.purpose, self.key_version, self.wrapped_with
        )
    }
}

impl Keyring {
    /// Draws a data key for a grant, wrapped under the purpose's current version.
    ///
    /// # Errors
    /// [`NoCurrentKey`] when the keyring holds no key of the purpose.
    pub fn draw_data_key(
        &self,
        purpose: Purpose,
        grant: GrantId,
        entropy: &dyn Entropy,
    ) -> Result<(DataKey, WrappedDataKey), NoCurrentKey> {
        let (current, _) = self.current(purpose)?;
        let material = KeyMaterial::draw(entropy);
        let wrapped = self.wrap_data_key(purpose, current, grant, &material, entropy)?;
        Ok((DataKey::new(self.organisation(), grant, &wrapped, &material), wrapped))
    }

    /// Opens a grant's data key.
    ///
    /// # Errors
    /// [`OpenDataKeyError`].
    pub fn open_data_key(
        &self,
        grant: GrantId,
        wrapped: &WrappedDataKey,
    ) -> Result<DataKey, OpenDataKeyError> {
        let material = self.unwrap_data_key(grant, wrapped)?;
        Ok(DataKey::new(self.organisation(), grant, wrapped, &material))
    }

    /// Wraps a grant's data key under the purpose's current version, so that older ones can be retired. Nothing, when it is wrapped
    /// so already. What the data key sealed stays as it is, and so does its key version: whoever held the old version and an old copy
    /// can still open it. After a key was exposed the grant needs a new data key, and new tokens.
    ///
    /// # Errors
    /// [`OpenDataKeyError`].
    pub fn rewrap_data_key(
        &self,
        grant: GrantId,
        wrapped: &WrappedDataKey,
        entropy: &dyn Entropy,
    ) -> Result<Option<WrappedDataKey>, OpenDataKeyError> {
        let WrappedDataKey { purpose, key_version, wrapped_with: version, .. } = *wrapped;
        if self.current_version(purpose) == Ok(version) {
            return Ok(None);
        }
        let material = self.unwrap_data_key(grant, wrapped)?;
        let rewrapped = self.wrap_data_key(purpose, key_version, grant, &material, entropy);
        rewrapped.map(Some).map_err(|_| OpenDataKeyError::NoKey { purpose, version })
    }

    fn wrap_data_key(
        &self,
        purpose: Purpose,
        key_version: u32,
        grant: GrantId,
        material: &KeyMaterial,
        entropy: &dyn Entropy,
    ) -> Result<WrappedDataKey, NoCurrentKey> {
        let (wrapped_with, key) = self.current(purpose)?;
        let check = key.wrapping.check();
        let blank = WrappedDataKey {
            purpose,
            key_version,
            wrapped_with,
            check,
            nonce: [0; NONCE_LEN],
            ciphertext: [0; WRAPPED_LEN],
        };
        let associated = blank.associated(self.organisation(), grant);
        let (nonce, ciphertext) = key.wrapping.wrap(associated, material, entropy);
        Ok(WrappedDataKey { nonce, ciphertext, ..blank })
    }

    fn unwrap_data_key(
        &self,
        grant: GrantId,
        wrapped: &WrappedDataKey,
    ) -> Result<KeyMaterial, OpenDataKeyError> {
        let (purpose, version) = (wrapped.purpose, wrapped.wrapped_with);
        let key = self.key(purpose, version).ok_or(OpenDataKeyError::NoKey { purpose, version })?;
        if !bool::from(wrapped.check.ct_eq(&key.wrapping.check())) {
            return Err(OpenDataKeyError::OtherKey { purpose, version });
        }
        let associated = wrapped.associated(self.organisation(), grant);
        key.wrapping
            .unwrap_material(associated, wrapped.nonce, &wrapped.ciphertext)
            .map_err(|_| OpenDataKeyError::Refused)
    }
}

#[cfg(test)]
#[path = "data_key_tests.rs"]
mod tests;
