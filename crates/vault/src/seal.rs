//! Sealing and unsealing: tokens under a grant's data key, everything else under the keyring.

use thiserror::Error;

use crate::{
    binding::{Binding, OwnerBinding},
    data_key::DataKey,
    entropy::Entropy,
    keyring::Keyring,
    purpose::Purpose,
    sealed::{OpenError, Sealed},
    secret::Secret,
};

/// Why a secret could not be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SealError {
    /// The keyring holds no key of the purpose.
    #[error("the keyring holds no {purpose} key")]
    NoCurrentKey {
        /// Of which purpose.
        purpose: Purpose,
    },
    /// The data key is for other fields.
    #[error("the data key is for {held}, and the field needs one for {needed}")]
    OtherPurpose {
        /// What the data key is for.
        held: Purpose,
        /// What the field needs.
        needed: Purpose,
    },
    /// The data key is another grant's, or the binding or keyring another organisation's.
    #[error("the key belongs to another grant or organisation than the binding")]
    OtherOwner,
}

/// Why a secret could not be unsealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UnsealError {
    /// The keyring does not hold the version that sealed it: retired, or never given to this node.
    #[error("the keyring holds no {purpose} key of version {version}")]
    NoKey {
        /// Of which purpose.
        purpose: Purpose,
        /// Of which version.
        version: u32,
    },
    /// Another key sealed it.
    #[error("the secret was sealed by another key")]
    OtherKey,
    /// It does not authenticate: damaged, or moved here from another place.
    #[error("the sealed secret is damaged or belongs elsewhere")]
    Refused,
}

impl From<OpenError> for UnsealError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::OtherKey => Self::OtherKey,
            OpenError::Refused => Self::Refused,
        }
    }
}

impl DataKey {
    /// Seals a part of the grant's token set.
    ///
    /// # Errors
    /// [`SealError`] when the key does not fit the binding: it would not open again.
    pub fn seal(
        &self,
        binding: &Binding,
        plaintext: &Secret,
        entropy: &dyn Entropy,
    ) -> Result<Sealed, SealError> {
        let needed = binding.field.purpose();
        if self.purpose != needed {
            return Err(SealError::OtherPurpose { held: self.purpose, needed });
        }
        if self.grant != binding.grant || self.organisation != binding.organisation {
            return Err(SealError::OtherOwner);
        }
        let associated = binding.associated(self.key_version);
        Ok(Sealed::seal(&self.cipher, self.purpose, self.key_version, associated, plaintext, entropy))
    }

    /// Unseals a part of the grant's token set.
    ///
    /// # Errors
    /// [`UnsealError::OtherKey`] or [`UnsealError::Refused`].
    pub fn unseal(&self, binding: &Binding, sealed: &Sealed) -> Result<Secret, UnsealError> {
        if sealed.purpose() != self.purpose || sealed.key_version() != self.key_version {
            return Err(UnsealError::OtherKey);
        }
        Ok(sealed.open(&self.cipher, binding.associated(self.key_version))?)
    }
}

impl Keyring {
    /// Seals a secret that belongs to no grant, under the current version of its owner's purpose.
    ///
    /// # Errors
    /// [`SealError::NoCurrentKey`]; [`SealError::OtherOwner`] for another organisation's binding.
    pub fn seal(
        &self,
        binding: &OwnerBinding,
        plaintext: &Secret,
        entropy: &dyn Entropy,
    ) -> Result<Sealed, SealError> {
        let purpose = binding.owner.purpose();
        if self.organisation() != binding.organisation {
            return Err(SealError::OtherOwner);
        }
        let (version, key) = self.current(purpose).map_err(|_| SealError::NoCurrentKey { purpose })?;
        Ok(Sealed::seal(&key.sealing, purpose, version, binding.associated(version), plaintext, entropy))
    }

    /// Unseals a secret that belongs to no grant.
    ///
    /// # Errors
    /// [`UnsealError`].
    pub fn unseal(&self, binding: &OwnerBinding, sealed: &Sealed) -> Result<Secret, UnsealError> {
        let (purpose, version) = (binding.owner.purpose(), sealed.key_version());
        if sealed.purpose() != purpose {
            return Err(UnsealError::OtherKey);
        }
        let key = self.key(purpose, version).ok_or(UnsealError::NoKey { purpose, version })?;
        Ok(sealed.open(&key.sealing, binding.associated(version))?)
    }
}

#[cfg(test)]
#[path = "seal_tests.rs"]
mod tests;
