//! What an exchange presents, as its marker in the outbox holds it, so that a code whose answer was lost can be presented again.

use leasehold_upstream::proof::Verifier;
use leasehold_vault::Secret;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// Between the two: no verifier has such a character.
const BETWEEN: char = '\0';

/// The code and its verifier as one secret; none where they are longer than any are.
pub(crate) fn to_secret(code: &SecretString, verifier: &Verifier) -> Option<Secret> {
    let text =
        Zeroizing::new(format!("{}{BETWEEN}{}", verifier.expose().expose_secret(), code.expose_secret()));
    Secret::copy_of(text.as_bytes()).ok()
}

/// What [`to_secret`] put together; none where it was something else.
pub(crate) fn of_secret(secret: &Secret) -> Option<(SecretString, Verifier)> {
    let (verifier, code) = secret.expose_str()?.split_once(BETWEEN)?;
    let verifier = Verifier::from_stored(SecretString::from(verifier.to_owned())).ok()?;
    Some((SecretString::from(code.to_owned()), verifier))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_together_comes_apart_again_and_nothing_else_does() {
        let verifier = Verifier::from_random(&Zeroizing::new([7; 32]));
        let secret = to_secret(&SecretString::from("a code\0 with anything in it"), &verifier).unwrap();
        let (code, again) = of_secret(&secret).unwrap();
        assert_eq!(code.expose_secret(), "a code\0 with anything in it");
        assert_eq!(again.expose().expose_secret(), verifier.expose().expose_secret());
        assert!(of_secret(&Secret::copy_of(b"no verifier").unwrap()).is_none());
    }
}
