//! `leasehold status`: whether the cluster answers, and where it stands.

use clap::Args;
use leasehold_client::v1::{ClusterStatusRequest, ClusterStatusResponse};

use super::{
    context::{Context, ask},
    failure::{During as _, Failure},
    record::Record,
};

/// Show whether the cluster answers, and where it stands
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leasehold status\n  leasehold status --field leader")]
pub(crate) struct StatusArgs {}

impl StatusArgs {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client().await?;
        let status = client
            .cluster()
            .status(ask(ClusterStatusRequest {}))
            .await
            .during("ask the node for its status")?;
        context.output.one(&record(status))
    }
}

fn record(status: ClusterStatusResponse) -> Record {
    Record::default()
        .with("organisation", status.organisation)
        .with("node", status.node)
        .with("leader", Some(status.leader).filter(|leader| *leader != 0))
        .with("term", status.term)
        .with("applied_index", status.applied_index)
        .with("ledger_size", status.ledger_size)
        .with("level", status.level)
        .with("development", status.development)
        .with("version", status.version)
}
