//! The write-ahead log: a Raft node's vote and log on plain files, and the one place whose loss would break a promise.
//!
//! Entries are opaque bytes under a [`LogId`]; nothing here knows Raft, openraft, the ledger or async. One thread writes.
//! While its fdatasync runs, whatever is submitted gathers, and the next group takes all of it: one vectored write, one
//! fdatasync, then the durable watermark, then the callbacks in order. There is no timer.
//!
//! Damage is told from a torn write, and only what was never acknowledged is ever cut; anything else is refused at open
//! with the file and the offset, and nothing is changed. The first write or sync error ends the log for good: every
//! waiter fails, the hook given at open is called, and the process is expected to stop there.
//!
//! `consensus` is the caller; the rules of the format are in `record`, `segment` and `scan`.

mod codec;
mod error;
mod fs;
mod identity;
mod index;
mod read;
mod record;
mod recovery;
mod scan;
mod segment;
mod shared;
mod state;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod wal;
mod writer;

pub use error::{Failure, OpenError, ReadError, Refused, WriteError};
pub use fs::{DirLock, DiskFs, Fs, FsFile};
pub use identity::Identity;
pub use recovery::{Expectation, Recovered, TornTail};
pub use shared::{Done, OnDurable, OnFatal};
pub use state::{Entry, LogId, State, Violation, Vote};
pub use wal::{Options, Wal};
