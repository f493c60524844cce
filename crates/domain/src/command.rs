//! Every order that can be proposed, by aggregate, and the proposal around it.

use alloc::vec::Vec;

use crate::{
    actor::{Actor, RequestId},
    administrator, audit, authorization, connector, grant,
    id::{ConnectorId, GrantId, McpServerId, SubjectId, WorkloadId},
    identity_provider, lease, mcp_server,
    organisation::{self, KeyPurpose},
    policy, revocation, subject,
    text::Digest,
    time::Timestamp,
    workload,
};

/// An order.
#[derive(Clone, PartialEq, Eq)]
pub enum Command {
    /// To the organisation and its keys.
    Organisation(organisation::Command),
    /// To administrators.
    Administrator(administrator::Command),
    /// To identity providers.
    IdentityProvider(identity_provider::Command),
    /// To connectors.
    Connector(connector::Command),
    /// To MCP servers.
    McpServer(mcp_server::Command),
    /// To workloads.
    Workload(workload::Command),
    /// To subjects.
    Subject(subject::Command),
    /// To the policy set and denials.
    Policy(policy::Command),
    /// To consents on their way.
    Authorization(authorization::Command),
    /// To grants.
    Grant(grant::Command),
    /// To leases.
    Lease(lease::Command),
    /// To revocations.
    Revocation(revocation::Command),
    /// To reads and checkpoints.
    Audit(audit::Command),
    /// Forget what has had its time, in a bounded batch.
    Tick,
}

/// The most events that any command may raise.
pub const EVENTS_MAX: usize = 64;
/// The longest event line, in bytes.
pub const LINE_LEN_MAX: usize = 5120;

impl Command {
    /// The most events that this command can raise, whatever the state: at most [`EVENTS_MAX`]. A batch of proposals is cut by the sum.
    pub const fn events_max(&self) -> usize {
        match self {
            Self::Organisation(_) => 8,
            Self::Grant(grant::Command::Close { .. }) => grant::CLOSE_BATCH_MAX,
            Self::Subject(subject::Command::Forget { .. }) => subject::FORGET_BATCH_MAX,
            Self::Authorization(_) | Self::Grant(_) | Self::Subject(_) | Self::Administrator(_) => 3,
            Self::IdentityProvider(_)
            | Self::Connector(_)
            | Self::McpServer(_)
            | Self::Workload(_)
            | Self::Policy(_)
            | Self::Lease(_)
            | Self::Revocation(_)
            | Self::Audit(_) => 1,
            Self::Tick => 0,
        }
    }
}

/// Something whose revision a decision read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entity {
    /// The policy set.
    Policy,
    /// A workload.
    Workload(WorkloadId),
    /// A connector.
    Connector(ConnectorId),
    /// An MCP server.
    McpServer(McpServerId),
    /// A subject.
    Subject(SubjectId),
    /// A grant.
    Grant(GrantId),
    /// The keys of a purpose: the version that seals.
    Keys(KeyPurpose),
}

/// What a decision took as given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact {
    /// Of what.
    pub entity: Entity,
    /// At which revision.
    pub revision: u64,
}

/// The most facts that a proposal may rest on.
pub const FACTS_MAX: usize = 16;

/// Under which name a caller may repeat a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// The name, scoped to the caller.
    pub id: RequestId,
    /// SHA-256 of what was asked, without what was drawn for it.
    pub body: Digest,
}

/// A command with all that its deciding may depend on: nothing in apply reads a clock or draws a number.
#[derive(Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Under which name it may be repeated.
    pub request: Option<RequestKey>,
    /// Who proposes it.
    pub actor: Actor,
    /// The proposer's clock.
    pub at: Timestamp,
    /// What the authorization decision took as given.
    pub facts: Vec<Fact>,
    /// The order.
    pub command: Command,
}
