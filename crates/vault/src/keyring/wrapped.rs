//! A key-encryption key as it is stored: wrapped by the root key.
//!
//! Bytes: format 1, purpose 1, version 4, check value of the root key 16, nonce 12, ciphertext with tag 48. Numbers are big-endian.

use std::fmt;

use leasehold_domain::id::OrganisationId;
use thiserror::Error;

use crate::{
    cipher::{CHECK_LEN, CipherKey, KeyMaterial, NONCE_LEN, Refused, WRAPPED_LEN},
    entropy::Entropy,
    frame::Frame,
    purpose::Purpose,
    root::RootKeyCheck,
};

const FORMAT: u8 = 1;

/// A key-encryption key, wrapped by the root key. Safe to store and to replicate.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedKey {
    purpose: Purpose,
    version: u32,
    nonce: [u8; NONCE_LEN],
    ciphertext: [u8; WRAPPED_LEN],
    check: [u8; CHECK_LEN],
}

/// Bytes are not a wrapped key of a known format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the bytes are not a wrapped key of a known format")]
pub struct MalformedWrappedKey;

impl WrappedKey {
    /// Bytes of one.
    pub const LEN: usize = 1 + 1 + 4 + CHECK_LEN + NONCE_LEN + WRAPPED_LEN;

    /// The bytes to store. They never change for a format.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let version = self.version.to_be_bytes();
        let parts: [&[u8]; 5] =
            [&[FORMAT, self.purpose.code()], &version, &self.check, &self.nonce, &self.ciphertext];
        bytes.iter_mut().zip(parts.concat()).for_each(|(byte, part)| *byte = part);
        bytes
    }

    /// Reads stored bytes.
    ///
    /// # Errors
    /// [`MalformedWrappedKey`] for a wrong length, another format, an unknown purpose or version 0.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MalformedWrappedKey> {
        Self::read(bytes).ok_or(MalformedWrappedKey)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (&[format, purpose], rest) = bytes.split_first_chunk()?;
        let (version, rest) = rest.split_first_chunk()?;
        let (check, rest) = rest.split_first_chunk()?;
        let (nonce, rest) = rest.split_first_chunk()?;
        let ciphertext = rest.try_into().ok()?;
        let version = u32::from_be_bytes(*version);
        if format != FORMAT || version == 0 {
            return None;
        }
        let purpose = Purpose::from_code(purpose)?;
        Some(Self { purpose, version, nonce: *nonce, ciphertext, check: *check })
    }

    /// What the key is for.
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The key's version, from 1.
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// The check value of the root key that wrapped it.
    pub const fn root_check(&self) -> RootKeyCheck {
        RootKeyCheck::from_bytes(self.check)
    }

    pub(super) fn wrap(
        wrapping: &CipherKey,
        organisation: OrganisationId,
        purpose: Purpose,
        version: u32,
        material: &KeyMaterial,
        entropy: &dyn Entropy,
    ) -> Self {
        let (nonce, ciphertext) =
            wrapping.wrap(associated(organisation, purpose, version), material, entropy);
        Self { purpose, version, nonce, ciphertext, check: wrapping.check() }
    }

    pub(super) fn open(
        &self,
        wrapping: &CipherKey,
        organisation: OrganisationId,
    ) -> Result<KeyMaterial, Refused> {
        if self.root_check() != RootKeyCheck::from_bytes(wrapping.check()) {
            return Err(Refused);
        }
        let associated = associated(organisation, self.purpose, self.version);
        wrapping.unwrap_material(associated, self.nonce, &self.ciphertext)
    }
}

fn associated(organisation: OrganisationId, purpose: Purpose, version: u32) -> Frame {
    Frame::new("leasehold/v1/wrapped-key")
        .field(&organisation.to_bytes())
        .field(&[purpose.code()])
        .field(&version.to_be_bytes())
}

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WrappedKey({} v{})", self.purpose, self.version)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{hex, keyring};

    #[test]
    fn the_stored_bytes_of_the_first_format_are_fixed() {
        let (_, wrapped) = keyring();
        assert_eq!(hex(&wrapped[0].to_bytes()), GOLDEN);
    }
    // Computed by another implementation of the format, on other libraries.
    const GOLDEN: &str = "01010000000115ab85de97100576cb62de4f0b785e9580440d7b73f23d651e7b8734cb8aed0ad81a1d6226e58a\
        50613c1a749ed5c36a77806f58701facff0baab86dc53cad3386bcfd3766de6def9a053e94";

    #[test]
    fn other_lengths_formats_purposes_and_version_0_are_refused() {
        let bytes = keyring().1[0].to_bytes();
        assert!(WrappedKey::from_bytes(&bytes).is_ok());
        assert!(WrappedKey::from_bytes(&bytes[..bytes.len() - 1]).is_err());
        assert!(WrappedKey::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
        for (position, value) in [(0, 0), (0, 2), (1, 0), (1, 5), (5, 0)] {
            let mut changed = bytes;
            changed[position] = value;
            assert_eq!(
                WrappedKey::from_bytes(&changed),
                Err(MalformedWrappedKey),
                "byte {position} as {value}"
            );
        }
    }

    proptest! {
        #[test]
        fn whatever_parses_prints_the_same_bytes(
            purpose in 0u8..6, version in 0u32..3, tail: [u8; 28], ciphertext in prop::collection::vec(any::<u8>(), 47..50),
        ) {
            let bytes = [&[FORMAT, purpose][..], &version.to_be_bytes(), &tail, &ciphertext].concat();
            if let Ok(parsed) = WrappedKey::from_bytes(&bytes) {
                prop_assert_eq!(parsed.to_bytes().to_vec(), bytes);
            }
        }

        #[test]
        fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = WrappedKey::from_bytes(&bytes);
        }
    }
}
