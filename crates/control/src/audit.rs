//! The ledger as evidence: signed checkpoints, exports and proofs.

use std::pin::Pin;

use bytes::Bytes;
use futures::Stream;
use leasehold_domain::{
    audit::{self, Checkpoint, View},
    command::Command,
    rejection::Rejection,
    text::Digest,
};
use leasehold_policy::AdministratorAction;

use crate::{caller::Caller, control::Control, problem::Problem};

/// How many lines one message carries at most.
const LINES_MAX: usize = 256;
/// How many bytes of lines one message carries at most.
const LINES_LEN_MAX: usize = 512 * 1024;
/// How often signing is tried again when the ledger grew beneath it.
const ROUNDS_MAX: usize = 4;

/// A signed checkpoint and the key that verifies it.
#[derive(Debug, Clone)]
pub struct SignedCheckpoint {
    /// How many lines it covers.
    pub size: u64,
    /// Origin, size, root and signature (C2SP tlog-checkpoint in a signed-note).
    pub note: String,
    /// The verifier key (C2SP signed-note).
    pub verifier: String,
}

/// Lines in order.
#[derive(Debug, Clone)]
pub struct Exported {
    /// The sequence number of the first.
    pub first_seq: u64,
    /// Each the bytes of one Merkle leaf.
    pub lines: Vec<Bytes>,
}

