//! Starting a node: the log is opened and held against the ledger before the core sees either.

use std::path::PathBuf;
use std::sync::Arc;

use leasehold_ledger::{Ledger, Position};
use leasehold_wal::{self as wal, Expectation, Fs, Identity, Recovered, Wal};
use tokio::sync::{Mutex, watch};
use tokio::task::{JoinSet, spawn_blocking};

use super::Replica;
use crate::batcher::Batcher;
use crate::fatal::{Alarm, Fault, OnFault};
use crate::log_store::LogStore;
use crate::network::Peers;
use crate::reads::Reads;
use crate::state_machine::{Flushed, StateMachine};
use crate::types::Raft;
use crate::watch::SnapshotPace;
use crate::{Leadership, tuning, watch as follow};

/// What a node is made of.
#[derive(Clone)]
pub struct Config {
    /// Random id of the cluster. A log of another one is refused.
    pub cluster: [u8; 16],
    /// Id of this node. Never reused: a node that lost its disk comes back under another.
    pub node: u64,
    /// Where other nodes reach this one, as the membership states it.
    pub address: String,
    /// Directory of the write-ahead log; created if it is missing.
    pub log_dir: PathBuf,
    /// Bounds of the write-ahead log.
    pub log: wal::Options,
    /// The files that the write-ahead log is on.
    pub fs: Arc<dyn Fs>,
    /// The ledger, open. Nobody else applies to it.
    pub ledger: Ledger,
    /// Directory of snapshots; created if it is missing. Two are kept.
    pub snapshot_dir: PathBuf,
    /// A snapshot is taken, and the log purged below it, when the log has grown by at least as many bytes and by as many as the last
    /// snapshot had: so snapshots write no more than entries do. Default 512 MiB.
    pub snapshot_every_bytes: u64,
    /// Entries kept below a snapshot, so that a node that was away for minutes needs no snapshot. Default 100,000.
    pub entries_kept: u64,
}

