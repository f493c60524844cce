//! The ledger: what a node knows, in memory for deciding and on disk for good.
//!
//! Consensus feeds it committed entries; everything else reads it. [`Ledger::apply`] runs each proposal through the domain, turns each event into its
//! line and Merkle leaf, and answers; what it left is readable at once. One writer thread moves it to sled in batches of whole entries, never beyond
//! what this node's own log has made durable, and flushes by bytes and by time. The log is what an acknowledgement rests on; the store is a checkpoint
//! of it.
//!
//! - The deciding state lives in memory, whole; its rows are its checkpoint. Blobs (ciphertext and texts that no decision reads) live in the store
//!   alone. Leases and request outcomes are no rows: they are folded again from the last lines when the ledger opens.
//! - Lines are written once, and read only against their leaves. Damage is refused, at open or on read, and never another answer.
//! - Two nodes that stand at the same entry have the same lines, root and [`StateDigest`].
//!
//! Knows the domain and its codec; not openraft, not OAuth, no network, no clock but the one that says when to flush.

mod apply;
mod buckets;
mod cursor;
mod digest;
mod entry;
mod error;
mod floor;
mod hash;
mod keys;
mod ledger;
mod lines;
mod merkle;
mod meta;
mod open;
mod options;
mod pending;
mod place;
mod postings;
mod preimages;
mod queue;
mod read;
mod recall;
mod release;
mod scrub;
mod shared;
mod snapshot;
mod store;
mod walk;
mod writer;
mod written;

pub use entry::{Applied, Entry, Payload, Position};
pub use error::{Fault, OpenError, SnapshotError};
pub use hash::{Hash, leaf};
pub use leasehold_codec::touches::Topic;
pub use ledger::Ledger;
pub use lines::Line;
pub use merkle::{TreeHead, prove::ProofError};
pub use options::Options;
pub use queue::Backlog;
pub use scrub::Scrub;
pub use snapshot::SnapshotMeta;
pub use walk::{BLOB_BUCKETS, BlobPage};
pub use written::StateDigest;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
