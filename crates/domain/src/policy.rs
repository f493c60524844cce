//! The policy set that says who may, and the decisions made from it. What a policy means is not known here.

use alloc::{string::String, vec::Vec};

use crate::{
    actor::Principal,
    id::{ConnectorId, McpServerId, SubjectId},
    text::{Digest, Label},
    time::Timestamp,
};

pub mod decide;

/// The longest policy set, in bytes.
pub const TEXT_LEN_MAX: usize = 40 * 1024;
/// The most policies that a decision may name.
pub const DETERMINING_MAX: usize = 8;

/// Why something was decided: the policy set and those of its policies that decided.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decision {
    /// The sequence number of the event that set the policy set; 0 when there is none.
    pub version: u64,
    /// The policies that decided. None where nothing permitted.
    pub determining: Vec<Label<64>>,
}

impl Decision {
    /// The same with no more policies than an event may name.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.determining.truncate(DETERMINING_MAX);
        self
    }
}

/// What was asked for when it was denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// To lease a token.
    Lease,
    /// To name a subject without its token.
    ActAs,
    /// To start a consent.
    StartAuthorization,
    /// To administer.
    Administer,
    /// To read the ledger or the access view.
    Audit,
}

/// Why something was denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DenialReason {
    /// No policy permits it, or one forbids it.
    Policy,
    /// The token can do more than the workload may have.
    TokenTooBroad,
    /// The credential is not of the strength that `act_as` needs.
    WeakCredential,
    /// The cap on distinct subjects an hour is reached.
    SubjectCap,
    /// The administrator lacks the role.
    Role,
    /// The workload may not ask on behalf of this MCP server, or may not see this connector's tokens.
    NotItsOwn,
}

/// What a denied request was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Resource {
    /// On behalf of which MCP server.
    pub mcp_server: Option<McpServerId>,
    /// From which connector.
    pub connector: Option<ConnectorId>,
    /// For whom.
    pub subject: Option<SubjectId>,
}

/// Orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Replace the policy set.
    Set {
        /// The Cedar text, at most [`TEXT_LEN_MAX`] bytes, already validated against the schema.
        text: String,
        /// SHA-256 of the text.
        digest: Digest,
    },
    /// Record a denial. Identical ones are counted for a minute and recorded as one.
    RecordDenial {
        /// What was asked for.
        action: Action,
        /// About what.
        resource: Resource,
        /// Why it was denied.
        reason: DenialReason,
        /// From which policy set.
        decision: Decision,
    },
    /// Say how many identical denials a minute saw that no line of their own records.
    CountDenials {
        /// Who was denied.
        principal: Principal,
        /// What was asked for.
        action: Action,
        /// About what.
        resource: Resource,
        /// Why it was denied.
        reason: DenialReason,
    },
}

/// Facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The policy set is this one from here on. Its version is this event's sequence number.
    Set {
        /// SHA-256 of the text, which stands beside the ledger.
        digest: Digest,
        /// The length of the text, in bytes.
        len: u64,
    },
    /// The actor was denied.
    Denied {
        /// What was asked for.
        action: Action,
        /// About what.
        resource: Resource,
        /// Why it was denied.
        reason: DenialReason,
        /// From which policy set.
        decision: Decision,
        /// How many further identical denials the minute before this one saw, which no line of their own records.
        coalesced: u64,
    },
    /// So many further denials were identical to one that has a line.
    DenialsCounted {
        /// Who was denied.
        principal: Principal,
        /// What was asked for.
        action: Action,
        /// About what.
        resource: Resource,
        /// Why it was denied.
        reason: DenialReason,
        /// How many.
        count: u64,
        /// From when on.
        since: Timestamp,
    },
}
