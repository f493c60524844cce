//! Consensus: what is proposed here is committed on a majority's disks, applied to the ledger on every node in one order, and then
//! answered.
//!
//! openraft decides; this crate binds it to the write-ahead log ([`leasehold_wal`], which holds vote and entries) and to the ledger
//! ([`leasehold_ledger`], which entries are applied to), groups proposals into entries, and gives out one handle, [`Replica`]:
//! propose, read, watch. Nothing of openraft shows outside.
//!
//! It does not know what a grant is. Of a proposal it knows its encoded size and the most events that it can raise.
//!
//! `control` is the caller.

mod batcher;
mod encoding;
mod error;
mod fatal;
mod log_store;
mod network;
mod reads;
mod replica;
mod state_machine;
#[cfg(test)]
mod tests;
mod tuning;
mod types;
mod watch;

pub use batcher::{
    ENTRIES_IN_FLIGHT_MAX, ENTRY_LEN_MAX, EVENTS_MAX, PROPOSALS_MAX, QUEUE_BYTES_MAX, QUEUE_LEN_MAX,
};
pub use error::{ProposeError, ReadError};
pub use fatal::{Fault, OnFault};
pub use leasehold_wal::{DiskFs, Fs, Options as LogOptions};
pub use reads::{READS_WAITING_MAX, ReadPoint};
pub use replica::{Config, InitialiseError, RecoverError, Replica, ShutdownError, StartError, Status};
pub use watch::Leadership;
