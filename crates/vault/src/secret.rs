//! The type of a plaintext.

use secrecy::{ExposeSecret, SecretBox};
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

/// A plaintext: a token, a client secret, a verifier, a provider's answer. It is wiped when dropped.
///
/// It has no `Debug`, `Display`, `Clone` or `PartialEq`, so a struct that holds one cannot derive them either:
///
/// ```compile_fail,E0277
/// # let secret = leasehold_vault::Secret::copy_of(b"x").expect("short");
/// format!("{secret:?}");
/// ```
/// ```compile_fail,E0277
/// # let secret = leasehold_vault::Secret::copy_of(b"x").expect("short");
/// format!("{secret}");
/// ```
/// ```compile_fail,E0599
/// # let secret = leasehold_vault::Secret::copy_of(b"x").expect("short");
/// let other: leasehold_vault::Secret = secret.clone();
/// ```
/// ```compile_fail,E0369
/// # let secret = leasehold_vault::Secret::copy_of(b"x").expect("short");
/// secret == secret;
/// ```
pub struct Secret(SecretBox<[u8]>);

/// A plaintext is longer than [`Secret::LEN_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a secret of {len} bytes exceeds {} bytes", Secret::LEN_MAX)]
pub struct SecretTooLong {
    /// How long it is, in bytes.
    pub len: usize,
}

impl Secret {
    /// The longest plaintext, in bytes: 48 KiB, so that a sealed one stays below the 64 KiB that a value may have in storage.
    pub const LEN_MAX: usize = 48 * 1024;

    /// Copies a plaintext. The original stays the caller's to wipe.
    ///
    /// # Errors
    /// [`SecretTooLong`] above [`Secret::LEN_MAX`].
    pub fn copy_of(bytes: &[u8]) -> Result<Self, SecretTooLong> {
        if bytes.len() > Self::LEN_MAX {
            return Err(SecretTooLong { len: bytes.len() });
        }
        Ok(Self(SecretBox::new(Box::from(bytes))))
    }

    /// Takes a plaintext over and wipes where it came from.
    ///
    /// # Errors
    /// [`SecretTooLong`] above [`Secret::LEN_MAX`]; the source is wiped then as well.
    pub fn take(bytes: impl Zeroize + AsRef<[u8]>) -> Result<Self, SecretTooLong> {
        // A copy into a box of the exact size: shrinking the source instead could leave its old allocation behind, unwiped.
        let bytes = Zeroizing::new(bytes);
        Self::copy_of(bytes.as_ref())
    }

    /// Wraps a buffer that was decrypted in place, and so is known to be within bounds.
    pub(crate) fn from_opened(bytes: SecretBox<[u8]>) -> Self {
        Self(bytes)
    }

    /// The plaintext. The only way to it; what the caller copies out of it is the caller's to wipe.
    pub fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// The plaintext as text; nothing when it is not UTF-8.
    pub fn expose_str(&self) -> Option<&str> {
        str::from_utf8(self.expose()).ok()
    }

    /// Its length in bytes, which is no secret: the ciphertext shows it too.
    pub fn len(&self) -> usize {
        self.expose().len()
    }

    /// Whether it has no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it is these bytes, in time that depends on the lengths only.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        self.expose().ct_eq(bytes).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_above_the_bound_is_refused() {
        assert!(Secret::copy_of(&vec![1; Secret::LEN_MAX]).is_ok());
        let refused = Secret::take(vec![1; Secret::LEN_MAX + 1]).err();
        assert_eq!(refused, Some(SecretTooLong { len: Secret::LEN_MAX + 1 }));
    }

    #[test]
    fn a_secret_matches_exactly_its_bytes() {
        let secret = Secret::take(String::from("token")).unwrap();
        assert!(secret.matches(b"token"));
        for other in [&b"tokem"[..], b"toke", b"token\0", b""] {
            assert!(!secret.matches(other));
        }
    }

    #[test]
    fn only_utf_8_is_exposed_as_text() {
        assert_eq!(Secret::copy_of("é".as_bytes()).unwrap().expose_str(), Some("é"));
        assert_eq!(Secret::copy_of(&[0xff]).unwrap().expose_str(), None);
    }
}