impl Config {
    /// Default of [`Config::snapshot_every_bytes`].
    pub const SNAPSHOT_EVERY_BYTES: u64 = 512 << 20;
    /// Default of [`Config::entries_kept`].
    pub const ENTRIES_KEPT: u64 = 100_000;
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log did not open, or it ends before what the ledger holds: it has lost entries, and only a snapshot from a peer, under a
    /// new node id, brings this node back.
    #[error("cannot open the write-ahead log")]
    Log(#[from] wal::OpenError),
    /// The log and the ledger hold different entries: they are not of one node and one time.
    #[error(
        "the ledger stands at entry {index} of term {term}, which is not the entry that the log has there"
    )]
    OtherEntry {
        /// Index at which the ledger stands.
        index: u64,
        /// Term of the entry that it holds.
        term: u64,
    },
    /// The log has been purged of entries that the ledger lacks, and no snapshot has them: the ledger is older than this log.
    #[error("the ledger stands at entry {ledger:?}, but the log has been purged up to {purged}")]
    LedgerBehind {
        /// Index at which the ledger stands.
        ledger: Option<u64>,
        /// Index up to which the log has been purged.
        purged: u64,
    },
    /// The ledger had stopped.
    #[error("the ledger has stopped")]
    Ledger(#[from] leasehold_ledger::Fault),
    /// The directory of snapshots cannot be used.
    #[error("cannot use the directory of snapshots")]
    Snapshots(#[source] std::io::Error),
    /// The core refused what it found, or its configuration.
    #[error("consensus did not start: {reason}")]
    Core {
        /// What it said.
        reason: String,
    },
    /// The start was interrupted.
    #[error("start was interrupted")]
    Interrupted(#[from] tokio::task::JoinError),
}

impl StartError {
    fn core(error: impl std::fmt::Display) -> Self {
        Self::Core { reason: error.to_string() }
    }
}

impl Replica {
    /// Opens the log and starts the node. It follows, votes and applies at once; whoever serves from it waits for
    /// [`Replica::recovered`] first.
    ///
    /// `on_fault` is called once, from any thread, if the node ever has to stop; the process is expected to exit there.
    ///
    /// # Errors
    ///
    /// If the log is damaged or not this node's, or does not go with the ledger. Nothing is changed then.
    pub async fn start(config: Config, on_fault: OnFault) -> Result<Self, StartError> {
        let alarm = Alarm::new(on_fault);
        let (wal, recovered) = open_log(&config, alarm.clone()).await?;
        if let Some(torn) = &recovered.torn {
            tracing::warn!(?torn, "cut a torn write off the log");
        }
        feed_durable_index(&wal, &config.ledger)?;

        let store = LogStore::new(Arc::clone(&wal), Arc::new(Flushed(config.ledger.clone())));
        let appended_bytes = store.appended_bytes();
        let (ledger, snapshots) = (config.ledger.clone(), config.snapshot_dir);
        let opened = spawn_blocking(move || StateMachine::open(ledger, snapshots)).await?;
        let (machine, snapshot) = opened.map_err(StartError::Snapshots)?;
        let snapshot_bytes = machine.snapshot_bytes();
        judge(&wal, &recovered, config.ledger.applied()?.position, snapshot)?;
        let cluster_name = config.cluster.iter().map(|byte| format!("{byte:02x}")).collect();
        let tuning = tuning::config(cluster_name, config.entries_kept).map_err(StartError::core)?;
        let raft = Raft::new(config.node, tuning, Peers, store, machine).await.map_err(StartError::core)?;

        let (closing, closed) = watch::channel(false);
        let (leadership, follows) = watch::channel(Leadership::default());
        let (batcher, batching) = Batcher::new(raft.clone(), closed.clone());
        let (reads, reading) = Reads::new(raft.clone(), closed.clone());
        let pace = SnapshotPace { every_bytes: config.snapshot_every_bytes, appended_bytes, snapshot_bytes };
        let mut workers = JoinSet::new();
        workers.spawn(batching);
        workers.spawn(reading);
        let mut watcher = JoinSet::new();
        watcher.spawn(follow::watch(raft.clone(), Arc::clone(&wal), pace, leadership, closed, alarm));
        Ok(Self {
            node: config.node,
            address: config.address,
            raft,
            wal,
            ledger: config.ledger,
            batcher,
            reads,
            leadership: follows,
            closing,
            workers: Mutex::new(workers),
            _watcher: watcher,
        })
    }
}

async fn open_log(config: &Config, alarm: Alarm) -> Result<(Arc<Wal>, Recovered), StartError> {
    let position = config.ledger.applied()?.position;
    let expected = Expectation {
        min_index: position.map(|position| position.index),
        // Whoever accepts an entry of a term has voted in it.
        min_term: position.map(|position| position.term),
    };
    let identity = Identity { cluster: config.cluster, node: config.node };
    let (fs, dir, options) = (Arc::clone(&config.fs), config.log_dir.clone(), config.log);
    let on_fatal = Box::new(move |failure: &wal::Failure| alarm.raise(Fault::Log(failure.clone())));
    let opened = spawn_blocking(move || Wal::open(fs, &dir, identity, options, expected, on_fatal)).await?;
    let (wal, recovered) = opened?;
    Ok((Arc::new(wal), recovered))
}

/// Whether the ledger's last entry is one that this log has, or had until it was purged.
fn judge(
    wal: &Wal,
    recovered: &Recovered,
    ledger: Option<Position>,
    snapshot: Option<u64>,
) -> Result<(), StartError> {
    let (index, purged) = (ledger.map(|position| position.index), recovered.state.purged);
    if let Some(purged) = purged
        && index < Some(purged.index)
    {
        // The core installs a snapshot that is newer than the ledger.
        let bridged = snapshot >= Some(purged.index);
        return if bridged {
            Ok(())
        } else {
            Err(StartError::LedgerBehind { ledger: index, purged: purged.index })
        };
    }
    let Some(position) = ledger else { return Ok(()) };
    let held = wal.log_id(position.index).or(purged.filter(|id| id.index == position.index));
    match held.is_some_and(|id| id.term == position.term) {
        true => Ok(()),
        false => Err(StartError::OtherEntry { index: position.index, term: position.term }),
    }
}

/// The ledger writes down only what the log holds durably.
fn feed_durable_index(wal: &Wal, ledger: &Ledger) -> Result<(), StartError> {
    let fed = ledger.clone();
    wal.subscribe(Box::new(move |index| fed.wal_durable(index))).map_err(StartError::core)?;
    if let Some(index) = wal.durable_index() {
        ledger.wal_durable(index);
    }
    Ok(())
}
