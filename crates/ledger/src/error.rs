//! What can go wrong with the ledger, by who has to act.
//!
//! A [`Fault`] ends the ledger: it is reported once to `on_fatal`, and every later call answers with the same one. Nothing is retried: after a
//! failed flush the kernel counts the pages as clean, so a second try that succeeds proves nothing.

use std::{io, path::PathBuf};

use thiserror::Error;

/// Why the ledger stopped. Never carries a key or a value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Fault {
    /// The disk, or sled above it, refused.
    #[error("could not {what} {file}: {reason}")]
    Disk {
        /// What was attempted.
        what: &'static str,
        /// On which file.
        file: PathBuf,
        /// What sled or the system said.
        reason: String,
    },
    /// Something that was written is not what is read, or does not fit what it belongs to.
    #[error("the ledger is damaged: {what}")]
    Damaged {
        /// What does not fit, and where.
        what: String,
    },
    /// An entry does not follow the one that was applied last.
    #[error("entry {found} does not follow entry {last}")]
    OutOfOrder {
        /// The index that was applied last.
        last: u64,
        /// The index that was handed in.
        found: u64,
    },
    /// Apply or the writer panicked: memory may be half changed.
    #[error("a panic interrupted {what}")]
    Panicked {
        /// What was under way.
        what: &'static str,
    },
    /// [`Ledger::close`](crate::Ledger::close) was called.
    #[error("the ledger is closed")]
    Closed,
}

impl Fault {
    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }

    pub(crate) fn disk<E: ToString>(what: &'static str, file: impl Into<PathBuf>) -> impl FnOnce(E) -> Self {
        let file = file.into();
        move |reason| Self::Disk { what, file, reason: reason.to_string() }
    }
}

/// Why a ledger did not open. Nothing that it holds was changed, but for what sled itself does when it opens.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The system refused.
    #[error("could not {what} {path}")]
    Io {
        /// What was attempted.
        what: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process, or another handle of this one, has it open.
    #[error("the ledger in {path} is in use")]
    InUse {
        /// Its directory.
        path: PathBuf,
    },
    /// It was written in a format that this build does not read.
    #[error("the ledger has format {found}, and this build reads format {known}")]
    UnknownFormat {
        /// The format that it has.
        found: u32,
        /// The format that this build reads and writes.
        known: u32,
    },
    /// What is on disk is not what was written. Restore the node from a peer's snapshot; never repair in place.
    #[error("the ledger in {path} is damaged: {what}")]
    Damaged {
        /// Its directory.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// sled refused for a reason of its own.
    #[error("could not {what} {path}: {reason}")]
    Store {
        /// What was attempted.
        what: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What sled said.
        reason: String,
    },
}

impl OpenError {
    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }

    /// What a fault means while the ledger in `path` opens.
    pub(crate) fn from_fault(path: impl Into<PathBuf>) -> impl FnOnce(Fault) -> Self {
        let path = path.into();
        move |fault| match fault {
            Fault::Disk { what, file, reason } => Self::Store { what, path: file, reason },
            Fault::Damaged { .. } | Fault::OutOfOrder { .. } | Fault::Panicked { .. } | Fault::Closed => {
                Self::Damaged { path, what: fault.to_string() }
            }
        }
    }
}

/// Why a snapshot was not built or not installed. The ledger is as it was.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The system refused.
    #[error("could not {what} {path}")]
    Io {
        /// What was attempted.
        what: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It was written in a format that this build does not read.
    #[error("the snapshot has format {found}, and this build reads format {known}")]
    UnknownFormat {
        /// The format that it has.
        found: u32,
        /// The format that this build reads and writes.
        known: u32,
    },
    /// The file is not what was written, or does not add up to what it says of itself.
    #[error("the snapshot {path} is damaged: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// It ends before what is applied here already.
    #[error("the snapshot ends at entry {snapshot}, before entry {applied} which is applied")]
    Outdated {
        /// The index at which it ends.
        snapshot: u64,
        /// The index that is applied here.
        applied: u64,
    },
    /// It leaves out lines that this ledger does not have.
    #[error("the snapshot begins at line {from}, and this ledger has {have} lines")]
    Gap {
        /// Its first line.
        from: u64,
        /// How many lines there are here.
        have: u64,
    },
    /// The directory of the new epoch could not be prepared.
    #[error("could not prepare the directory for the snapshot")]
    Prepare(#[from] OpenError),
    /// The ledger itself stopped.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl SnapshotError {
    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }

    pub(crate) fn damaged(path: impl Into<PathBuf>, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.into(), what: what.into() }
    }
}
