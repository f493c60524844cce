//! openraft's state machine over the ledger.
//!
//! Each committed entry is decoded and applied in order, and its replies go to whoever waits for them. An entry that this version
//! cannot read ends the node: skipping it, or guessing, would make this node differ from the others for ever.
//!
//! Apply may go ahead of this node's own disk; the ledger writes nothing down that the log does not hold durably (see
//! [`leasehold_ledger`]).

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::{Stream, TryStreamExt};
use leasehold_codec::batch;
use leasehold_failpoint::failpoint;
use leasehold_ledger::{self as ledger, Ledger, Position};
use openraft::storage::{EntryResponder, RaftSnapshotBuilder, RaftStateMachine};
use openraft::{OptionalSend, alias};
use tokio::task::spawn_blocking;

use crate::encoding::{decode_membership, encode_membership};
use crate::log_store::Floor;
use crate::types::{
    Entry, LogId, Payload, Replies, SnapshotFile, SnapshotMeta, StoredMembership, Types, log_id,
};

/// The ledger, and the directory that its snapshots are kept in.
#[derive(Clone)]
pub(crate) struct StateMachine {
    ledger: Ledger,
    snapshots: PathBuf,
    snapshot_bytes: Arc<AtomicU64>,
}

type Snapshot = alias::SnapshotOf<Types, SnapshotFile>;

impl StateMachine {
    /// Makes the directory where it is missing; answers the index of the newest snapshot in it, too. Blocks.
    pub(crate) fn open(ledger: Ledger, snapshots: PathBuf) -> io::Result<(Self, Option<u64>)> {
        std::fs::create_dir_all(&snapshots)?;
        let machine = Self { ledger, snapshots, snapshot_bytes: Arc::default() };
        let newest = machine.newest()?.and_then(|newest| newest.meta.last_log_id);
        Ok((machine, newest.map(|id| id.index)))
    }

    /// Bytes of the newest snapshot; zero before the first.
    pub(crate) fn snapshot_bytes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.snapshot_bytes)
    }

    /// Builds a snapshot that is complete in itself, and no newer than what the ledger holds durably. Blocks.
    fn build(&self) -> io::Result<Snapshot> {
        // A snapshot is of what is written; so first write what is applied.
        self.ledger.checkpoint().map_err(io::Error::other)?;
        failpoint!("snapshot.begun");
        let built = self.ledger.build_snapshot(&self.snapshots, 0).map_err(io::Error::other)?;
        failpoint!("snapshot.built");
        // A snapshot ahead of the ledger on disk would be installed, at length, by the next start.
        self.ledger.checkpoint().map_err(io::Error::other)?;
        self.snapshot_bytes.store(built.bytes, Ordering::Relaxed);
        snapshot(built)
    }

    fn newest(&self) -> io::Result<Option<Snapshot>> {
        let known = ledger::SnapshotMeta::list(&self.snapshots).map_err(io::Error::other)?;
        let Some(newest) = known.into_iter().find(|known| known.position.is_some()) else { return Ok(None) };
        self.snapshot_bytes.store(newest.bytes, Ordering::Relaxed);
        snapshot(newest).map(Some)
    }

    /// Takes a snapshot over, and keeps one of the same moment of our own. Blocks.
    fn install(&self, meta: &SnapshotMeta, file: &SnapshotFile) -> io::Result<()> {
        let applied = self.ledger.install_snapshot(&file.0).map_err(io::Error::other)?;
        failpoint!("install.done");
        if meta_of(applied.position, applied.membership.as_ref())? != *meta {
            return Err(io::Error::new(io::ErrorKind::InvalidData, OtherSnapshot));
        }
        self.build().map(drop)
    }

    fn apply_one(&self, entry: Entry) -> io::Result<Replies> {
        failpoint!("consensus.committed");
        let payload = match entry.payload {
            Payload::Blank => ledger::Payload::Blank,
            Payload::Membership(membership) => ledger::Payload::Membership(encode_membership(&membership)),
            Payload::Normal(proposals) => {
                let proposals = batch::decode(&proposals.0).map_err(|error| {
                    let index = entry.log_id.index;
                    io::Error::new(io::ErrorKind::InvalidData, Unreadable { index, source: error })
                })?;
                ledger::Payload::Proposals(proposals)
            }
        };
        let replies = self.ledger.apply(ledger::Entry { position: position(&entry.log_id), payload });
        Ok(Replies(replies.map_err(io::Error::other)?))
    }
}

