//! One-time values of an authorization, made from randomness that the caller drew: state, nonce and the proof key's verifier.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use oauth2::{PkceCodeChallenge, PkceCodeVerifier};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use zeroize::Zeroizing;

/// A value for `state` or `nonce`: 43 characters that stand for 32 random bytes.
pub fn one_time_value(random: &Zeroizing<[u8; 32]>) -> SecretString {
    SecretString::from(URL_SAFE_NO_PAD.encode(random.as_slice()))
}

/// A text that is no verifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a verifier has 43 to 128 characters out of letters, digits, -, ., _ and ~")]
pub struct InvalidVerifier;

/// The verifier of a proof key (RFC 7636 section 4.1). It never prints.
#[derive(Clone)]
pub struct Verifier(SecretString);

impl Verifier {
    /// A verifier of 43 characters that stand for 32 random bytes.
    pub fn from_random(random: &Zeroizing<[u8; 32]>) -> Self {
        Self(one_time_value(random))
    }

    /// Takes back a verifier that was put away while the browser was at the provider.
    ///
    /// # Errors
    /// [`InvalidVerifier`] for a text of another form.
    pub fn from_stored(text: SecretString) -> Result<Self, InvalidVerifier> {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        let exposed = text.expose_secret();
        let fits = (43..=128).contains(&exposed.len()) && exposed.bytes().all(inner);
        if fits { Ok(Self(text)) } else { Err(InvalidVerifier) }
    }

    /// The verifier as text, to be sealed and put away.
    pub fn expose(&self) -> &SecretString {
        &self.0
    }

    pub(crate) fn to_code_verifier(&self) -> PkceCodeVerifier {
        PkceCodeVerifier::new(self.0.expose_secret().to_owned())
    }

    /// The S256 challenge (RFC 7636 section 4.2).
    pub(crate) fn challenge(&self) -> PkceCodeChallenge {
        PkceCodeChallenge::from_code_verifier_sha256(&self.to_code_verifier())
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_rfc_7636_appendix_b() {
        let text = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let verifier = Verifier::from_stored(SecretString::from(text)).unwrap();
        assert_eq!(verifier.challenge().as_str(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert_eq!(verifier.challenge().method().as_str(), "S256");
    }

    #[test]
    fn a_verifier_reads_back_as_it_was_stored() {
        let verifier = Verifier::from_random(&Zeroizing::new([0xa5; 32]));
        let stored = Verifier::from_stored(verifier.expose().clone()).unwrap();
        assert_eq!(stored.expose().expose_secret(), verifier.expose().expose_secret());
        assert_eq!(verifier.expose().expose_secret().len(), 43);
    }

    #[test]
    fn a_text_of_another_form_is_no_verifier() {
        for text in ["", &"x".repeat(42), &"x".repeat(129), &"x y".repeat(20), &"ä".repeat(43)] {
            assert!(Verifier::from_stored(SecretString::from(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn a_verifier_does_not_print() {
        let verifier = Verifier::from_random(&Zeroizing::new([1; 32]));
        let printed = format!("{verifier:?}");
        assert!(!printed.contains(verifier.expose().expose_secret()), "{printed}");
    }
}
