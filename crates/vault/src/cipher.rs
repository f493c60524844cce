//! The one cipher of this crate: AES-256-GCM-SIV (RFC 8452) under keys that HKDF-SHA256 (RFC 5869) derives, with a check value that
//! commits to the key.
//!
//! GCM-SIV does not commit to its key: whoever may choose two keys can make one ciphertext that opens under both. So each key
//! comes with a check value derived beside it. It is stored next to every ciphertext, compared before opening, and part of the
//! associated data. Finding a second key with the check value of a given one costs 2^128, and a pair of keys of one's own choice
//! with equal check values 2^64; keys here are drawn at random and never taken from outside.
//!
//! Nonces are 96 random bits, never taken from a position in a log, which a restored backup repeats. The busiest key seals the
//! outbox: a million grants refreshed hourly make 2^33 messages in a year, among which a nonce repeats with odds of 2^-31. A repeat
//! would show only whether two plaintexts with the same associated data are equal (RFC 8452 section 1).

use aes_gcm_siv::{AeadInOut, Aes256GcmSiv, KeyInit};
use aws_lc_rs::hkdf;
use secrecy::{ExposeSecret, ExposeSecretMut, SecretBox};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{
    entropy::{Entropy, draw},
    frame::Frame,
};

/// Bytes of a key.
pub(crate) const KEY_LEN: usize = 32;
/// Bytes of a nonce.
pub(crate) const NONCE_LEN: usize = 12;
/// Bytes of an authentication tag.
pub(crate) const TAG_LEN: usize = 16;
/// Bytes of a key's check value.
pub(crate) const CHECK_LEN: usize = 16;
/// Bytes of a wrapped key: the key and its tag.
pub(crate) const WRAPPED_LEN: usize = KEY_LEN + TAG_LEN;

/// 32 secret random bytes: what keys are derived from, and the secret part of a credential.
pub(crate) struct KeyMaterial(SecretBox<[u8; KEY_LEN]>);

impl KeyMaterial {
    /// Draws new material.
    pub(crate) fn draw(entropy: &dyn Entropy) -> Self {
        Self(SecretBox::init_with_mut(|bytes: &mut [u8; KEY_LEN]| entropy.fill(bytes)))
    }

    /// Copies material; nothing when the length is not that of a key.
    pub(crate) fn copy_of(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; KEY_LEN] = bytes.try_into().ok()?;
        Some(Self(SecretBox::init_with_mut(|copy: &mut [u8; KEY_LEN]| copy.copy_from_slice(bytes))))
    }

    /// The bytes themselves, for wrapping them and for the texts that carry them.
    pub(crate) fn expose(&self) -> &[u8; KEY_LEN] {
        self.0.expose_secret()
    }

    /// Fills `output` from the material and `info`, which names the use.
    pub(crate) fn derive(&self, info: &Frame, output: &mut [u8]) {
        struct Len(usize);
        impl hkdf::KeyType for Len {
            fn len(&self) -> usize {
                self.0
            }
        }
        hkdf::Salt::new(hkdf::HKDF_SHA256, b"leasehold vault v1")
            .extract(self.expose())
            .expand(&[info.as_bytes()], Len(output.len()))
            .and_then(|derived| derived.fill(output))
            .expect("the output is as long as was asked for, and shorter than 255 hashes");
    }

    /// Whether both are the same bytes, in constant time.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        self.expose().ct_eq(other.expose()).into()
    }
}

/// A ciphertext did not authenticate: it is damaged, or it belongs elsewhere.
pub(crate) struct Refused;

/// A key for sealing, with its check value.
pub(crate) struct CipherKey {
    key: SecretBox<[u8; KEY_LEN]>,
    check: [u8; CHECK_LEN],
}

/// What sealing gives beside the ciphertext in the buffer.
pub(crate) struct Seal {
    pub(crate) nonce: [u8; NONCE_LEN],
    pub(crate) tag: [u8; TAG_LEN],
}

impl CipherKey {
    /// Derives the key and its check value for the use that `info` names.
    pub(crate) fn derive(material: &KeyMaterial, info: &Frame) -> Self {
        let mut output = Zeroizing::new([0; KEY_LEN + CHECK_LEN]);
        material.derive(info, output.as_mut_slice());
        let (key, check) = output.split_at(KEY_LEN);
        let mut derived = Self { key: SecretBox::default(), check: [0; CHECK_LEN] };
        derived.key.expose_secret_mut().copy_from_slice(key);
        derived.check.copy_from_slice(check);
        derived
    }

    /// The check value. It is no secret and tells nothing about the key.
    pub(crate) const fn check(&self) -> [u8; CHECK_LEN] {
        self.check
    }