/// An entry that this version cannot read: written by a later one, or damaged. The node must be upgraded, not restarted.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the proposals of entry {index}")]
struct Unreadable {
    index: u64,
    source: leasehold_codec::DecodeError,
}

/// A snapshot is not the one that it was announced as.
#[derive(Debug, thiserror::Error)]
#[error("the snapshot is of another moment or membership than it was said to be")]
struct OtherSnapshot;

impl RaftStateMachine<Types> for StateMachine {
    type SnapshotData = SnapshotFile;
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        let applied = self.ledger.applied().map_err(io::Error::other)?;
        let meta = meta_of(applied.position, applied.membership.as_ref())?;
        Ok((meta.last_log_id, meta.last_membership))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> io::Result<()>
    where
        Strm: Stream<Item = io::Result<EntryResponder<Types>>> + Unpin + OptionalSend,
    {
        while let Some((entry, responder)) = entries.try_next().await? {
            let replies = self.apply_one(entry)?;
            failpoint!("consensus.applied");
            if let Some(responder) = responder {
                responder.send(replies);
            }
        }
        Ok(())
    }

    async fn try_create_snapshot_builder(&mut self, force: bool) -> Option<Self> {
        // Before anything is applied there is nothing to take a snapshot of.
        let begun = self.ledger.applied().is_ok_and(|applied| applied.position.is_some());
        (force || begun).then(|| self.clone())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: SnapshotFile) -> io::Result<()> {
        let (machine, meta) = (self.clone(), meta.clone());
        spawn_blocking(move || machine.install(&meta, &snapshot)).await.map_err(io::Error::other)?
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<Snapshot>> {
        let machine = self.clone();
        spawn_blocking(move || machine.newest()).await.map_err(io::Error::other)?
    }
}

impl RaftSnapshotBuilder<Types> for StateMachine {
    type SnapshotData = SnapshotFile;

    async fn build_snapshot(&mut self) -> io::Result<Snapshot> {
        let machine = self.clone();
        spawn_blocking(move || machine.build()).await.map_err(io::Error::other)?
    }
}

/// The log may be purged up to what the ledger holds durably.
pub(crate) struct Flushed(pub(crate) Ledger);

impl Floor for Flushed {
    fn raise(&self) -> io::Result<Option<u64>> {
        let flushed = self.0.checkpoint().map_err(io::Error::other)?;
        Ok(flushed.map(|position| position.index))
    }

    fn now(&self) -> Option<u64> {
        self.0.flushed().map(|position| position.index)
    }
}

/// A committed log id names no node: there is one leader a term.
fn position(id: &LogId) -> Position {
    Position { term: id.leader_id.term, node: 0, index: id.index }
}

fn id(position: Position) -> LogId {
    log_id(position.term, position.index)
}

fn snapshot(known: ledger::SnapshotMeta) -> io::Result<Snapshot> {
    let meta = meta_of(known.position, known.membership.as_ref())?;
    Ok(Snapshot { meta, snapshot: SnapshotFile(known.path) })
}

fn meta_of(
    position: Option<Position>,
    membership: Option<&(Option<Position>, Vec<u8>)>,
) -> io::Result<SnapshotMeta> {
    let last_membership = match membership {
        None => StoredMembership::default(),
        Some((set_by, bytes)) => {
            let membership = decode_membership(bytes);
            let membership = membership.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            StoredMembership::new(set_by.map(id), membership)
        }
    };
    Ok(SnapshotMeta { last_log_id: position.map(id), last_membership })
}
