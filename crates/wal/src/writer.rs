//! The one thread that writes.
//!
//! One group is in flight. While its fdatasync runs, requests gather in the queue; the next group is all of them.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use leasehold_failpoint::failpoint;

use crate::identity::{self, Stage};
use crate::index::Place;
use crate::record::{Group, Position, Record};
use crate::recovery::{Active, Closed};
use crate::segment::{self, HEADER, Header};
use crate::shared::{Next, Queued, Shared};
use crate::{DirLock, Failure, Fs, Identity, LogId, OnFatal, State};

pub(crate) struct Writer {
    pub(crate) fs: Arc<dyn Fs>,
    pub(crate) dir: PathBuf,
    pub(crate) identity: Identity,
    pub(crate) stage: Stage,
    pub(crate) shared: Arc<Shared>,
    pub(crate) segment_bytes: u64,
    pub(crate) group_bytes_max: u64,
    /// The state as of all that is written.
    pub(crate) state: State,
    pub(crate) oldest: u64,
    pub(crate) active: Active,
    pub(crate) closed: VecDeque<Closed>,
    /// Something is durable that no mark or later group vouches for.
    pub(crate) unmarked: bool,
    /// Held until the thread ends.
    pub(crate) _lock: DirLock,
}

/// A group being put together.
struct Draft {
    group: Group,
    offset: u64,
    chain: u32,
}

