//! Entries between apply and the writer: bounded, in order, and held back until this node's log has them.
//!
//! An entry is committed once a majority has it, which need not include this node's own disk. Were its rows written before its log entry is
//! durable here, a crash would leave the ledger ahead of its log, which no log store repairs without losing something.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use leasehold_domain::{state::BlobKey, text::Sealed};
use std::sync::Arc;

use crate::{
    entry::Applied,
    hash::Hash,
    merkle::{Tile, TileId},
};

/// What an applied entry leaves to be written.
pub(crate) struct Queued {
    /// The epoch that it was applied to.
    pub(crate) epoch: u64,
    pub(crate) index: u64,
    pub(crate) applied: Applied,
    pub(crate) root: Hash,
    pub(crate) first_seq: u64,
    pub(crate) lines: Vec<Bytes>,
    /// By key in the store; `None` where a row is gone.
    pub(crate) rows: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    pub(crate) blobs: Vec<(BlobKey, Option<Sealed>)>,
    pub(crate) tiles: Vec<(TileId, Arc<Tile>)>,
}

/// What an entry takes beside its values.
const ENTRY_BYTES: usize = 512;

impl Queued {
    /// About how many bytes it takes, in memory and on disk.
    pub(crate) fn bytes(&self) -> usize {
        let lines: usize = self.lines.iter().map(|line| line.len()).sum();
        let rows: usize =
            self.rows.iter().map(|(key, row)| key.len() + row.as_ref().map_or(0, Vec::len)).sum();
        let blobs: usize = self
            .blobs
            .iter()
            .map(|(_, blob)| 32 + blob.as_ref().map_or(0, |blob| blob.as_bytes().len()))
            .sum();
        ENTRY_BYTES + lines + rows + blobs + self.tiles.len() * crate::merkle::TILE_LEN
    }
}

/// How much may wait, and how much the writer takes at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) entries: usize,
    pub(crate) bytes: usize,
    pub(crate) group_bytes: usize,
}

/// What the writer is to do next.
pub(crate) enum Work {
    /// Write these, in order.
    Write(Vec<Queued>),
    /// Flush what is written; someone waits with this ticket.
    Checkpoint(u64),
    /// Nothing came for as long as the writer wanted to wait.
    Idle,
    /// End.
    Stop,
}

/// How much waits to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Applied entries.
    pub entries: usize,
    /// About their bytes.
    pub bytes: usize,
}

#[derive(Default)]
struct Inner {
    entries: VecDeque<Queued>,
    bytes: usize,
    /// Entries up to this index are durable in this node's log.
    durable: Option<u64>,
    wanted: u64,
    /// What the newest checkpoint must include.
    wanted_index: Option<u64>,
    done: u64,
    stop: bool,
}

impl Inner {
    fn is_durable(&self, entry: &Queued) -> bool {
        self.durable.is_some_and(|durable| entry.index <= durable)
    }
}

/// The queue.
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    limits: Limits,
    work: Condvar,
    room: Condvar,
    done: Condvar,
}

