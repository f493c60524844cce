//! Leases: time-bounded hand-outs of a grant's access token to a workload, on behalf of an MCP server.

use crate::{
    id::{ConnectorId, GrantId, LeaseId, McpServerId, SubjectId, WorkloadId},
    policy::Decision,
    scope::ScopeSet,
    text::Fingerprint,
    time::{Span, Timestamp},
};

pub mod decide;

/// The longest a lease may live, renewals included.
pub const TTL_MAX: Span = Span::from_mins(60);
/// How long a lease lives where nobody says otherwise.
pub const TTL_DEFAULT: Span = Span::from_mins(5);
/// How long an ended lease is remembered in memory.
pub const RETENTION: Span = Span::from_mins(10);

/// How the subject was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Basis {
    /// The workload vouched for it, which policy allowed as `act_as`.
    Vouched,
    /// A token of the subject was shown, which ends then.
    SubjectToken {
        /// The end of that token.
        expires_at: Timestamp,
    },
}

/// What makes two requests the same lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Who asks.
    pub workload: WorkloadId,
    /// With which proof: an API credential or a certificate, by its fingerprint or id.
    pub proof: crate::actor::Proof,
    /// From where: a pseudonym of the network address.
    pub address: Option<Fingerprint>,
    /// On behalf of which MCP server.
    pub mcp_server: McpServerId,
    /// Of which grant.
    pub grant: GrantId,
    /// Of which generation.
    pub generation: u64,
}

/// A lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Its id.
    pub id: LeaseId,
    /// What makes another request the same lease.
    pub key: Key,
    /// Whose access it is.
    pub subject: SubjectId,
    /// From which connector.
    pub connector: ConnectorId,
    /// How the subject was named.
    pub basis: Basis,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// The sequence number of its issue, or of its last renewal: epochs that are later cover it.
    pub confirmed_seq: u64,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When the token ends, where that is known.
    pub token_expires_at: Option<Timestamp>,
    /// Whether it ended before its time.
    pub ended: bool,
    /// Whether its holder reported that the provider refused the token.
    pub reported: bool,
}

/// Why a lease ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndReason {
    /// The policy set forbids it now.
    PolicyChanged,
}

/// Orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Issue a lease, or name the one that is the same.
    Issue {
        /// Its id, if it is a new one.
        lease: LeaseId,
        /// On behalf of which MCP server.
        mcp_server: McpServerId,
        /// Of which grant.
        grant: GrantId,
        /// Of which generation.
        generation: u64,
        /// The scopes that the caller needs.
        needed: ScopeSet,
        /// How the subject was named.
        basis: Basis,
        /// How long it may live at most, by policy and request.
        ttl: Span,
        /// For how many distinct subjects an hour the workload may vouch.
        vouched_max: u64,
        /// The decision that allows it.
        decision: Decision,
    },
    /// Let a lease live longer, within the token's life.
    Renew {
        /// Which.
        lease: LeaseId,
        /// How long it may live from now on.
        ttl: Span,
        /// The decision that allows it.
        decision: Decision,
    },
    /// The holder gives it back.
    Release {
        /// Which.
        lease: LeaseId,
    },
    /// End it before its time.
    End {
        /// Which.
        lease: LeaseId,
        /// Why.
        reason: EndReason,
    },
    /// The holder says that the provider refused the token.
    ReportRejected {
        /// Which.
        lease: LeaseId,
        /// The HTTP status that the provider gave.
        status: u16,
    },
}

/// Facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A workload may have the token, from here on.
    Issued {
        /// Its id.
        lease: LeaseId,
        /// Who has it.
        workload: WorkloadId,
        /// On behalf of which MCP server.
        mcp_server: McpServerId,
        /// From which connector.
        connector: ConnectorId,
        /// Whose access it is.
        subject: SubjectId,
        /// Of which grant.
        grant: GrantId,
        /// Of which generation.
        generation: u64,
        /// Names the token.
        token: Fingerprint,
        /// The scopes that the caller needs.
        needed: ScopeSet,
        /// The scopes that the token carries.
        carried: ScopeSet,
        /// How the subject was named.
        basis: Basis,
        /// When it ends.
        expires_at: Timestamp,
        /// When the token ends, where that is known.
        token_expires_at: Option<Timestamp>,
        /// The decision that allowed it.
        decision: Decision,
    },
    /// It lives longer.
    Renewed {
        /// Which.
        lease: LeaseId,
        /// When it ends.
        expires_at: Timestamp,
        /// The decision that allowed it.
        decision: Decision,
    },
    /// The holder gave it back.
    Released {
        /// Which.
        lease: LeaseId,
    },
    /// It ended before its time.
    Ended {
        /// Which.
        lease: LeaseId,
        /// Why.
        reason: EndReason,
    },
    /// The holder says that the provider refused the token. By itself it ends nothing.
    RejectionReported {
        /// Which.
        lease: LeaseId,
        /// Of which grant.
        grant: GrantId,
        /// The HTTP status that the provider gave.
        status: u16,
    },
}
