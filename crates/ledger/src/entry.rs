//! What the ledger is fed, and where it stands.

use leasehold_domain::{command::Proposal, state::Clock};

/// Where an entry stands in the replicated log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The term of the leader that proposed it.
    pub term: u64,
    /// That leader.
    pub node: u64,
    /// The index of the entry; each one follows the one before.
    pub index: u64,
}

/// A committed entry.
pub struct Entry {
    /// Where it stands.
    pub position: Position,
    /// What it holds.
    pub payload: Payload,
}

/// What an entry holds.
pub enum Payload {
    /// Nothing: a new leader's first entry.
    Blank,
    /// A cluster membership, in bytes that only consensus reads.
    Membership(Vec<u8>),
    /// A batch of proposals, applied in order.
    Proposals(Vec<Proposal>),
}

/// Where the ledger stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied {
    /// The last entry; none before the first.
    pub position: Option<Position>,
    /// The last membership, in bytes that only consensus reads, and the entry that decided it; none before the first.
    pub membership: Option<(Option<Position>, Vec<u8>)>,
    /// State time, and the sequence number of the next event.
    pub clock: Clock,
}
