//! openraft's own suite, on the real disk.

use std::io;
use std::sync::Arc;

use futures::{Stream, TryStreamExt, stream};
use leasehold_wal::{self as wal, DiskFs, Expectation, Identity, Wal};
use openraft::entry::RaftEntry;
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::{OptionalSend, StorageError, alias};
use tempfile::TempDir;

use super::support::{CLUSTER, open_ledger};
use crate::log_store::{Floor, LogStore};
use crate::state_machine::StateMachine;
use crate::types::{Entry, LogId, SnapshotFile, SnapshotMeta, StoredMembership, Types, log_id};

/// The suite purges what it never applied, which the floor of a real node forbids.
struct NoFloor;

impl Floor for NoFloor {
    fn raise(&self) -> io::Result<Option<u64>> {
        Ok(self.now())
    }

    fn now(&self) -> Option<u64> {
        Some(u64::MAX)
    }
}

/// The suite applies entries with gaps between them, which the ledger refuses: here blank ones fill them.
struct Gapless(StateMachine);

impl RaftStateMachine<Types> for Gapless {
    type SnapshotData = SnapshotFile;
    type SnapshotBuilder = StateMachine;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        self.0.applied_state().await
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> io::Result<()>
    where
        Strm: Stream<Item = io::Result<EntryResponder<Types>>> + Unpin + OptionalSend,
    {
        while let Some((entry, responder)) = entries.try_next().await? {
            let (applied, _) = self.0.applied_state().await?;
            let next = applied.map_or(entry.log_id.index, |id| id.index + 1);
            let term = entry.log_id.leader_id.term;
            let filling = (next..entry.log_id.index).map(|index| Entry::new_blank(log_id(term, index)));
            let filled: Vec<_> =
                filling.map(|blank| Ok((blank, None))).chain([Ok((entry, responder))]).collect();
            self.0.apply(stream::iter(filled)).await?;
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> StateMachine {
        self.0.get_snapshot_builder().await
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: SnapshotFile) -> io::Result<()> {
        self.0.install_snapshot(meta, snapshot).await
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<alias::SnapshotOf<Types, SnapshotFile>>> {
        self.0.get_current_snapshot().await
    }
}

struct Builder;

impl StoreBuilder<Types, LogStore, Gapless, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, LogStore, Gapless), StorageError<Types>> {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity { cluster: CLUSTER, node: 0 };
        let (options, expected) = (wal::Options::default(), Expectation::default());
        let path = dir.path().join("log");
        let (wal, _) =
            Wal::open(Arc::new(DiskFs), &path, identity, options, expected, Box::new(|_| {})).unwrap();
        let ledger = open_ledger(&dir.path().join("ledger"));
        // The suite applies what it never appended.
        ledger.wal_durable(u64::MAX);
        let (machine, _) = StateMachine::open(ledger, dir.path().join("snapshots")).unwrap();
        Ok((dir, LogStore::new(Arc::new(wal), Arc::new(NoFloor)), Gapless(machine)))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stores_pass_the_suite_of_openraft() {
    Suite::test_all(Builder).await.unwrap();
}
