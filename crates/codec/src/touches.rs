//! Which things a line is about: what "why" and "history" look lines up by.
//!
//! A topic is found wherever an event, or the actor's identity, names an entity of its kind; nothing is
//! derived from state. So a line that names a lease alone is about its actor, and the lease's grant is known
//! from the line that issued it.

use std::collections::BTreeSet;

use leasehold_domain::{
    actor::{Actor, Principal},
    event::Event,
    id::{AdministratorId, AuthorizationId, ConnectorId, GrantId, McpServerId, SubjectId, WorkloadId},
};

use crate::line;

/// What a line can be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// A grant.
    Grant(GrantId),
    /// A subject.
    Subject(SubjectId),
    /// A connector.
    Connector(ConnectorId),
    /// An MCP server.
    McpServer(McpServerId),
    /// A workload.
    Workload(WorkloadId),
    /// An authorization.
    Authorization(AuthorizationId),
    /// An administrator.
    Administrator(AdministratorId),
}

impl Topic {
    /// The length of a topic's key, in bytes.
    pub const KEY_LEN: usize = 17;

    /// The key: the kind's number, then the id. Keys sort as topics do.
    pub fn to_key(self) -> [u8; Self::KEY_LEN] {
        let (kind, id) = match self {
            Self::Grant(id) => (0, id.to_bytes()),
            Self::Subject(id) => (1, id.to_bytes()),
            Self::Connector(id) => (2, id.to_bytes()),
            Self::McpServer(id) => (3, id.to_bytes()),
            Self::Workload(id) => (4, id.to_bytes()),
            Self::Authorization(id) => (5, id.to_bytes()),
            Self::Administrator(id) => (6, id.to_bytes()),
        };
        let mut key = [kind; Self::KEY_LEN];
        if let Some(rest) = key.last_chunk_mut() {
            *rest = id;
        }
        key
    }

    /// Reads a key back; `None` for a kind that this version does not know.
    pub fn from_key(key: [u8; Self::KEY_LEN]) -> Option<Self> {
        let [kind, id @ ..] = key;
        match kind {
            0 => Some(Self::Grant(GrantId::from_bytes(id))),
            1 => Some(Self::Subject(SubjectId::from_bytes(id))),
            2 => Some(Self::Connector(ConnectorId::from_bytes(id))),
            3 => Some(Self::McpServer(McpServerId::from_bytes(id))),
            4 => Some(Self::Workload(WorkloadId::from_bytes(id))),
            5 => Some(Self::Authorization(AuthorizationId::from_bytes(id))),
            6 => Some(Self::Administrator(AdministratorId::from_bytes(id))),
            _ => None,
        }
    }
}

/// What the line of this event is about, its actor included.
pub fn touches(event: &Event, actor: &Actor) -> BTreeSet<Topic> {
    let mut topics = BTreeSet::new();
    line::touch(event, &mut topics);
    match actor.principal {
        Principal::Administrator(id) => topics.insert(Topic::Administrator(id)),
        Principal::Workload(id) => topics.insert(Topic::Workload(id)),
        Principal::Person(id) => topics.insert(Topic::Subject(id)),
        Principal::Cluster | Principal::Bootstrap(_) => false,
    };
    topics
}

#[cfg(test)]
#[path = "touches_tests.rs"]
mod tests;