impl Control {
    /// How many lines no checkpoint covers.
    pub(crate) fn lines_unsigned(&self) -> u64 {
        self.read_now(|state| {
            let signed = state.singular.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size);
            state.clock.next_seq.saturating_sub(signed)
        })
    }

    /// Signs a checkpoint over every line that is committed and applied, unless one covers them.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub(crate) async fn sign_checkpoint(&self) -> Result<SignedCheckpoint, Problem> {
        for _ in 0..ROUNDS_MAX {
            self.replica().read().await?;
            let (kept, next, origin, verifier) = self.read_now(|state| {
                let singular = &state.singular;
                let origin =
                    singular.organisation.as_ref().map(|organisation| organisation.origin.to_string());
                let verifier = singular.verifier.as_ref().map(ToString::to_string);
                (singular.checkpoint.clone(), state.clock.next_seq, origin, verifier)
            });
            let (Some(origin), Some(verifier)) = (origin, verifier) else {
                return Err(Rejection::NotFounded.into());
            };
            if let Some(kept) = kept
                && kept.size == next
            {
                return Ok(SignedCheckpoint { size: kept.size, note: kept.note, verifier });
            }
            let head = self.ledger().tree().map_err(|error| Problem::fault("read the tree head", &error))?;
            let text = format!("{origin}\n{}\n{}\n", head.size, base64(&head.root));
            let note = self
                .0
                .parts
                .signer
                .sign_note(&text)
                .map_err(|error| Problem::fault("sign a checkpoint", &error))?;
            let root = Digest::from_bytes(head.root);
            let command =
                audit::Command::KeepCheckpoint(Checkpoint { size: head.size, root, note: note.clone() });
            match self.propose_as_cluster(Command::Audit(command)).await {
                Ok(_) => return Ok(SignedCheckpoint { size: head.size, note, verifier }),
                Err(Problem::Rejected(Rejection::Superseded)) => {}
                Err(problem) => return Err(problem),
            }
        }
        Err(Problem::Overloaded)
    }

    /// The newest signed checkpoint; one is made if the ledger has grown.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn checkpoint(&self, caller: &Caller) -> Result<SignedCheckpoint, Problem> {
        self.authorize_administrator(caller, AdministratorAction::Audit).await?;
        self.sign_checkpoint().await
    }

    /// Begins an export from `from` on: records it, signs a checkpoint over all that is there then, and answers with the checkpoint. The
    /// lines are read with [`Self::export_lines`].
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn begin_export(&self, caller: &Caller, from: u64) -> Result<SignedCheckpoint, Problem> {
        self.authorize_administrator(caller, AdministratorAction::Audit).await?;
        let command = audit::Command::RecordRead { view: View::Ledger, from };
        self.propose(&caller.clone().with_request(None), Command::Audit(command)).await?;
        self.sign_checkpoint().await
    }

    /// Records that somebody reads the access view, before anything is shown.
    pub(crate) async fn record_access_read(&self, caller: &Caller) -> Result<(), Problem> {
        let from = self.read_now(|state| state.clock.next_seq);
        let command = audit::Command::RecordRead { view: View::Access, from };
        self.propose(&caller.clone().with_request(None), Command::Audit(command)).await.map(drop)
    }

    /// Lines from `from` on and before `end`, as many as one message carries.
    ///
    /// # Errors
    /// [`Problem::Fault`] where the disk does not give them.
    pub fn export_lines(&self, from: u64, end: u64) -> Result<Exported, Problem> {
        let wanted = usize::try_from(end.saturating_sub(from)).unwrap_or(usize::MAX).min(LINES_MAX);
        let lines = self
            .ledger()
            .lines(from, wanted, LINES_LEN_MAX)
            .map_err(|error| Problem::fault("read lines for an export", &error))?;
        if lines.is_empty() && wanted > 0 {
            return Err(Problem::fault("read lines for an export", &"none where some must be"));
        }
        Ok(Exported { first_seq: from, lines: lines.into_iter().map(|line| line.bytes).collect() })
    }

    /// Follows the ledger from `from` on: lines as they are, then as they come.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn tail(
        &self,
        caller: &Caller,
        from: u64,
    ) -> Result<Pin<Box<dyn Stream<Item = Result<Exported, Problem>> + Send>>, Problem> {
        self.authorize_administrator(caller, AdministratorAction::Audit).await?;
        let command = audit::Command::RecordRead { view: View::Ledger, from };
        self.propose(&caller.clone().with_request(None), Command::Audit(command)).await?;
        let control = self.clone();
        let grown = self.ledger().subscribe();
        Ok(Box::pin(futures::stream::try_unfold(
            (control, grown, from),
            |(control, mut grown, from)| async move {
                let end = *grown.wait_for(|next| *next > from).await.map_err(|_| Problem::Stopped)?;
                let exported = control.export_lines(from, end)?;
                let next = from + exported.lines.len() as u64;
                Ok(Some((exported, (control, grown, next))))
            },
        )))
    }

    /// The hashes that prove that line `seq` is in the ledger of this size (RFC 6962 section 2.1.1).
    ///
    /// # Errors
    /// [`Problem::Invalid`] where the size does not cover the line or is not there yet.
    pub async fn prove_inclusion(
        &self,
        caller: &Caller,
        seq: u64,
        size: u64,
    ) -> Result<Vec<[u8; 32]>, Problem> {
        self.authorize_administrator(caller, AdministratorAction::Audit).await?;
        let next = self.read(|state| state.clock.next_seq).await?;
        if seq >= size || size > next {
            return Err(Problem::invalid("size", format!("more than seq and at most {next}")));
        }
        self.ledger().prove_inclusion(seq, size).map_err(|error| Problem::fault("prove an inclusion", &error))
    }

    /// The hashes that prove that the ledger of one size continues that of another (RFC 6962 section 2.1.2).
    ///
    /// # Errors
    /// [`Problem::Invalid`] where the sizes are not in order or not there yet.
    pub async fn prove_consistency(
        &self,
        caller: &Caller,
        old: u64,
        new: u64,
    ) -> Result<Vec<[u8; 32]>, Problem> {
        self.authorize_administrator(caller, AdministratorAction::Audit).await?;
        let next = self.read(|state| state.clock.next_seq).await?;
        if old == 0 || old > new || new > next {
            return Err(Problem::invalid(
                "new_size",
                format!("at least old_size and at most {next}, and old_size at least 1"),
            ));
        }
        self.ledger()
            .prove_consistency(old, new)
            .map_err(|error| Problem::fault("prove a consistency", &error))
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
