//! What is sealed under former keys moves under the current ones, in bounded batches, beside everything else that goes on.
//!
//! Whoever rewraps reads what stands in a place, seals it anew and proposes it. Meanwhile it may have gone: a refresh came, a provider
//! confirmed a revocation, somebody was erased. Then what was read stays gone. What stands in a place is written there once, so where the
//! place is still in use, what was read is what stands there.

use alloc::vec::Vec;

use super::{Event, KeyPurpose, REWRAP_BATCH_MAX, Rewrapped, SealedPlace};
use crate::{
    authorization::Phase,
    event::Event as AnyEvent,
    grant::{self, UpstreamTarget},
    machine::{Answer, Context, Decided, Write},
    rejection::Rejection,
    state::{BlobKey, State},
    subject::erase::needs_tokens,
    time::Timestamp,
};

/// Decides: what has gone meanwhile is left out.
pub(super) fn decide(state: &State, context: Context, items: Vec<Rewrapped>) -> Result<Decided, Rejection> {
    if items.len() > REWRAP_BATCH_MAX {
        return Err(Rejection::TooMany { limit: REWRAP_BATCH_MAX });
    }
    let (mut token_sets, mut secrets) = (0, 0);
    let mut writes = Vec::new();
    let still = |item: &Rewrapped| state.still_seals(&item.place, context.at);
    for Rewrapped { place, sealed } in items.into_iter().filter(still) {
        if matches!(place, SealedPlace::Tokens { .. }) {
            token_sets += 1;
        } else {
            secrets += 1;
        }
        writes.push(Write::Blob(place.blob(), Some(sealed)));
    }
    if writes.is_empty() {
        return Ok(Decided::already(Answer::Done));
    }
    let current = |purpose| state.singular.key_versions.get(&purpose).copied().unwrap_or(0);
    let event = Event::SecretsRewrapped {
        access_tokens: current(KeyPurpose::AccessTokens),
        refresh_tokens: current(KeyPurpose::RefreshTokens),
        token_sets,
        secrets,
    };
    Ok(writes.into_iter().fold(Decided::event(AnyEvent::Organisation(event)), Decided::with))
}

impl SealedPlace {
    /// Under which key the ledger keeps it.
    pub const fn blob(self) -> BlobKey {
        match self {
            Self::Tokens { grant, generation } => BlobKey::Tokens(grant, generation),
            Self::Account(grant) => BlobKey::Account(grant),
            Self::ClientSecret { connector, secret } => BlobKey::ClientSecret(connector, secret),
            Self::IdentityProviderSecret { identity_provider, .. } => {
                BlobKey::IdentityProviderSecret(identity_provider)
            }
            Self::Verifier(id) => BlobKey::Verifier(id),
            Self::PendingTokens(id) => BlobKey::PendingTokens(id),
            Self::PendingAccount(id) => BlobKey::PendingAccount(id),
            Self::SigningKey => BlobKey::SigningKey,
        }
    }
}

impl State {
    /// Whether what was read in this place is to be kept. Never for what has been removed since: it must not come back.
    pub fn still_seals(&self, place: &SealedPlace, now: Timestamp) -> bool {
        match place {
            SealedPlace::Tokens { grant, generation } => self.grants.get(grant).is_some_and(|known| {
                let held = known.generation == *generation
                    || known.generation.checked_sub(1) == Some(*generation)
                    || known.earlier.contains(generation);
                let kept = !self.erasures.contains(&known.key.subject)
                    || (self.may_keep_tokens(known.key.subject, now) && needs_tokens(self, known, now));
                held && !self.tokens_are_forgotten(known) && kept
            }),
            SealedPlace::Account(grant) => {
                let known = self.grants.get(grant);
                known.is_some_and(|known| !self.erasures.contains(&known.key.subject))
            }
            SealedPlace::ClientSecret { connector, secret } => {
                self.connectors.get(connector).is_some_and(|known| known.secrets.contains(secret))
            }
            SealedPlace::IdentityProviderSecret { identity_provider, revision } => self
                .identity_providers
                .get(identity_provider)
                .is_some_and(|known| known.revision == *revision),
            SealedPlace::Verifier(id) => {
                let known = self.authorizations.get(id);
                known.is_some_and(|known| matches!(known.phase, Phase::Approved | Phase::Ended(_)))
            }
            SealedPlace::PendingTokens(id) | SealedPlace::PendingAccount(id) => {
                let known = self.authorizations.get(id);
                known.is_some_and(|known| {
                    let waits = matches!(known.phase, Phase::Exchanged { .. })
                        || self.upstream_tasks.contains(&UpstreamTarget::Authorization(*id));
                    waits && self.may_keep_tokens(known.subject, now)
                })
            }
            SealedPlace::SigningKey => true,
        }
    }

    /// Whether an ended grant's tokens are gone: its provider has revoked them, or cannot.
    fn tokens_are_forgotten(&self, grant: &grant::Grant) -> bool {
        matches!(grant.phase, grant::Phase::Revoked { .. })
            && !self.upstream_tasks.contains(&UpstreamTarget::Grant(grant.id))
    }
}
