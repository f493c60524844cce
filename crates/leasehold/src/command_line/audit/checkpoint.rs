//! A checkpoint: origin, size and root, signed (C2SP tlog-checkpoint in a signed-note).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use leasehold_vault::{VerifierKey, VerifyNoteError, verify_note};
use thiserror::Error;

use super::merkle::Hash;

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Checkpoint {
    /// Which ledger it is of.
    pub(super) origin: String,
    /// How many lines it covers.
    pub(super) size: u64,
    /// The root over them.
    pub(super) root: Hash,
}

/// Why a checkpoint says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum CheckpointError {
    /// It does not verify.
    #[error("{0}")]
    Note(#[from] VerifyNoteError),
    /// What was signed is not a checkpoint.
    #[error("what was signed is not a checkpoint: expected an origin, a size and a root")]
    Malformed,
}

impl Checkpoint {
    /// Reads a signed checkpoint, whose signature must be by this key.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub(super) fn open(note: &str, key: &VerifierKey) -> Result<Self, CheckpointError> {
        Self::read(verify_note(note, key)?).ok_or(CheckpointError::Malformed)
    }

    /// Reads what a checkpoint claims, without looking at its signature.
    pub(super) fn claimed(note: &str) -> Option<Self> {
        Self::read(note.split_once("\n\n")?.0)
    }

    fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let origin = lines.next().filter(|origin| !origin.is_empty())?.to_owned();
        let digits = lines.next()?;
        let size: u64 = digits.parse().ok()?;
        // The one way to write a number: no sign, no leading zeros.
        if size.to_string() != digits {
            return None;
        }
        let root = STANDARD.decode(lines.next()?).ok()?.try_into().ok()?;
        Some(Self { origin, size, root })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_an_origin_a_size_and_a_root() {
        let root = STANDARD.encode([7; 32]);
        let read = Checkpoint::claimed(&format!("ledger.example/org\n42\n{root}\n\n\u{2014} x y\n")).unwrap();
        assert_eq!(read, Checkpoint { origin: "ledger.example/org".to_owned(), size: 42, root: [7; 32] });
        let short = STANDARD.encode([7; 31]);
        for bad in [
            String::new(),
            format!("\n42\n{root}\n"),
            format!("origin\n042\n{root}\n"),
            format!("origin\n+42\n{root}\n"),
            format!("origin\n42\n{short}\n"),
            "origin\n42\n".to_owned(),
        ] {
            assert_eq!(Checkpoint::read(&bad), None, "{bad:?}");
        }
    }
}
