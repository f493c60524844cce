//! Nodes and proposals for the tests of this crate.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use leasehold_domain::actor::Actor;
use leasehold_domain::command::{Command, Proposal};
use leasehold_domain::id::{McpServerId, Name, OrganisationId};
use leasehold_domain::mcp_server;
use leasehold_domain::organisation::{self, KeyPurpose, LEVEL, Organisation, Signer, WrappedKey};
use leasehold_domain::text::{Label, Sealed, Uri};
use leasehold_domain::time::Timestamp;
use leasehold_ledger::{Ledger, OpenError};
use leasehold_wal::testing::SimFs;
use leasehold_wal::{self as wal, Expectation, Identity, Wal};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::encoding::decode_payload;
use crate::types::Payload;
use crate::{Config, Fault, Replica, StartError};

pub(super) const NODE: u64 = 7;
pub(super) const CLUSTER: [u8; 16] = [0xc1; 16];
const LOG_DIR: &str = "/log";

/// A node's disks: the log's is simulated, the ledger's is real.
pub(super) struct Node {
    pub(super) fs: SimFs,
    pub(super) dir: TempDir,
    faults: (mpsc::UnboundedSender<Fault>, Mutex<mpsc::UnboundedReceiver<Fault>>),
}

impl Node {
    pub(super) fn new() -> Self {
        Self::on(SimFs::new())
    }

    /// A node that finds this log, and no ledger.
    pub(super) fn on(fs: SimFs) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self { fs, dir: tempfile::tempdir().unwrap(), faults: (sender, Mutex::new(receiver)) }
    }

    pub(super) fn config(&self) -> Config {
        Config {
            cluster: CLUSTER,
            node: NODE,
            address: "node.test:1".to_owned(),
            log_dir: LOG_DIR.into(),
            log: wal::Options::default(),
            fs: Arc::new(self.fs.clone()),
            ledger: open_ledger(&self.dir.path().join("ledger")),
            snapshot_dir: self.dir.path().join("snapshots"),
            snapshot_every_bytes: Config::SNAPSHOT_EVERY_BYTES,
            entries_kept: Config::ENTRIES_KEPT,
        }
    }

    pub(super) async fn try_start(&self) -> Result<Replica, StartError> {
        self.start_with(self.config()).await
    }

    pub(super) async fn start_with(&self, config: Config) -> Result<Replica, StartError> {
        let faults = self.faults.0.clone();
        Replica::start(config, Box::new(move |fault| drop(faults.send(fault)))).await
    }

    /// Starts a node that has been initialised, and waits until it leads and has caught up.
    pub(super) async fn start(&self) -> Replica {
        let replica = self.try_start().await.unwrap();
        replica.recovered(Duration::from_secs(30)).await.unwrap();
        replica
    }

    /// Starts a new node as a cluster of its own.
    pub(super) async fn initialise(&self) -> Replica {
        let replica = self.try_start().await.unwrap();
        replica.initialise().await.unwrap();
        replica.recovered(Duration::from_secs(30)).await.unwrap();
        replica
    }

    /// The first fault that the node reports.
    pub(super) fn fault(&self) -> Fault {
        self.faults.1.lock().unwrap().blocking_recv().unwrap()
    }

    pub(super) fn faults_so_far(&self) -> usize {
        self.faults.1.lock().unwrap().len()
    }

    /// The batches in the log of a node that is not running.
    pub(super) fn batches(&self) -> Vec<(usize, Vec<Proposal>)> {
        let identity = Identity { cluster: CLUSTER, node: NODE };
        let (fs, expected) = (Arc::new(self.fs.clone()), Expectation::default());
        let options = wal::Options::default();
        let (wal, recovered) =
            Wal::open(fs, Path::new(LOG_DIR), identity, options, expected, Box::new(|_| {})).unwrap();
        let end = recovered.state.last.unwrap().index + 1;
        let entries = wal.read(0..end, usize::MAX).unwrap();
        let payloads = entries.iter().map(|entry| decode_payload(&entry.payload).unwrap());
        let batches = payloads.filter_map(|payload| match payload {
            Payload::Normal(batch) => {
                Some((batch.0.len(), leasehold_codec::batch::decode(&batch.0).unwrap()))
            }
            Payload::Blank | Payload::Membership(_) => None,
        });
        batches.collect()
    }
}

/// Opens a ledger; one that a node just let go of may still be held for a moment by a task that is ending.
pub(super) fn open_ledger(dir: &Path) -> Ledger {
    let deadline = later();
    loop {
        match Ledger::open(dir, leasehold_ledger::Options::default(), Box::new(|_| {})) {
            Err(OpenError::InUse { .. }) if Instant::now() < deadline => std::thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}

/// Far enough away that only a hanging test meets it.
pub(super) fn later() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn proposal(command: Command) -> Proposal {
    Proposal {
        request: None,
        actor: Actor::cluster(NODE),
        at: Timestamp::from_millis(1_000),
        facts: Vec::new(),
        command,
    }
}

/// Raises no event, ever.
pub(super) fn tick() -> Proposal {
    proposal(Command::Tick)
}

/// Founds the organisation the first time, and is rejected from then on.
pub(super) fn found() -> Proposal {
    found_with_keys(Vec::new())
}

/// The same with wrapped keys of so many bytes each.
pub(super) fn found_with_keys(lens: Vec<usize>) -> Proposal {
    let sealed = |len: usize| Sealed::new(vec![9; len]).unwrap();
    let keys = lens.into_iter().map(|len| WrappedKey {
        purpose: KeyPurpose::AccessTokens,
        version: 1,
        wrapped: sealed(len),
    });
    proposal(Command::Organisation(organisation::Command::Found {
        organisation: Organisation {
            id: OrganisationId::from_bytes([1; 16]),
            origin: Label::new("ledger.test/1").unwrap(),
            development: true,
            level: LEVEL,
        },
        root_check: sealed(8),
        keys: keys.collect(),
        signer: Signer { sealed: sealed(8), verifier: Label::new("verifier").unwrap() },
    }))
}

/// Registers MCP server `number`: one event the first time, a rejection from then on.
pub(super) fn register(number: u32) -> Proposal {
    proposal(Command::McpServer(mcp_server::Command::Register {
        mcp_server: server_id(number),
        name: Name::new(&format!("server-{number}")).unwrap(),
        resource: Uri::new(&format!("https://mcp.test/{number}")).unwrap(),
    }))
}

pub(super) fn server_id(number: u32) -> McpServerId {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    McpServerId::from_bytes(bytes)
}
