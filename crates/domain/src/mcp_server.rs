//! MCP servers: registered protected resources, with the connectors and scopes each needs.

use alloc::collections::BTreeMap;

use crate::{
    id::{ConnectorId, McpServerId, Name},
    scope::ScopeSet,
    text::Uri,
};

pub mod decide;

/// The most connectors that an MCP server may need.
pub const NEEDS_MAX: usize = 32;

/// An MCP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McpServer {
    /// Its id.
    pub id: McpServerId,
    /// Its name.
    pub name: Name,
    /// Its canonical resource URI (RFC 8707).
    pub resource: Uri,
    /// Which scopes it needs at which connector.
    pub needs: BTreeMap<ConnectorId, ScopeSet>,
    /// Whether anyone may ask on its behalf.
    pub enabled: bool,
    /// The sequence number of its last change.
    pub revision: u64,
}

/// Orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Register an MCP server.
    Register {
        /// Its id.
        mcp_server: McpServerId,
        /// Its name.
        name: Name,
        /// Its canonical resource URI.
        resource: Uri,
    },
    /// Say which scopes it needs at a connector; none removes the need.
    SetNeed {
        /// The MCP server.
        mcp_server: McpServerId,
        /// The connector.
        connector: ConnectorId,
        /// The scopes.
        scopes: ScopeSet,
    },
    /// End leases on its behalf.
    Disable {
        /// The MCP server.
        mcp_server: McpServerId,
    },
    /// Let workloads ask on its behalf again.
    Enable {
        /// The MCP server.
        mcp_server: McpServerId,
    },
}

/// Facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An MCP server exists.
    Registered {
        /// Its id.
        mcp_server: McpServerId,
        /// Its name.
        name: Name,
        /// Its canonical resource URI.
        resource: Uri,
    },
    /// It needs these scopes at this connector.
    NeedSet {
        /// The MCP server.
        mcp_server: McpServerId,
        /// The connector.
        connector: ConnectorId,
        /// The scopes.
        scopes: ScopeSet,
    },
    /// Nobody may ask on its behalf.
    Disabled {
        /// The MCP server.
        mcp_server: McpServerId,
    },
    /// Workloads may ask on its behalf again.
    Enabled {
        /// The MCP server.
        mcp_server: McpServerId,
    },
}
