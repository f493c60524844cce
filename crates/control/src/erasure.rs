//! Erasing a subject: the order, and what the worker does after it until nothing of the subject is left in live state.
//!
//! The names go with the order. Tokens stay sealed until their provider has revoked them, or until the moment that the order states. Nothing
//! here reaches what was copied before: the log, snapshots and backups hold what they hold until they have passed.

use std::collections::BTreeSet;

use leasehold_codec::touches::Topic;
use leasehold_domain::{
    command::Command,
    event::Event,
    id::{AuthorizationId, GrantId, NoteId, SubjectId},
    organisation::KeyId,
    rejection::Rejection,
    revocation,
    state::{BlobKey, State},
    subject::{
        self, FORGET_BATCH_MAX,
        erase::{may_hold_tokens, needs_tokens},
    },
    text::Commitment,
    time::Timestamp,
};
use leasehold_policy::AdministratorAction;
use tokio::task::spawn_blocking;

use crate::{
    caller::Caller,
    control::Control,
    draw,
    keys::{domain_purpose, vault_purpose},
    outbox::Attempt,
    people::subject_by,
    problem::Problem,
    tokens,
};

/// How many blobs, and how many lines, one step reads.
const STEP: usize = 1024;
/// The most bytes of lines that one step reads.
const STEP_BYTES: usize = 4 * 1024 * 1024;
/// The bytes of the salt before the text of a note.
const SALT_LEN: usize = 16;
/// The most erasures that one look of the worker continues.
const CONTINUED_MAX: usize = 16;

/// What an order to erase came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasureOrder {
    /// The sequence number of its event.
    pub seq: u64,
    /// The subject, which has no name any more.
    pub subject: SubjectId,
    /// By when nothing of it is left in live state.
    pub live_state_by: Timestamp,
    /// What has to happen until nobody can read what was copied before: one sentence each.
    pub complete_after: Vec<String>,
}

/// What is still to be forgotten of a subject.
#[derive(Default)]
struct Left {
    grants: Vec<GrantId>,
    authorizations: Vec<AuthorizationId>,
}

