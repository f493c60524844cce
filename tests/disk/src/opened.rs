//! A stopped node's folder, opened as the node opens it, without its sockets and its worker: the same order, the same checks, the same options. What
//! it holds is read in full and compared.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use leasehold::node::data::DataDir;
use leasehold_consensus::{Config, LogOptions, Replica};
use leasehold_control::{Founding, Keys, Outbox, SystemClock, check_keys, found};
use leasehold_domain::{id::LeaseId, state::BlobKey};
use leasehold_ledger::{Hash, Ledger, Options, Scrub};
use leasehold_vault::{OsEntropy, RootKeySource};
use leasehold_wal::DiskFs;

/// How long a lone node may take to elect itself and to apply its log.
const RECOVERY_MAX: Duration = Duration::from_secs(60);
/// How many lines are read at once, and how many bytes.
const LINES: usize = 1000;
const LINES_LEN: usize = 1 << 20;

/// An opened folder.
pub struct Opened {
    ledger: Ledger,
    replica: Replica,
    faults: Arc<Mutex<Vec<String>>>,
}

/// All that a node answers from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Everything {
    /// The event lines.
    pub lines: Vec<Vec<u8>>,
    /// The leases that matter still.
    pub leases: BTreeSet<LeaseId>,
    /// Ciphertext and texts: of every grant, and the ones that there is one of.
    pub blobs: Vec<Option<Vec<u8>>>,
    /// Where it stands.
    pub stand: Stand,
}

/// What tells two states apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stand {
    /// How many lines.
    pub size: u64,
    /// The root of the Merkle tree over them.
    pub root: Hash,
    /// The digest of all rows and blobs.
    pub digest: Hash,
}

impl Opened {
    /// Opens a folder, and applies what its log has.
    ///
    /// # Errors
    /// As the node refuses.
    pub async fn at(path: &Path) -> anyhow::Result<Self> {
        let faults = Arc::new(Mutex::new(Vec::new()));
        let data = DataDir::open(path)?;
        let identity = data.identity(1, true, &OsEntropy)?;
        let root_key = RootKeySource::File(data.root_key()).load().context("cannot read the root key")?;
        let (dir, sink) = (data.ledger(), faults.clone());
        let on_fatal = move |fault: &leasehold_ledger::Fault| note(&sink, fault.to_string());
        let opened =
            tokio::task::spawn_blocking(move || Ledger::open(&dir, Options::default(), Box::new(on_fatal)));
        let ledger = opened.await?.context("cannot open the ledger")?;
        if ledger.read(|state| state.singular.organisation.is_some())? {
            check_keys(&ledger, &root_key, None).context("cannot open the keys of this data directory")?;
        }
        let config = Config {
            cluster: identity.cluster()?,
            node: 1,
            address: "127.0.0.1:1".to_owned(),
            log_dir: data.log(),
            log: LogOptions::default(),
            fs: Arc::new(DiskFs),
            ledger: ledger.clone(),
            snapshot_dir: data.snapshots(),
            snapshot_every_bytes: Config::SNAPSHOT_EVERY_BYTES,
            entries_kept: Config::ENTRIES_KEPT,
        };
        let sink = faults.clone();
        let replica = Replica::start(config, Box::new(move |fault| note(&sink, format!("{fault:?}"))))
            .await
            .with_context(|| {
                format!("cannot start consensus as the node of {}", data.identity_file().display())
            })?;
        let opened = Self { ledger, replica, faults };
        match opened.recovered(&data, root_key).await {
            Ok(()) => Ok(opened),
            Err(error) => {
                let said = opened.said();
                opened.close().await;
                Err(error.context(said.join("; ")))
            }
        }
    }

    async fn recovered(&self, data: &DataDir, root_key: leasehold_vault::RootKey) -> anyhow::Result<()> {
        self.replica.initialise().await.context("cannot begin the cluster")?;
        self.replica.recovered(RECOVERY_MAX).await.context("the node has not caught up with itself")?;
        let founding =
            Founding { root_key: &root_key, origin: "leasehold.local/dev", development: true, node: 1 };
        found(&self.replica, &self.ledger, &SystemClock, &OsEntropy, &founding)
            .await
            .context("cannot found the organisation")?;
        let (keys, _) = Keys::open(self.ledger.clone(), root_key).context("cannot open the keys")?;
        let keys = Arc::new(keys);
        let organisation = keys.current().context("cannot open the keys")?.organisation();
        Outbox::open(&data.outbox(), organisation, keys).context("cannot open the outbox")?;
        Ok(())
    }

