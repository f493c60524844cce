//! What a tick forgets, in bounded steps: consents whose time passed.

use alloc::vec::Vec;

use super::State;
use crate::{
    authorization::{Authorization, End, Phase},
    grant::{UpstreamTarget, UpstreamTask},
    id::AuthorizationId,
    machine::Write,
    state::BlobKey,
    time::{Span, Timestamp},
};

/// The most rows that one tick looks at, of each kind.
const REAP_MAX: usize = 128;
/// How long an authorization that has ended is kept.
const ENDED_TTL: Span = Span::from_mins(60);

impl State {
    /// Lets what has had its time leave, and answers which ciphertext leaves with it. Only a tick does: it is a command like any other, so
    /// every node forgets at the same entry.
    pub(crate) fn reap(&mut self, now: Timestamp) -> Vec<Write> {
        let mut forgotten = Vec::new();
        let late: Vec<AuthorizationId> = self
            .indexes
            .authorizations_by_end
            .iter()
            .take(REAP_MAX)
            .map(|(_, id)| *id)
            .filter(|id| self.authorizations.get(id).is_some_and(|known| known.has_had_its_time(self, now)))
            .collect();
        for id in late {
            self.reap_authorization(id, now, &mut forgotten);
        }
        forgotten
    }

    /// Queues the tokens of a consent that never became a grant for revocation at the provider.
    pub(crate) fn discard_tokens(&mut self, id: AuthorizationId, now: Timestamp) {
        self.put_upstream_task(UpstreamTarget::Authorization(id), UpstreamTask { failures: 0, due_at: now });
    }

    fn reap_authorization(&mut self, id: AuthorizationId, now: Timestamp, forgotten: &mut Vec<Write>) {
        let Some(known) = self.authorizations.get(&id).cloned() else { return };
        let end = if known.is_revoked(self) { End::Revoked } else { End::Expired };
        match known.phase {
            // The tokens have yet to be revoked at the provider, for which the connector must be known.
            Phase::Ended(_) if self.upstream_tasks.contains(&UpstreamTarget::Authorization(id)) => {
                self.put_authorization(Authorization { expires_at: now + ENDED_TTL, ..known });
            }
            Phase::Ended(_) => {
                self.remove_authorization(id);
                forgotten.extend(
                    [BlobKey::Verifier(id), BlobKey::PendingTokens(id), BlobKey::PendingAccount(id)]
                        .map(|key| Write::Blob(key, None)),
                );
            }
            Phase::Exchanged { .. } => {
                self.discard_tokens(id, now);
                self.put_authorization(Authorization {
                    phase: Phase::Ended(end),
                    expires_at: now + ENDED_TTL,
                    ..known
                });
                self.bindings.remove(&id);
            }
            Phase::Open | Phase::Approved | Phase::Exchanging { .. } => {
                self.put_authorization(Authorization {
                    phase: Phase::Ended(end),
                    expires_at: now + ENDED_TTL,
                    ..known
                });
                self.bindings.remove(&id);
            }
        }
    }
}

impl Authorization {
    fn has_had_its_time(&self, state: &State, now: Timestamp) -> bool {
        match self.phase {
            // An exchange that is being carried out is ended by its outcome, which the executor keeps until it is committed.
            Phase::Exchanging { .. } => self.expires_at + ENDED_TTL <= now,
            Phase::Exchanged { .. } => self.expires_at <= now || self.is_revoked(state),
            Phase::Open | Phase::Approved | Phase::Ended(_) => self.expires_at <= now,
        }
    }
}
