//! Moving what is sealed under former keys to the current ones: a slice at a time, beside everything else, from where it was left.
//!
//! The data keys of tokens are wrapped anew without opening the tokens; what is sealed directly is opened and sealed again. Progress is kept
//! nowhere: what is under a former key is still to be moved, after a crash as before it.

use std::collections::BTreeMap;

use leasehold_domain::{
    command::Command,
    id::IdentityProviderId,
    organisation::{self, REWRAP_BATCH_MAX, Rewrapped, SealedPlace},
    state::BlobKey,
    text::Sealed as SealedBlob,
};
use leasehold_ledger::BLOB_BUCKETS;
use leasehold_policy::AdministratorAction;
use leasehold_vault::{Keyring, OutboxOwner, Owner, OwnerBinding};
use tokio::task::spawn_blocking;

use crate::{
    caller::Caller, control::Control, founding::FIRST_SIGNING_KEY, problem::Problem, propose::Retry, tokens,
};

/// How many blobs one slice looks at, about.
const SLICE: usize = 512;
/// The most bytes of what one command moves, so that it fits an entry.
const BATCH_BYTES_MAX: usize = 96 * 1024;
/// How often a slice is done again because a key was added meanwhile.
const ROUNDS_MAX: usize = 4;

/// A slice that was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RewrapSlice {
    /// How many things were moved.
    pub moved: u64,
    /// Where to go on; none at the end.
    pub next: Option<u16>,
    /// How many steps there are from beginning to end, of which `next` says how many are done.
    pub steps: u16,
}

impl Control {
    /// Moves the slice that begins at `from`, 0 at first. Interrupted and repeated it does no harm.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn rewrap(&self, caller: &Caller, from: u16) -> Result<RewrapSlice, Problem> {
        self.authorize_administrator(caller, AdministratorAction::Secure).await?;
        if from >= BLOB_BUCKETS {
            return Err(Problem::invalid("from", format!("what `next` said, below {BLOB_BUCKETS}")));
        }
        let caller = caller.clone().with_request(None);
        let mut moved = 0;
        for _ in 0..ROUNDS_MAX {
            // What is applied here is at least as new as the rotation that the caller has seen.
            self.read(|_| ()).await?;
            if from == 0 {
                moved += self.outbox().rewrap().await.map_err(|error| self.disk(&error))?;
            }
            match self.rewrap_slice(&caller, from, &mut moved).await {
                Ok(next) => return Ok(RewrapSlice { moved, next, steps: BLOB_BUCKETS }),
                Err(Retry::Stale) => {}
                Err(Retry::Problem(problem)) => return Err(problem),
            }
        }
        Err(Problem::Overloaded)
    }

    async fn rewrap_slice(&self, caller: &Caller, from: u16, moved: &mut u64) -> Result<Option<u16>, Retry> {
        let _turn = self.0.sign_in_secrets.lock().await;
        let keyring = self.keyring();
        let control = self.clone();
        let held = keyring.clone();
        let sealed = spawn_blocking(move || control.seal_slice(&held, from)).await;
        let (items, next) = sealed.map_err(|error| Problem::fault("seal anew", &error))??;
        let mut batch = Vec::new();
        let mut bytes = 0;
        for item in items {
            let len = item.sealed.as_bytes().len();
            if batch.len() >= REWRAP_BATCH_MAX || (bytes + len > BATCH_BYTES_MAX && !batch.is_empty()) {
                *moved += self.put_rewrapped(caller, &keyring, std::mem::take(&mut batch)).await?;
                bytes = 0;
            }
            bytes += len;
            batch.push(item);
        }
        if !batch.is_empty() {
            *moved += self.put_rewrapped(caller, &keyring, batch).await?;
        }
        Ok(next)
    }

    async fn put_rewrapped(
        &self,
        caller: &Caller,
        keyring: &Keyring,
        items: Vec<Rewrapped>,
    ) -> Result<u64, Retry> {
        use leasehold_domain::event::Event;
        let facts = self.sealing_facts(keyring)?;
        let command = Command::Organisation(organisation::Command::Rewrap { items });
        let applied = self.propose_on(caller, facts, command).await?;
        Ok(match applied.events.first() {
            Some(Event::Organisation(organisation::Event::SecretsRewrapped {
                token_sets, secrets, ..
            })) => u64::from(*token_sets) + u64::from(*secrets),
            Some(_) | None => 0,
        })
    }

    /// Seals anew what a slice has under former keys. Blocks.
    fn seal_slice(&self, keyring: &Keyring, from: u16) -> Result<(Vec<Rewrapped>, Option<u16>), Problem> {
        let revisions: BTreeMap<IdentityProviderId, u64> = self.read_now(|state| {
            state.identity_providers.iter().map(|(id, known)| (*id, known.revision)).collect()
        });
        let page = self
            .ledger()
            .blobs(from, SLICE)
            .map_err(|error| Problem::fault("read what is sealed", &error))?;
        let mut items = Vec::new();
        for (key, blob) in &page.blobs {
            if let Some(item) = self.seal_anew(keyring, &revisions, key, blob)? {
                items.push(item);
            }
        }
        Ok((items, page.next))
    }

    /// The same thing under the current keys; none where it is so already, or is nothing that is sealed.
    fn seal_anew(
        &self,
        keyring: &Keyring,
        revisions: &BTreeMap<IdentityProviderId, u64>,
        key: &BlobKey,
        blob: &SealedBlob,
    ) -> Result<Option<Rewrapped>, Problem> {
        let owner = |owner| OwnerBinding { organisation: self.organisation(), owner };
        let (place, binding) = match *key {
            BlobKey::RootCheck | BlobKey::WrappedKey(..) | BlobKey::PolicyText | BlobKey::Note(_) => {
                return Ok(None);
            }
            BlobKey::Tokens(grant, generation) => {
                let place = SealedPlace::Tokens { grant, generation };
                let anew = tokens::rewrap(keyring, self.entropy(), grant, blob)?;
                return Ok(anew.map(|sealed| Rewrapped { place, sealed }));
            }
            BlobKey::Account(grant) => (
                SealedPlace::Account(grant),
                tokens::account_label_of(self.organisation(), OutboxOwner::Grant(grant)),
            ),
            BlobKey::ClientSecret(connector, secret) => (
                SealedPlace::ClientSecret { connector, secret },
                owner(Owner::ClientSecret(connector, secret)),
            ),
            BlobKey::IdentityProviderSecret(id) => {
                let Some(revision) = revisions.get(&id).copied() else { return Ok(None) };
                let place = SealedPlace::IdentityProviderSecret { identity_provider: id, revision };
                (place, self.sign_in_secret_binding(id))
            }
            BlobKey::Verifier(id) => (SealedPlace::Verifier(id), owner(Owner::Verifier(id))),
            BlobKey::PendingTokens(id) => {
                (SealedPlace::PendingTokens(id), tokens::pending(self.organisation(), id))
            }
            BlobKey::PendingAccount(id) => (
                SealedPlace::PendingAccount(id),
                tokens::account_label_of(self.organisation(), OutboxOwner::Authorization(id)),
            ),
            BlobKey::SigningKey => (SealedPlace::SigningKey, owner(Owner::SigningKey(FIRST_SIGNING_KEY))),
        };
        let anew = tokens::reseal_owned(keyring, self.entropy(), &binding, blob)?;
        Ok(anew.map(|sealed| Rewrapped { place, sealed }))
    }
}
