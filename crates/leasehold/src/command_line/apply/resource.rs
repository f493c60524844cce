//! The resources that files say and a cluster has: one form for both, so that the two can be compared and written out.
//!
//! Knows neither files nor the cluster. Things are named by their names; what differs from cluster to cluster (ids, redirect URIs,
//! credentials) is not part of a resource, and neither is any secret.

use std::collections::{BTreeMap, BTreeSet};

/// Which kind of resource, in the order in which they rest on one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    IdentityProvider,
    Connector,
    McpServer,
    Workload,
    Policies,
}

impl Kind {
    /// The kinds that stand in tables; policies stand in files of their own.
    pub(crate) const TABLES: [Self; 4] =
        [Self::IdentityProvider, Self::Connector, Self::McpServer, Self::Workload];

    /// What a file calls it.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::IdentityProvider => "identity_provider",
            Self::Connector => "connector",
            Self::McpServer => "mcp_server",
            Self::Workload => "workload",
            Self::Policies => "policies",
        }
    }

    /// What a sentence calls it.
    pub(crate) const fn noun(self) -> &'static str {
        match self {
            Self::IdentityProvider => "identity provider",
            Self::Connector => "connector",
            Self::McpServer => "MCP server",
            Self::Workload => "workload",
            Self::Policies => "policies",
        }
    }
}

/// One field of a resource as text, under the name that a file gives it.
pub(crate) type Field = (String, String);

/// An identity provider. Nothing but its client secret can be changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct IdentityProvider {
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) join_claim: String,
    /// In lower case.
    pub(crate) email_domains: BTreeSet<String>,
}

/// A connector. Only whether it may be used, and its client secrets, can be changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Connector {
    pub(crate) provider: String,
    pub(crate) client_id: String,
    /// Empty where no metadata name the endpoints.
    pub(crate) issuer: String,
    pub(crate) endpoints: Endpoints,
    /// `shared` or `per_mcp_server`.
    pub(crate) isolation: String,
    /// `hand_out` or `inject_only`.
    pub(crate) exposure: String,
    pub(crate) enabled: bool,
}

/// Endpoints given by hand; each empty where it is not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Endpoints {
    pub(crate) authorization: String,
    pub(crate) token: String,
    pub(crate) revocation: String,
    pub(crate) account: String,
}

/// An MCP server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct McpServer {
    pub(crate) resource: String,
    /// The scopes at each connector.
    pub(crate) needs: BTreeMap<String, BTreeSet<String>>,
    pub(crate) enabled: bool,
}

/// A workload.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Workload {
    /// The MCP server that it is; none for a gateway.
    pub(crate) mcp_server: Option<String>,
    /// The names in certificates that stand for it.
    pub(crate) certificates: BTreeSet<String>,
    pub(crate) enabled: bool,
}

impl IdentityProvider {
    pub(crate) fn fields(&self) -> Vec<Field> {
        vec![
            field("issuer", &self.issuer),
            field("client_id", &self.client_id),
            field("join_claim", &self.join_claim),
            field("email_domains", &words(&self.email_domains)),
        ]
    }
}

impl Connector {
    /// What never changes about it.
    pub(crate) fn fixed(&self) -> Vec<Field> {
        let Endpoints { authorization, token, revocation, account } = &self.endpoints;
        vec![
            field("provider", &self.provider),
            field("client_id", &self.client_id),
            field("issuer", &self.issuer),
            field("authorization_endpoint", authorization),
            field("token_endpoint", token),
            field("revocation_endpoint", revocation),
            field("account_endpoint", account),
            field("isolation", &self.isolation),
            field("exposure", &self.exposure),
        ]
    }
}

impl McpServer {
    /// What it needs, a field for each connector.
    pub(crate) fn needs(&self) -> Vec<Field> {
        self.needs.iter().map(|(connector, scopes)| (format!("needs.{connector}"), words(scopes))).collect()
    }
}

impl Workload {
    /// The kind of program that it is.
    pub(crate) fn server(&self) -> &str {
        self.mcp_server.as_deref().unwrap_or_default()
    }
}

/// Whether something may be used, as a field.
pub(crate) fn enabled(flag: bool) -> Field {
    field("enabled", if flag { "true" } else { "false" })
}

pub(crate) fn field(name: &str, value: &str) -> Field {
    (name.to_owned(), value.to_owned())
}

/// Words with spaces between them, as lists are shown.
pub(crate) fn words(set: &BTreeSet<String>) -> String {
    set.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}
