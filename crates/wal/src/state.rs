//! What the records of a log add up to, and the rules that no sequence of records may break.
//!
//! The same `apply` judges a caller's request, follows the writer and replays the files, so that nothing can be written
//! that a later open would refuse.

use std::fmt;

use bytes::Bytes;

use crate::record::Record;

/// The position of an entry. The log compares indexes and terms; `node` is carried, never judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogId {
    /// Term of the leader that proposed the entry.
    pub term: u64,
    /// Node of that leader, or whatever else the caller tells leaders apart by.
    pub node: u64,
    /// Position in the log. Indexes have no holes.
    pub index: u64,
}

/// The vote of this node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vote {
    /// Term voted in. It never falls.
    pub term: u64,
    /// Node voted for.
    pub node: u64,
    /// Whether a majority is known to have granted it.
    pub committed: bool,
}

/// One entry of the log.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its position.
    pub id: LogId,
    /// Opaque bytes, at most `Options::payload_bytes_max`.
    pub payload: Bytes,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("id", &self.id).field("payload_bytes", &self.payload.len()).finish()
    }
}

/// Vote and ends of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The last vote saved.
    pub vote: Option<Vote>,
    /// The last commit mark saved. After a crash it may be older than the last one reported.
    pub committed: Option<LogId>,
    /// The last entry purged. Entries up to it are gone.
    pub purged: Option<LogId>,
    /// The last entry, or the purge position where nothing follows it.
    pub last: Option<LogId>,
}

/// A request that would break the log's order. Nothing of it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// An entry that does not follow the last one.
    #[error("entry {index} does not follow the last entry, {last}")]
    Gap {
        /// Index of the entry.
        index: u64,
        /// Index of the last entry.
        last: u64,
    },
    /// An entry of a lower term than the one before it.
    #[error("entry {index} has term {term}, below the term before it")]
    TermReversal {
        /// Index of the entry.
        index: u64,
        /// Its term.
        term: u64,
    },
    /// A vote in a lower term than the saved one.
    #[error("vote in term {term} is below the saved term {saved}")]
    VoteReversal {
        /// Term of the refused vote.
        term: u64,
        /// Term of the saved vote.
        saved: u64,
    },
    /// A commit mark that falls, or that lies beyond the log.
    #[error("commit mark {index} is below the saved one or beyond the log")]
    CommitOutOfRange {
        /// Index of the mark.
        index: u64,
    },
    /// A truncation to a position beyond the log, or below what is purged or committed.
    #[error("truncation to {kept:?} is beyond the log or below what is purged or committed")]
    TruncateOutOfRange {
        /// Index of the last entry to keep.
        kept: Option<u64>,
    },
    /// A purge that does not move forward, or that would leave a hole before the first entry.
    #[error("purge up to {index} does not move forward or leaves a hole")]
    PurgeOutOfRange {
        /// Index of the purge.
        index: u64,
    },
    /// The log holds a different entry at that index.
    #[error("entry {index} in the log has another id")]
    OtherEntry {
        /// The index.
        index: u64,
    },
}

impl State {
    /// Folds one record in, or says why it may not stand here; on error the state is unchanged.
    pub(crate) fn apply(&mut self, record: &Record) -> Result<(), Violation> {
        let last = self.last.map(|id| id.index);
        match record {
            Record::Entry(entry) => self.append(entry.id)?,
            Record::Vote(vote) => {
                let saved = self.vote.map_or(0, |vote| vote.term);
                if vote.term < saved {
                    return Err(Violation::VoteReversal { term: vote.term, saved });
                }
                self.vote = Some(*vote);
            }
            Record::Committed(id) => {
                if self.committed.is_some_and(|saved| id.index < saved.index) || Some(id.index) > last {
                    return Err(Violation::CommitOutOfRange { index: id.index });
                }
                self.committed = Some(*id);
            }
            Record::Truncate(kept) => {
                let index = kept.map(|id| id.index);
                let floor = self.purged.map(|id| id.index).max(self.committed.map(|id| id.index));
                if index > last || index < floor {
                    return Err(Violation::TruncateOutOfRange { kept: index });
                }
                self.last = *kept;
            }
            Record::Purge { upto, .. } => {
                if self.purged.is_some_and(|purged| upto.index <= purged.index) {
                    return Err(Violation::PurgeOutOfRange { index: upto.index });
                }
                self.purged = Some(*upto);
                if Some(upto.index) >= last {
                    self.last = Some(*upto);
                }
            }
            Record::Mark | Record::Seal { .. } => {}
        }
        Ok(())
    }

    pub(crate) fn append(&mut self, id: LogId) -> Result<(), Violation> {
        if let Some(last) = self.last {
            if last.index.checked_add(1) != Some(id.index) {
                return Err(Violation::Gap { index: id.index, last: last.index });
            }
            if id.term < last.term {
                return Err(Violation::TermReversal { index: id.index, term: id.term });
            }
        }
        self.last = Some(id);
        Ok(())
    }
}
