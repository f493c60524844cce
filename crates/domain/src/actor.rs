//! Who does something, and from where.

use crate::{
    id::{AdministratorId, CredentialId, SubjectId, WorkloadId},
    text::{Fingerprint, Label, TraceId},
};

/// Who acts. Roles and policies say what each may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Principal {
    /// The cluster itself: the leader's worker.
    Cluster,
    /// Whoever holds the bootstrap credential, once.
    Bootstrap(CredentialId),
    /// An administrator.
    Administrator(AdministratorId),
    /// A gateway or an MCP server.
    Workload(WorkloadId),
    /// A person in a browser, signed in.
    Person(SubjectId),
}

/// How an actor proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Proof {
    /// An API credential.
    Credential(CredentialId),
    /// A client certificate, by the SHA-256 of its DER form cut to 20 bytes.
    Certificate(Fingerprint),
    /// A sign-in at the organisation's identity provider.
    SignIn,
    /// Being the cluster.
    Cluster,
}

/// Where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Origin {
    /// A keyed pseudonym of the caller's network address; none for the cluster itself.
    pub address: Option<Fingerprint>,
    /// The edge's trace id.
    pub trace: Option<TraceId>,
    /// The node that took the request.
    pub node: u64,
}

/// Who acts, how that was proven, and from where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// Who.
    pub principal: Principal,
    /// By which proof.
    pub proof: Proof,
    /// From where.
    pub origin: Origin,
}

impl Actor {
    /// The cluster itself, on `node`.
    pub const fn cluster(node: u64) -> Self {
        Self {
            principal: Principal::Cluster,
            proof: Proof::Cluster,
            origin: Origin { address: None, trace: None, node },
        }
    }
}

/// What an administrator may do. No role may lease a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Runs the cluster and its catalogue: connectors, MCP servers, identity providers, workloads.
    Operator,
    /// Decides who may: policies, revocations, subjects, administrators.
    Security,
    /// Reads: the ledger, access, checkpoints. Changes nothing.
    Auditor,
}

/// The name under which a caller repeats a request: 1 to 64 printable characters, scoped to the caller.
pub type RequestId = Label<64>;
