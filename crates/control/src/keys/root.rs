//! Replacing the root key, at a start: before anybody is served, by one command for all keys.
//!
//! The node is started with the new root key and with what opens the keys still: the one before, or a recovery copy. Until the command is
//! committed the former one opens everything, afterwards the new one does, and a start that is given both goes through at any moment between.

use leasehold_consensus::Replica;
use leasehold_domain::{
    actor::Actor,
    command::{Command, Proposal},
    machine::Reply,
    organisation,
    rejection::Rejection,
    text::KeyCheck,
};
use leasehold_ledger::Ledger;
use leasehold_vault::{Entropy, Keyring, RecoveryCopy, RootKey};
use tokio::{task::spawn_blocking, time::Instant};

use super::{
    domain_purpose, live,
    live::{open_signer, organisation, root_key_fits, stored_check},
    vault_purpose, wrapped_key,
};
use crate::{clock::Clock, problem::Problem, propose::PROPOSE_WAIT, tokens};

/// How often it is tried again when a key is added meanwhile.
const ROUNDS_MAX: usize = 4;
/// How many blobs one step of the walk reads.
const STEP: usize = 1024;

/// What opens the keys that the root key does not open yet.
pub enum FormerKey {
    /// The root key before.
    RootKey(RootKey),
    /// A recovery copy and its key: the root key before is lost.
    Recovery(RecoveryCopy, RootKey),
}

impl FormerKey {
    /// The keyring, whatever wraps it now.
    fn open(&self, ledger: &Ledger) -> Result<Keyring, Problem> {
        match self {
            Self::RootKey(key) => {
                let (_, wrapped) = live::wrapped(ledger)?;
                Keyring::open(organisation(ledger)?, key, &wrapped)
                    .map_err(|error| Problem::invalid("previous root key", error))
            }
            Self::Recovery(copy, key) => {
                let keyring = copy.open(key).map_err(|error| Problem::invalid("recovery", error))?;
                is_complete(ledger, &keyring)?;
                Ok(keyring)
            }
        }
    }
}

/// Refuses a copy that lacks a key of today, or whose keys are not those under which things are sealed: written over the wrapped keys it
/// would lose them.
fn is_complete(ledger: &Ledger, keyring: &Keyring) -> Result<(), Problem> {
    let wrong = |what: String| Problem::invalid("recovery", what);
    if keyring.organisation() != organisation(ledger)? {
        return Err(wrong("a copy of this organisation's keys".to_owned()));
    }
    let (keys, _) = live::wrapped(ledger)?;
    for (id, _) in keys {
        if keyring.key_check(vault_purpose(id.purpose), id.version).is_none() {
            let purpose = vault_purpose(id.purpose);
            return Err(wrong(format!(
                "a copy that was made after {purpose} version {} was added: this one is older",
                id.version
            )));
        }
    }
    open_signer(ledger, keyring)?;
    let mut next = Some(0);
    while let Some(from) = next {
        let page = ledger.blobs(from, STEP).map_err(|error| Problem::fault("read what is sealed", &error))?;
        for (key, blob) in &page.blobs {
            let under = tokens::sealed_under(key, blob)?;
            if under.iter().any(|key| !keyring.holds(key.purpose, key.version, key.check)) {
                return Err(wrong(
                    "a copy of this cluster's keys: its keys are not those under which things are sealed"
                        .to_owned(),
                ));
            }
        }
        next = page.next;
    }
    Ok(())
}

/// Whether a start can open the keys: with the root key, or with what opened them before.
///
/// # Errors
/// [`Problem::Invalid`] where neither does; nothing was changed.
pub fn check_keys(ledger: &Ledger, root_key: &RootKey, former: Option<&FormerKey>) -> Result<(), Problem> {
    if root_key_fits(ledger, root_key)? {
        return Ok(());
    }
    let Some(former) = former else {
        return Err(Problem::invalid(
            "root key",
            "the one that wraps the keys of this data directory: it does not open them, and nothing was changed",
        ));
    };
    former.open(ledger).map(drop)
}

/// What a start needs to replace the root key.
pub struct Replacement<'a> {
    /// The new root key.
    pub root_key: &'a RootKey,
    /// What opens the keys until then.
    pub former: Option<&'a FormerKey>,
    /// This node.
    pub node: u64,
}

/// Wraps the keys by the root key, where it does not wrap them yet. Answers whether it did; it is durable then.
///
/// # Errors
/// As [`check_keys`], and whatever keeps the command from being committed.
pub async fn replace_root_key(
    replica: &Replica,
    ledger: &Ledger,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
    replacement: &Replacement<'_>,
) -> Result<bool, Problem> {
    for _ in 0..ROUNDS_MAX {
        replica.read().await?;
        if root_key_fits(ledger, replacement.root_key)? {
            return Ok(false);
        }
        check_keys(ledger, replacement.root_key, replacement.former)?;
        let Some(former) = replacement.former else { return Ok(false) };
        let (made_of, _) = live::wrapped(ledger)?;
        let mut keyring = former.open(ledger)?;
        // A recovery copy may hold versions that were retired since: they stay gone.
        for purpose in leasehold_vault::Purpose::ALL {
            let held: Vec<u32> = keyring.versions(purpose).collect();
            let kept = |version| {
                made_of.iter().any(|(id, _)| id.purpose == domain_purpose(purpose) && id.version == version)
            };
            for version in held.into_iter().filter(|version| !kept(*version)) {
                keyring
                    .retire_version(purpose, version)
                    .map_err(|error| Problem::invalid("recovery", error))?;
            }
        }
        let id = keyring.organisation();
        let wrapped = keyring.rewrap(replacement.root_key, entropy);
        let command = organisation::Command::ReplaceRootKey {
            keyring: made_of.iter().map(|(_, revision)| *revision).max().unwrap_or(0),
            before: KeyCheck::from_bytes(stored_check(ledger)?.to_bytes()),
            after: KeyCheck::from_bytes(replacement.root_key.check(id).to_bytes()),
            keys: wrapped.iter().map(wrapped_key).collect::<Result<_, _>>()?,
        };
        let proposal = Proposal {
            request: None,
            actor: Actor::cluster(replacement.node),
            at: clock.now(),
            facts: Vec::new(),
            command: Command::Organisation(command),
        };
        match replica.propose(proposal, Instant::now() + PROPOSE_WAIT).await? {
            Reply::Applied { .. } => {
                // In the ledger's own files too, before anybody takes the former key away: its check is looked at before the log is read.
                let ledger = ledger.clone();
                let flushed = spawn_blocking(move || ledger.checkpoint()).await;
                flushed
                    .map_err(|error| Problem::fault("keep the root key's check", &error))?
                    .map_err(|error| Problem::fault("keep the root key's check", &error))?;
                return Ok(true);
            }
            Reply::Rejected(Rejection::Superseded) => {}
            Reply::Rejected(rejection) => return Err(rejection.into()),
            Reply::Repeated { .. } | Reply::Stale => {
                return Err(Problem::fault("replace the root key", &"an unexpected reply"));
            }
        }
    }
    Err(Problem::Overloaded)
}
