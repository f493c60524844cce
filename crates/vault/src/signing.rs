//! The key that signs checkpoints: Ed25519 (RFC 8032), sealed under the keyring wherever it is stored.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    binding::{Owner, OwnerBinding},
    cipher::KEY_LEN,
    entropy::Entropy,
    keyring::Keyring,
    note::{KeyName, NoteError, VerifierKey, check_text},
    seal::{SealError, UnsealError},
    sealed::Sealed,
    secret::Secret,
};

/// Signs checkpoints. Wiped when dropped; without `Debug`, `Clone` or `PartialEq`.
pub struct CheckpointSigner {
    pair: Ed25519KeyPair,
    verifier: VerifierKey,
}

/// Why a sealed signing key could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenSignerError {
    /// It does not unseal.
    #[error("cannot unseal the key that signs checkpoints")]
    Unseal(#[from] UnsealError),
    /// What was unsealed is not an Ed25519 seed.
    #[error("the unsealed key that signs checkpoints is not an Ed25519 seed")]
    Malformed,
}

impl CheckpointSigner {
    /// Draws a signing key of a version, and gives it with its sealed form, which the caller stores.
    ///
    /// # Errors
    /// [`SealError::NoCurrentKey`] when the keyring holds no signing key-encryption key.
    pub fn draw(
        name: KeyName,
        version: u32,
        keyring: &Keyring,
        entropy: &dyn Entropy,
    ) -> Result<(Self, Sealed), SealError> {
        let seed = draw_seed(entropy);
        let sealed = keyring.seal(&binding(keyring, version), &seed, entropy)?;
        Ok((Self::from_drawn(name, &seed), sealed))
    }

    /// Opens a stored signing key.
    ///
    /// # Errors
    /// [`OpenSignerError`].
    pub fn open(
        name: KeyName,
        version: u32,
        keyring: &Keyring,
        sealed: &Sealed,
    ) -> Result<Self, OpenSignerError> {
        let seed = keyring.unseal(&binding(keyring, version), sealed)?;
        Self::from_seed(name, &seed).ok_or(OpenSignerError::Malformed)
    }

    /// Signs bytes as they are.
    pub fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        *self.pair.sign(bytes).as_ref().first_chunk().expect("an Ed25519 signature has 64 bytes")
    }

    /// Signs a text as a note: the text, a blank line, and one signature line.
    ///
    /// # Errors
    /// [`NoteError::InvalidText`] when the text does not end in a newline, has other control characters, or exceeds 1 MB.
    pub fn sign_note(&self, text: &str) -> Result<String, NoteError> {
        check_text(text)?;
        let line = self.verifier.signature_line(&self.sign(text.as_bytes()));
        Ok([text, "\n", &line].concat())
    }

    /// What its signatures are verified with.
    pub const fn verifier_key(&self) -> &VerifierKey {
        &self.verifier
    }

    fn from_drawn(name: KeyName, seed: &Secret) -> Self {
        Self::from_seed(name, seed).expect("any 32 bytes are an Ed25519 seed")
    }

    fn from_seed(name: KeyName, seed: &Secret) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose()).ok()?;
        let public = pair.public_key().as_ref().try_into().ok()?;
        Some(Self { pair, verifier: VerifierKey::new(name, public) })
    }
}

fn draw_seed(entropy: &dyn Entropy) -> Secret {
    let mut seed = Zeroizing::new([0; KEY_LEN]);
    entropy.fill(seed.as_mut_slice());
    Secret::copy_of(seed.as_slice()).expect("32 bytes are below any bound")
}

const fn binding(keyring: &Keyring, version: u32) -> OwnerBinding {
    OwnerBinding { organisation: keyring.organisation(), owner: Owner::SigningKey(version) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        testing::{Counting, keyring, secret},
        verify_note,
    };

    fn name() -> KeyName {
        KeyName::new("ledger.example/org").unwrap()
    }

    #[test]
    fn a_signing_key_opens_from_its_sealed_form() {
        let (keyring, _) = keyring();
        let (drawn, sealed) = CheckpointSigner::draw(name(), 3, &keyring, &Counting::new()).unwrap();
        let stored = Sealed::from_bytes(&sealed.to_bytes()).unwrap();
        let opened = CheckpointSigner::open(name(), 3, &keyring, &stored).ok().unwrap();
        assert_eq!(opened.verifier_key(), drawn.verifier_key());
        assert_eq!(opened.sign(b"checkpoint"), drawn.sign(b"checkpoint"));
        assert!(drawn.verifier_key().verifies(b"checkpoint", &opened.sign(b"checkpoint")));
    }

    #[test]
    fn a_signing_key_of_another_version_does_not_open() {
        let (keyring, _) = keyring();
        let (_, sealed) = CheckpointSigner::draw(name(), 3, &keyring, &Counting::new()).unwrap();
        let refused = CheckpointSigner::open(name(), 4, &keyring, &sealed).err();
        assert_eq!(refused, Some(OpenSignerError::Unseal(UnsealError::Refused)));
    }

    #[test]
    fn what_is_no_seed_is_no_signing_key() {
        let (keyring, _) = keyring();
        let sealed = keyring.seal(&binding(&keyring, 1), &secret("short"), &Counting::new()).unwrap();
        assert_eq!(
            CheckpointSigner::open(name(), 1, &keyring, &sealed).err(),
            Some(OpenSignerError::Malformed)
        );
    }

    #[test]
    fn signatures_are_those_of_rfc_8032() {
        // Section 7.1, test 2.
        let seed = [
            0x4c, 0xcd, 0x08, 0x9b, 0x28, 0xff, 0x96, 0xda, 0x9d, 0xb6, 0xc3, 0x46, 0xec, 0x11, 0x4e, 0x0f,
            0x5b, 0x8a, 0x31, 0x9f, 0x35, 0xab, 0xa6, 0x24, 0xda, 0x8c, 0xf6, 0xed, 0x4f, 0xb8, 0xa6, 0xfb,
        ];
        let signer = CheckpointSigner::from_seed(name(), &Secret::copy_of(&seed).unwrap()).unwrap();
        let public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
        assert_eq!(crate::testing::hex(signer.verifier_key().public()), public);
        let signature = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
        assert_eq!(crate::testing::hex(&signer.sign(&[0x72])), signature);
    }

    #[test]
    fn a_signed_note_verifies_with_the_keys_text_alone() {
        let (keyring, _) = keyring();
        let (signer, _) = CheckpointSigner::draw(name(), 1, &keyring, &Counting::new()).unwrap();
        let text = "ledger.example/org\n3\nAAAA\n";
        let note = signer.sign_note(text).unwrap();
        let key = signer.verifier_key().to_string().parse().unwrap();
        assert_eq!(verify_note(&note, &key), Ok(text));
    }
}
