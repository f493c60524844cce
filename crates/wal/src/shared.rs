//! What callers, readers and the writer share: one mutex, held only for moments and never during IO or a callback.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::index::{Index, Place};
use crate::record::Record;
use crate::{Failure, FsFile, LogId, State, WriteError};

/// Told once, on the writer's thread, whether a request is durable. It must not block: it delays every later write.
pub type Done = Box<dyn FnOnce(Result<(), WriteError>) + Send>;
/// Told the durable index each time it has grown, on the writer's thread, before the callbacks. It must not block.
pub type OnDurable = Box<dyn Fn(u64) + Send + Sync>;
/// Told once why the log has ended, after every waiter has been failed. The process is expected to exit here.
pub type OnFatal = Box<dyn FnOnce(&Failure) + Send>;

/// A callback that is always called: dropped unanswered, it reports that the log is closed.
pub(crate) struct Waiter(Option<Done>);

impl Waiter {
    pub(crate) fn new(done: Done) -> Self {
        Self(Some(done))
    }

    pub(crate) fn finish(mut self, outcome: Result<(), WriteError>) {
        if let Some(done) = self.0.take() {
            done(outcome);
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            done(Err(Failure::Closed.into()));
        }
    }
}

/// A record, a callback, or both, in the order in which they were submitted.
pub(crate) struct Queued {
    pub(crate) ticket: u64,
    pub(crate) record: Option<Record>,
    pub(crate) waiter: Option<Waiter>,
}

/// A commit mark on its way to disk; it may be written once everything up to `ticket` is.
#[derive(Clone, Copy)]
struct CommitMark {
    id: LogId,
    ticket: u64,
}

pub(crate) struct Front {
    /// The state as of all that was submitted, ahead of what is written.
    pub(crate) state: State,
    pub(crate) index: Index,
    pub(crate) files: BTreeMap<u64, Arc<dyn FsFile>>,
    pub(crate) durable: Option<u64>,
    pub(crate) failure: Option<Failure>,
    pub(crate) closing: bool,
    queue: VecDeque<Queued>,
    queued_bytes: u64,
    ticket: u64,
    commit: Option<CommitMark>,
    /// A commit mark beyond the end of the log, held until the log reaches it.
    commit_ahead: Option<LogId>,
}

impl Front {
    pub(crate) fn new(state: State, index: Index, files: BTreeMap<u64, Arc<dyn FsFile>>) -> Self {
        Self {
            state,
            index,
            files,
            durable: state.last.map(|last| last.index),
            failure: None,
            closing: false,
            queue: VecDeque::new(),
            queued_bytes: 0,
            ticket: 0,
            commit: None,
            commit_ahead: None,
        }
    }

    pub(crate) fn push(&mut self, record: Option<Record>, waiter: Option<Waiter>) {
        self.ticket += 1;
        if let Some(Record::Entry(entry)) = &record {
            self.index.push(entry.clone(), self.ticket);
        }
        self.queued_bytes += record.as_ref().map_or(0, Record::footprint);
        self.queue.push_back(Queued { ticket: self.ticket, record, waiter });
    }

    pub(crate) fn committed(&self) -> Option<LogId> {
        self.commit_ahead.or(self.state.committed)
    }

    /// Notes a commit mark; one that does not move forward changes nothing.
    pub(crate) fn mark_committed(&mut self, id: LogId) {
        if self.committed().is_none_or(|saved| saved.index < id.index) {
            self.commit_ahead = Some(id);
            self.raise_committed();
        }
    }

    /// Takes up a commit mark that was ahead of the log, if the log has reached it.
    pub(crate) fn raise_committed(&mut self) {
        if let Some(id) = self.commit_ahead
            && self.state.apply(&Record::Committed(id)).is_ok()
        {
            self.commit_ahead = None;
            self.commit = Some(CommitMark { id, ticket: self.ticket });
        }
    }

    fn take(&mut self, bytes_max: u64) -> (Vec<Queued>, Option<LogId>) {
        let mut taken = Vec::new();
        let mut bytes = 0;
        while let Some(queued) = self.queue.front() {
            let more = queued.record.as_ref().map_or(0, Record::footprint);
            if bytes > 0 && bytes + more > bytes_max {
                break;
            }
            bytes += more;
            taken.extend(self.queue.pop_front());
        }
        self.queued_bytes -= bytes;
        let written = self.queue.front().map_or(self.ticket, |next| next.ticket - 1);
        let commit = self.commit.take_if(|commit| commit.ticket <= written);
        (taken, commit.map(|commit| commit.id))
    }
}

