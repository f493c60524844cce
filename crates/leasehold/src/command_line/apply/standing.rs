//! What stands in the cluster, read through its interface, in the form in which files say it.

use std::collections::{BTreeMap, BTreeSet};

use leasehold_client::{
    Client,
    v1::{
        self, GetPolicyRequest, ListConnectorsRequest, ListIdentityProvidersRequest, ListMcpServersRequest,
        ListProvidersRequest, ListWorkloadsRequest,
    },
};

use super::{
    super::{
        context::ask,
        failure::{During as _, Failure},
    },
    resource::{Connector, Endpoints, IdentityProvider, McpServer, Workload},
};

/// What stands in the cluster, by name.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    pub(crate) identity_providers: BTreeMap<String, Stands<IdentityProvider>>,
    pub(crate) connectors: BTreeMap<String, Stands<Connector>>,
    pub(crate) mcp_servers: BTreeMap<String, Stands<McpServer>>,
    pub(crate) workloads: BTreeMap<String, Stands<Workload>>,
    /// The policy set, where it was asked for.
    pub(crate) policies: Option<PolicySet>,
    /// What the catalogue calls the providers.
    pub(crate) providers: BTreeSet<String>,
}

/// A resource as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stands<Resource> {
    pub(crate) resource: Resource,
    /// At which revision: what a change rests on. 0 for an identity provider, of which nothing changes but a secret.
    pub(crate) revision: u64,
    /// How many client secrets it has. The secrets never come out.
    pub(crate) secrets: usize,
}

/// The policy set as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PolicySet {
    pub(crate) text: String,
    /// 0 before there is one.
    pub(crate) version: u64,
}

impl Standing {
    /// Reads what there is; the policy set only where `policies` says so, since another role may read it.
    ///
    /// # Errors
    /// A [`Failure`] where something cannot be read: a part is never taken for the whole.
    pub(crate) async fn read(client: &Client, policies: bool) -> Result<Self, Failure> {
        let listed = client.subjects().list_identity_providers(ask(ListIdentityProvidersRequest {})).await;
        let identity_providers = listed.during("list identity providers")?.identity_providers;
        let listed = client.catalog().list_connectors(ask(ListConnectorsRequest {})).await;
        let connectors = listed.during("list connectors")?.connectors;
        let listed = client.catalog().list_mcp_servers(ask(ListMcpServersRequest {})).await;
        let mcp_servers = listed.during("list MCP servers")?.mcp_servers;
        let listed = client.workloads().list(ask(ListWorkloadsRequest {})).await;
        let workloads = listed.during("list workloads")?.workloads;
        let listed = client.catalog().list_providers(ask(ListProvidersRequest {})).await;
        let providers = listed.during("list providers")?.providers;
        let policies = if policies {
            let read = client.policies().get(ask(GetPolicyRequest {})).await.during("read the policy set")?;
            Some(PolicySet { text: read.text, version: read.version })
        } else {
            None
        };
        let servers = mcp_servers.iter().map(|server| (server.id.clone(), server.name.clone())).collect();
        let workload = |known| workload(known, &servers);
        Ok(Self {
            identity_providers: identity_providers.into_iter().map(identity_provider).collect(),
            connectors: connectors.into_iter().map(connector).collect(),
            mcp_servers: mcp_servers.iter().cloned().map(mcp_server).collect(),
            workloads: workloads.into_iter().map(workload).collect::<Result<_, _>>()?,
            policies,
            providers: providers.into_iter().map(|provider| provider.name).collect(),
        })
    }
}

fn identity_provider(known: v1::IdentityProvider) -> (String, Stands<IdentityProvider>) {
    let resource = IdentityProvider {
        issuer: known.issuer,
        client_id: known.client_id,
        join_claim: known.join_claim,
        email_domains: known.email_domains.into_iter().collect(),
    };
    (known.name, Stands { resource, revision: 0, secrets: 1 })
}

fn connector(known: v1::Connector) -> (String, Stands<Connector>) {
    let word = |name: &str, prefix: &str| name.trim_start_matches(prefix).to_ascii_lowercase();
    let isolation = word(known.isolation().as_str_name(), "ISOLATION_");
    let exposure = word(known.exposure().as_str_name(), "EXPOSURE_");
    let given = known.endpoints.unwrap_or_default();
    let endpoints = Endpoints {
        authorization: given.authorization,
        token: given.token,
        revocation: given.revocation,
        account: given.account,
    };
    let (provider, client_id, issuer, enabled) =
        (known.provider, known.client_id, known.issuer, known.enabled);
    let resource = Connector { provider, client_id, issuer, endpoints, isolation, exposure, enabled };
    (known.name, Stands { resource, revision: known.revision, secrets: known.secrets.len() })
}

fn mcp_server(known: v1::McpServer) -> (String, Stands<McpServer>) {
    let needs = known.needs.into_iter().map(|need| (need.connector, need.scopes.into_iter().collect()));
    let resource = McpServer { resource: known.resource, needs: needs.collect(), enabled: known.enabled };
    (known.name, Stands { resource, revision: known.revision, secrets: 0 })
}

/// A workload names its MCP server by id.
fn workload(
    known: v1::Workload,
    servers: &BTreeMap<String, String>,
) -> Result<(String, Stands<Workload>), Failure> {
    let mcp_server = match servers.get(&known.mcp_server) {
        Some(name) => Some(name.clone()),
        None if known.mcp_server.is_empty() => None,
        // Registered between the two lists.
        None => {
            let why = "a workload's MCP server was not in the list of MCP servers";
            return Err(Failure::local("read what stands in the cluster", "CHANGED_SINCE_READ", why));
        }
    };
    let certificates = known.certificates.into_iter().collect();
    let resource = Workload { mcp_server, certificates, enabled: known.enabled };
    Ok((known.name, Stands { resource, revision: known.revision, secrets: 0 }))
}
