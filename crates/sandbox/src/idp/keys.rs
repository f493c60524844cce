//! The identity provider's signing keys: one signs, older ones stay published.

use std::sync::{Mutex, PoisonError};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};

const PUBLISHED_MAX: usize = 4;

/// Why a signing key could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The cryptography library refused to draw a key.
    #[error("could not draw a signing key")]
    Draw,
    /// The key could not be described as a JWK.
    #[error("could not describe the signing key as a JWK")]
    Describe(#[source] jsonwebtoken::errors::Error),
}

pub(crate) struct Keys(Mutex<Vec<Key>>);

#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) signing: EncodingKey,
    pub(crate) public: Jwk,
}

impl Key {
    pub(crate) fn draw() -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| KeyError::Draw)?;
        let document = pair.to_pkcs8v1().map_err(|_| KeyError::Draw)?;
        let signing = EncodingKey::from_ec_der(document.as_ref());
        let mut public = Jwk::from_encoding_key(&signing, Algorithm::ES256).map_err(KeyError::Describe)?;
        let id = public.thumbprint(ThumbprintHash::SHA256).map_err(KeyError::Describe)?;
        public.common.key_id = Some(id.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self { id, signing, public })
    }
}

impl Keys {
    pub(crate) fn draw() -> Result<Self, KeyError> {
        Ok(Self(Mutex::new(vec![Key::draw()?])))
    }

    /// Signs with a new key from now on. Old keys stay published, unless `forget`.
    pub(crate) fn rotate(&self, forget: bool) -> Result<(), KeyError> {
        let key = Key::draw()?;
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if forget {
            keys.clear();
        }
        keys.truncate(PUBLISHED_MAX - 1);
        keys.insert(0, key);
        Ok(())
    }

    pub(crate) fn current(&self) -> Option<Key> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).first().cloned()
    }

    pub(crate) fn published(&self) -> JwkSet {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        JwkSet { keys: keys.iter().map(|key| key.public.clone()).collect() }
    }

    pub(crate) fn verifying(&self) -> Vec<DecodingKey> {
        self.published().keys.iter().filter_map(|key| DecodingKey::from_jwk(key).ok()).collect()
    }
}
