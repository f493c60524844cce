//! openraft's log store over the write-ahead log.
//!
//! An append returns once its entries are readable; its callback runs on the log's writer thread once they are durable, in
//! order, and carries the error if the log fails. A vote is durable on return; a commit mark rides along with the next group.
//! The state of the ledger is known only as a [`Floor`]: nothing above it is ever purged.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, Range, RangeBounds};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::{Stream, stream};
use leasehold_failpoint::failpoint;
use leasehold_wal::{self as wal, Wal};
use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use openraft::{OptionalSend, RaftLogReader};
use tokio::sync::oneshot;

use crate::encoding::{decode_payload, encode_payload};
use crate::types::{Entry, LeaderId, LogId, Types, Vote, log_id};

/// Most bytes of entries read for a peer at once: they must fit its message limit.
const READ_BYTES_MAX: usize = 2 << 20;

/// What the log may not be purged above.
pub(crate) trait Floor: Send + Sync {
    /// The last index that is durable outside the log, once what was applied has been made so. Blocks.
    fn raise(&self) -> io::Result<Option<u64>>;
    /// The same without making anything durable first. Does not block.
    fn now(&self) -> Option<u64>;
}

#[derive(Clone)]
pub(crate) struct LogStore {
    wal: Arc<Wal>,
    floor: Arc<dyn Floor>,
    appended_bytes: Arc<AtomicU64>,
}

impl LogStore {
    pub(crate) fn new(wal: Arc<Wal>, floor: Arc<dyn Floor>) -> Self {
        Self { wal, floor, appended_bytes: Arc::default() }
    }

    /// Bytes of payload appended since the process started.
    pub(crate) fn appended_bytes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.appended_bytes)
    }

    fn read(&self, range: Range<u64>, bytes_max: usize) -> io::Result<Vec<Entry>> {
        let entries = self.wal.read(range, bytes_max).map_err(io::Error::other)?;
        entries.iter().map(entry_from).collect()
    }
}

impl RaftLogReader<Types> for LogStore {
    async fn try_get_log_entries<RB>(&mut self, range: RB) -> io::Result<Vec<Entry>>
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        self.read(indexes(&range), usize::MAX)
    }

    async fn entries_stream<RB>(&mut self, range: RB) -> impl Stream<Item = io::Result<Entry>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        // The default reads the whole range, which after a long absence may be the whole log.
        let chunks = stream::unfold(Some((self.clone(), indexes(&range))), |next| async {
            let (log, range) = next?;
            match log.read(range.clone(), READ_BYTES_MAX) {
                Ok(entries) => {
                    let last = entries.last()?.log_id.index;
                    let rest = (last + 1 < range.end).then_some((log, last + 1..range.end));
                    Some((entries.into_iter().map(Ok).collect(), rest))
                }
                Err(error) => Some((vec![Err(error)], None)),
            }
        });
        Box::pin(futures::StreamExt::flat_map(chunks, stream::iter))
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.wal.state().vote.map(vote_from))
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        self.read(start..end, READ_BYTES_MAX)
    }
}

impl RaftLogStorage<Types> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<Types>> {
        let state = self.wal.state();
        Ok(LogState {
            last_purged_log_id: state.purged.map(log_id_from),
            last_log_id: state.last.map(log_id_from),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        let (sender, receiver) = oneshot::channel();
        let done = move |outcome| {
            let _ = sender.send(outcome);
        };
        failpoint!("consensus.before-vote");
        self.wal.save_vote_then(vote_to(vote), Box::new(done)).map_err(io::Error::other)?;
        let saved = receiver.await.map_err(io::Error::other)?.map_err(io::Error::other);
        failpoint!("consensus.vote-saved");
        saved
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        let Some(committed) = committed else { return Ok(()) };
        self.wal.save_committed(log_id_to(committed)).map_err(io::Error::other)
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        Ok(self.wal.state().committed.map(log_id_from))
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<_> = entries.into_iter().map(|entry| entry_to(&entry)).collect();
        let bytes: usize = entries.iter().map(|entry| entry.payload.len()).sum();
        let done = move |outcome: Result<(), wal::WriteError>| {
            callback.io_completed(outcome.map_err(io::Error::other));
        };
        self.wal.append(entries, Box::new(done)).map_err(io::Error::other)?;
        self.appended_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(())
    }

    async fn truncate_after(&mut self, kept: Option<LogId>) -> io::Result<()> {
        self.wal.truncate_after(kept.map(log_id_to)).map_err(io::Error::other)
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        let mut floor = self.floor.now();
        if floor < Some(upto.index) {
            let ledger = Arc::clone(&self.floor);
            floor = tokio::task::spawn_blocking(move || ledger.raise()).await.map_err(io::Error::other)??;
        }
        let allowed = match floor {
            Some(floor) if floor < upto.index => self.wal.log_id(floor),
            Some(_) => Some(log_id_to(upto)),
            None => None,
        };
        let Some(allowed) = allowed else {
            tracing::warn!(upto = upto.index, ?floor, "nothing purged: the ledger is not durable that far");
            return Ok(());
        };
        failpoint!("consensus.before-purge");
        self.wal.purge(allowed).map_err(io::Error::other)
    }
}

fn indexes(range: &impl RangeBounds<u64>) -> Range<u64> {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(last) => last.saturating_add(1),
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    start..end
}

/// The leader's node is not part of a committed log id: there is one leader a term.
fn log_id_to(id: LogId) -> wal::LogId {
    wal::LogId { term: id.leader_id.term, node: 0, index: id.index }
}

fn log_id_from(id: wal::LogId) -> LogId {
    log_id(id.term, id.index)
}

fn vote_to(vote: &Vote) -> wal::Vote {
    wal::Vote { term: vote.leader_id.term, node: vote.leader_id.voted_for, committed: vote.committed }
}

fn vote_from(vote: wal::Vote) -> Vote {
    Vote { leader_id: LeaderId { term: vote.term, voted_for: vote.node }, committed: vote.committed }
}

fn entry_to(entry: &Entry) -> wal::Entry {
    wal::Entry { id: log_id_to(entry.log_id), payload: encode_payload(&entry.payload) }
}

fn entry_from(entry: &wal::Entry) -> io::Result<Entry> {
    let payload =
        decode_payload(&entry.payload).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(Entry { log_id: log_id_from(entry.id), payload })
}

#[cfg(test)]
#[path = "log_store_tests.rs"]
mod tests;
