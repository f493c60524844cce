//! A sealed secret as it is stored.
//!
//! Bytes: format 1, purpose 1, key version 4, check value of the key 16, nonce 12, then the ciphertext and its tag of 16. Numbers
//! are big-endian. All that precedes the nonce is in the associated data, and the nonce is what GCM-SIV authenticates with.

use std::fmt;

use secrecy::{ExposeSecretMut, SecretBox};
use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::{
    cipher::{CHECK_LEN, CipherKey, NONCE_LEN, Seal, TAG_LEN},
    entropy::Entropy,
    frame::Frame,
    purpose::Purpose,
    secret::Secret,
};

const FORMAT: u8 = 1;
const HEADER_LEN: usize = 1 + 1 + 4 + CHECK_LEN + NONCE_LEN;

/// A sealed secret: ciphertext that may be stored, replicated and backed up.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    purpose: Purpose,
    key_version: u32,
    check: [u8; CHECK_LEN],
    nonce: [u8; NONCE_LEN],
    ciphertext: Box<[u8]>,
    tag: [u8; TAG_LEN],
}

/// Bytes are not a sealed secret of a known format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the bytes are not a sealed secret of a known format")]
pub struct MalformedSealed;

/// Why [`Sealed::open`] did not.
pub(crate) enum OpenError {
    /// Another key sealed it.
    OtherKey,
    /// It does not authenticate.
    Refused,
}

impl Sealed {
    /// Bytes that sealing adds to a plaintext.
    pub const OVERHEAD: usize = HEADER_LEN + TAG_LEN;
    /// The most bytes of one.
    pub const LEN_MAX: usize = Secret::LEN_MAX + Self::OVERHEAD;

    /// The bytes to store. They never change for a format.
    pub fn to_bytes(&self) -> Vec<u8> {
        let version = self.key_version.to_be_bytes();
        let header = [FORMAT, self.purpose.code()];
        let parts: [&[u8]; 6] = [&header, &version, &self.check, &self.nonce, &self.ciphertext, &self.tag];
        parts.concat()
    }

    /// Reads stored bytes.
    ///
    /// # Errors
    /// [`MalformedSealed`] for a length out of bounds, another format, an unknown purpose or key version 0.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MalformedSealed> {
        Self::read(bytes).ok_or(MalformedSealed)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > Self::LEN_MAX {
            return None;
        }
        let (&[format, purpose], rest) = bytes.split_first_chunk()?;
        let (version, rest) = rest.split_first_chunk()?;
        let (check, rest) = rest.split_first_chunk()?;
        let (nonce, rest) = rest.split_first_chunk()?;
        let (ciphertext, tag) = rest.split_last_chunk()?;
        let key_version = u32::from_be_bytes(*version);
        if format != FORMAT || key_version == 0 {
            return None;
        }
        let purpose = Purpose::from_code(purpose)?;
        Some(Self {
            purpose,
            key_version,
            check: *check,
            nonce: *nonce,
            ciphertext: ciphertext.into(),
            tag: *tag,
        })
    }

    /// What the key that sealed it is for.
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The version of the key-encryption key under which its key was drawn. Whoever holds that version may have opened it, whatever
    /// its data key was wrapped with later.
    pub const fn key_version(&self) -> u32 {
        self.key_version
    }

    /// The check value of the key that sealed it.
    pub const fn check(&self) -> [u8; CHECK_LEN] {
        self.check
    }

    pub(crate) fn seal(
        key: &CipherKey,
        purpose: Purpose,
        key_version: u32,
        associated: Frame,
        plaintext: &Secret,
        entropy: &dyn Entropy,
    ) -> Self {
        let mut ciphertext: Box<[u8]> = plaintext.expose().into();
        let Seal { nonce, tag } = key.seal(associated, &mut ciphertext, entropy);
        Self { purpose, key_version, check: key.check(), nonce, ciphertext, tag }
    }

    pub(crate) fn open(&self, key: &CipherKey, associated: Frame) -> Result<Secret, OpenError> {
        if !bool::from(self.check.ct_eq(&key.check())) {
            return Err(OpenError::OtherKey);
        }
        let mut buffer = SecretBox::new(self.ciphertext.clone());
        key.open(associated, &Seal { nonce: self.nonce, tag: self.tag }, buffer.expose_secret_mut())
            .map_err(|_| OpenError::Refused)?;
        Ok(Secret::from_opened(buffer))
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} v{}, {} bytes)", self.purpose, self.key_version, self.ciphertext.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_parses_prints_the_same_bytes(
            purpose in 0u8..6, version in 0u32..3, tail: [u8; 28], body in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let bytes = [&[FORMAT, purpose][..], &version.to_be_bytes(), &tail, &body].concat();
            let good = (1..=4).contains(&purpose) && version > 0 && body.len() >= TAG_LEN;
            prop_assert_eq!(Sealed::from_bytes(&bytes).map(|parsed| parsed.to_bytes()).ok(), good.then_some(bytes));
        }

        #[test]
        fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = Sealed::from_bytes(&bytes);
        }
    }

    #[test]
    fn bytes_above_the_bound_are_refused() {
        let mut bytes = vec![1; Sealed::LEN_MAX + 1];
        assert_eq!(Sealed::from_bytes(&bytes), Err(MalformedSealed));
        bytes.pop();
        assert!(Sealed::from_bytes(&bytes).is_ok());
    }
}
