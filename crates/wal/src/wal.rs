//! The log as its callers see it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle, ThreadId};

use crate::record::{BODY_MAX, ENTRY_PREFIX, Record};
use crate::recovery::{self, Expectation, Recovered};
use crate::shared::{Front, Shared, Waiter};
use crate::writer::Writer;
use crate::{
    Done, Entry, Failure, Fs, Identity, LogId, OnDurable, OnFatal, OpenError, Refused, State, Violation,
    Vote, WriteError,
};

/// Sizes. All are bounds on memory or on the reach of damage; none changes the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// A segment is sealed by the first group after it has reached this many bytes. Default 64 MiB.
    pub segment_bytes: u64,
    /// Most bytes in one group, unless a single record is larger. Default 16 MiB.
    pub group_bytes_max: u64,
    /// Above this many bytes waiting to be written, callers are made to wait. Default 64 MiB.
    pub queue_bytes_max: u64,
    /// Largest payload of an entry. Default 16 MiB, at most 64 MiB.
    pub payload_bytes_max: usize,
    /// Payloads of durable entries kept in memory, newest first. Default 64 MiB.
    pub cache_bytes_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            group_bytes_max: 16 << 20,
            queue_bytes_max: 64 << 20,
            payload_bytes_max: 16 << 20,
            cache_bytes_max: 64 << 20,
        }
    }
}

/// An open log. Share it by `Arc`; closing or dropping it writes out what is queued.
pub struct Wal {
    pub(crate) shared: Arc<Shared>,
    pub(crate) dir: PathBuf,
    options: Options,
    writer: Mutex<Option<JoinHandle<()>>>,
    writer_id: ThreadId,
}

impl Wal {
    /// Most subscribers a log takes.
    pub const SUBSCRIBERS_MAX: usize = 16;

    /// Opens the log in `dir`, creating it if there is none, and starts its writer.
    ///
    /// # Errors
    ///
    /// Refuses whatever is not the complete log of this cluster and node, or falls short of `expected`; nothing on disk is
    /// changed then.
    pub fn open(
        fs: Arc<dyn Fs>,
        dir: &Path,
        identity: Identity,
        options: Options,
        expected: Expectation,
        on_fatal: OnFatal,
    ) -> Result<(Self, Recovered), OpenError> {
        let payload_bytes_max = options.payload_bytes_max.min(BODY_MAX as usize - ENTRY_PREFIX);
        let options = Options { payload_bytes_max, ..options };
        let opened = recovery::open(fs.as_ref(), dir, identity, expected, options.cache_bytes_max)?;
        let recovered = opened.recovered;
        let front = Front::new(recovered.state, opened.index, opened.files);
        let shared = Arc::new(Shared::new(front, options.queue_bytes_max));
        let writer = Writer {
            fs,
            dir: dir.to_owned(),
            identity,
            stage: opened.stage,
            shared: Arc::clone(&shared),
            segment_bytes: options.segment_bytes,
            group_bytes_max: options.group_bytes_max,
            state: recovered.state,
            oldest: opened.oldest,
            active: opened.active,
            closed: opened.closed,
            unmarked: false,
            _lock: opened.lock,
        };
        let thread = thread::Builder::new().name("wal-writer".to_owned()).spawn(move || writer.run(on_fatal));
        let thread = thread.map_err(Failure::io("start the writer for", dir.to_owned()))?;
        let writer_id = thread.thread().id();
        let writer = Mutex::new(Some(thread));
        Ok((Self { shared, dir: dir.to_owned(), options, writer, writer_id }, recovered))
    }

    /// Appends entries. They are readable on return; `done` is called once they are durable, in the order of submission.
    ///
    /// `done` is always called exactly once. If the entries are not taken it is called with the same error before this
    /// returns. Without entries it is called when all that was submitted before is durable.
    ///
    /// # Errors
    ///
    /// [`Refused`] if an entry does not follow the last one or is too large: then none is taken.
    pub fn append(&self, entries: Vec<Entry>, done: Done) -> Result<(), WriteError> {
        self.submit(true, Some(Waiter::new(done)), |front| {
            let mut state = front.state;
            for entry in &entries {
                let (bytes, max) = (entry.payload.len(), self.options.payload_bytes_max);
                if bytes > max {
                    return Err(Refused::TooLarge { index: entry.id.index, bytes, max });
                }
                state.append(entry.id)?;
            }
            front.state = state;
            Ok(entries.into_iter().map(Record::Entry).collect())
        })
    }

    /// Saves the vote and returns once it is durable.
    ///
    /// # Errors
    ///
    /// [`Refused`] if its term is below the saved one, or if called from a callback; otherwise the log has failed.
    pub fn save_vote(&self, vote: Vote) -> Result<(), WriteError> {
        self.refuse_from_callback()?;
        let (sender, receiver) = mpsc::sync_channel(1);
        let done = move |outcome| {
            let _ = sender.send(outcome);
        };
        self.save_vote_then(vote, Box::new(done))?;
        receiver.recv().unwrap_or(Err(Failure::Closed.into()))
    }

    /// Saves the vote; `done` is called once it is durable, on the terms of [`Wal::append`].
    ///
    /// # Errors
    ///
    /// As [`Wal::save_vote`].
    pub fn save_vote_then(&self, vote: Vote, done: Done) -> Result<(), WriteError> {
        self.submit(false, Some(Waiter::new(done)), |front| {
            front.state.apply(&Record::Vote(vote))?;
            Ok(vec![Record::Vote(vote)])
        })
    }

    /// Notes how far the log is committed. It is written with the next group, without a sync of its own; one beyond the
    /// end of the log is held until the log reaches it, and one that does not move forward changes nothing.
    ///
    /// # Errors
    ///
    /// Only if the log has failed.
    pub fn save_committed(&self, committed: LogId) -> Result<(), WriteError> {
        self.shared.enter(false)?.mark_committed(committed);
        Ok(())
    }

