//! Whether a file of lines is what a signed checkpoint says it is: every line, none missing, none changed, none added.
//!
//! Offline, in one pass, with a bounded line in memory. Trusts the verifier key alone.

use std::io::{self, BufRead};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use leasehold_vault::VerifierKey;
use thiserror::Error;

use super::{
    checkpoint::{Checkpoint, CheckpointError},
    line::{self, Envelope},
    lines::{self, Read},
    merkle::Tree,
};

/// What was verified.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verified {
    /// What the checkpoint says, and the lines say too.
    pub(super) checkpoint: Checkpoint,
    /// When the first and the last event were decided.
    pub(super) first_at: Option<String>,
    pub(super) last_at: Option<String>,
}

/// Why a file is not what its checkpoint says. Lines are counted from 1, as editors do.
#[derive(Debug, Error)]
pub(super) enum VerifyError {
    #[error("the checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    #[error("line {line} is longer than any event's: {} bytes", line::LEN_MAX)]
    TooLong { line: u64 },
    #[error("line {line} is cut off: no newline ends it")]
    CutOff { line: u64 },
    #[error("line {line} is not an event")]
    NotAnEvent { line: u64 },
    #[error("line {line} has sequence number {found} where {expected} belongs{}", gap(*.expected, *.found))]
    Sequence { line: u64, expected: u64, found: u64 },
    #[error("the file ends after line {lines}, and the checkpoint covers {size}: {} are missing", size - lines)]
    Truncated { lines: u64, size: u64 },
    #[error("line {line} is beyond the {size} lines that the checkpoint covers")]
    Uncovered { line: u64, size: u64 },
    #[error(
        "lines 1 to {lines} have the root {found}, and the checkpoint says {expected}: at least one of them was changed"
    )]
    Root { lines: u64, found: String, expected: String },
    #[error("reading failed after line {line}: {source}")]
    Io { line: u64, source: io::Error },
}

/// Verifies lines against a signed checkpoint. `progress` hears of each line how many bytes it has.
///
/// # Errors
/// [`VerifyError`]: the first thing that is wrong.
pub(super) fn verify(
    mut from: impl BufRead,
    note: &str,
    key: &VerifierKey,
    mut progress: impl FnMut(usize),
) -> Result<Verified, VerifyError> {
    let checkpoint = Checkpoint::open(note, key)?;
    let mut tree = Tree::default();
    let (mut first_at, mut last_at) = (None, None);
    let mut buffer = Vec::new();
    loop {
        let line = tree.size() + 1;
        match lines::next(&mut from, &mut buffer)
            .map_err(|source| VerifyError::Io { line: line - 1, source })?
        {
            Read::Line => {}
            Read::Unended => return Err(VerifyError::CutOff { line }),
            Read::TooLong => return Err(VerifyError::TooLong { line }),
            Read::End => break,
        }
        if line > checkpoint.size {
            return Err(VerifyError::Uncovered { line, size: checkpoint.size });
        }
        let envelope = Envelope::read(&buffer).ok_or(VerifyError::NotAnEvent { line })?;
        if envelope.seq != tree.size() {
            return Err(VerifyError::Sequence { line, expected: tree.size(), found: envelope.seq });
        }
        let at = envelope.at.to_owned();
        first_at.get_or_insert_with(|| at.clone());
        last_at = Some(at);
        tree.push(&buffer);
        progress(buffer.len() + 1);
    }
    let (lines, size) = (tree.size(), checkpoint.size);
    if lines < size {
        return Err(VerifyError::Truncated { lines, size });
    }
    if tree.root() != checkpoint.root {
        let (found, expected) = (STANDARD.encode(tree.root()), STANDARD.encode(checkpoint.root));
        return Err(VerifyError::Root { lines, found, expected });
    }
    Ok(Verified { checkpoint, first_at, last_at })
}

fn gap(expected: u64, found: u64) -> String {
    match found.checked_sub(expected) {
        Some(1) => ": one line is missing".to_owned(),
        Some(missing) => format!(": {missing} lines are missing"),
        None => ": it stands there twice, or out of order".to_owned(),
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
