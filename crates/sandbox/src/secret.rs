//! Random values, fingerprints and comparison in constant time.

use aws_lc_rs::{constant_time, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A fresh opaque value of 256 random bits, base64url, behind a prefix that tells a reader what leaked.
pub(crate) fn random(prefix: &str) -> String {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).expect("the operating system's random source answers once the process runs");
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// A fresh name (not a secret) of 96 random bits.
pub(crate) fn name(prefix: &str) -> String {
    let mut bytes = [0_u8; 12];
    getrandom::fill(&mut bytes).expect("the operating system's random source answers once the process runs");
    format!("{prefix}{}", hex(&bytes))
}

/// How the ledger names a secret: SHA-256 in lower-case hex.
pub fn fingerprint(secret: &str) -> String {
    hex(digest::digest(&digest::SHA256, secret.as_bytes()).as_ref())
}

/// Whether two secrets are equal, without telling by time how far they agree.
pub(crate) fn same(left: &str, right: &str) -> bool {
    let left = digest::digest(&digest::SHA256, left.as_bytes());
    let right = digest::digest(&digest::SHA256, right.as_bytes());
    constant_time::verify_slices_are_equal(left.as_ref(), right.as_ref()).is_ok()
}

/// The S256 challenge of a PKCE verifier (RFC 7636 section 4.2).
pub(crate) fn s256(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_s256_challenge_matches_the_example_of_rfc_7636() {
        assert_eq!(
            s256("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn a_fingerprint_is_sha256_in_hex() {
        assert_eq!(fingerprint("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn random_values_differ_and_carry_their_prefix() {
        let (one, two) = (random("sbx_"), random("sbx_"));
        assert_ne!(one, two);
        assert_eq!(one.len(), "sbx_".len() + 43);
        assert!(same(&one, &one.clone()) && !same(&one, &two));
    }
}