impl Control {
    /// Erases a subject. Who it was is gone when this returns, and everything of it has ended.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn erase_subject(&self, caller: &Caller, subject: &str) -> Result<ErasureOrder, Problem> {
        self.authorize_administrator(caller, AdministratorAction::Secure).await?;
        let subject = self.read(|state| subject_by(state, subject)).await??;
        let under = self.keys_over(subject)?;
        let applied = self.propose(caller, Command::Subject(subject::Command::Erase { subject })).await?;
        let Some(Event::Subject(subject::Event::Erased { tokens_until, .. })) = applied.events.first() else {
            return Err(Problem::fault("erase a subject", &"the event does not say so"));
        };
        if let Err(problem) = self.forget_notes(subject).await {
            tracing::warn!(%subject, code = problem.code(), "notes are forgotten when the erasure is finished");
        }
        self.0.work.notify_one();
        Ok(ErasureOrder {
            seq: applied.first_seq,
            subject,
            live_state_by: *tokens_until,
            complete_after: complete_after(&under),
        })
    }

    /// The keys under which the subject's tokens and the names of its accounts are.
    fn keys_over(&self, subject: SubjectId) -> Result<BTreeSet<KeyId>, Problem> {
        let keys: Vec<BlobKey> = self.read_now(|state| {
            let grants = state.grants.iter().filter(|(_, grant)| grant.key.subject == subject);
            grants
                .flat_map(|(id, grant)| {
                    let sets = grant.generations_to_revoke().chain([grant.generation.saturating_sub(1)]);
                    sets.map(|generation| BlobKey::Tokens(*id, generation)).chain([BlobKey::Account(*id)])
                })
                .collect()
        });
        let mut under = BTreeSet::new();
        for key in keys {
            let Some(blob) = self.blob(&key)? else { continue };
            let held = tokens::sealed_under(&key, &blob)?;
            under.extend(
                held.iter().map(|key| KeyId { purpose: domain_purpose(key.purpose), version: key.version }),
            );
        }
        Ok(under)
    }

    /// Removes the notes about a subject: those whose commitments stand in lines about it or its grants.
    async fn forget_notes(&self, subject: SubjectId) -> Result<(), Problem> {
        let control = self.clone();
        let found = spawn_blocking(move || control.notes_about(subject)).await;
        let notes = found.map_err(|error| Problem::fault("look for notes", &error))??;
        for batch in notes.chunks(FORGET_BATCH_MAX) {
            let command = subject::Command::Forget {
                subject,
                notes: batch.to_vec(),
                grants: Vec::new(),
                authorizations: Vec::new(),
            };
            self.propose_as_cluster(Command::Subject(command)).await?;
        }
        Ok(())
    }

    fn notes_about(&self, subject: SubjectId) -> Result<Vec<NoteId>, Problem> {
        let grants: Vec<GrantId> = self.read_now(|state| {
            let grants = state.grants.iter().filter(|(_, grant)| grant.key.subject == subject);
            grants.map(|(id, _)| *id).collect()
        });
        let topics = grants.into_iter().map(Topic::Grant).chain([Topic::Subject(subject)]);
        let mut commitments = BTreeSet::new();
        for topic in topics {
            self.commitments_about(topic, &mut commitments)?;
        }
        let (mut notes, mut next) = (Vec::new(), (!commitments.is_empty()).then_some(0));
        while let Some(from) = next {
            let page =
                self.ledger().blobs(from, STEP).map_err(|error| Problem::fault("read the notes", &error))?;
            for (key, blob) in &page.blobs {
                let BlobKey::Note(id) = key else { continue };
                let Some((salt, text)) = blob.as_bytes().split_first_chunk::<SALT_LEN>() else { continue };
                let Ok(text) = str::from_utf8(text) else { continue };
                if commitments.contains(&draw::commit(&[text], *salt)) {
                    notes.push(*id);
                }
            }
            next = page.next;
        }
        Ok(notes)
    }

    fn commitments_about(&self, topic: Topic, found: &mut BTreeSet<Commitment>) -> Result<(), Problem> {
        let read = |error: &dyn std::fmt::Display| Problem::fault("read lines about a subject", error);
        let mut before = None;
        loop {
            let seqs = self.ledger().postings(topic, before, STEP).map_err(|error| read(&error))?;
            let Some(oldest) = seqs.last().copied() else { return Ok(()) };
            for seq in seqs {
                let lines = self.ledger().lines(seq, 1, STEP_BYTES).map_err(|error| read(&error))?;
                let line = lines.first().ok_or_else(|| read(&"one is missing"))?;
                let (_, event) = leasehold_codec::line::parse(&line.bytes).map_err(|error| read(&error))?;
                if let Event::Revocation(revocation::Event::Raised { note, .. })
                | Event::Subject(subject::Event::Disabled { note, .. }) = event
                {
                    found.extend(note);
                }
            }
            before = Some(oldest);
        }
    }

    /// Goes on with the erasures that are not finished. One that cannot go on now holds up no other.
    pub(crate) async fn continue_erasures(&self) {
        let open: Vec<SubjectId> = self.read_now(|state| {
            let open = state.erasures.iter().filter(|(_, known)| known.finished_at.is_none());
            open.map(|(id, _)| *id).take(CONTINUED_MAX).collect()
        });
        for subject in open {
            if let Err(problem) = self.continue_erasure(subject).await {
                tracing::warn!(%subject, code = problem.code(), "an erasure goes on at the next look");
            }
        }
    }

    async fn continue_erasure(&self, subject: SubjectId) -> Result<(), Problem> {
        let now = self.now();
        let left = self.left_of(subject, now)?;
        let half = FORGET_BATCH_MAX / 2;
        let batches = left.grants.chunks(half).len().max(left.authorizations.chunks(half).len());
        let part = |n: usize| (n * half)..;
        for n in 0..batches {
            let command = subject::Command::Forget {
                subject,
                notes: Vec::new(),
                grants: left.grants.get(part(n)).unwrap_or_default().iter().take(half).copied().collect(),
                authorizations: left
                    .authorizations
                    .get(part(n))
                    .unwrap_or_default()
                    .iter()
                    .take(half)
                    .copied()
                    .collect(),
            };
            self.propose_as_cluster(Command::Subject(command)).await?;
        }
        let (held, late) = self.read_now(|state| {
            let late = state.erasures.get(&subject).is_some_and(|known| known.tokens_until <= now);
            (state.subject_holds(subject, now), late)
        });
        if held.tasks > 0 || (held.other > 0 && !late) {
            return Ok(());
        }
        // A note may have come since the order: about a grant of somebody who was known by its id alone.
        self.forget_notes(subject).await?;
        self.forget_answers(subject).await?;
        let command = subject::Command::FinishErasure { subject };
        match self.propose_as_cluster(Command::Subject(command)).await {
            Ok(_) | Err(Problem::Rejected(Rejection::TooEarly(_) | Rejection::Unchanged(_))) => Ok(()),
            Err(problem) => Err(problem),
        }
    }

    /// What is sealed for a subject and can go now.
    fn left_of(&self, subject: SubjectId, now: Timestamp) -> Result<Left, Problem> {
        let (grants, consents) = self.read_now(|state| {
            let late = state.erasures.get(&subject).is_some_and(|known| known.tokens_until <= now);
            let grants = state.grants.iter().filter(|(_, grant)| grant.key.subject == subject);
            let grants: Vec<(GrantId, Vec<BlobKey>)> = grants
                .map(|(id, grant)| {
                    let mut gone = vec![BlobKey::Account(*id)];
                    if late || !needs_tokens(state, grant, now) {
                        let all = grant.generations_to_revoke().chain([grant.generation.saturating_sub(1)]);
                        gone.extend(all.map(|generation| BlobKey::Tokens(*id, generation)));
                    }
                    (*id, gone)
                })
                .collect();
            (grants, consents_of(state, subject, late))
        });
        let mut left = Left::default();
        for (id, gone) in grants {
            if self.any_is_there(&gone)? {
                left.grants.push(id);
            }
        }
        for (id, gone) in consents {
            if self.any_is_there(&gone)? {
                left.authorizations.push(id);
            }
        }
        Ok(left)
    }

    fn any_is_there(&self, keys: &[BlobKey]) -> Result<bool, Problem> {
        for key in keys {
            if self.blob(key)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Lets this node's outbox forget answers for a subject of which nothing is to come any more.
    async fn forget_answers(&self, subject: SubjectId) -> Result<(), Problem> {
        let attempts = self.outbox().attempts(usize::MAX / 4).map_err(|error| self.disk(&error))?;
        for attempt in attempts {
            let whose = self.read_now(|state| match attempt {
                Attempt::Refresh(grant, _) => state.grants.get(&grant).map(|known| known.key.subject),
                Attempt::Exchange(id) => state.authorizations.get(&id).map(|known| known.subject),
            });
            if whose == Some(subject) {
                self.outbox().forget(attempt).await.map_err(|error| self.disk(&error))?;
            }
        }
        Ok(())
    }
}

fn consents_of(state: &State, subject: SubjectId, late: bool) -> Vec<(AuthorizationId, Vec<BlobKey>)> {
    let consents = state.authorizations.iter().filter(|(_, known)| known.subject == subject);
    consents
        .map(|(id, known)| {
            let mut gone = vec![BlobKey::Verifier(*id)];
            if late || !may_hold_tokens(state, known) {
                gone.extend([BlobKey::PendingTokens(*id), BlobKey::PendingAccount(*id)]);
            }
            (*id, gone)
        })
        .collect()
}

/// What is true of copies that were made before. No moment can be computed for them: they pass by size and by an operator's hand.
fn complete_after(under: &BTreeSet<KeyId>) -> Vec<String> {
    let mut after = vec![
        "the write-ahead log and both snapshots of each node hold names, emails and notes in clear until two more \
         snapshots were taken, which happens by the bytes that are written and not by time; freed pages of the \
         ledger's store hold them until they are written over"
            .to_owned(),
    ];
    if !under.is_empty() {
        let keys: Vec<String> = under
            .iter()
            .map(|key| format!("{} version {}", vault_purpose(key.purpose), key.version))
            .collect();
        after.push(format!(
            "sealed tokens in those copies open until {} are retired, the root key that wrapped them is replaced, and \
             the former root key is destroyed",
            keys.join(" and ")
        ));
    }
    after.push("backups hold both until they are destroyed".to_owned());
    after
}
