//! Revocation: one event on a selector, effective at its commit, whatever it covers.
//!
//! It raises an epoch: a lease or a grant counts as live only while it is younger than every epoch that covers it. What follows from it for
//! single grants is said later, in bounded batches.

use crate::{
    id::{ConnectorId, GrantId, McpServerId, SubjectId, WorkloadId},
    subject::Note,
    text::Commitment,
};

pub mod decide;

/// What a revocation covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Selector {
    /// One grant and its leases.
    Grant(GrantId),
    /// Everything of a subject.
    Subject(SubjectId),
    /// A workload's leases and credentials.
    Workload(WorkloadId),
    /// Everything at a connector.
    Connector(ConnectorId),
    /// Leases on behalf of an MCP server, and grants that are its alone.
    McpServer(McpServerId),
}

/// Orders.
#[derive(Clone, PartialEq, Eq)]
pub enum Command {
    /// Revoke.
    Raise {
        /// What.
        selector: Selector,
        /// Why, as a note beside the ledger.
        note: Option<Note>,
    },
}

/// Facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// What the selector covers is revoked from here on. The epoch is this event's sequence number.
    Raised {
        /// What.
        selector: Selector,
        /// What proves the note, if there is one.
        note: Option<Commitment>,
    },
}
