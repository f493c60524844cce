//! Follows the core: who leads, whether it still runs, and when the log has grown enough for a snapshot.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use leasehold_wal::Wal;
use openraft::ServerState;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::Fatal;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::fatal::{Alarm, Fault};
use crate::types::{Raft, Types};

/// Who leads, as far as this node knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leadership {
    /// The term that this node is in.
    pub term: u64,
    /// The leader of that term, if there is one.
    pub leader: Option<u64>,
    /// Whether this node is the leader. That it has applied all that its predecessors committed is known after a read.
    pub leads: bool,
}

/// When to take a snapshot: once the log has grown by `every_bytes`, and by as much as the last snapshot wrote.
pub(crate) struct SnapshotPace {
    pub(crate) every_bytes: u64,
    pub(crate) appended_bytes: Arc<AtomicU64>,
    pub(crate) snapshot_bytes: Arc<AtomicU64>,
}

impl SnapshotPace {
    /// The bytes appended so far, if that calls for a snapshot when the last was taken at `taken_at`.
    fn is_due(&self, taken_at: u64) -> Option<u64> {
        let appended = self.appended_bytes.load(Ordering::Relaxed);
        let pace = self.every_bytes.max(self.snapshot_bytes.load(Ordering::Relaxed));
        (appended.saturating_sub(taken_at) >= pace).then_some(appended)
    }
}

/// Ends with the core. An end that nobody asked for is a fault.
pub(crate) async fn watch(
    raft: Raft,
    wal: Arc<Wal>,
    pace: SnapshotPace,
    leadership: watch::Sender<Leadership>,
    closing: watch::Receiver<bool>,
    alarm: Alarm,
) {
    let mut metrics = raft.metrics();
    let mut taken_at = 0;
    let fatal = loop {
        let (running, now) = {
            let metrics = metrics.borrow_watched();
            let leads = metrics.state == ServerState::Leader;
            let now = Leadership { term: metrics.current_term, leader: metrics.current_leader, leads };
            (metrics.running_state.clone(), now)
        };
        leadership.send_if_modified(|held| std::mem::replace(held, now) != now);
        if let Err(fatal) = running {
            break fatal;
        }
        if let Some(appended) = pace.is_due(taken_at) {
            taken_at = appended;
            if let Err(error) = raft.trigger().snapshot().await {
                tracing::warn!(%error, "snapshot not started");
            }
        }
        if metrics.changed().await.is_err() {
            break Fatal::Panicked;
        }
    };
    leadership.send_modify(|held| *held = Leadership { leader: None, leads: false, ..*held });
    let asked_for = *closing.borrow();
    report(&fatal, asked_for, wal, &alarm).await;
}

async fn report(fatal: &Fatal<Types>, asked_for: bool, wal: Arc<Wal>, alarm: &Alarm) {
    let reason = match fatal {
        Fatal::Stopped | Fatal::Panicked if asked_for => return,
        Fatal::Stopped => "stopped by itself".to_owned(),
        Fatal::Panicked => "it broke".to_owned(),
        Fatal::StorageError(error) => error.to_string(),
    };
    // A log that failed is the reason, and once it is closed it has said so.
    if !matches!(spawn_blocking(move || wal.close()).await, Ok(Ok(()))) {
        tracing::warn!("the log was not closed in order");
    }
    alarm.raise(Fault::Consensus { reason });
}