impl Queue {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            inner: Mutex::default(),
            limits,
            work: Condvar::new(),
            room: Condvar::new(),
            done: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(on: &Condvar, inner: MutexGuard<'a, Inner>) -> MutexGuard<'a, Inner> {
        on.wait(inner).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until one more entry may be pushed, or the queue is stopped.
    pub(crate) fn wait_for_room(&self) {
        let mut inner = self.lock();
        while !inner.stop && (inner.entries.len() >= self.limits.entries || inner.bytes >= self.limits.bytes)
        {
            inner = Self::wait(&self.room, inner);
        }
    }

    /// Adds an entry. Only one thread does, after it waited for room: so the bounds are exceeded by one entry at most.
    pub(crate) fn push(&self, entry: Queued) {
        let mut inner = self.lock();
        inner.bytes += entry.bytes();
        inner.entries.push_back(entry);
        self.work.notify_one();
    }

    /// This node's log has everything up to this index.
    pub(crate) fn durable(&self, index: u64) {
        let mut inner = self.lock();
        inner.durable = inner.durable.max(Some(index));
        self.work.notify_one();
    }

    pub(crate) fn backlog(&self) -> Backlog {
        let inner = self.lock();
        Backlog { entries: inner.entries.len(), bytes: inner.bytes }
    }

    /// What is next; waits at most `patience`, if there is one.
    pub(crate) fn next(&self, patience: Option<Duration>) -> Work {
        let mut inner = self.lock();
        let mut patience = patience;
        loop {
            if inner.stop {
                return Work::Stop;
            }
            let front = inner.entries.front().filter(|entry| inner.is_durable(entry));
            let asked = inner.wanted > inner.done;
            if asked && front.is_none_or(|entry| Some(entry.index) > inner.wanted_index) {
                return Work::Checkpoint(inner.wanted);
            }
            if front.is_some() {
                let group = self.group(&mut inner);
                self.room.notify_all();
                return Work::Write(group);
            }
            inner = match patience.take() {
                None => Self::wait(&self.work, inner),
                Some(Duration::ZERO) => return Work::Idle,
                Some(time) => {
                    let woken = self.work.wait_timeout(inner, time).unwrap_or_else(PoisonError::into_inner);
                    patience = Some(Duration::ZERO);
                    woken.0
                }
            };
        }
    }

    fn group(&self, inner: &mut Inner) -> Vec<Queued> {
        let (mut group, mut bytes) = (Vec::new(), 0);
        while bytes < self.limits.group_bytes
            && inner.entries.front().is_some_and(|entry| inner.is_durable(entry))
            && let Some(entry) = inner.entries.pop_front()
        {
            bytes += entry.bytes();
            group.push(entry);
        }
        inner.bytes -= bytes;
        group
    }

    /// Asks for a checkpoint of all that waits now and is durable, and waits for it. Answers at once when the queue is stopped.
    pub(crate) fn checkpoint(&self) {
        let mut inner = self.lock();
        inner.wanted += 1;
        let ticket = inner.wanted;
        inner.wanted_index = inner.durable;
        self.work.notify_one();
        while !inner.stop && inner.done < ticket {
            inner = Self::wait(&self.done, inner);
        }
    }

    pub(crate) fn checkpoint_done(&self, ticket: u64) {
        self.lock().done = ticket;
        self.done.notify_all();
    }

    /// Forgets all that waits: a snapshot stands in its place.
    pub(crate) fn clear(&self) {
        let mut inner = self.lock();
        inner.entries.clear();
        inner.bytes = 0;
        self.room.notify_all();
    }

    /// Ends every wait, for good.
    pub(crate) fn stop(&self) {
        self.lock().stop = true;
        self.work.notify_all();
        self.room.notify_all();
        self.done.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue() -> Queue {
        Queue::new(Limits { entries: 2, bytes: 1 << 20, group_bytes: 1 << 20 })
    }

    fn entry(index: u64) -> Queued {
        Queued {
            epoch: 1,
            index,
            applied: Applied::default(),
            root: Hash::default(),
            first_seq: 0,
            lines: Vec::new(),
            rows: Vec::new(),
            blobs: Vec::new(),
            tiles: Vec::new(),
        }
    }

    fn indexes(work: Work) -> Vec<u64> {
        match work {
            Work::Write(group) => group.iter().map(|entry| entry.index).collect(),
            Work::Checkpoint(_) | Work::Idle | Work::Stop => Vec::new(),
        }
    }

    #[test]
    fn an_entry_waits_for_the_log_and_those_behind_it_with_it() {
        let queue = queue();
        (5..9).for_each(|index| queue.push(entry(index)));
        assert!(matches!(queue.next(Some(Duration::ZERO)), Work::Idle));
        queue.durable(6);
        assert_eq!(indexes(queue.next(None)), [5, 6]);
        assert!(matches!(queue.next(Some(Duration::ZERO)), Work::Idle));
        queue.durable(3);
        queue.durable(8);
        assert_eq!(indexes(queue.next(None)), [7, 8]);
        assert_eq!(queue.backlog(), Backlog { entries: 0, bytes: 0 });
    }

    #[test]
    fn a_full_queue_makes_apply_wait_until_the_writer_takes_something() {
        let queue = queue();
        queue.push(entry(0));
        queue.wait_for_room();
        queue.push(entry(1));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                queue.wait_for_room();
                queue.backlog().entries
            });
            queue.durable(1);
            assert_eq!(indexes(queue.next(None)), [0, 1]);
            assert_eq!(waiting.join().unwrap(), 0, "there is room only after the writer took both");
        });
    }

    #[test]
    fn a_checkpoint_comes_after_what_was_durable_when_it_was_asked_for() {
        let queue = queue();
        queue.push(entry(0));
        queue.push(entry(1));
        queue.durable(0);
        std::thread::scope(|scope| {
            scope.spawn(|| queue.checkpoint());
            assert_eq!(indexes(queue.next(None)), [0]);
            let Work::Checkpoint(ticket) = queue.next(None) else { panic!("entry 1 is not durable") };
            queue.checkpoint_done(ticket);
        });
    }

    #[test]
    fn stopping_ends_every_wait() {
        let queue = queue();
        queue.push(entry(0));
        queue.push(entry(1));
        std::thread::scope(|scope| {
            scope.spawn(|| queue.wait_for_room());
            scope.spawn(|| queue.checkpoint());
            queue.stop();
        });
        assert!(matches!(queue.next(None), Work::Stop));
    }
}
