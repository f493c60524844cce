//! An identity provider's signing keys, in the form of each of the two libraries that verify with them.

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use openidconnect::core::{CoreJsonWebKey, CoreJsonWebKeySet};

/// The most keys of one identity provider that are kept; more are left out.
const KEYS_MAX: usize = 64;

/// Public keys. Symmetric ones are not kept: nothing that an identity provider publishes can be a secret.
#[derive(Clone)]
pub(crate) struct Keys {
    set: CoreJsonWebKeySet,
    jwks: Vec<Jwk>,
}

/// No key fits a token, or more than one does.
pub(crate) struct NoKey;

impl Keys {
    pub(crate) fn new(fetched: &CoreJsonWebKeySet) -> Self {
        let both = fetched.keys().iter().filter_map(|key| Some((key.clone(), jwk(key)?)));
        let (keys, jwks): (Vec<_>, Vec<_>) = both.take(KEYS_MAX).unzip();
        Self { set: CoreJsonWebKeySet::new(keys), jwks }
    }

    /// The keys as the sign-in's library wants them.
    pub(crate) const fn set(&self) -> &CoreJsonWebKeySet {
        &self.set
    }

    /// The one key that fits a token's header.
    pub(crate) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<DecodingKey, NoKey> {
        let fits =
            |key: &&Jwk| (kid.is_none() || kid == key.common.key_id.as_deref()) && signs_with(key, algorithm);
        let mut fitting = self.jwks.iter().filter(fits);
        let key = fitting.next().ok_or(NoKey)?;
        if fitting.next().is_some() {
            return Err(NoKey);
        }
        DecodingKey::from_jwk(key).map_err(|_| NoKey)
    }
}

fn jwk(key: &CoreJsonWebKey) -> Option<Jwk> {
    let jwk: Jwk = serde_json::from_value(serde_json::to_value(key).ok()?).ok()?;
    family(&jwk).map(|_| jwk)
}

/// Whether a key may verify under an algorithm: by its type and curve, and by what it says of its own use (RFC 7517 sections 4.2 and
/// 4.4).
fn signs_with(key: &Jwk, algorithm: Algorithm) -> bool {
    let common = &key.common;
    let curve = if let AlgorithmParameters::EllipticCurve(key) = &key.algorithm {
        curve_of(algorithm).as_ref() == Some(&key.curve)
    } else {
        true
    };
    curve
        && family(key) == Some(algorithm.family())
        && common.public_key_use.as_ref().is_none_or(|stated| *stated == PublicKeyUse::Signature)
        && common.key_algorithm.is_none_or(|stated| stated == algorithm.into())
}

fn curve_of(algorithm: Algorithm) -> Option<EllipticCurve> {
    if algorithm == Algorithm::ES256 {
        Some(EllipticCurve::P256)
    } else if algorithm == Algorithm::ES384 {
        Some(EllipticCurve::P384)
    } else {
        None
    }
}

fn family(key: &Jwk) -> Option<AlgorithmFamily> {
    if matches!(key.algorithm, AlgorithmParameters::RSA(_)) {
        Some(AlgorithmFamily::Rsa)
    } else if matches!(key.algorithm, AlgorithmParameters::EllipticCurve(_)) {
        Some(AlgorithmFamily::Ec)
    } else if matches!(key.algorithm, AlgorithmParameters::OctetKeyPair(_)) {
        Some(AlgorithmFamily::Ed)
    } else {
        None
    }
}
