//! The one thread that writes: whole entries in batches, runs of postings when they are complete, and the flush that makes it all durable.
//!
//! Nothing is synced on the way: the node's log is what an acknowledgement rests on, and the store a checkpoint of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use leasehold_failpoint::failpoint;

use crate::{
    error::Fault,
    keys,
    queue::{Queued, Work},
    shared::{Shared, StopOnPanic, lock},
    store::Writes,
};

/// How many bytes of postings go into one batch, so that reads do not wait long for sled's lock.
const PAGES_BYTES_MAX: usize = 1 << 20;

/// What was written since the last flush.
#[derive(Default)]
struct Dirty {
    bytes: usize,
    since: Option<Instant>,
}

#[expect(
    clippy::disallowed_methods,
    reason = "the writer is a plain thread, and nothing that is replicated depends on when it flushes"
)]
fn now() -> Instant {
    Instant::now()
}

impl Dirty {
    fn wrote(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.since.get_or_insert_with(now);
    }

    /// How long the flush may still wait; none when nothing is to be flushed.
    fn patience(&self, interval: Duration) -> Option<Duration> {
        self.since.map(|since| interval.saturating_sub(now().duration_since(since)))
    }
}

/// Writes until the queue is stopped.
pub(crate) fn run(shared: &Shared) {
    let _stop = StopOnPanic { shared, what: "the writer" };
    let mut dirty = Dirty::default();
    loop {
        let outcome = match shared.queue.next(dirty.patience(shared.options.flush_interval)) {
            Work::Write(group) => shared.write(group).map(|bytes| dirty.wrote(bytes)),
            Work::Checkpoint(ticket) => shared.flush().map(|()| {
                dirty = Dirty::default();
                shared.queue.checkpoint_done(ticket);
            }),
            Work::Idle => Ok(()),
            Work::Stop => return,
        };
        let overdue = dirty.bytes >= shared.options.flush_bytes
            || dirty.patience(shared.options.flush_interval) == Some(Duration::ZERO);
        let outcome = match outcome {
            Ok(()) if overdue => shared.flush().map(|()| dirty = Dirty::default()),
            other => other,
        };
        if let Err(fault) = outcome {
            shared.stop(fault);
            return;
        }
    }
}

impl Shared {
    /// Writes a group of entries as one batch, and the run of postings that it may complete. Answers how many bytes.
    fn write(&self, group: Vec<Queued>) -> Result<usize, Fault> {
        self.preimages.wait_for_room();
        let mut written = lock(&self.writing);
        // An install takes the place of what was applied to the epoch before.
        let epoch = self.epoch();
        let group: Vec<Queued> = group.into_iter().filter(|entry| entry.epoch == epoch).collect();
        let Some(last) = group.last() else { return Ok(0) };
        let (index, size) = (last.index, last.applied.clock.next_seq);

        let store = self.log()?.store()?;
        let writes = written.batch(&store, &self.preimages, &group)?;
        let mut bytes = writes.bytes();
        store.write(self.disk.as_ref(), writes.into_batch())?;
        failpoint!("ledger.group-written");

        let due = {
            let mut log = self.log_mut()?;
            let blobs = group.iter().flat_map(|entry| &entry.blobs).map(|(key, _)| *key);
            let tiles = group.iter().flat_map(|entry| &entry.tiles).map(|(id, _)| *id);
            log.pending.written(index, size, blobs, tiles);
            log.pending.trim(self.options.tail_bytes);
            log.postings.due(size)
        };
        if let Some(run) = due {
            let mut writes = Writes::default();
            for (key, content) in run.pages() {
                writes.put(&key, &content);
                if writes.bytes() >= PAGES_BYTES_MAX {
                    let full = std::mem::take(&mut writes);
                    bytes += full.bytes();
                    store.write(self.disk.as_ref(), full.into_batch())?;
                }
            }
            written.meta.runs = run.number + 1;
            writes.put(keys::META, &written.meta.to_bytes());
            bytes += writes.bytes();
            store.write(self.disk.as_ref(), writes.into_batch())?;
            self.log_mut()?.postings.written();
        }
        Ok(bytes)
    }

    /// Makes all that was written durable.
    fn flush(&self) -> Result<(), Fault> {
        let mut written = lock(&self.writing);
        let store = self.log()?.store()?;
        failpoint!("ledger.before-flush");
        written.flush(&store, self.disk.as_ref())?;
        failpoint!("ledger.flush-noted");
        self.flushed.send_replace(written.meta.applied.position);
        Ok(())
    }
}

/// Starts the writer.
pub(crate) fn start(shared: &Arc<Shared>) -> std::io::Result<std::thread::JoinHandle<()>> {
    let shared = Arc::clone(shared);
    std::thread::Builder::new().name("ledger-writer".to_owned()).spawn(move || run(&shared))
}