    /// Why it stopped, if it did.
    pub fn said(&self) -> Vec<String> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads all of it, as every reader of the node together would.
    ///
    /// # Errors
    /// Where what is read is not what was written.
    pub async fn everything(&self) -> anyhow::Result<Everything> {
        let ledger = self.ledger.clone();
        tokio::task::spawn_blocking(move || everything(&ledger)).await?
    }

    /// Everywhere that it has stood since it was opened.
    ///
    /// # Errors
    /// Where the ledger has stopped.
    pub fn stands(&self) -> anyhow::Result<BTreeSet<Stand>> {
        self.ledger.checkpoint()?;
        let applied = self.ledger.applied()?.position.context("nothing was applied")?.index;
        let mut stands = BTreeSet::new();
        for index in 0..=applied {
            if let Some(digest) = self.ledger.state_digest_at(index)? {
                let (tree, digest) = (digest.tree, digest.digest);
                stands.insert(Stand { size: tree.size, root: tree.root, digest });
            }
        }
        Ok(stands)
    }

    /// Lets go of it, as after a kill where it does not close.
    pub async fn close(self) {
        // It may have stopped already, which is what the tests want to know from elsewhere.
        let _ = self.replica.shutdown().await;
        let ledger = self.ledger.clone();
        drop(self.replica);
        let _ = tokio::task::spawn_blocking(move || ledger.close()).await;
    }
}

fn note(sink: &Mutex<Vec<String>>, words: String) {
    sink.lock().unwrap_or_else(PoisonError::into_inner).push(words);
}

fn everything(ledger: &Ledger) -> anyhow::Result<Everything> {
    ledger.checkpoint()?;
    let mut lines = Vec::new();
    loop {
        let page = ledger.lines(lines.len() as u64, LINES, LINES_LEN)?;
        if page.is_empty() {
            break;
        }
        lines.extend(page.into_iter().map(|line| line.bytes.to_vec()));
    }
    let (leases, keys) = ledger.read(|state| {
        let leases = state.recent.leases().map(|lease| lease.id).collect();
        let mut keys = vec![BlobKey::RootCheck, BlobKey::SigningKey, BlobKey::PolicyText];
        for (id, grant) in state.grants.iter() {
            keys.push(BlobKey::Account(*id));
            keys.extend(
                (grant.generation.saturating_sub(1)..=grant.generation).map(|n| BlobKey::Tokens(*id, n)),
            );
        }
        (leases, keys)
    })?;
    let blobs = keys.iter().map(|key| Ok(ledger.blob(key)?.map(|blob| blob.as_bytes().to_vec())));
    let blobs = blobs.collect::<anyhow::Result<_>>()?;
    // The node's own pass over everything that is stored.
    let (mut next, size) = (Some(Scrub::default()), lines.len() as u64);
    while let Some(from) = next {
        next = ledger.scrub(from)?;
    }
    let stands = ledger.state_digest()?;
    let stand = Stand { size: stands.tree.size, root: stands.tree.root, digest: stands.digest };
    ensure!(stand.size == size, "{size} lines of {}", stand.size);
    Ok(Everything { lines, leases, blobs, stand })
}

/// What became of a folder that may be damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It did not open, and this was said.
    Refused(String),
    /// It opened, and was found damaged when it was read.
    Found(String),
    /// It holds what it held before.
    Same,
}

/// Opens a folder and reads everything: it must be as `expected`, or refused.
///
/// # Errors
/// Where it answers, and answers otherwise.
pub async fn judged(path: &Path, expected: &Everything) -> anyhow::Result<Outcome> {
    let opened = match Opened::at(path).await {
        Ok(opened) => opened,
        Err(refused) => return Ok(Outcome::Refused(format!("{refused:#}"))),
    };
    let found = opened.everything().await;
    let said = opened.said();
    opened.close().await;
    match found {
        Err(_) if !said.is_empty() => Ok(Outcome::Found(said.join("; "))),
        Err(error) => Ok(Outcome::Found(format!("{error:#}"))),
        Ok(found) if found == *expected => Ok(Outcome::Same),
        Ok(found) => bail!(
            "another answer: {} lines and stand {:?} instead of {} and {:?}",
            found.lines.len(),
            found.stand,
            expected.lines.len(),
            expected.stand
        ),
    }
}
