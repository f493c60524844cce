//! A recovery copy: the keyring wrapped once more, by a recovery key, for the day on which the root key is lost.
//!
//! A recovery key is a root key that wraps nothing else. The copy holds no token and no root key, but whoever has it together with its key
//! and the data opens everything: the two are kept apart from each other and from the data. It opens what was sealed under the versions that
//! it holds, so it is made again after every rotation.
//!
//! Text form: `leasehold-recovery-copy-v1`, the organisation, and one wrapped key a line in base64.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use leasehold_domain::id::OrganisationId;
use thiserror::Error;

use crate::{
    cipher::CHECK_LEN,
    entropy::Entropy,
    keyring::{Keyring, OpenKeyringError, WrappedKey},
    purpose::Purpose,
    root::RootKey,
};

const FIRST_LINE: &str = "leasehold-recovery-copy-v1";

/// A keyring wrapped by a recovery key. Ciphertext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryCopy {
    organisation: OrganisationId,
    wrapped: Vec<WrappedKey>,
}

/// A text is not a recovery copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("line {line} is not what a recovery copy has there: it was changed, or is another file")]
pub struct ParseRecoveryError {
    /// Which line, counted from 1.
    pub line: usize,
}

/// Why a recovery copy does not open.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenRecoveryError {
    /// The key is not the one of this copy.
    #[error("the recovery key is not the one with which this copy was made")]
    WrongKey,
    /// The key is right and the copy was changed.
    #[error("the recovery copy is damaged: {0}")]
    Damaged(OpenKeyringError),
}

impl RecoveryCopy {
    /// The longest text of one, in bytes.
    pub const LEN_MAX: usize = 256 * 1024;

    /// Wraps a keyring by a recovery key.
    pub fn make(keyring: &Keyring, recovery_key: &RootKey, entropy: &dyn Entropy) -> Self {
        Self { organisation: keyring.organisation(), wrapped: keyring.rewrap(recovery_key, entropy) }
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// [`ParseRecoveryError`], which names the line.
    pub fn parse(text: &str) -> Result<Self, ParseRecoveryError> {
        let mut lines = text.lines().enumerate();
        let wrong = |line: usize| ParseRecoveryError { line: line + 1 };
        let mut next = |line: usize| lines.next().map(|(_, text)| text).ok_or_else(|| wrong(line));
        if text.len() > Self::LEN_MAX || next(0)? != FIRST_LINE {
            return Err(wrong(0));
        }
        let organisation = next(1)?.parse().map_err(|_| wrong(1))?;
        let wrapped = lines
            .map(|(line, text)| {
                let bytes = STANDARD.decode(text).map_err(|_| wrong(line))?;
                WrappedKey::from_bytes(&bytes).map_err(|_| wrong(line))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { organisation, wrapped })
    }

    /// The text form.
    pub fn to_text(&self) -> String {
        let mut text = format!("{FIRST_LINE}\n{}\n", self.organisation);
        for key in &self.wrapped {
            STANDARD.encode_string(key.to_bytes(), &mut text);
            text.push('\n');
        }
        text
    }

    /// Whose keyring it is.
    pub const fn organisation(&self) -> OrganisationId {
        self.organisation
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`OpenRecoveryError`].
    pub fn open(&self, recovery_key: &RootKey) -> Result<Keyring, OpenRecoveryError> {
        Keyring::open(self.organisation, recovery_key, &self.wrapped).map_err(|error| {
            if error == OpenKeyringError::WrongRootKey {
                OpenRecoveryError::WrongKey
            } else {
                OpenRecoveryError::Damaged(error)
            }
        })
    }
}

impl Keyring {
    /// Which of these keys it lacks, or holds in another form: what it would not open.
    pub fn lacks(&self, keys: &BTreeMap<(Purpose, u32), [u8; CHECK_LEN]>) -> Vec<(Purpose, u32)> {
        let same = |&(purpose, version): &(Purpose, u32), check: &[u8; CHECK_LEN]| {
            self.key_check(purpose, version) == Some(*check)
        };
        keys.iter().filter(|(key, check)| !same(key, check)).map(|(key, _)| *key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Counting, ORGANISATION, keyring, root_key};

    fn recovery_key() -> RootKey {
        RootKey::draw(&Counting::new())
    }

    fn checks(keyring: &Keyring) -> BTreeMap<(Purpose, u32), [u8; CHECK_LEN]> {
        let all = Purpose::ALL.into_iter().flat_map(|purpose| {
            keyring.versions(purpose).map(move |version| (purpose, version)).collect::<Vec<_>>()
        });
        all.map(|(purpose, version)| ((purpose, version), keyring.key_check(purpose, version).unwrap()))
            .collect()
    }

    #[test]
    fn a_copy_reads_back_from_its_text_and_opens_to_the_same_keys() {
        let (keyring, _) = keyring();
        let copy = RecoveryCopy::make(&keyring, &recovery_key(), &Counting::new());
        let read = RecoveryCopy::parse(&copy.to_text()).unwrap();
        assert_eq!((read.organisation(), &read), (ORGANISATION, &copy));
        let opened = read.open(&recovery_key()).ok().unwrap();
        assert!(opened.lacks(&checks(&keyring)).is_empty());
        assert_eq!(read.open(&root_key()).err(), Some(OpenRecoveryError::WrongKey));
    }

    #[test]
    fn a_copy_of_before_a_rotation_lacks_what_was_added() {
        let (mut keyring, _) = keyring();
        let copy = RecoveryCopy::make(&keyring, &recovery_key(), &Counting::new());
        let drawn = keyring.draw_version(Purpose::RefreshTokens, &root_key(), &Counting::new()).unwrap();
        keyring.admit(&root_key(), &drawn).unwrap();
        let opened = copy.open(&recovery_key()).ok().unwrap();
        assert_eq!(opened.lacks(&checks(&keyring)), [(Purpose::RefreshTokens, 2)]);
    }

    #[test]
    fn another_clusters_key_of_the_same_version_is_told_from_ours() {
        let (ours, _) = keyring();
        let (theirs, _) = Keyring::generate(ORGANISATION, &root_key(), &Counting::new());
        assert_eq!(theirs.lacks(&checks(&ours)).len(), Purpose::ALL.len());
    }

    #[test]
    fn a_changed_copy_is_refused() {
        let (keyring, _) = keyring();
        let text = RecoveryCopy::make(&keyring, &recovery_key(), &Counting::new()).to_text();
        for (bad, line) in [
            (String::new(), 1),
            (text.replacen("-v1", "-v2", 1), 1),
            (FIRST_LINE.to_owned(), 2),
            (text.replacen("org_", "sub_", 1), 2),
            (format!("{text}AAAA\n"), 7),
        ] {
            assert_eq!(RecoveryCopy::parse(&bad).err(), Some(ParseRecoveryError { line }), "{bad}");
        }
        let mut bytes = STANDARD.decode(text.lines().nth(3).unwrap()).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        let changed = text.replace(text.lines().nth(3).unwrap(), &STANDARD.encode(&bytes));
        let refused = RecoveryCopy::parse(&changed).unwrap().open(&recovery_key()).err();
        assert!(matches!(refused, Some(OpenRecoveryError::Damaged(_))), "{refused:?}");
    }
}
