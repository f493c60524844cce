//! `leasehold grant`: what subjects consented to.

use clap::{Args, Subcommand};
use leasehold_client::v1::{
    self, GetGrantRequest, ListGrantsRequest, RefreshGrantRequest, Selector, selector::Selector as Kind,
};

use super::{
    context::{Context, ask},
    failure::{During as _, Failure, incomplete},
    paging::{Page, Paging},
    record::{Record, word},
    revoke,
    shared::Repeat,
    view::List,
};

/// See, refresh and revoke what subjects consented to
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  leasehold grant list --subject alice")]
pub(crate) enum Grant {
    List(ListArgs),
    /// Show a grant
    #[command(after_help = "Example:\n  leasehold grant show grt_1wbsgzq4jwh54mhptrxxwr8c5h")]
    Show {
        /// Its id
        grant: String,
    },
    /// Refresh a grant now, and show it as it is then
    #[command(after_help = "Example:\n  leasehold grant refresh grt_1wbsgzq4jwh54mhptrxxwr8c5h")]
    Refresh {
        /// Its id
        grant: String,
    },
    Revoke(RevokeArgs),
}

/// List grants
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold grant list --subject alice\n  leasehold grant list --connector github --output jsonl"
)]
pub(crate) struct ListArgs {
    /// Only this subject's: its id or user name
    #[arg(long, default_value = "", hide_default_value = true)]
    subject: String,
    /// Only those at this connector: its name or id
    #[arg(long, default_value = "", hide_default_value = true)]
    connector: String,
    #[command(flatten)]
    paging: Paging,
}

/// Revoke a grant: its leases end at once, and its tokens are revoked at the provider
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold grant revoke grt_1wbsgzq4jwh54mhptrxxwr8c5h --reason 'not needed any more'"
)]
pub(crate) struct RevokeArgs {
    /// Its id
    grant: String,
    /// Why; it stands beside the ledger and never in an event
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    reason: String,
    /// Show what would be revoked, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    repeat: Repeat,
}

impl Grant {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List(args) => args.run(context).await,
            Self::Show { grant } => show(context, grant).await,
            Self::Refresh { grant } => refresh(context, grant).await,
            Self::Revoke(args) => {
                let selector = Selector { selector: Some(Kind::Grant(args.grant)) };
                revoke::revoke(context, selector, args.reason, args.dry_run, args.repeat).await
            }
        }
    }
}

impl ListArgs {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client().await?;
        let fetch = async |page_size, page| {
            let (subject, connector) = (self.subject.clone(), self.connector.clone());
            let request = ask(ListGrantsRequest { subject, connector, page_size, page });
            let answer = client.grants().list(request).await.during("list grants")?;
            Ok(Page { items: answer.grants, as_of: answer.as_of })
        };
        let all = self.paging.all(fetch).await?;
        context.output.list(&List {
            noun: "grants",
            columns: &["id", "subject_name", "connector", "mcp_server", "account", "phase", "granted_scopes"],
            records: all.items.into_iter().map(record).collect(),
            as_of: all.as_of,
        })
    }
}

async fn show(context: &Context, grant: String) -> Result<(), Failure> {
    let attempted = "read the grant";
    let client = context.client().await?;
    let answer = client.grants().get(ask(GetGrantRequest { grant })).await.during(attempted)?;
    context.output.one(&record(answer.grant.ok_or_else(|| incomplete(attempted, "grant"))?))
}

async fn refresh(context: &Context, grant: String) -> Result<(), Failure> {
    let attempted = "refresh the grant";
    let client = context.client().await?;
    let answer = client.grants().refresh(ask(RefreshGrantRequest { grant })).await.during(attempted)?;
    context.output.one(&record(answer.grant.ok_or_else(|| incomplete(attempted, "grant"))?))
}

/// A grant's fields.
pub(super) fn record(grant: v1::Grant) -> Record {
    let phase = word(grant.phase().as_str_name(), "GRANT_PHASE_");
    Record::default()
        .with("id", grant.id)
        .with("subject", grant.subject)
        .with("subject_name", grant.subject_name)
        .with("connector", grant.connector)
        .with("mcp_server", grant.mcp_server)
        .with("account", grant.account)
        .with("requested_scopes", grant.requested_scopes)
        .with("granted_scopes", grant.granted_scopes)
        .with("generation", grant.generation)
        .with("phase", phase)
        .with("reason", grant.reason)
        .with("consented_at", grant.consented_at)
        .with("refreshed_at", grant.refreshed_at)
        .with("token_expires_at", grant.token_expires_at)
        .with("trouble", grant.trouble)
        .with("account_shared", grant.account_shared)
}
