//! openraft's types, bound once. Nothing generic and nothing of openraft leaves this crate.
//!
//! The leader id is the standard one, a term and a node with one leader a term: it is part of every log id on disk and can
//! never change.

use std::fmt;
use std::path::PathBuf;

use bytes::Bytes;
use leasehold_domain::machine::Reply;
use openraft::alias;
use openraft::impls::{BasicNode, leader_id_std};
use openraft::vote::RaftLeaderId;

use crate::state_machine::StateMachine;

openraft::declare_raft_types!(
    /// This cluster's types.
    pub(crate) Types:
        D = Batch,
        R = Replies,
        NodeId = u64,
        Node = BasicNode,
        Term = u64,
        LeaderId = leader_id_std::LeaderId<u64, u64>,
        AsyncRuntime = openraft::TokioRuntime,
);

pub(crate) type LeaderId = leader_id_std::LeaderId<u64, u64>;
pub(crate) type LogId = alias::LogIdOf<Types>;
pub(crate) type Vote = alias::VoteOf<Types>;
pub(crate) type Entry = alias::EntryOf<Types>;
pub(crate) type Payload = alias::PayloadOf<Types>;
pub(crate) type Membership = openraft::Membership<u64, BasicNode>;
pub(crate) type StoredMembership = alias::StoredMembershipOf<Types>;
pub(crate) type SnapshotMeta = alias::SnapshotMetaOf<Types>;

/// The id of the entry at `index` that the leader of `term` proposed.
pub(crate) fn log_id(term: u64, index: u64) -> LogId {
    LogId::new(LeaderId::new(term, 0).to_committed(), index)
}

/// The proposals of one entry, as `leasehold_codec::batch` encodes them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Batch(pub(crate) Bytes);

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({} bytes)", self.0.len())
    }
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One reply for each proposal of an entry, in order; none for an entry without proposals.
#[derive(Default)]
pub(crate) struct Replies(pub(crate) Vec<Reply>);

impl fmt::Debug for Replies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Replies({})", self.0.len())
    }
}

/// A snapshot that the ledger built or is to install: a file, never held in memory.
#[derive(Clone, Debug)]
pub(crate) struct SnapshotFile(pub(crate) PathBuf);

pub(crate) type Raft = openraft::Raft<Types, StateMachine>;
pub(crate) type WriteResult = openraft::raft::ClientWriteResult<Types>;
