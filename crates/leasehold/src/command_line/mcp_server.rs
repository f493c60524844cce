//! `leasehold mcp-server`: registered protected resources, and what they need.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use leasehold_client::v1::{
    self, ListMcpServersRequest, Need, RegisterMcpServerRequest, SetMcpServerEnabledRequest,
    SetMcpServerNeedRequest,
};

use super::{
    context::{Context, ask},
    failure::{During as _, Failure, incomplete},
    progress::say,
    record::{Record, Value},
    shared::Repeat,
    view::List,
};

/// Register MCP servers, and what they need
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  leasehold mcp-server list")]
pub(crate) enum McpServer {
    Register(RegisterArgs),
    /// List MCP servers
    #[command(after_help = "Example:\n  leasehold mcp-server list")]
    List,
    Update(UpdateArgs),
    /// Let an MCP server be used again; nothing that ended comes back
    #[command(after_help = "Example:\n  leasehold mcp-server enable files")]
    Enable {
        /// Its name or id
        mcp_server: String,
    },
    /// Keep an MCP server from being used
    #[command(after_help = "Example:\n  leasehold mcp-server disable files")]
    Disable {
        /// Its name or id
        mcp_server: String,
    },
}

/// Register an MCP server
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold mcp-server register files --resource https://files.example/mcp \\\n      --need 'sandbox=files.read files.write'"
)]
pub(crate) struct RegisterArgs {
    /// Its name
    name: String,
    /// Its canonical resource URI (RFC 8707)
    #[arg(long, value_name = "URI")]
    resource: String,
    /// A connector that it needs, and the scopes there, with spaces between them
    #[arg(long = "need", value_parser = need, value_name = "CONNECTOR=SCOPES")]
    needs: Vec<Need>,
    #[command(flatten)]
    repeat: Repeat,
}

/// Change what an MCP server needs
///
/// Each need replaces what was registered for its connector; the others stay. Needs are changed one after the other.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold mcp-server update files --need 'sandbox=files.read' --no-need mail"
)]
pub(crate) struct UpdateArgs {
    /// Its name or id
    mcp_server: String,
    /// A connector that it needs, and the scopes there, with spaces between them
    #[arg(long = "need", value_parser = need, value_name = "CONNECTOR=SCOPES", required_unless_present = "no_need")]
    needs: Vec<Need>,
    /// A connector that it does not need any more
    #[arg(long, value_name = "CONNECTOR")]
    no_need: Vec<String>,
}

impl McpServer {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Register(args) => args.run(context).await,
            Self::List => list(context).await,
            Self::Update(args) => args.run(context).await,
            Self::Enable { mcp_server } => set_enabled(context, mcp_server, true).await,
            Self::Disable { mcp_server } => set_enabled(context, mcp_server, false).await,
        }
    }
}

impl RegisterArgs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let attempted = "register the MCP server";
        let client = context.client().await?;
        let request = RegisterMcpServerRequest {
            name: self.name,
            resource: self.resource,
            needs: joined(self.needs),
            request_id: self.repeat.request_id,
        };
        let answer = client.catalog().register_mcp_server(ask(request)).await.during(attempted)?;
        context.output.one(&record(answer.mcp_server.ok_or_else(|| incomplete(attempted, "MCP server"))?))
    }
}

impl UpdateArgs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client().await?;
        let removed = self.no_need.into_iter().map(|connector| Need { connector, scopes: Vec::new() });
        for need in joined(self.needs).into_iter().chain(removed) {
            let attempted = format!("change what {} needs at {}", self.mcp_server, need.connector);
            let line = format!("{} needs at {}: {}", self.mcp_server, need.connector, need.scopes.join(" "));
            let mcp_server = self.mcp_server.clone();
            let request = SetMcpServerNeedRequest { mcp_server, need: Some(need), expected_revision: None };
            client.catalog().set_mcp_server_need(ask(request)).await.during(attempted)?;
            say(&line);
        }
        Ok(())
    }
}

async fn list(context: &Context) -> Result<(), Failure> {
    let client = context.client().await?;
    let answer =
        client.catalog().list_mcp_servers(ask(ListMcpServersRequest {})).await.during("list MCP servers")?;
    context.output.list(&List {
        noun: "mcp_servers",
        columns: &["name", "resource", "needs", "enabled", "id"],
        records: answer.mcp_servers.into_iter().map(record).collect(),
        as_of: None,
    })
}

async fn set_enabled(context: &Context, mcp_server: String, enabled: bool) -> Result<(), Failure> {
    let verb = if enabled { "enable" } else { "disable" };
    let client = context.client().await?;
    let line = format!("{mcp_server} is {verb}d");
    let request = SetMcpServerEnabledRequest { mcp_server, enabled, expected_revision: None };
    client.catalog().set_mcp_server_enabled(ask(request)).await.during(format!("{verb} the MCP server"))?;
    say(&line);
    Ok(())
}

fn record(mcp_server: v1::McpServer) -> Record {
    let needs = mcp_server.needs.into_iter().map(|need| (need.connector, need.scopes.join(" "))).collect();
    Record::default()
        .with("id", mcp_server.id)
        .with("name", mcp_server.name)
        .with("resource", mcp_server.resource)
        .with("needs", Value::Pairs(needs))
        .with("enabled", mcp_server.enabled)
}

/// Reads `connector=scope scope`. A space is the one character that no scope has (RFC 6749 section 3.3).
fn need(text: &str) -> Result<Need, String> {
    let (connector, scopes) = text.split_once('=').ok_or("not of the form CONNECTOR=SCOPES")?;
    let scopes: Vec<_> = scopes.split_whitespace().map(str::to_owned).collect();
    if connector.is_empty() || scopes.is_empty() {
        return Err("a need has a connector and at least one scope".to_owned());
    }
    Ok(Need { connector: connector.to_owned(), scopes })
}

/// Needs at one connector that were given apart are one need.
fn joined(needs: Vec<Need>) -> Vec<Need> {
    let mut joined: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for need in needs {
        joined.entry(need.connector).or_default().extend(need.scopes);
    }
    joined.into_iter().map(|(connector, scopes)| Need { connector, scopes }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_need_is_a_connector_and_its_scopes() {
        let read = need("sandbox=files.read https://x.example/a=b,c").unwrap();
        assert_eq!(read.connector, "sandbox");
        assert_eq!(read.scopes, ["files.read", "https://x.example/a=b,c"]);
        for bad in ["sandbox", "sandbox=", "=files.read", "sandbox= "] {
            assert!(need(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn needs_at_one_connector_are_joined() {
        let needs = joined(vec![need("a=1").unwrap(), need("b=2").unwrap(), need("a=3").unwrap()]);
        assert_eq!(needs.len(), 2);
        assert_eq!(needs[0].scopes, ["1", "3"]);
    }
}
