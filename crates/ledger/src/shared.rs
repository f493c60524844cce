//! What apply, the writer and the readers share, and the one way in which any of them stops the ledger.
//!
//! Locks are taken in this order: turn, writing, memory, log.

use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
    atomic::{AtomicU64, Ordering},
};

use leasehold_domain::state::State;
use tokio::sync::watch;

use crate::{
    buckets::Compared,
    entry::{Applied, Position},
    error::Fault,
    lines::stored::View,
    options::Options,
    pending::Pending,
    place::Place,
    postings::Postings,
    preimages::Preimages,
    queue::Queue,
    store::{Disk, Store},
    written::Written,
};

/// What is called once, when the ledger stops.
pub(crate) type OnFatal = Box<dyn Fn(&Fault) + Send + Sync>;

/// The deciding state, and the entry that it stands at.
pub(crate) struct Memory {
    pub(crate) state: State,
    pub(crate) applied: Applied,
}

/// Lines, tree and postings as far as they are in memory, and the store behind them.
pub(crate) struct Log {
    /// Where it stands. The state may be one entry further for a moment.
    pub(crate) applied: Applied,
    pub(crate) pending: Pending,
    pub(crate) postings: Postings,
    /// None once the ledger is closed.
    pub(crate) store: Option<Arc<Store>>,
    pub(crate) compared: Arc<Compared>,
}

/// The ledger, shared.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) place: Place,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) epoch: AtomicU64,
    /// Held by whoever moves the ledger on: an entry, or an install.
    pub(crate) turn: Mutex<()>,
    pub(crate) writing: Mutex<Written>,
    memory: RwLock<Memory>,
    log: RwLock<Log>,
    pub(crate) queue: Queue,
    pub(crate) preimages: Preimages,
    /// Held while a snapshot is built.
    pub(crate) building: Mutex<()>,
    pub(crate) next_seq: watch::Sender<u64>,
    pub(crate) flushed: watch::Sender<Option<Position>>,
    fault: OnceLock<Fault>,
    on_fatal: OnFatal,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What an opened store leaves in memory.
pub(crate) struct Loaded {
    pub(crate) memory: Memory,
    pub(crate) log: Log,
    pub(crate) written: Written,
}

impl Shared {
    pub(crate) fn new(
        options: Options,
        place: Place,
        disk: Arc<dyn Disk>,
        epoch: u64,
        loaded: Loaded,
        on_fatal: OnFatal,
    ) -> Self {
        let Loaded { memory, log, written } = loaded;
        let position = memory.applied.position;
        Self {
            queue: Queue::new(options.queue_limits()),
            preimages: Preimages::new(options.preimage_bytes_max),
            options,
            place,
            disk,
            epoch: AtomicU64::new(epoch),
            turn: Mutex::new(()),
            next_seq: watch::Sender::new(log.pending.tree.size()),
            flushed: watch::Sender::new(position),
            writing: Mutex::new(written),
            memory: RwLock::new(memory),
            log: RwLock::new(log),
            building: Mutex::new(()),
            fault: OnceLock::new(),
            on_fatal,
        }
    }

    /// Whether the ledger still works.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        self.fault.get().map_or(Ok(()), |fault| Err(fault.clone()))
    }

    /// Stops the ledger, for good. The first reason counts.
    pub(crate) fn stop(&self, fault: Fault) -> Fault {
        let mut first = false;
        let reason = self.fault.get_or_init(|| {
            first = true;
            fault
        });
        if first && *reason != Fault::Closed {
            tracing::error!(fault = %reason, "the ledger stopped");
            (self.on_fatal)(reason);
        }
        // Whoever waits learns of it after the process was told to end.
        self.queue.stop();
        reason.clone()
    }

    /// Stops the ledger if this failed.
    pub(crate) fn or_stop<T>(&self, outcome: Result<T, Fault>) -> Result<T, Fault> {
        outcome.map_err(|fault| self.stop(fault))
    }

    pub(crate) fn memory(&self) -> Result<RwLockReadGuard<'_, Memory>, Fault> {
        let memory = self.memory.read().map_err(|_| Fault::Panicked { what: "apply" });
        self.check()?;
        memory
    }

    pub(crate) fn memory_mut(&self) -> Result<RwLockWriteGuard<'_, Memory>, Fault> {
        self.memory.write().map_err(|_| Fault::Panicked { what: "apply" })
    }

    pub(crate) fn log(&self) -> Result<RwLockReadGuard<'_, Log>, Fault> {
        let log = self.log.read().map_err(|_| Fault::Panicked { what: "apply" });
        self.check()?;
        log
    }

    pub(crate) fn log_mut(&self) -> Result<RwLockWriteGuard<'_, Log>, Fault> {
        self.log.write().map_err(|_| Fault::Panicked { what: "apply" })
    }

    /// The tree and the tiles at this moment.
    pub(crate) fn view(&self) -> Result<View, Fault> {
        let log = self.log()?;
        Ok(View { tree: log.pending.tree.clone(), pending: log.pending.tiles.clone(), store: log.store()? })
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }
}

impl Log {
    /// The store.
    pub(crate) fn store(&self) -> Result<Arc<Store>, Fault> {
        self.store.clone().ok_or(Fault::Closed)
    }
}

/// Stops the ledger when what it guards panics: memory may be half changed then.
pub(crate) struct StopOnPanic<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) what: &'static str,
}

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.stop(Fault::Panicked { what: self.what });
        }
    }
}
