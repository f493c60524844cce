//! `leasehold access`: who has access to what, and why.

use clap::{ArgGroup, Args, Subcommand};
use leasehold_client::v1::{AccessEdge, ExplainRequest, LookupResourcesRequest, LookupSubjectsRequest};

use super::{
    audit::line,
    context::{Context, ask},
    failure::{During as _, Failure},
    grant,
    paging::{Page, Paging},
    record::Record,
    view::List,
};

/// The columns of an answer about access.
const COLUMNS: &[&str] = &[
    "subject_name",
    "connector",
    "account",
    "granted_scopes",
    "phase",
    "mcp_servers",
    "workloads",
    "live_leases",
    "id",
];

/// Ask who has access to what, and why
///
/// Every answer says of how many events it speaks, and whether it is complete. Reading is recorded in the ledger.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  leasehold access what --subject alice")]
pub(crate) enum Access {
    Who(WhoArgs),
    What(WhatArgs),
    Why(WhyArgs),
}

/// Who has access, through which grants, for which workloads and MCP servers
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("narrowed").required(true).multiple(true).args(["connector", "mcp_server", "scope", "workload"]),
    after_help = "Example:\n  leasehold access who --connector github\n  leasehold access who --workload gateway --scope files.write"
)]
pub(crate) struct WhoArgs {
    /// At this connector: its name or id
    #[arg(long, default_value = "", hide_default_value = true)]
    connector: String,
    /// For this MCP server: its name or id
    #[arg(long, default_value = "", hide_default_value = true)]
    mcp_server: String,
    /// With this scope
    #[arg(long, default_value = "", hide_default_value = true)]
    scope: String,
    /// Through this workload: its name or id
    #[arg(long, default_value = "", hide_default_value = true)]
    workload: String,
    #[command(flatten)]
    paging: Paging,
}

/// What a subject has given access to
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold access what --subject alice\n  leasehold access what --subject alice --ended --output json"
)]
pub(crate) struct WhatArgs {
    /// The subject: its id or user name
    #[arg(long)]
    subject: String,
    /// Show ended grants too
    #[arg(long)]
    ended: bool,
    #[command(flatten)]
    paging: Paging,
}

/// The events that led to an access, the newest first
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold access why grt_1wbsgzq4jwh54mhptrxxwr8c5h\n  leasehold access why lse_2nkrbbgzamxjggq3t08ytdb9rn --output jsonl"
)]
pub(crate) struct WhyArgs {
    /// A grant's or a lease's id
    grant: String,
    #[command(flatten)]
    paging: Paging,
}

impl Access {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Who(args) => args.run(context).await,
            Self::What(args) => args.run(context).await,
            Self::Why(args) => args.run(context).await,
        }
    }
}

impl WhoArgs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client().await?;
        let fetch = async |page_size, page| {
            let request = ask(LookupSubjectsRequest {
                connector: self.connector.clone(),
                mcp_server: self.mcp_server.clone(),
                scope: self.scope.clone(),
                workload: self.workload.clone(),
                page_size,
                page,
            });
            let answer = client.access().lookup_subjects(request).await.during("look up who has access")?;
            Ok(Page { items: answer.edges, as_of: answer.as_of })
        };
        edges(context, self.paging.all(fetch).await?)
    }
}

impl WhatArgs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client().await?;
        let fetch = async |page_size, page| {
            let (subject, ended) = (self.subject.clone(), self.ended);
            let request = ask(LookupResourcesRequest { subject, ended, page_size, page });
            let answer =
                client.access().lookup_resources(request).await.during("look up what can be accessed")?;
            Ok(Page { items: answer.edges, as_of: answer.as_of })
        };
        edges(context, self.paging.all(fetch).await?)
    }
}

impl WhyArgs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client().await?;
        let fetch = async |page_size, page| {
            let request = ask(ExplainRequest { grant: self.grant.clone(), page_size, page });
            let answer = client.access().explain(request).await.during("explain the access")?;
            Ok(Page { items: answer.lines, as_of: answer.as_of })
        };
        let all = self.paging.all(fetch).await?;
        let list = List {
            noun: "events",
            columns: line::COLUMNS,
            records: all.items.iter().map(|line| line::record(line)).collect::<Result<_, _>>()?,
            as_of: all.as_of,
        };
        context.output.list(&list)
    }
}

fn edges(context: &Context, all: Page<AccessEdge>) -> Result<(), Failure> {
    let records = all.items.into_iter().map(record).collect();
    context.output.list(&List { noun: "edges", columns: COLUMNS, records, as_of: all.as_of })
}

fn record(edge: AccessEdge) -> Record {
    grant::record(edge.grant.unwrap_or_default())
        .with("mcp_servers", edge.mcp_servers)
        .with("workloads", edge.workloads)
        .with("holders", edge.holders)
        .with("live_leases", edge.live_leases)
        .with("last_leased_at", edge.last_leased_at)
}
