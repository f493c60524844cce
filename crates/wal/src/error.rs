//! Why the log refused to open, to take a request or to go on.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::Violation;

/// The log did not open. Nothing on disk was changed, except after [`OpenError::Io`].
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The operating system refused an operation.
    #[error(transparent)]
    Io(#[from] Failure),
    /// Another process, or another log in this one, holds the directory.
    #[error("{} is in use by another log", .dir.display())]
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// The directory belongs to another cluster or node.
    #[error("{} belongs to another {what}", .file.display())]
    Foreign {
        /// The file that says so.
        file: PathBuf,
        /// `cluster` or `node`.
        what: &'static str,
    },
    /// The directory was written in a format that this version does not know.
    #[error("{} has format {found}, which this version does not know", .file.display())]
    Format {
        /// The file that says so.
        file: PathBuf,
        /// Its format number.
        found: u32,
    },
    /// What was written is no longer what is read.
    #[error("{} is damaged at offset {offset}: {reason}", .file.display())]
    Damaged {
        /// The damaged file.
        file: PathBuf,
        /// Offset of the first byte that cannot be trusted.
        offset: u64,
        /// What does not hold.
        reason: String,
    },
    /// A file that must be there is not.
    #[error("{} is missing: {reason}", .file.display())]
    Missing {
        /// The file or directory.
        file: PathBuf,
        /// What says that it must exist.
        reason: &'static str,
    },
    /// The log ends before a position that was durable.
    #[error("log ends at {last:?} ({} at offset {offset}), before the durable index {expected}", .file.display())]
    Short {
        /// The last segment.
        file: PathBuf,
        /// Its end.
        offset: u64,
        /// Index of the last entry.
        last: Option<u64>,
        /// The least index that was expected.
        expected: u64,
    },
    /// The node has voted, but the vote is not there or is older than one it is known to have cast.
    #[error("vote is lost: found term {term:?} ({} at offset {offset})", .file.display())]
    VoteLost {
        /// The last segment.
        file: PathBuf,
        /// Its end.
        offset: u64,
        /// Term of the vote found.
        term: Option<u64>,
    },
}

/// Why the log ended. Final: a new process has to open it again.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// A write, sync or read failed.
    #[error("cannot {action} {}", .file.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On which file or directory.
        file: PathBuf,
        /// The system's answer.
        source: Arc<io::Error>,
    },
    /// An entry that was written does not read back.
    #[error("{} is damaged at offset {offset}", .file.display())]
    Damaged {
        /// The damaged file.
        file: PathBuf,
        /// Offset of the record.
        offset: u64,
    },
    /// The writer stopped on a fault of its own.
    #[error("log writer stopped: {0}")]
    Broken(String),
    /// The log was closed.
    #[error("log is closed")]
    Closed,
}

impl Failure {
    pub(crate) fn io(action: &'static str, file: PathBuf) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, file, source: Arc::new(source) }
    }
}

/// A request that the log did not take. The log itself goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It would break the order of the log.
    #[error(transparent)]
    Order(#[from] Violation),
    /// A payload above the limit.
    #[error("entry {index} has {bytes} bytes, above the limit of {max}")]
    TooLarge {
        /// Index of the entry.
        index: u64,
        /// Its size.
        bytes: usize,
        /// `Options::payload_bytes_max`.
        max: usize,
    },
    /// A blocking call from one of the log's own callbacks, which could never return.
    #[error("blocking call from a callback of the log")]
    FromCallback,
    /// More than [`crate::Wal::SUBSCRIBERS_MAX`] subscribers.
    #[error("too many subscribers")]
    TooManySubscribers,
}

/// A request was refused, or the log has failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WriteError {
    /// Not taken; the log goes on.
    #[error("refused by the log")]
    Refused(#[from] Refused),
    /// The log has ended.
    #[error("log has failed")]
    Failed(#[from] Failure),
}

/// Entries could not be read. The log has failed with it: a node that cannot verify its own disk stops.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot read the log")]
pub struct ReadError(#[from] pub Failure);
