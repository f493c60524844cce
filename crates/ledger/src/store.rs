//! One sled tree, opened as the ledger needs it: every value guarded, every panic of sled's a fault, and a flush that is one.
//!
//! sled's own `flush` ends in `sync_file_range`: no metadata, no flush of the disk's cache. So a checkpoint is that and then an fdatasync on a
//! descriptor of our own. Knows keys and bytes, not what they mean.

use std::{
    fs::{self, File},
    io,
    ops::RangeBounds,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use leasehold_failpoint::failpoint;
use sled::{Batch, IVec};

use crate::{
    error::{Fault, OpenError},
    keys,
};

/// The calls that put bytes on the disk.
pub(crate) trait Disk: Send + Sync {
    fn write(&self, db: &sled::Db, batch: Batch) -> sled::Result<()> {
        db.apply_batch(batch)
    }

    fn flush(&self, db: &sled::Db) -> sled::Result<()> {
        db.flush().map(drop)
    }

    fn sync(&self, data: &File) -> io::Result<()> {
        data.sync_data()
    }
}

/// The disk as it is.
pub(crate) struct RealDisk;

impl Disk for RealDisk {}

/// The store of one epoch.
pub(crate) struct Store {
    db: sled::Db,
    data: File,
    path: PathBuf,
}

/// A key and its content.
pub(crate) type Pair = (IVec, IVec);

/// Where sled keeps everything that is written, in a store's folder.
fn data(store: &Path) -> PathBuf {
    store.join("db")
}

/// Removes what a crash has left of a snapshot of sled's page table. sled writes it under a name of its own, and takes a file of that name for a
/// finished one at the next open, which it then refuses; without it sled reads its whole log.
fn remove_unfinished(path: &Path) -> Result<(), OpenError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(OpenError::io("list", path)(error)),
    };
    for entry in entries {
        let entry = entry.map_err(OpenError::io("list", path))?;
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| name.starts_with("snap.") && name.ends_with(".generating")) {
            fs::remove_file(entry.path()).map_err(OpenError::io("remove", entry.path()))?;
        }
    }
    Ok(())
}

/// Calls sled, for the store in `path`.
fn caught<T>(
    what: &'static str,
    path: &Path,
    call: impl FnOnce() -> Result<T, sled::Error>,
) -> Result<T, Fault> {
    let broken =
        |why: &dyn std::fmt::Display| Fault::damaged(format!("{what} {}: {why}", data(path).display()));
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error @ sled::Error::Corruption { .. })) => Err(broken(&error)),
        Ok(Err(error)) => Err(Fault::disk(what, data(path))(error)),
        Err(_) => Err(broken(&"sled panicked")),
    }
}

impl Store {
    /// Opens the store in `path`, or begins one.
    pub(crate) fn open(path: &Path, cache_bytes: u64) -> Result<Self, OpenError> {
        remove_unfinished(path)?;
        let config = sled::Config::new()
            .path(path)
            .segment_size(keys::SEGMENT_LEN)
            .cache_capacity(cache_bytes)
            .flush_every_ms(None)
            .mode(sled::Mode::HighThroughput);
        let db = caught("open", path, || config.open()).map_err(OpenError::from_fault(path))?;
        let file = data(path);
        let data = File::open(&file).map_err(OpenError::io("open", file))?;
        for name in ["conf", "."] {
            let file = path.join(name);
            let sync = File::open(&file).and_then(|file| file.sync_all());
            sync.map_err(OpenError::io("sync", file))?;
        }
        Ok(Self { db, data, path: path.to_owned() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn checked(&self, key: &[u8], value: &IVec) -> Result<IVec, Fault> {
        let len = keys::content_len(key, value).ok_or_else(|| {
            Fault::damaged(format!(
                "a value of kind {:?} fails its check",
                char::from(key.first().copied().unwrap_or(b'?'))
            ))
        })?;
        Ok(value.subslice(0, len))
    }

    /// The content under this key.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<IVec>, Fault> {
        caught("read a value in", &self.path, || self.db.get(key))?
            .map(|value| self.checked(key, &value))
            .transpose()
    }

    /// The last pair in this range.
    pub(crate) fn last<K: AsRef<[u8]>>(&self, range: impl RangeBounds<K>) -> Result<Option<Pair>, Fault> {
        self.scan(range).next_back().transpose()
    }

    /// All pairs in this range, in key order. Not a consistent view while something writes.
    pub(crate) fn scan<K: AsRef<[u8]>>(
        &self,
        range: impl RangeBounds<K>,
    ) -> impl DoubleEndedIterator<Item = Result<Pair, Fault>> + '_ {
        Scan { store: self, pairs: self.db.range(range) }
    }

    /// Writes a batch: all of it or, after a crash, none. Not on the disk yet.
    pub(crate) fn write(&self, disk: &dyn Disk, batch: Batch) -> Result<(), Fault> {
        caught("write a batch to", &self.path, || disk.write(&self.db, batch))
    }

    /// Puts all that was written on the disk.
    pub(crate) fn flush(&self, disk: &dyn Disk) -> Result<(), Fault> {
        caught("flush", &self.path, || disk.flush(&self.db))?;
        failpoint!("ledger.sled-flushed");
        disk.sync(&self.data).map_err(Fault::disk("sync", data(&self.path)))
    }
}

struct Scan<'a> {
    store: &'a Store,
    pairs: sled::Iter,
}

impl Scan<'_> {
    fn step(
        &mut self,
        step: fn(&mut sled::Iter) -> Option<sled::Result<Pair>>,
    ) -> Option<Result<Pair, Fault>> {
        let pairs = &mut self.pairs;
        match caught("read a range of", &self.store.path, || step(pairs).transpose()) {
            Ok(pair) => pair.map(|(key, value)| Ok((key.clone(), self.store.checked(&key, &value)?))),
            Err(fault) => Some(Err(fault)),
        }
    }
}

impl Iterator for Scan<'_> {
    type Item = Result<Pair, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step(Iterator::next)
    }
}

impl DoubleEndedIterator for Scan<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.step(DoubleEndedIterator::next_back)
    }
}

/// A batch whose values are guarded, and how many bytes it writes.
#[derive(Default)]
pub(crate) struct Writes {
    batch: Batch,
    bytes: usize,
}

impl Writes {
    /// # Panics
    /// When the value is longer than any value may be: what decides lengths would be wrong.
    pub(crate) fn put(&mut self, key: &[u8], content: &[u8]) {
        assert!(
            content.len() <= keys::CONTENT_LEN_MAX && key.len() <= keys::KEY_LEN_MAX,
            "a value or key is too long for the store"
        );
        let value = keys::guarded(key, content);
        self.bytes += key.len() + value.len();
        self.batch.insert(key, value);
    }

    pub(crate) fn remove(&mut self, key: &[u8]) {
        self.bytes += key.len();
        self.batch.remove(key);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn into_batch(self) -> Batch {
        self.batch
    }
}
