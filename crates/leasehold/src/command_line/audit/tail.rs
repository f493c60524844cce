//! `leasehold audit tail`: event lines as they come.

use clap::Args;
use leasehold_client::v1::{GetCheckpointRequest, TailRequest};

use super::line;
use crate::command_line::{
    context::{Context, ask},
    failure::{During as _, Failure, incomplete},
};

/// Follow the ledger, until interrupted
///
/// Starts with what comes next, or at --from. Reading is recorded in the ledger.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  leasehold audit tail\n  leasehold audit tail --from 0 --output jsonl")]
pub(crate) struct TailArgs {
    /// The first sequence number wanted
    #[arg(long, value_name = "SEQ")]
    from: Option<u64>,
}

impl TailArgs {
    pub(super) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let attempted = "follow the ledger";
        let client = context.client().await?;
        let from = match self.from {
            Some(from) => from,
            None => {
                let newest =
                    client.audit().get_checkpoint(ask(GetCheckpointRequest {})).await.during(attempted)?;
                let claimed = super::checkpoint::Checkpoint::claimed(&newest.checkpoint);
                claimed.ok_or_else(|| incomplete(attempted, "checkpoint"))?.size
            }
        };
        let mut lines = client.audit().tail(TailRequest { from }).await.during(attempted)?;
        let mut next = from;
        while let Some(answer) = lines.message().await.during(attempted)? {
            context.output.streamed(line::COLUMNS, &line::record(&answer.line)?)?;
            next = answer.seq.saturating_add(1);
        }
        let failure = Failure::local(attempted, "STREAM_ENDED", "the node ended the stream");
        Err(failure.and_next(format!("go on with `leasehold audit tail --from {next}`")))
    }
}
