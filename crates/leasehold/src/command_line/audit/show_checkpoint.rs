//! `leasehold audit checkpoint`: the newest signed checkpoint.

use std::path::PathBuf;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Args;
use leasehold_client::v1::{GetCheckpointRequest, GetCheckpointResponse};

use super::{checkpoint::Checkpoint, export};
use crate::command_line::{
    context::{Context, ask},
    failure::{During as _, Failure, incomplete},
    record::{Record, Value},
};

/// Show the newest signed checkpoint, and the key that verifies it
///
/// Keep checkpoints outside of the cluster: one of them pins everything that came before it.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  leasehold audit checkpoint\n  leasehold audit checkpoint --field verifier\n  leasehold audit checkpoint --out 2026-07.checkpoint"
)]
pub(crate) struct CheckpointArgs {
    /// Write the signed checkpoint to a file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl CheckpointArgs {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let attempted = "get a checkpoint";
        let client = context.client().await?;
        let answer = client.audit().get_checkpoint(ask(GetCheckpointRequest {})).await.during(attempted)?;
        let claimed =
            Checkpoint::claimed(&answer.checkpoint).ok_or_else(|| incomplete(attempted, "checkpoint"))?;
        if let Some(path) = &self.out {
            export::write_note(path, &answer.checkpoint)?;
        }
        context.output.one(&record(claimed, answer))
    }
}

fn record(claimed: Checkpoint, answer: GetCheckpointResponse) -> Record {
    Record::default()
        .with("origin", claimed.origin)
        .with("size", claimed.size)
        .with("root", STANDARD.encode(claimed.root))
        .with("verifier", answer.verifier)
        .with("checkpoint", Value::Lines(answer.checkpoint))
}