impl Writer {
    pub(crate) fn run(mut self, on_fatal: OnFatal) {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.serve()));
        let failure = match outcome {
            Ok(Ok(())) => {
                self.shared.fail(&Failure::Closed);
                return;
            }
            Ok(Err(failure)) => failure,
            Err(_) => Failure::Broken("a callback or the writer panicked".to_owned()),
        };
        self.fail(Vec::new(), &failure);
        on_fatal(&failure);
    }

    /// Fails the group that was in flight, then all that was queued behind it, in order.
    fn fail(&self, group: Vec<Queued>, failure: &Failure) {
        let queued = self.shared.fail(failure);
        for waiter in group.into_iter().chain(queued).filter_map(|queued| queued.waiter) {
            // A callback that panics must not keep the others, or the hook, from being called.
            let _ = catch_unwind(AssertUnwindSafe(|| waiter.finish(Err(failure.clone().into()))));
        }
    }

    fn serve(&mut self) -> Result<(), Failure> {
        loop {
            match self.shared.next(self.group_bytes_max, self.unmarked) {
                Next::Group(mut group, commit) => {
                    if let Err(failure) = self.write(&mut group, commit) {
                        self.fail(group, &failure);
                        return Err(failure);
                    }
                    for waiter in group.into_iter().filter_map(|queued| queued.waiter) {
                        waiter.finish(Ok(()));
                    }
                    self.remove_purged()?;
                }
                Next::Idle => self.mark()?,
                Next::Close => {
                    if self.unmarked {
                        self.mark()?;
                    }
                    return self.sync();
                }
                Next::Fail(failure) => return Err(failure),
            }
        }
    }

    /// One vectored write, one fdatasync, then the durable watermark. The callbacks are left to the caller.
    fn write(&mut self, queued: &mut [Queued], commit: Option<LogId>) -> Result<(), Failure> {
        let nothing = commit.is_none() && queued.iter().all(|queued| queued.record.is_none());
        if nothing {
            return Ok(());
        }
        if self.active.size >= self.segment_bytes {
            self.rotate()?;
        }
        let mut draft = self.draft();
        let mut entries = Vec::new();
        let (mut purged, mut voted) = (None, false);
        for Queued { ticket, record, .. } in queued {
            let Some(record) = record else { continue };
            match record {
                Record::Purge { upto, oldest } => {
                    *oldest = self.oldest_after(upto.index);
                    self.oldest = *oldest;
                    purged = Some(upto.index);
                }
                Record::Vote(_) => voted = true,
                Record::Entry(_)
                | Record::Committed(_)
                | Record::Truncate(_)
                | Record::Mark
                | Record::Seal { .. } => {}
            }
            let place = self.add(&mut draft, record)?;
            if let Record::Entry(entry) = record {
                entries.push((entry.id.index, *ticket, place));
            }
        }
        if let Some(id) = commit {
            self.add(&mut draft, &Record::Committed(id))?;
        }
        self.put(draft)?;
        failpoint!("wal.group-written");
        self.sync()?;
        failpoint!("wal.group-synced");
        self.unmarked = true;
        if voted && self.stage < Stage::Voted {
            identity::write(self.fs.as_ref(), &self.dir, self.identity, Stage::Voted)?;
            self.stage = Stage::Voted;
        }
        self.shared.publish(&entries, purged);
        Ok(())
    }

    fn draft(&self) -> Draft {
        Draft { group: Group::default(), offset: self.active.size, chain: self.active.chain }
    }

    fn add(&mut self, draft: &mut Draft, record: &Record) -> Result<Place, Failure> {
        // The front has judged it already; a record that does not stand here would make the next open refuse the log.
        self.state.apply(record).map_err(|violation| Failure::Broken(violation.to_string()))?;
        let (segment, offset) = (self.active.id, draft.offset);
        let at = Position { segment, offset };
        let (length, chain) = draft.group.push(record, at, self.active.durable, draft.chain);
        draft.offset += length;
        draft.chain = chain;
        Ok(Place { segment, offset, length: usize::try_from(length).unwrap_or(usize::MAX) })
    }

    fn put(&mut self, draft: Draft) -> Result<(), Failure> {
        let written = self.active.file.write_at(self.active.size, &mut draft.group.slices());
        written.map_err(|error| Failure::io("write", self.path())(error))?;
        self.active.size = draft.offset;
        self.active.chain = draft.chain;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Failure> {
        self.active.file.sync_data().map_err(|error| Failure::io("sync", self.path())(error))?;
        self.active.durable = self.active.size;
        Ok(())
    }

    fn path(&self) -> PathBuf {
        segment::path(&self.dir, self.active.id)
    }

    /// Leaves proof, without a sync of its own, that all before it was durable: damage to the last group then shows as
    /// damage, not as a torn write.
    fn mark(&mut self) -> Result<(), Failure> {
        let mut draft = self.draft();
        self.add(&mut draft, &Record::Mark)?;
        self.unmarked = false;
        self.put(draft)
    }

    /// The next segment is durable before the seal that names it, and the seal before anything goes into that segment.
    fn rotate(&mut self) -> Result<(), Failure> {
        failpoint!("wal.rotation-begun");
        let id = self.active.id + 1;
        let mut draft = self.draft();
        self.add(&mut draft, &Record::Seal { next: id })?;
        let (identity, oldest, chain, state) = (self.identity, self.oldest, draft.chain, self.state);
        let header = Header { identity, id, oldest, chain, state };
        let file = segment::create(self.fs.as_ref(), &self.dir, &header)?;
        failpoint!("wal.segment-made");
        self.put(draft)?;
        failpoint!("wal.seal-written");
        self.sync()?;
        failpoint!("wal.seal-synced");
        self.closed.push_back(Closed { id: self.active.id, last: self.state.last.map(|last| last.index) });
        self.shared.front().files.insert(id, Arc::clone(&file));
        let start = HEADER as u64;
        self.active = Active { id, file, size: start, durable: start, chain: header.crc() };
        self.unmarked = false;
        Ok(())
    }

    fn oldest_after(&self, purged: u64) -> u64 {
        let needed = self.closed.iter().find(|closed| closed.last > Some(purged));
        needed.map_or(self.active.id, |closed| closed.id)
    }

    /// Removes segments that a durable purge record has given up.
    fn remove_purged(&mut self) -> Result<(), Failure> {
        let mut removed = false;
        while let Some(closed) = self.closed.pop_front_if(|closed| closed.id < self.oldest) {
            let path = segment::path(&self.dir, closed.id);
            self.shared.front().files.remove(&closed.id);
            failpoint!("wal.before-removal");
            self.fs.remove(&path).map_err(Failure::io("remove", path))?;
            failpoint!("wal.segment-removed");
            removed = true;
        }
        if removed {
            self.fs.sync_dir(&self.dir).map_err(Failure::io("sync", self.dir.clone()))?;
        }
        Ok(())
    }
}
