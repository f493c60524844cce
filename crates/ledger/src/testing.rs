//! Ledgers to feed, disks that fail, and all that a ledger answers.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use leasehold_domain::{lease, machine::Reply};
use tempfile::TempDir;

use crate::{
    Entry,
    error::Fault,
    ledger::Ledger,
    open::FORMAT,
    options::Options,
    store::{Disk, RealDisk},
};

mod author;

pub(crate) use author::{Author, grant_id, heavy_secrets, holder, lease_id, request, sealed, subject_id};

/// A ledger in a directory of its own, and the faults that it reported.
pub(crate) struct Bench {
    pub(crate) dir: Arc<TempDir>,
    pub(crate) ledger: Ledger,
    pub(crate) faults: Arc<Mutex<Vec<Fault>>>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(Options::default(), Arc::new(RealDisk))
    }

    pub(crate) fn with(options: Options, disk: Arc<dyn Disk>) -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let faults = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&faults);
        let on_fatal = Box::new(move |fault: &Fault| sink.lock().unwrap().push(fault.clone()));
        let ledger = Ledger::open_on(dir.path(), options, disk, on_fatal).unwrap();
        Self { dir, ledger, faults }
    }

    /// Applies entries and lets them be written.
    pub(crate) fn feed(&self, entries: impl IntoIterator<Item = Entry>) {
        for entry in entries {
            let index = entry.position.index;
            let replies = self.ledger.apply(entry).unwrap();
            for reply in replies {
                let refused = match reply {
                    Reply::Applied { .. } => None,
                    Reply::Rejected(why) => Some(format!("{why:?}")),
                    Reply::Repeated { .. } | Reply::Stale => Some("something else".to_owned()),
                };
                assert_eq!(refused, None, "entry {index} is decided");
            }
            self.ledger.wal_durable(index);
        }
    }

    pub(crate) fn fault(&self) -> Option<Fault> {
        self.faults.lock().unwrap().first().cloned()
    }

    /// Drops the ledger as a crash of the process would, and opens it again.
    pub(crate) fn reopened(self) -> Self {
        let Self { dir, ledger, .. } = self;
        drop(ledger);
        let ledger = open(dir.path()).unwrap();
        Self { dir, ledger, faults: Arc::default() }
    }
}

pub(crate) fn open(dir: &Path) -> Result<Ledger, crate::OpenError> {
    Ledger::open(dir, Options::default(), Box::new(|_| {}))
}

/// What a ledger answers: all that another one must answer too.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answers {
    pub(crate) digest: crate::StateDigest,
    applied: crate::Applied,
    tree: crate::TreeHead,
    lines: Vec<crate::Line>,
    leases: Vec<lease::Lease>,
    rows: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// Asks a ledger everything, after all that is durable in its log was written.
pub(crate) fn answers(ledger: &Ledger) -> Result<Answers, Fault> {
    ledger.checkpoint()?;
    let mut lines = Vec::new();
    loop {
        let page = ledger.lines(lines.len() as u64, 1000, 1 << 20)?;
        if page.is_empty() {
            break;
        }
        lines.extend(page);
    }
    Ok(Answers {
        digest: ledger.state_digest()?,
        applied: ledger.applied()?,
        tree: ledger.tree()?,
        lines,
        leases: ledger.read(|state| state.recent.leases().cloned().collect())?,
        rows: ledger.read(|state| {
            let mut rows = Vec::new();
            state.each_row(|change| {
                rows.push((leasehold_codec::row::key(&change), leasehold_codec::row::value(&change)));
            });
            rows
        })?,
    })
}

pub(crate) fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
            // Damage keeps no dates.
            set_modified(&target, entry.metadata().unwrap().modified().unwrap());
        }
    }
}

pub(crate) fn set_modified(path: &Path, at: std::time::SystemTime) {
    std::fs::File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
}

pub(crate) fn epoch_dir(dir: &Path, epoch: u64) -> PathBuf {
    dir.join(format!("epoch-{epoch}"))
}

/// A disk that counts, and fails when it is told to.
#[derive(Default)]
pub(crate) struct TestDisk {
    pub(crate) flushes: AtomicUsize,
    pub(crate) syncs: AtomicUsize,
    pub(crate) writes: AtomicUsize,
    pub(crate) fail_write: AtomicUsize,
    pub(crate) fail_flush: AtomicUsize,
    pub(crate) fail_sync: AtomicUsize,
}

/// Whether this call, counted from one, is the one that is to fail.
fn is_due(calls: &AtomicUsize, fail_at: &AtomicUsize) -> bool {
    calls.fetch_add(1, Ordering::SeqCst) + 1 == fail_at.load(Ordering::SeqCst)
}

impl Disk for TestDisk {
    fn write(&self, db: &sled::Db, batch: sled::Batch) -> sled::Result<()> {
        if is_due(&self.writes, &self.fail_write) {
            return Err(sled::Error::Io(io::Error::other("no space left on device")));
        }
        RealDisk.write(db, batch)
    }

    fn flush(&self, db: &sled::Db) -> sled::Result<()> {
        if is_due(&self.flushes, &self.fail_flush) {
            return Err(sled::Error::Io(io::Error::other("input/output error")));
        }
        RealDisk.flush(db)
    }

    fn sync(&self, data: &std::fs::File) -> io::Result<()> {
        if is_due(&self.syncs, &self.fail_sync) {
            return Err(io::Error::other("input/output error"));
        }
        RealDisk.sync(data)
    }
}

pub(crate) const KNOWN_FORMAT: u32 = FORMAT;
