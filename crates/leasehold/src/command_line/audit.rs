//! `leasehold audit`: the ledger as evidence. `verify` needs no cluster, and neither this program: SHA-256 and a page of any language do.

use clap::Subcommand;

use super::{context::Context, failure::Failure};

mod checkpoint;
mod export;
pub(super) mod line;
mod lines;
mod merkle;
mod show_checkpoint;
mod tail;
mod verify;
mod verify_command;

/// Export the ledger, and verify what was exported
#[derive(Debug, Subcommand)]
#[command(
    after_help = "Example:\n  leasehold audit export --out ledger.jsonl && leasehold audit verify ledger.jsonl"
)]
pub(crate) enum Audit {
    Export(export::ExportArgs),
    Verify(verify_command::VerifyArgs),
    Tail(tail::TailArgs),
    Checkpoint(show_checkpoint::CheckpointArgs),
}

impl Audit {
    pub(super) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        match self {
            Self::Export(args) => args.run(context).await,
            Self::Verify(args) => args.run(context),
            Self::Tail(args) => args.run(context).await,
            Self::Checkpoint(args) => args.run(context).await,
        }
    }
}
