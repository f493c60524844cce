//! Proposals as they stand in the Raft log: one format byte, then an array of proposals.
//!
//! A batch is one log entry. How many proposals fit into one by the events they may raise is for the proposer
//! to sum up; here only their number is bounded.

use leasehold_domain::command::Proposal;

use crate::cbor::{DecodeError, Problem, Reader, Wire, Writer};

/// The format of level 1. A node that meets another stops: it must not guess.
const FORMAT: u8 = 1;
/// The most proposals in a batch.
pub const PROPOSALS_MAX: usize = 256;

/// The bytes of a batch.
///
/// # Panics
/// When there are more than [`PROPOSALS_MAX`] proposals: no node could read the entry, and the batcher never makes one.
pub fn encode(proposals: &[Proposal]) -> Vec<u8> {
    assert!(proposals.len() <= PROPOSALS_MAX, "a batch has at most {PROPOSALS_MAX} proposals");
    let mut writer = Writer::new(vec![FORMAT]);
    writer.array(proposals.len());
    proposals.iter().for_each(|proposal| proposal.put(&mut writer));
    writer.into_bytes()
}

/// Reads a batch.
///
/// # Errors
/// [`DecodeError`] for anything that [`encode`] would not write.
pub fn decode(bytes: &[u8]) -> Result<Vec<Proposal>, DecodeError> {
    let content = match bytes.split_first() {
        Some((&FORMAT, content)) => content,
        Some((&other, _)) => return Err(DecodeError { at: 0, problem: Problem::UnknownFormat(other) }),
        None => return Err(DecodeError { at: 0, problem: Problem::Expected("a format byte") }),
    };
    let mut reader = Reader::new(content);
    let len = reader.array()?;
    if len > PROPOSALS_MAX as u64 {
        return Err(reader.problem(Problem::TooMany(PROPOSALS_MAX)));
    }
    let mut proposals = Vec::new();
    for _ in 0..len {
        proposals.push(Proposal::take(&mut reader)?);
    }
    reader.finish()?;
    Ok(proposals)
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
