//! Keyed hashes that stand in for what must not be written down: fingerprints of tokens, pseudonyms of network addresses.
//!
//! Both are HMAC-SHA256 cut to 128 bits. A plain hash would not do: there are few addresses, and some providers' tokens are short or
//! follow a pattern, so whoever has the ledger could try them all. With a key that the ledger does not hold nobody can, and equal
//! values still have equal names as long as the key version is the same.

use std::{fmt, net::IpAddr, str::FromStr};

use aws_lc_rs::hmac;
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    cipher::{KEY_LEN, KeyMaterial},
    frame::Frame,
    keyring::{Keyring, NoCurrentKey},
    purpose::Purpose,
    secret::Secret,
};

/// Bytes of a keyed hash.
const MAC_LEN: usize = 16;

/// A text is not a keyed hash of the kind that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("expected {expected}, a key version, a colon and 32 lower-case hexadecimal digits")]
pub struct ParsePseudonymError {
    /// How the kind that was asked for begins.
    expected: &'static str,
}

macro_rules! keyed_hashes {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name {
            key_version: u32,
            mac: [u8; MAC_LEN],
        }

        impl $name {
            /// Bytes of one: the key version in four, big-endian, and the hash.
            pub const LEN: usize = 4 + MAC_LEN;

            /// The version of the key that it was made with. Only those of one version can be compared.
            pub const fn key_version(self) -> u32 {
                self.key_version
            }

            /// The bytes to store.
            pub fn to_bytes(self) -> [u8; Self::LEN] {
                let mut bytes = [0; Self::LEN];
                let parts = self.key_version.to_be_bytes().into_iter().chain(self.mac);
                bytes.iter_mut().zip(parts).for_each(|(byte, part)| *byte = part);
                bytes
            }

            /// Reads stored bytes; nothing for another length or key version 0.
            pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
                let (key_version, mac) = bytes.split_first_chunk()?;
                let key_version = u32::from_be_bytes(*key_version);
                let mac = mac.try_into().ok()?;
                (key_version > 0).then_some(Self { key_version, mac })
            }
        }

        /// In constant time.
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                (self.key_version.ct_eq(&other.key_version) & self.mac.ct_eq(&other.mac)).into()
            }
        }

        impl Eq for $name {}

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}:{:032x}"), self.key_version, u128::from_be_bytes(self.mac))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParsePseudonymError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let (key_version, mac) =
                    parse(text, $prefix).ok_or(ParsePseudonymError { expected: $prefix })?;
                Ok(Self { key_version, mac })
            }
        }
    )+};
}

keyed_hashes! {
    /// The fingerprint of a token: what an event, a log or an operator may call it. Printed as `hmac-v1:` and 32 digits.
    TokenFingerprint = "hmac-v";
    /// The pseudonym of a network address. Printed as `addr-v1:` and 32 digits.
    AddressPseudonym = "addr-v";
}

fn parse(text: &str, prefix: &str) -> Option<(u32, [u8; MAC_LEN])> {
    let (version, digits) = text.strip_prefix(prefix)?.split_once(':')?;
    let decimal = !version.starts_with('0') && version.bytes().all(|byte| byte.is_ascii_digit());
    let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if !decimal || digits.len() != 2 * MAC_LEN || !digits.bytes().all(hexadecimal) {
        return None;
    }
    Some((version.parse().ok()?, u128::from_str_radix(digits, 16).ok()?.to_be_bytes()))
}

/// The keyed hash of `data` under the key that `label` derives, so that hashes of different kinds never match.
fn keyed_hash(material: &KeyMaterial, label: &'static str, data: &[u8]) -> [u8; MAC_LEN] {
    let mut key = Zeroizing::new([0; KEY_LEN]);
    material.derive(&Frame::new(label), key.as_mut_slice());
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()), data);
    *tag.as_ref().first_chunk().expect("a hash of 32 bytes has 16")
}

fn token_hash(material: &KeyMaterial, token: &Secret) -> [u8; MAC_LEN] {
    keyed_hash(material, "leasehold/v1/fingerprint/token", token.expose())
}

impl Keyring {
    /// The fingerprint of a token under the current key.
    ///
    /// # Errors
    /// [`NoCurrentKey`] when the keyring holds no key for pseudonyms.
    pub fn fingerprint(&self, token: &Secret) -> Result<TokenFingerprint, NoCurrentKey> {
        let (key_version, key) = self.current(Purpose::Pseudonyms)?;
        Ok(TokenFingerprint { key_version, mac: token_hash(&key.material, token) })
    }

    /// The fingerprints of a token under every key, the newest first: for looking up a token of unknown age.
    pub fn fingerprints(&self, token: &Secret) -> Vec<TokenFingerprint> {
        let keys = self.versions(Purpose::Pseudonyms).rev();
        keys.filter_map(|key_version| {
            let key = self.key(Purpose::Pseudonyms, key_version)?;
            Some(TokenFingerprint { key_version, mac: token_hash(&key.material, token) })
        })
        .collect()
    }

