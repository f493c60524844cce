//! Reads that are events themselves, and the checkpoints that sign the ledger.

use alloc::string::String;

use crate::text::Digest;

pub mod decide;

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum View {
    /// Lines of the ledger.
    Ledger,
    /// Who has access, what someone has, or why.
    Access,
}

/// A signed checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// How many lines it covers.
    pub size: u64,
    /// The root of the Merkle tree over them.
    pub root: Digest,
    /// The note: origin, size, root and signatures (C2SP tlog-checkpoint).
    pub note: String,
}

/// The longest note, in bytes.
pub const NOTE_LEN_MAX: usize = 2048;

/// Orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Record that someone reads, before anything is shown.
    RecordRead {
        /// What.
        view: View,
        /// From which sequence number.
        from: u64,
    },
    /// Keep a signed checkpoint. No event: a checkpoint cannot cover itself.
    KeepCheckpoint(Checkpoint),
}

/// Facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The actor reads.
    Read {
        /// What.
        view: View,
        /// From which sequence number.
        from: u64,
    },
}
