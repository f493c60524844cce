//! Signed notes (C2SP signed-note): text, a blank line, and a line for each signature. Anyone verifies them with the key's text alone.

use std::{fmt, str::FromStr};

use aws_lc_rs::{digest, signature};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use thiserror::Error;

/// The byte that stands for Ed25519 in keys and key ids.
const ED25519: u8 = 0x01;
/// How a signature line begins: an em dash and a space.
const SIGNATURE_PREFIX: &str = "\u{2014} ";
/// The longest note that is written or read, in bytes.
const NOTE_LEN_MAX: usize = 1_000_000;
/// The most signature lines that are read.
const SIGNATURES_MAX: usize = 100;

/// The name of a key: what signature lines and key texts call it. Usually a host and a path, without a scheme.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyName(String);

/// Why a text cannot be a note or a key's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NoteError {
    /// Not a key's name.
    #[error(
        "a key's name has 1 to {} bytes without white space, control characters or plus signs",
        KeyName::LEN_MAX
    )]
    InvalidName,
    /// Not a note's text.
    #[error(
        "a note's text ends in a newline, has no other control characters, and at most {NOTE_LEN_MAX} bytes"
    )]
    InvalidText,
}

impl KeyName {
    /// The longest name, in bytes.
    pub const LEN_MAX: usize = 255;

    /// Accepts a text that has the form of a key's name.
    ///
    /// # Errors
    /// [`NoteError::InvalidName`] for anything else.
    pub fn new(name: &str) -> Result<Self, NoteError> {
        let fits = (1..=Self::LEN_MAX).contains(&name.len());
        let stray = |found: char| found.is_whitespace() || found.is_control() || found == '+';
        if fits && !name.contains(stray) { Ok(Self(name.to_owned())) } else { Err(NoteError::InvalidName) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a signature is verified with: a name, and an Ed25519 public key. Its text is `name+key id+base64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: KeyName,
    public: [u8; 32],
}

/// A text is not a verifier key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "expected a verifier key for Ed25519: a name, a plus sign, its key id in hexadecimal, a plus sign, and the key in base64"
)]
pub struct ParseVerifierKeyError;

/// Why a note does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VerifyNoteError {
    /// Not a signed note.
    #[error("not a signed note: expected text, a blank line and signature lines")]
    Malformed,
    /// A note without a signature by this key.
    #[error("the note is not signed by this key")]
    NotSigned,
    /// A signature line that names this key and is not by it, or is by it for another text.
    #[error("the note's signature by this key is wrong")]
    WrongSignature,
}

impl VerifierKey {
    /// A verifier key from its parts.
    pub const fn new(name: KeyName, public: [u8; 32]) -> Self {
        Self { name, public }
    }

    /// The key's name.
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The Ed25519 public key (RFC 8032 section 5.1.5).
    pub const fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// The key id: the first four bytes of SHA-256 over the name, a newline, and the key with its algorithm.
    pub fn id(&self) -> [u8; 4] {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(self.name.0.as_bytes());
        context.update(b"\n");
        context.update(&self.encoded());
        *context.finish().as_ref().first_chunk().expect("SHA-256 gives 32 bytes")
    }

    /// Whether this key signed `text`.
    pub fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        signature::UnparsedPublicKey::new(&signature::ED25519, self.public).verify(text, signature).is_ok()
    }

    /// The line that carries a signature, with its newline.
    pub(crate) fn signature_line(&self, signature: &[u8; 64]) -> String {
        let encoded = STANDARD.encode([&self.id()[..], signature].concat());
        format!("{SIGNATURE_PREFIX}{} {encoded}\n", self.name.0)
    }

    fn encoded(&self) -> [u8; 33] {
        let mut encoded = [ED25519; 33];
        encoded.iter_mut().skip(1).zip(self.public).for_each(|(byte, key)| *byte = key);
        encoded
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = u32::from_be_bytes(self.id());
        write!(f, "{}+{id:08x}+{}", self.name.0, STANDARD.encode(self.encoded()))
    }
}

impl FromStr for VerifierKey {
    type Err = ParseVerifierKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (name, rest) = text.split_once('+')?;
            let (_, key) = rest.split_once('+')?;
            let key = STANDARD.decode(Some(key).filter(|key| key.len() <= 64)?).ok()?;
            let (&algorithm, public) = key.split_first()?;
            let public = public.try_into().ok()?;
            let key = Self { name: KeyName::new(name).ok()?, public };
            // The key id is what it must be exactly when the whole text is.
            (algorithm == ED25519 && key.to_string() == text).then_some(key)
        };
        read().ok_or(ParseVerifierKeyError)
    }
}

/// Whether a text can be signed as a note.
pub(crate) fn check_text(text: &str) -> Result<(), NoteError> {
    let stray = |found: char| found < ' ' && found != '\n';
    let fits = text.len() <= NOTE_LEN_MAX && text.ends_with('\n') && !text.contains(stray);
    if fits { Ok(()) } else { Err(NoteError::InvalidText) }
}

/// Verifies a note and returns its text with its last newline. Signatures by other keys are not looked at, whatever they say.
///
/// # Errors
/// [`VerifyNoteError`]; a single wrong signature in this key's name is an error, even beside a right one.
pub fn verify_note<'note>(note: &'note str, key: &VerifierKey) -> Result<&'note str, VerifyNoteError> {
    check_text(note).map_err(|_| VerifyNoteError::Malformed)?;
    let blank = note.rfind("\n\n").ok_or(VerifyNoteError::Malformed)?;
    let (text, rest) = note.split_at_checked(blank + 1).ok_or(VerifyNoteError::Malformed)?;
    let lines = rest.strip_prefix('\n').ok_or(VerifyNoteError::Malformed)?;
    if lines.is_empty() || lines.lines().count() > SIGNATURES_MAX {
        return Err(VerifyNoteError::Malformed);
    }
    let mut signed = false;
    for line in lines.split_terminator('\n') {
        let (name, id, signature) = read_signature(line).ok_or(VerifyNoteError::Malformed)?;
        if name != key.name || id != key.id() {
            continue;
        }
        if !key.verifies(text.as_bytes(), &signature) {
            return Err(VerifyNoteError::WrongSignature);
        }
        signed = true;
    }
    if signed { Ok(text) } else { Err(VerifyNoteError::NotSigned) }
}

fn read_signature(line: &str) -> Option<(KeyName, [u8; 4], Vec<u8>)> {
    let (name, encoded) = line.strip_prefix(SIGNATURE_PREFIX)?.split_once(' ')?;
    let bytes = STANDARD.decode(encoded).ok()?;
    let (id, signature) = bytes.split_first_chunk()?;
    let signature = Some(signature.to_vec()).filter(|signature| !signature.is_empty())?;
    Some((KeyName::new(name).ok()?, *id, signature))
}

#[cfg(test)]
#[path = "note_tests.rs"]
mod tests;
