use std::path::Path;
use std::sync::atomic::AtomicUsize;

use bytes::Bytes;
use futures::StreamExt;
use leasehold_wal::testing::SimFs;
use leasehold_wal::{Expectation, Identity, Options};
use openraft::entry::RaftEntry;
use openraft::storage::RaftLogStorageExt;

use super::*;
use crate::types::Batch;

/// What `now` and `raise` answer, and how often something was made durable.
struct Fixed {
    now: Option<u64>,
    raised: Option<u64>,
    raises: AtomicUsize,
}

impl Floor for Fixed {
    fn raise(&self) -> io::Result<Option<u64>> {
        self.raises.fetch_add(1, Ordering::SeqCst);
        Ok(self.raised)
    }

    fn now(&self) -> Option<u64> {
        self.now
    }
}

/// A log with `entries` entries of so many bytes.
async fn log(floor: &Arc<Fixed>, entries: u64, bytes: usize) -> LogStore {
    let identity = Identity { cluster: [1; 16], node: 1 };
    let (fs, dir, expected) = (Arc::new(SimFs::new()), Path::new("/log"), Expectation::default());
    let (wal, _) = Wal::open(fs, dir, identity, Options::default(), expected, Box::new(|_| {})).unwrap();
    let mut log = LogStore::new(Arc::new(wal), Arc::clone(floor) as Arc<dyn Floor>);
    let batch = Batch(Bytes::from(vec![3; bytes]));
    let entries: Vec<_> =
        (0..entries).map(|index| Entry::new_normal(log_id(1, index), batch.clone())).collect();
    log.blocking_append(entries).await.unwrap();
    log
}

fn floor(now: Option<u64>, raised: Option<u64>) -> Arc<Fixed> {
    Arc::new(Fixed { now, raised, raises: AtomicUsize::new(0) })
}

async fn purged(floor: &Arc<Fixed>, upto: u64) -> Option<u64> {
    let mut log = log(floor, 10, 1).await;
    log.purge(log_id(1, upto)).await.unwrap();
    log.get_log_state().await.unwrap().last_purged_log_id.map(|id| id.index)
}

#[tokio::test]
async fn a_purge_stays_below_what_is_durable_outside_the_log_and_makes_more_durable_first() {
    let high = floor(Some(7), Some(9));
    assert_eq!(purged(&high, 5).await, Some(5));
    assert_eq!(high.raises.load(Ordering::SeqCst), 0, "nothing had to be made durable");
    let rising = floor(Some(2), Some(6));
    assert_eq!(purged(&rising, 5).await, Some(5));
    assert_eq!(rising.raises.load(Ordering::SeqCst), 1);
    assert_eq!(purged(&floor(Some(2), Some(3)), 5).await, Some(3));
    assert_eq!(purged(&floor(None, None), 5).await, None);
}

#[tokio::test]
async fn a_purge_does_not_bring_back_what_was_purged_before() {
    let floor = floor(Some(9), Some(9));
    let mut log = log(&floor, 10, 1).await;
    log.purge(log_id(1, 6)).await.unwrap();
    log.purge(log_id(1, 4)).await.unwrap();
    let first = log.try_get_log_entries(0..).await.unwrap().remove(0);
    assert_eq!(first.log_id, log_id(1, 7));
}

#[tokio::test]
async fn what_is_read_for_a_peer_is_cut_by_bytes_and_never_empty() {
    let floor = floor(None, None);
    let mut log = log(&floor, 10, READ_BYTES_MAX / 3).await;
    assert_eq!(log.limited_get_log_entries(2, 10).await.unwrap().len(), 2);
    let mut large = self::log(&floor, 2, READ_BYTES_MAX + 1).await;
    assert_eq!(large.limited_get_log_entries(0, 2).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_stream_of_entries_has_all_of_its_range_whatever_its_bytes() {
    let floor = floor(None, None);
    let mut log = log(&floor, 10, READ_BYTES_MAX / 3).await;
    let entries: Vec<_> =
        log.entries_stream(1..9).await.map(|entry| entry.unwrap().log_id.index).collect().await;
    assert_eq!(entries, (1..9).collect::<Vec<_>>());
    assert_eq!(log.entries_stream(20..30).await.count().await, 0);
}
