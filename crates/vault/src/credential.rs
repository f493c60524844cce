//! API credentials: secrets that we make, show once, and afterwards only recognise.
//!
//! Text form: `lh_<kind>_<the 26 digits of the credential's id>.<43 characters of base64url>`. The fixed beginning lets secret scanners
//! find a leaked one, and the id lets an operator find whose it is without knowing the secret.

use std::fmt;

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use leasehold_domain::id::CredentialId;
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    cipher::{KEY_LEN, KeyMaterial},
    entropy::Entropy,
};

const PREFIX: &str = "lh_";
/// Digits of an id behind its prefix.
const ID_LEN: usize = 26;
/// Characters of the secret part.
const SECRET_LEN: usize = 43;

/// Whose credential it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CredentialKind {
    /// A workload's.
    Workload,
    /// An administrator's.
    Administrator,
    /// The one that names the first administrator of a new cluster.
    Bootstrap,
}

impl CredentialKind {
    const ALL: [Self; 3] = [Self::Workload, Self::Administrator, Self::Bootstrap];

    /// The two letters that stand for it in a credential's text.
    pub const fn letters(self) -> &'static str {
        match self {
            Self::Workload => "wk",
            Self::Administrator => "ad",
            Self::Bootstrap => "bs",
        }
    }
}

/// A credential in clear. Wiped when dropped; without `Debug`, `Clone` or `PartialEq`.
pub struct CredentialSecret {
    kind: CredentialKind,
    id: CredentialId,
    secret: KeyMaterial,
}

/// A text is not a credential. It does not say where it differs, for the text may be one with a typing error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "not an API credential: expected the text that was shown when it was created, which begins with {PREFIX}"
)]
pub struct ParseCredentialError;

impl CredentialSecret {
    /// Characters of a credential's text.
    pub const TEXT_LEN: usize = PREFIX.len() + 2 + 1 + ID_LEN + 1 + SECRET_LEN;

    /// Draws a new credential.
    pub fn draw(kind: CredentialKind, id: CredentialId, entropy: &dyn Entropy) -> Self {
        Self { kind, id, secret: KeyMaterial::draw(entropy) }
    }

    /// Reads a credential's text.
    ///
    /// # Errors
    /// [`ParseCredentialError`] for anything but the one text of a credential.
    pub fn parse(text: &str) -> Result<Self, ParseCredentialError> {
        Self::read(text).ok_or(ParseCredentialError)
    }

    fn read(text: &str) -> Option<Self> {
        let text = Some(text).filter(|text| text.len() == Self::TEXT_LEN)?;
        let (kind, rest) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let kind = CredentialKind::ALL.into_iter().find(|known| known.letters() == kind)?;
        let (id, secret) = rest.split_once('.')?;
        let id = format!("{}_{id}", CredentialId::PREFIX).parse().ok()?;
        // One byte more than a secret: the decoder asks for room for whole groups.
        let mut bytes = Zeroizing::new([0; KEY_LEN + 1]);
        let len = URL_SAFE_NO_PAD.decode_slice(secret, bytes.as_mut_slice()).ok()?;
        Some(Self { kind, id, secret: KeyMaterial::copy_of(bytes.get(..len)?)? })
    }

    /// The text to show, once: it consumes the credential, so take [`CredentialSecret::hash`] before.
    pub fn reveal(self) -> Zeroizing<String> {
        self.text()
    }

    /// What to store. A plain SHA-256 is right here, where a password would need a slow hash: the text holds 256 random bits, so
    /// there is nothing to guess. The kind and the id are hashed with them, so a credential relabelled as another kind, or under
    /// another's id, is not recognised.
    pub fn hash(&self) -> CredentialHash {
        let digest = digest::digest(&digest::SHA256, self.text().as_bytes());
        CredentialHash(*digest.as_ref().first_chunk().expect("SHA-256 gives 32 bytes"))
    }

    /// Whether it is the one that was stored, in constant time.
    pub fn matches(&self, stored: &CredentialHash) -> bool {
        self.hash().0.ct_eq(&stored.0).into()
    }

    /// Whose it claims to be.
    pub const fn kind(&self) -> CredentialKind {
        self.kind
    }

    /// Which credential it claims to be: what to look the stored hash up by.
    pub const fn id(&self) -> CredentialId {
        self.id
    }