    /// Drops every entry after `kept`, or all of them. Effective at once, and durable before anything submitted later.
    ///
    /// A position at or beyond the end changes nothing.
    ///
    /// # Errors
    ///
    /// [`Refused`] below what is purged or committed, or if the log has another entry at that index.
    pub fn truncate_after(&self, kept: Option<LogId>) -> Result<(), WriteError> {
        self.submit(true, None, |front| {
            let index = kept.map(|id| id.index);
            if let Some(id) = kept {
                let held = front.index.get(id.index).map(|(held, _)| held);
                let held = held.or(front.state.purged.filter(|purged| purged.index == id.index));
                if held.is_some_and(|held| held != id) {
                    return Err(Violation::OtherEntry { index: id.index }.into());
                }
            }
            if index >= front.state.last.map(|last| last.index) {
                return Ok(Vec::new());
            }
            front.state.apply(&Record::Truncate(kept))?;
            front.index.truncate(index.map_or(0, |index| index + 1));
            front.durable = front.durable.min(index);
            Ok(vec![Record::Truncate(kept)])
        })
    }

    /// Gives up every entry up to and including `upto`, which may lie beyond the end of the log, as after a snapshot.
    ///
    /// They are gone from reads at once. Their segments are removed when this is durable. One that does not move forward
    /// changes nothing.
    ///
    /// # Errors
    ///
    /// [`Refused`] if the log has another entry at that index, or if a hole before its first entry would stay.
    pub fn purge(&self, upto: LogId) -> Result<(), WriteError> {
        self.submit(true, None, |front| {
            if front.state.purged.is_some_and(|purged| upto.index <= purged.index) {
                return Ok(Vec::new());
            }
            if front.index.get(upto.index).is_some_and(|(held, _)| held != upto) {
                return Err(Violation::OtherEntry { index: upto.index }.into());
            }
            let first = front.index.first();
            if front.index.end() > first && upto.index.checked_add(1).is_none_or(|next| next < first) {
                return Err(Violation::PurgeOutOfRange { index: upto.index }.into());
            }
            // The writer, which knows the segments, fills in the oldest one.
            let record = Record::Purge { upto, oldest: 0 };
            front.state.apply(&record)?;
            front.index.purge(upto.index);
            Ok(vec![record])
        })
    }

    /// Vote and ends of the log as of all that was submitted, durable or not.
    #[must_use]
    pub fn state(&self) -> State {
        let front = self.shared.front();
        State { committed: front.committed(), ..front.state }
    }

    /// The id of the entry at `index`, if the log holds it. Never reads from disk.
    #[must_use]
    pub fn log_id(&self, index: u64) -> Option<LogId> {
        self.shared.front().index.get(index).map(|(id, _)| id)
    }

    /// The last index that is durable: all up to it survives a power failure.
    #[must_use]
    pub fn durable_index(&self) -> Option<u64> {
        self.shared.front().durable
    }

    /// Waits until the durable index has reached `index`.
    ///
    /// # Errors
    ///
    /// If the log fails before, or is closed, or if called from a callback.
    pub fn wait_durable(&self, index: u64) -> Result<(), WriteError> {
        self.refuse_from_callback()?;
        Ok(self.shared.wait_durable(index)?)
    }

    /// Calls `subscriber` with the durable index each time it has grown, as long as the log is open.
    ///
    /// # Errors
    ///
    /// If there are [`Self::SUBSCRIBERS_MAX`] already.
    pub fn subscribe(&self, subscriber: OnDurable) -> Result<(), Refused> {
        let taken = self.shared.subscribe(subscriber, Self::SUBSCRIBERS_MAX);
        if taken { Ok(()) } else { Err(Refused::TooManySubscribers) }
    }

    /// Takes no more, writes out what is queued, and waits for the writer to end. Calling it again is harmless.
    ///
    /// # Errors
    ///
    /// If the log has failed, or if called from a callback.
    pub fn close(&self) -> Result<(), WriteError> {
        self.shared.close();
        self.refuse_from_callback()?;
        let thread = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            return Err(Failure::Broken("the writer or the hook for its failure panicked".to_owned()).into());
        }
        match &self.shared.front().failure {
            None | Some(Failure::Closed) => Ok(()),
            Some(failure) => Err(failure.clone().into()),
        }
    }

    /// Queues the records that `judge` allows, the callback on the last of them.
    fn submit(
        &self,
        patient: bool,
        waiter: Option<Waiter>,
        judge: impl FnOnce(&mut Front) -> Result<Vec<Record>, Refused>,
    ) -> Result<(), WriteError> {
        let patient = patient && thread::current().id() != self.writer_id;
        let error: WriteError = match self.shared.enter(patient) {
            Ok(mut front) => match judge(&mut front) {
                Ok(mut records) => {
                    let last = records.pop();
                    for record in records {
                        front.push(Some(record), None);
                    }
                    if last.is_some() || waiter.is_some() {
                        front.push(last, waiter);
                    }
                    front.raise_committed();
                    self.shared.submit(front);
                    return Ok(());
                }
                Err(refused) => refused.into(),
            },
            Err(failure) => failure.into(),
        };
        if let Some(waiter) = waiter {
            waiter.finish(Err(error.clone()));
        }
        Err(error)
    }

    fn refuse_from_callback(&self) -> Result<(), Refused> {
        if thread::current().id() == self.writer_id { Err(Refused::FromCallback) } else { Ok(()) }
    }
}

impl Drop for Wal {
    fn drop(&mut self) {
        // Whoever must know has been told: waiters by their callbacks, the owner by the hook.
        let _ = self.close();
    }
}
