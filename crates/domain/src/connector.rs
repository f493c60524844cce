//! Connectors: the organisation's OAuth client registrations at providers.

use crate::{
    id::{ConnectorId, Name, SecretId},
    provider::{ProviderFailure, RefreshClass},
    text::{Label, Sealed, Uri},
};
use alloc::vec::Vec;

pub mod decide;

/// The most client secrets at a time: a rotation needs two.
pub const SECRETS_MAX: usize = 4;

/// Whether MCP servers share a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isolation {
    /// One grant serves all MCP servers.
    Shared,
    /// Each MCP server has its own grant with its own scopes.
    PerMcpServer,
}

/// Who may see the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exposure {
    /// Workloads receive it.
    HandOut,
    /// Only gateways receive it, and put it into the upstream request.
    InjectOnly,
}

/// Endpoints given by hand, for a provider that publishes no metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// Where the browser is sent.
    pub authorization: Uri,
    /// Where codes and refresh tokens are redeemed.
    pub token: Uri,
    /// Where tokens are revoked (RFC 7009), if anywhere.
    pub revocation: Option<Uri>,
    /// Where the account is looked up, if anywhere.
    pub account: Option<Uri>,
}

/// Where a connector's endpoints come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// The provider's catalogue entry names them.
    Catalogue,
    /// Metadata of this issuer (RFC 8414 or OIDC discovery).
    Issuer(Uri),
    /// They are given by hand.
    Endpoints(Endpoints),
}

/// What does not change about a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Its name.
    pub name: Name,
    /// The catalogue entry.
    pub provider: Name,
    /// The OAuth client identifier.
    pub client_id: Label<256>,
    /// Where its endpoints come from.
    pub location: Location,
    /// Whether MCP servers share a grant.
    pub isolation: Isolation,
    /// Who may see the token.
    pub exposure: Exposure,
    /// How the provider treats a refresh token that arrives twice.
    pub class: RefreshClass,
}

/// A connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connector {
    /// Its id.
    pub id: ConnectorId,
    /// What does not change about it.
    pub registration: Registration,
    /// Its client secrets, the newest first.
    pub secrets: Vec<SecretId>,
    /// Whether it may be used.
    pub enabled: bool,
    /// Why its provider is not called for now: its fault, and no grant's.
    pub suspended: Option<ProviderFailure>,
    /// The sequence number of its last change.
    pub revision: u64,
}

/// Orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Register a connector.
    Register {
        /// Its id.
        connector: ConnectorId,
        /// What does not change about it.
        registration: Registration,
    },
    /// Add a client secret; it is tried first.
    AddSecret {
        /// The connector.
        connector: ConnectorId,
        /// The secret's id.
        secret: SecretId,
        /// The secret, sealed.
        sealed: Sealed,
    },
    /// Forget a client secret.
    RetireSecret {
        /// The connector.
        connector: ConnectorId,
        /// The secret's id.
        secret: SecretId,
    },
    /// Stop calling its provider: the connector's own fault.
    Suspend {
        /// The connector.
        connector: ConnectorId,
        /// Why.
        failure: ProviderFailure,
    },
    /// Call its provider again.
    Resume {
        /// The connector.
        connector: ConnectorId,
    },
    /// Let it be used again.
    Enable {
        /// The connector.
        connector: ConnectorId,
    },
    /// Stop its use and end its leases.
    Disable {
        /// The connector.
        connector: ConnectorId,
    },
}

/// Facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A connector exists.
    Registered {
        /// Its id.
        connector: ConnectorId,
        /// What does not change about it.
        registration: Registration,
    },
    /// It has one more client secret.
    SecretAdded {
        /// The connector.
        connector: ConnectorId,
        /// The secret's id.
        secret: SecretId,
    },
    /// A client secret is forgotten.
    SecretRetired {
        /// The connector.
        connector: ConnectorId,
        /// The secret's id.
        secret: SecretId,
    },
    /// Its provider is not called for now.
    Suspended {
        /// The connector.
        connector: ConnectorId,
        /// Why.
        failure: ProviderFailure,
    },
    /// Its provider is called again.
    Resumed {
        /// The connector.
        connector: ConnectorId,
    },
    /// It may not be used, and its leases have ended.
    Disabled {
        /// The connector.
        connector: ConnectorId,
    },
    /// It may be used again.
    Enabled {
        /// The connector.
        connector: ConnectorId,
    },
}
