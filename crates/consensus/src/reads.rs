//! Linearizable reads, many to a confirmation.
//!
//! One confirmation of leadership runs at a time. A read that arrives while one runs joins the next: the running one may have
//! fixed its read index before the read began.

use std::time::Duration;

use openraft::ReadPolicy;
use openraft::errors::RaftError;
use tokio::sync::{mpsc, oneshot, watch};

use crate::ReadError;
use crate::types::Raft;

/// Most reads waiting for the next confirmation.
pub const READS_WAITING_MAX: usize = 8192;
/// How long apply may take to reach the read index.
const APPLY_WAIT_MAX: Duration = Duration::from_secs(5);

/// A point in the log at or after everything that was acknowledged, anywhere, before the read began. What is read from the
/// ledger now is at least as new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadPoint {
    /// Term of the leader that confirmed it.
    pub term: u64,
    /// Log index that this node has applied at least.
    pub index: u64,
}

type Outcome = Result<ReadPoint, ReadError>;

/// The callers' end.
pub(crate) struct Reads(mpsc::Sender<oneshot::Sender<Outcome>>);

impl Reads {
    /// The callers' end, and the task that ends when `closing` turns true.
    pub(crate) fn new(raft: Raft, closing: watch::Receiver<bool>) -> (Self, impl Future<Output = ()> + Send) {
        let (queue, queued) = mpsc::channel(READS_WAITING_MAX);
        (Self(queue), run(queued, closing, async move || confirm(&raft).await))
    }

    pub(crate) async fn read(&self) -> Outcome {
        let (caller, point) = oneshot::channel();
        self.0.try_send(caller).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => ReadError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => ReadError::Stopped,
        })?;
        point.await.unwrap_or(Err(ReadError::Stopped))
    }
}

async fn run(
    mut queue: mpsc::Receiver<oneshot::Sender<Outcome>>,
    mut closing: watch::Receiver<bool>,
    confirm: impl AsyncFn() -> Outcome,
) {
    let mut callers = Vec::new();
    loop {
        tokio::select! {
            biased;
            _ = closing.wait_for(|closing| *closing) => return,
            received = queue.recv_many(&mut callers, READS_WAITING_MAX) => if received == 0 { return },
        }
        let point = confirm().await;
        for caller in callers.drain(..) {
            let _ = caller.send(point);
        }
    }
}

async fn confirm(raft: &Raft) -> Outcome {
    let linearizer = raft.get_read_linearizer(ReadPolicy::ReadIndex).await.map_err(|error| match error {
        RaftError::APIError(error) => ReadError::from(error),
        RaftError::Fatal(_) => ReadError::Stopped,
    })?;
    match linearizer.try_await_ready(raft, Some(APPLY_WAIT_MAX)).await {
        Ok(Ok(state)) => {
            let id = state.read_log_id();
            Ok(ReadPoint { term: id.committed_leader_id().term, index: id.index() })
        }
        Ok(Err(_)) => Err(ReadError::Behind),
        Err(_) => Err(ReadError::Stopped),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use futures::FutureExt;
    use tokio::sync::Semaphore;

    use super::*;

    /// Reads whose confirmations wait for a permit each; they answer with their number, counted from 1.
    struct Gated {
        reads: Arc<Reads>,
        begun: Arc<AtomicU64>,
        gate: Arc<Semaphore>,
        closing: watch::Sender<bool>,
    }

    fn gated() -> Gated {
        let (queue, queued) = mpsc::channel(READS_WAITING_MAX);
        let (closing, closed) = watch::channel(false);
        let (begun, gate) = (Arc::new(AtomicU64::new(0)), Arc::new(Semaphore::new(0)));
        let (count, pass) = (Arc::clone(&begun), Arc::clone(&gate));
        tokio::spawn(run(queued, closed, async move || {
            let index = count.fetch_add(1, Ordering::SeqCst) + 1;
            pass.acquire().await.unwrap().forget();
            Ok(ReadPoint { term: 1, index })
        }));
        Gated { reads: Arc::new(Reads(queue)), begun, gate, closing }
    }

    impl Gated {
        /// A read that is queued when this returns.
        fn begin(&self) -> impl Future<Output = Outcome> + use<> {
            let reads = Arc::clone(&self.reads);
            let mut read = Box::pin(async move { reads.read().await });
            assert!((&mut read).now_or_never().is_none());
            read
        }

        async fn until_begun(&self, count: u64) {
            while self.begun.load(Ordering::SeqCst) < count {
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn a_read_that_arrives_during_a_confirmation_joins_the_next() {
        let gated = gated();
        let first = gated.begin();
        gated.until_begun(1).await;
        let late: Vec<_> = (0..100).map(|_| gated.begin()).collect();
        gated.gate.add_permits(2);
        assert_eq!(first.await.unwrap().index, 1);
        for read in late {
            assert_eq!(read.await.unwrap().index, 2);
        }
        assert_eq!(gated.begun.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn reads_beyond_the_bound_are_refused_and_those_that_wait_at_the_end_are_told() {
        let gated = gated();
        let first = gated.begin();
        gated.until_begun(1).await;
        let waiting: Vec<_> = (0..READS_WAITING_MAX).map(|_| gated.begin()).collect();
        assert_eq!(gated.reads.read().await, Err(ReadError::Overloaded));
        gated.closing.send_replace(true);
        gated.gate.add_permits(1);
        assert!(first.await.is_ok());
        for read in waiting {
            assert_eq!(read.await, Err(ReadError::Stopped));
        }
        assert_eq!(gated.reads.read().await, Err(ReadError::Stopped));
    }
}