/// What the writer does next.
pub(crate) enum Next {
    /// Write these as one group.
    Group(Vec<Queued>, Option<LogId>),
    /// There is nothing to write.
    Idle,
    /// Everything is written and no more will come.
    Close,
    /// A reader found damage.
    Fail(Failure),
}

pub(crate) struct Shared {
    front: Mutex<Front>,
    work: Condvar,
    room: Condvar,
    grown: Condvar,
    subscribers: Mutex<Vec<Arc<OnDurable>>>,
    queue_bytes_max: u64,
}

impl Shared {
    pub(crate) fn new(front: Front, queue_bytes_max: u64) -> Self {
        Self {
            front: Mutex::new(front),
            work: Condvar::new(),
            room: Condvar::new(),
            grown: Condvar::new(),
            subscribers: Mutex::new(Vec::new()),
            queue_bytes_max,
        }
    }

    pub(crate) fn front(&self) -> MutexGuard<'_, Front> {
        self.front.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The front, once there is room in the queue (`patient`), or why nothing is taken any more.
    pub(crate) fn enter(&self, patient: bool) -> Result<MutexGuard<'_, Front>, Failure> {
        let full = |front: &mut Front| {
            patient && front.queued_bytes > self.queue_bytes_max && front.failure.is_none() && !front.closing
        };
        let front = self.room.wait_while(self.front(), full).unwrap_or_else(PoisonError::into_inner);
        match &front.failure {
            Some(failure) => Err(failure.clone()),
            None if front.closing => Err(Failure::Closed),
            None => Ok(front),
        }
    }

    /// Releases the front and wakes the writer.
    pub(crate) fn submit(&self, front: MutexGuard<'_, Front>) {
        drop(front);
        self.work.notify_one();
    }

    /// Waits for work; `idle` is answered at once instead of waiting.
    pub(crate) fn next(&self, bytes_max: u64, idle: bool) -> Next {
        let mut front = self.front();
        loop {
            if let Some(failure) = &front.failure {
                return Next::Fail(failure.clone());
            }
            if !front.queue.is_empty() || (front.closing && front.commit.is_some()) {
                let (taken, commit) = front.take(bytes_max);
                self.room.notify_all();
                return Next::Group(taken, commit);
            }
            if front.closing {
                return Next::Close;
            }
            if idle {
                return Next::Idle;
            }
            front = self.work.wait(front).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Notes what a group has made durable, then tells the subscribers; callbacks come after.
    pub(crate) fn publish(&self, entries: &[(u64, u64, Place)], purged: Option<u64>) {
        let mut front = self.front();
        let before = front.durable;
        for (index, ticket, place) in entries {
            if front.index.settle(*index, *ticket, *place) {
                front.durable = front.durable.max(Some(*index));
            }
        }
        front.durable = front.durable.max(purged);
        front.index.evict();
        let grown = front.durable.filter(|_| front.durable > before);
        drop(front);
        if let Some(index) = grown {
            self.grown.notify_all();
            let subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner).clone();
            for subscriber in subscribers {
                subscriber(index);
            }
        }
    }

    /// Ends the log: nothing more is taken, and what was queued is handed back to be failed.
    pub(crate) fn fail(&self, failure: &Failure) -> Vec<Queued> {
        let mut front = self.front();
        front.failure.get_or_insert_with(|| failure.clone());
        front.queued_bytes = 0;
        let queued = front.queue.drain(..).collect();
        drop(front);
        self.wake();
        queued
    }

    /// Ends the log from a reader: the writer fails what is queued.
    pub(crate) fn poison(&self, failure: &Failure) {
        self.front().failure.get_or_insert_with(|| failure.clone());
        self.wake();
    }

    pub(crate) fn close(&self) {
        self.front().closing = true;
        self.wake();
    }

    fn wake(&self) {
        self.work.notify_all();
        self.room.notify_all();
        self.grown.notify_all();
    }

    pub(crate) fn wait_durable(&self, index: u64) -> Result<(), Failure> {
        let short = |front: &mut Front| front.durable < Some(index) && front.failure.is_none();
        let front = self.grown.wait_while(self.front(), short).unwrap_or_else(PoisonError::into_inner);
        match &front.failure {
            Some(failure) if front.durable < Some(index) => Err(failure.clone()),
            Some(_) | None => Ok(()),
        }
    }

    /// False if there are `max` subscribers already.
    pub(crate) fn subscribe(&self, subscriber: OnDurable, max: usize) -> bool {
        let mut subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        let room = subscribers.len() < max;
        if room {
            subscribers.push(Arc::new(subscriber));
        }
        room
    }
}
