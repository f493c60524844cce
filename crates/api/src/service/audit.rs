//! The ledger: exports, following it, checkpoints and proofs.

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use leasehold_control::{Control, Exported, Problem};
use leasehold_proto::v1::{
    ExportRequest, ExportResponse, GetCheckpointRequest, GetCheckpointResponse, ProveConsistencyRequest,
    ProveConsistencyResponse, ProveInclusionRequest, ProveInclusionResponse, TailRequest, TailResponse,
    audit_service_server::AuditService,
};
use tonic::{Request, Response, Status};

use super::{Answer, Answers};
use crate::{
    call::{Call, broken},
    refusal::Refusal,
};

/// `leasehold.v1.AuditService`.
pub(crate) struct Audit {
    pub(crate) control: Control,
}

#[tonic::async_trait]
impl AuditService for Audit {
    type ExportStream = Answers<ExportResponse>;
    type TailStream = Answers<TailResponse>;

    async fn export(&self, request: Request<ExportRequest>) -> Answer<Self::ExportStream> {
        let (call, ask) = Call::begin(&self.control, "export the ledger", request)?;
        let begun = call.control.begin_export(&call.caller, ask.from).await;
        let begun = begun.and_then(|covered| Export::new(ask, covered.size, covered.note));
        let export = begun.map_err(|problem| call.status(&problem))?;
        let answers = stream::try_unfold((call, Some(export)), |(call, export)| async move {
            let Some(mut export) = export else { return Ok(None) };
            // What the caller showed is judged afresh for each answer: an export may take long.
            call.identify_again().map_err(Refusal::into_status)?;
            let (control, next, end) = (call.control.clone(), export.next, export.end);
            let read = if next == end {
                Ok(Exported { first_seq: next, lines: Vec::new() })
            } else {
                // Reading and unpacking lines is work for the disk and a processor: not one that answers calls.
                let lines = tokio::task::spawn_blocking(move || control.export_lines(next, end)).await;
                lines.unwrap_or_else(|error| Err(broken(&error)))
            };
            let lines = read.map_err(|problem| call.status(&problem))?;
            let answer = export.answer(lines);
            let rest = (!export.over()).then_some(export);
            Ok(Some((answer, (call, rest))))
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn tail(&self, request: Request<TailRequest>) -> Answer<Self::TailStream> {
        let (call, ask) = Call::begin(&self.control, "follow the ledger", request)?;
        let followed = call.control.tail(&call.caller, ask.from).await;
        let followed = followed.map_err(|problem| call.status(&problem))?;
        let lines = followed.map(move |exported| {
            let Exported { first_seq, lines } = exported.map_err(|problem| call.status(&problem))?;
            call.identify_again().map_err(Refusal::into_status)?;
            let answers =
                (first_seq..).zip(lines).map(|(seq, line)| Ok(TailResponse { seq, line: line.into() }));
            Ok::<_, Status>(stream::iter(answers.collect::<Vec<_>>()))
        });
        Ok(Response::new(Box::pin(lines.try_flatten())))
    }

    async fn get_checkpoint(&self, request: Request<GetCheckpointRequest>) -> Answer<GetCheckpointResponse> {
        let (call, GetCheckpointRequest {}) = Call::begin(&self.control, "sign a checkpoint", request)?;
        call.answer(async {
            let signed = call.control.checkpoint(&call.caller).await?;
            Ok(GetCheckpointResponse { checkpoint: signed.note, verifier: signed.verifier })
        })
        .await
    }

    async fn prove_inclusion(
        &self,
        request: Request<ProveInclusionRequest>,
    ) -> Answer<ProveInclusionResponse> {
        let (call, ask) = Call::begin(&self.control, "prove the inclusion", request)?;
        call.answer(async {
            let hashes = call.control.prove_inclusion(&call.caller, ask.seq, ask.size).await?;
            Ok(ProveInclusionResponse { hashes: hashes.into_iter().map(|hash| hash.to_vec()).collect() })
        })
        .await
    }

    async fn prove_consistency(
        &self,
        request: Request<ProveConsistencyRequest>,
    ) -> Answer<ProveConsistencyResponse> {
        let (call, ask) = Call::begin(&self.control, "prove the consistency", request)?;
        call.answer(async {
            let hashes = call.control.prove_consistency(&call.caller, ask.old_size, ask.new_size).await?;
            Ok(ProveConsistencyResponse { hashes: hashes.into_iter().map(|hash| hash.to_vec()).collect() })
        })
        .await
    }
}

/// How far an export has come.
struct Export {
    next: u64,
    end: u64,
    /// Said in the first answer alone.
    total: Option<u64>,
    /// Said in the last answer alone.
    checkpoint: String,
}

impl Export {
    /// An export of what is asked for, under a checkpoint that covers `covered` lines.
    fn new(ask: ExportRequest, covered: u64, checkpoint: String) -> Result<Self, Problem> {
        let end = if ask.size == 0 { covered } else { ask.size };
        if end > covered {
            return Err(Problem::invalid("size", format!("at most {covered}, the size of the ledger")));
        }
        let total = end.checked_sub(ask.from);
        let total = total.ok_or_else(|| Problem::invalid("from", format!("at most {end}, where it ends")))?;
        Ok(Self { next: ask.from, end, total: Some(total), checkpoint })
    }

    fn answer(&mut self, exported: Exported) -> ExportResponse {
        self.next += exported.lines.len() as u64;
        let checkpoint = if self.over() { std::mem::take(&mut self.checkpoint) } else { String::new() };
        ExportResponse {
            lines: exported.lines.into_iter().map(|line: Bytes| line.into()).collect(),
            first_seq: exported.first_seq,
            checkpoint,
            total: self.total.take().unwrap_or_default(),
        }
    }

    const fn over(&self) -> bool {
        self.next >= self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(first_seq: u64, count: usize) -> Exported {
        Exported { first_seq, lines: vec![Bytes::from_static(b"{}"); count] }
    }

    #[test]
    fn the_first_answer_says_how_many_and_the_last_carries_the_checkpoint() {
        let ask = ExportRequest { from: 2, size: 0 };
        let mut export = Export::new(ask, 7, "signed".to_owned()).ok().unwrap();
        let first = export.answer(lines(2, 3));
        assert_eq!((first.total, first.checkpoint.as_str(), first.first_seq), (5, "", 2));
        assert!(!export.over());
        let last = export.answer(lines(5, 2));
        assert_eq!((last.total, last.checkpoint.as_str(), last.first_seq), (0, "signed", 5));
        assert!(export.over());
    }

    #[test]
    fn an_export_of_nothing_is_one_answer_with_the_checkpoint() {
        let mut export =
            Export::new(ExportRequest { from: 7, size: 0 }, 7, "signed".to_owned()).ok().unwrap();
        let only = export.answer(lines(7, 0));
        assert_eq!((only.total, only.checkpoint.as_str(), only.lines.len()), (0, "signed", 0));
        assert!(export.over());
    }

    #[test]
    fn an_export_beyond_the_checkpoint_or_from_behind_its_end_is_refused() {
        let field = |from, size| match Export::new(ExportRequest { from, size }, 7, String::new()).err() {
            Some(Problem::Invalid { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        assert_eq!(field(0, 8), "size");
        assert_eq!(field(8, 0), "from");
        assert_eq!(field(4, 3), "from");
    }
}
