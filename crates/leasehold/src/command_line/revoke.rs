//! `leasehold revoke`: the one switch.

use clap::{ArgGroup, Args};
use leasehold_client::v1::{BlastRadius, RevokeRequest, Selector, selector::Selector as Kind};

use super::{
    context::{Context, ask},
    failure::{During as _, Failure},
    record::Record,
    shared::Repeat,
};

/// Revoke everything that a selector covers, everywhere at once
///
/// One event, effective when the command returns; what follows at the providers goes on by itself. With --dry-run it shows the blast
/// radius and changes nothing.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("selector").required(true).args(["grant", "subject", "workload", "connector", "mcp_server"]),
    after_help = "Example:\n  leasehold revoke --subject alice --reason 'left the company'\n  leasehold revoke --connector github --dry-run"
)]
pub(crate) struct RevokeArgs {
    /// A grant: its id
    #[arg(long)]
    grant: Option<String>,
    /// A subject and everything of it: its id or user name
    #[arg(long)]
    subject: Option<String>,
    /// A workload, its leases and its credentials: its name or id
    #[arg(long)]
    workload: Option<String>,
    /// A connector and all its grants: its name or id
    #[arg(long)]
    connector: Option<String>,
    /// An MCP server and the leases on its behalf: its name or id
    #[arg(long)]
    mcp_server: Option<String>,
    /// Why; it stands beside the ledger and never in an event
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    reason: String,
    /// Show what would be revoked, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    repeat: Repeat,
}

impl RevokeArgs {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let kind = self
            .grant
            .map(Kind::Grant)
            .or(self.subject.map(Kind::Subject))
            .or(self.workload.map(Kind::Workload))
            .or(self.connector.map(Kind::Connector))
            .or(self.mcp_server.map(Kind::McpServer));
        revoke(context, Selector { selector: kind }, self.reason, self.dry_run, self.repeat).await
    }
}

/// Revokes what a selector covers, or shows what would be.
pub(super) async fn revoke(
    context: &Context,
    selector: Selector,
    reason: String,
    dry_run: bool,
    repeat: Repeat,
) -> Result<(), Failure> {
    let attempted = if dry_run { "see what would be revoked" } else { "revoke" };
    let client = context.client().await?;
    let request = RevokeRequest { selector: Some(selector), reason, dry_run, request_id: repeat.request_id };
    let answer = client.grants().revoke(ask(request)).await.during(attempted)?;
    let seq = Some(answer.seq).filter(|_| !dry_run);
    context.output.one(&record(seq, answer.blast_radius.unwrap_or_default()))
}

fn record(seq: Option<u64>, radius: BlastRadius) -> Record {
    Record::default()
        .with("revoked", seq.is_some())
        .with("seq", seq)
        .with("grants", radius.grants)
        .with("leases", radius.leases)
        .with("authorizations", radius.authorizations)
        .with("workloads", radius.workloads)
        .with("subjects", radius.subjects)
        .with("residual_exposure_until", radius.residual_exposure_until)
}