    /// Whether a fingerprint is this token's, in time that depends on lengths only. Not, when its key is no longer held.
    pub fn is_fingerprint_of(&self, fingerprint: TokenFingerprint, token: &Secret) -> bool {
        self.key(Purpose::Pseudonyms, fingerprint.key_version)
            .is_some_and(|key| token_hash(&key.material, token).ct_eq(&fingerprint.mac).into())
    }

    /// The pseudonym of a network address under the current key. An IPv4 address and its IPv6-mapped form have one pseudonym.
    ///
    /// # Errors
    /// [`NoCurrentKey`] when the keyring holds no key for pseudonyms.
    pub fn address_pseudonym(&self, address: IpAddr) -> Result<AddressPseudonym, NoCurrentKey> {
        let (key_version, key) = self.current(Purpose::Pseudonyms)?;
        let label = "leasehold/v1/fingerprint/address";
        let mac = match address.to_canonical() {
            IpAddr::V4(address) => keyed_hash(&key.material, label, &address.octets()),
            IpAddr::V6(address) => keyed_hash(&key.material, label, &address.octets()),
        };
        Ok(AddressPseudonym { key_version, mac })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{Counting, keyring, root_key, secret};

    #[test]
    fn a_fingerprint_is_fixed_for_a_token_and_a_key() {
        let (keyring, _) = keyring();
        let fingerprint = keyring.fingerprint(&secret("token")).unwrap();
        // Computed by another implementation, on other libraries.
        assert_eq!(fingerprint.to_string(), "hmac-v1:a373826933f856b11ee6a06cecba98eb");
        assert!(keyring.is_fingerprint_of(fingerprint, &secret("token")));
        assert!(!keyring.is_fingerprint_of(fingerprint, &secret("tokem")));
    }

    #[test]
    fn a_token_of_before_a_rotation_is_found_until_the_key_is_retired() {
        let (mut keyring, _) = keyring();
        let old = keyring.fingerprint(&secret("token")).unwrap();
        let drawn = keyring.draw_version(Purpose::Pseudonyms, &root_key(), &Counting::new()).unwrap();
        keyring.admit(&root_key(), &drawn).unwrap();
        let new = keyring.fingerprint(&secret("token")).unwrap();
        assert_ne!(old, new);
        assert_eq!(keyring.fingerprints(&secret("token")), [new, old]);
        assert!(keyring.is_fingerprint_of(old, &secret("token")));
        keyring.retire_version(Purpose::Pseudonyms, 1).unwrap();
        assert!(!keyring.is_fingerprint_of(old, &secret("token")));
    }

    #[test]
    fn an_address_has_one_pseudonym_in_both_its_forms_and_none_that_a_token_has() {
        let (keyring, _) = keyring();
        let pseudonym = |text: &str| keyring.address_pseudonym(text.parse().unwrap()).unwrap();
        assert_eq!(pseudonym("192.0.2.1"), pseudonym("::ffff:192.0.2.1"));
        assert_ne!(pseudonym("192.0.2.1"), pseudonym("192.0.2.2"));
        assert_ne!(pseudonym("2001:db8::1"), pseudonym("2001:db8::2"));
        let token = keyring.fingerprint(&Secret::copy_of(&[192, 0, 2, 1]).unwrap()).unwrap();
        assert_ne!(pseudonym("192.0.2.1").to_bytes(), token.to_bytes());
    }

    #[test]
    fn a_text_of_another_kind_or_form_is_refused() {
        let good = format!("hmac-v1:{}", "0a".repeat(16));
        assert!(good.parse::<TokenFingerprint>().is_ok());
        for bad in [
            String::new(),
            good.replace("hmac", "addr"),
            good.replace("v1", "v0"),
            good.replace("v1", "v01"),
            good.replace("v1", "v+1"),
            good.replace("v1", "v"),
            good.replace("v1", "v4294967296"),
            good.to_uppercase(),
            good.replace("0a", "0A"),
            good.replacen("0a", "+a", 1),
            format!("{good}0"),
            format!("{good} "),
            good[..good.len() - 1].to_owned(),
        ] {
            assert!(bad.parse::<TokenFingerprint>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn fingerprints_round_trip(key_version in 1u32.., mac: [u8; 16]) {
            let fingerprint = TokenFingerprint { key_version, mac };
            prop_assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
            prop_assert_eq!(TokenFingerprint::from_bytes(&fingerprint.to_bytes()), Some(fingerprint));
            let pseudonym = AddressPseudonym { key_version, mac };
            prop_assert_eq!(pseudonym.to_string().parse(), Ok(pseudonym));
            prop_assert_eq!(AddressPseudonym::from_bytes(&pseudonym.to_bytes()), Some(pseudonym));
        }

        #[test]
        fn whatever_parses_prints_the_same_text(text in "(hmac|addr)-v[0-9]{0,3}:[0-9a-f]{31,33}") {
            if let Ok(parsed) = text.parse::<TokenFingerprint>() {
                prop_assert_eq!(parsed.to_string(), text);
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text: String) {
            let _ = text.parse::<TokenFingerprint>();
            let _ = format!("hmac-v{text}").parse::<TokenFingerprint>();
        }
    }
}