    /// Encrypts `buffer` in place under a fresh nonce.
    pub(crate) fn seal(&self, associated: Frame, buffer: &mut [u8], entropy: &dyn Entropy) -> Seal {
        let nonce: [u8; NONCE_LEN] = draw(entropy);
        let associated = associated.field(&self.check);
        let tag = self
            .cipher()
            .encrypt_inout_detached(&nonce.into(), associated.as_bytes(), buffer.into())
            .expect("plaintexts and associated data are far below the 64 GiB of RFC 8452");
        Seal { nonce, tag: tag.into() }
    }

    /// Decrypts `buffer` in place. Where it is refused the buffer holds nothing of the plaintext.
    pub(crate) fn open(&self, associated: Frame, seal: &Seal, buffer: &mut [u8]) -> Result<(), Refused> {
        let associated = associated.field(&self.check);
        self.cipher()
            .decrypt_inout_detached(
                &seal.nonce.into(),
                associated.as_bytes(),
                buffer.into(),
                &seal.tag.into(),
            )
            .map_err(|_| Refused)
    }

    /// Seals key material.
    pub(crate) fn wrap(
        &self,
        associated: Frame,
        material: &KeyMaterial,
        entropy: &dyn Entropy,
    ) -> ([u8; NONCE_LEN], [u8; WRAPPED_LEN]) {
        let mut ciphertext = [0; WRAPPED_LEN];
        let (body, tag) = ciphertext.split_at_mut(KEY_LEN);
        body.copy_from_slice(material.expose());
        let seal = self.seal(associated, body, entropy);
        tag.copy_from_slice(&seal.tag);
        (seal.nonce, ciphertext)
    }

    /// Opens key material.
    pub(crate) fn unwrap_material(
        &self,
        associated: Frame,
        nonce: [u8; NONCE_LEN],
        ciphertext: &[u8; WRAPPED_LEN],
    ) -> Result<KeyMaterial, Refused> {
        let (body, tag) = ciphertext.split_last_chunk::<TAG_LEN>().ok_or(Refused)?;
        let mut material = KeyMaterial::copy_of(body).ok_or(Refused)?;
        self.open(associated, &Seal { nonce, tag: *tag }, material.0.expose_secret_mut())?;
        Ok(material)
    }

    fn cipher(&self) -> Aes256GcmSiv {
        Aes256GcmSiv::new(self.key.expose_secret().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Counting;

    fn key(byte: u8, label: &'static str) -> CipherKey {
        CipherKey::derive(&KeyMaterial::copy_of(&[byte; 32]).unwrap(), &Frame::new(label))
    }

    #[test]
    fn a_derived_key_is_the_one_of_rfc_5869() {
        // Test case: HMAC-SHA256 by hand, extract then one block of expand, through another interface of the library.
        use aws_lc_rs::hmac;
        let sign = |key: &[u8], data: &[u8]| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data).as_ref().to_vec()
        };
        let info = Frame::new("test");
        let extracted = sign(b"leasehold vault v1", &[7; 32]);
        let mut output = [0; 32];
        KeyMaterial::copy_of(&[7; 32]).unwrap().derive(&info, &mut output);
        assert_eq!(output.to_vec(), sign(&extracted, &[info.as_bytes(), &[1]].concat()));
    }

    #[test]
    fn keys_and_check_values_differ_by_material_and_by_use() {
        let (first, other_use, other_material) = (key(1, "a"), key(1, "b"), key(2, "a"));
        assert_ne!(first.check(), other_use.check());
        assert_ne!(first.check(), other_material.check());
        assert_ne!(first.key.expose_secret(), other_use.key.expose_secret());
        assert_ne!(first.key.expose_secret(), other_material.key.expose_secret());
    }

    #[test]
    fn a_refused_buffer_holds_nothing_of_the_plaintext() {
        let sealing = key(1, "a");
        let mut buffer = *b"the plaintext of a refresh token";
        let seal = sealing.seal(Frame::new("here"), &mut buffer, &Counting::new());
        assert!(sealing.open(Frame::new("elsewhere"), &seal, &mut buffer).is_err());
        assert_ne!(&buffer, b"the plaintext of a refresh token");
        assert!(sealing.open(Frame::new("here"), &seal, &mut buffer).is_ok());
        assert_eq!(&buffer, b"the plaintext of a refresh token");
    }

    #[test]
    fn a_wrapped_key_opens_only_under_its_own_key() {
        let material = KeyMaterial::copy_of(&[9; 32]).unwrap();
        let (nonce, ciphertext) = key(1, "a").wrap(Frame::new("here"), &material, &Counting::new());
        assert!(
            key(1, "a")
                .unwrap_material(Frame::new("here"), nonce, &ciphertext)
                .is_ok_and(|opened| opened.matches(&material))
        );
        assert!(key(2, "a").unwrap_material(Frame::new("here"), nonce, &ciphertext).is_err());
        assert!(key(1, "b").unwrap_material(Frame::new("here"), nonce, &ciphertext).is_err());
    }
}
