//! What is under which key: counted by looking at everything that is sealed.
//!
//! Nothing keeps count beside it, so a count cannot be wrong. It costs a walk over all ciphertext: seconds for a million grants.

use std::collections::BTreeMap;

use leasehold_domain::{
    organisation::{KeyId, KeyPurpose},
    state::BlobKey,
};
use tokio::task::spawn_blocking;

use crate::{control::Control, keys::domain_purpose, problem::Problem, tokens};

/// How many blobs one step of the walk reads.
const STEP: usize = 1024;

/// What is under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyUse {
    /// Token sets of which a part is wrapped by it.
    pub token_sets: u64,
    /// Secrets that are sealed by it: client secrets, names of accounts, what consents on their way hold, the checkpoint signing key.
    pub secrets: u64,
    /// What this node's outbox holds: answers of providers that are not committed yet, and codes that may have to be presented again.
    pub answers: u64,
    /// Accounts that are named under it.
    pub accounts: u64,
}

impl KeyUse {
    /// Everything together.
    pub const fn total(&self) -> u64 {
        self.token_sets + self.secrets + self.answers + self.accounts
    }
}

impl Control {
    /// What is under each key now.
    pub(crate) async fn key_use(&self) -> Result<BTreeMap<KeyId, KeyUse>, Problem> {
        let control = self.clone();
        let counted = spawn_blocking(move || control.count_uses()).await;
        counted.map_err(|error| Problem::fault("count what is sealed", &error))?
    }

    fn count_uses(&self) -> Result<BTreeMap<KeyId, KeyUse>, Problem> {
        let (mut uses, mut next) = (BTreeMap::<KeyId, KeyUse>::new(), Some(0));
        while let Some(from) = next {
            let page = self
                .ledger()
                .blobs(from, STEP)
                .map_err(|error| Problem::fault("read what is sealed", &error))?;
            for (key, blob) in &page.blobs {
                for under in tokens::sealed_under(key, blob)? {
                    let id = KeyId { purpose: domain_purpose(under.purpose), version: under.version };
                    let counted = uses.entry(id).or_default();
                    if matches!(key, BlobKey::Tokens(..)) {
                        counted.token_sets += 1;
                    } else {
                        counted.secrets += 1;
                    }
                }
            }
            next = page.next;
        }
        let answers = self.outbox().versions().map_err(|error| self.disk(&error))?;
        for (version, count) in answers {
            let purpose = KeyPurpose::RefreshTokens;
            uses.entry(KeyId { purpose, version }).or_default().answers = count;
        }
        self.read_now(|state| {
            let purpose = KeyPurpose::Pseudonyms;
            for (id, _) in state.keys.iter().filter(|(id, _)| id.purpose == purpose) {
                uses.entry(*id).or_default().accounts = state.accounts_named_under(id.version);
            }
        });
        Ok(uses)
    }
}