    fn text(&self) -> Zeroizing<String> {
        let id = self.id.to_string();
        let digits = id.split_once('_').map_or("", |(_, digits)| digits);
        // The exact capacity: growing would leave a copy behind, unwiped.
        let mut text = Zeroizing::new(String::with_capacity(Self::TEXT_LEN));
        [PREFIX, self.kind.letters(), "_", digits, "."].into_iter().for_each(|part| text.push_str(part));
        URL_SAFE_NO_PAD.encode_string(self.secret.expose(), &mut text);
        text
    }
}

/// The hash of a credential, as it is stored. It can be compared by [`CredentialSecret::matches`] only.
#[derive(Clone, Copy)]
pub struct CredentialHash([u8; 32]);

impl CredentialHash {
    /// A hash as it was stored.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub const fn to_bytes(self) -> [u8; 32] {
        self.0
    }
}

impl fmt::Debug for CredentialHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialHash(..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::Counting;

    const ID: CredentialId = CredentialId::from_bytes([0x71; 16]);

    fn credential() -> CredentialSecret {
        CredentialSecret::draw(CredentialKind::Workload, ID, &Counting::new())
    }

    #[test]
    fn a_credential_is_recognised_by_its_hash() {
        let stored = CredentialHash::from_bytes(credential().hash().to_bytes());
        let shown = credential().reveal();
        assert_eq!(shown.len(), CredentialSecret::TEXT_LEN);
        assert!(shown.starts_with("lh_wk_3he5rq2wbhe5rq2wbhe5rq2wbh."), "{}", &shown[..32]);
        let presented = CredentialSecret::parse(&shown).ok().unwrap();
        assert_eq!((presented.kind(), presented.id()), (CredentialKind::Workload, ID));
        assert!(presented.matches(&stored));
    }

    #[test]
    fn the_stored_hash_is_the_sha_256_of_the_text() {
        let expected = digest::digest(&digest::SHA256, credential().reveal().as_bytes());
        assert_eq!(credential().hash().to_bytes(), expected.as_ref());
    }

    #[test]
    fn a_credential_with_one_character_changed_is_not_recognised() {
        let stored = credential().hash();
        let shown = credential().reveal();
        for position in 0..shown.len() {
            let mut changed = shown.as_bytes().to_vec();
            changed[position] = if changed[position] == b'a' { b'b' } else { b'a' };
            let changed = String::from_utf8(changed).unwrap();
            let recognised = CredentialSecret::parse(&changed).is_ok_and(|parsed| parsed.matches(&stored));
            assert!(!recognised, "position {position}");
        }
    }

    #[test]
    fn a_credential_relabelled_as_another_kind_is_not_recognised() {
        let relabelled = credential().reveal().replacen("_wk_", "_ad_", 1);
        let presented = CredentialSecret::parse(&relabelled).ok().unwrap();
        assert_eq!(presented.kind(), CredentialKind::Administrator);
        assert!(!presented.matches(&credential().hash()));
    }

    #[test]
    fn anything_but_the_one_text_is_refused() {
        let shown = credential().reveal();
        for bad in [
            String::new(),
            format!(" {}", *shown),
            format!("{}\n", *shown),
            format!("{}=", *shown),
            shown[..shown.len() - 1].to_owned(),
            shown.replacen("lh_", "LH_", 1),
            shown.replacen("_wk_", "_xx_", 1),
            shown.replacen("_wk_", "_WK_", 1),
            shown.replacen('.', ":", 1),
            // The last character carries four bits: another two of its bits would be a second text of the same credential.
            format!("{}_", &shown[..shown.len() - 1]),
        ] {
            assert_eq!(CredentialSecret::parse(&bad).err(), Some(ParseCredentialError));
        }
    }

    proptest! {
        #[test]
        fn every_credential_round_trips(
            kind in prop::sample::select(CredentialKind::ALL.to_vec()), id: [u8; 16], secret: [u8; 32],
        ) {
            let id = CredentialId::from_bytes(id);
            let secret = KeyMaterial::copy_of(&secret).unwrap();
            let credential = CredentialSecret { kind, id, secret };
            let text = credential.text();
            let parsed = CredentialSecret::parse(&text);
            prop_assert!(parsed.is_ok_and(|parsed| parsed.matches(&credential.hash()) && *parsed.reveal() == *text));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text: String) {
            let _ = CredentialSecret::parse(&text);
            let _ = CredentialSecret::parse(&format!("lh_wk_{text}"));
        }
    }
}
