//! Every fact that the ledger can hold, by aggregate. A kind is added, never changed.

use crate::{
    administrator, audit, authorization, connector, grant, identity_provider, lease, mcp_server,
    organisation, policy, revocation, subject, workload,
};

/// A fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Of the organisation and its keys.
    Organisation(organisation::Event),
    /// Of administrators.
    Administrator(administrator::Event),
    /// Of identity providers.
    IdentityProvider(identity_provider::Event),
    /// Of connectors.
    Connector(connector::Event),
    /// Of MCP servers.
    McpServer(mcp_server::Event),
    /// Of workloads.
    Workload(workload::Event),
    /// Of subjects.
    Subject(subject::Event),
    /// Of the policy set and denials.
    Policy(policy::Event),
    /// Of consents on their way.
    Authorization(authorization::Event),
    /// Of grants.
    Grant(grant::Event),
    /// Of leases.
    Lease(lease::Event),
    /// Of revocations.
    Revocation(revocation::Event),
    /// Of reads.
    Audit(audit::Event),
}
