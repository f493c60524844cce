//! What rows looked like at the moment a snapshot began, for as long as it has not passed them.
//!
//! The writer goes on while a snapshot is read. Before it changes a row that the snapshot has yet to read, it leaves the old one here; the
//! snapshot reads what the store has and lets what is here take precedence. So what it reads is one moment, and neither waits for the other
//! unless the old rows exceed their bound: then the writer does.

use std::{
    collections::BTreeMap,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use sled::IVec;

/// A row as it was; `None` where there was none.
type Old = Option<IVec>;

#[derive(Default)]
struct Inner {
    active: bool,
    /// The snapshot has passed every key below this one.
    passed: Vec<u8>,
    old: BTreeMap<Vec<u8>, Old>,
    bytes: usize,
}

/// The old rows.
pub(crate) struct Preimages {
    inner: Mutex<Inner>,
    bytes_max: usize,
    room: Condvar,
}

impl Preimages {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { inner: Mutex::default(), bytes_max, room: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A snapshot begins. The writer must be between two batches.
    pub(crate) fn begin(&self) -> Reading<'_> {
        *self.lock() = Inner { active: true, ..Inner::default() };
        Reading { preimages: self }
    }

    /// Waits until there is room for old rows, if a snapshot is being read.
    pub(crate) fn wait_for_room(&self) {
        let mut inner = self.lock();
        while inner.active && inner.bytes >= self.bytes_max {
            inner = self.room.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The writer is about to change a row that looks like this.
    pub(crate) fn keep(&self, key: &[u8], old: Option<&IVec>) {
        let mut inner = self.lock();
        if inner.active && key >= inner.passed.as_slice() && !inner.old.contains_key(key) {
            inner.bytes += key.len() + old.map_or(0, |old| old.len());
            inner.old.insert(key.to_vec(), old.cloned());
        }
    }
}

/// A snapshot that is being read; dropping it ends the keeping.
pub(crate) struct Reading<'a> {
    preimages: &'a Preimages,
}

impl Reading<'_> {
    /// Passes every key below `end`: turns pairs that the store had into those of the moment when the snapshot began.
    pub(crate) fn pass(&self, end: &[u8], pairs: Vec<(IVec, IVec)>) -> BTreeMap<Vec<u8>, IVec> {
        let mut moment: BTreeMap<Vec<u8>, IVec> =
            pairs.into_iter().map(|(key, value)| (key.to_vec(), value)).collect();
        let mut inner = self.preimages.lock();
        let ahead = inner.old.split_off(end);
        for (key, old) in std::mem::replace(&mut inner.old, ahead) {
            inner.bytes -= key.len() + old.as_ref().map_or(0, |old| old.len());
            match old {
                Some(old) => moment.insert(key, old),
                None => moment.remove(&key),
            };
        }
        inner.passed = end.to_vec();
        self.preimages.room.notify_all();
        moment
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        *self.preimages.lock() = Inner::default();
        self.preimages.room.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(IVec, IVec)> {
        pairs.iter().map(|(key, value)| (IVec::from(*key), IVec::from(*value))).collect()
    }

    #[test]
    fn what_changed_ahead_of_the_snapshot_is_read_as_it_was() {
        let preimages = Preimages::new(1 << 20);
        let reading = preimages.begin();
        preimages.keep(b"changed", Some(&IVec::from("old")));
        preimages.keep(b"changed", Some(&IVec::from("newer")));
        preimages.keep(b"created", None);
        preimages.keep(b"removed", Some(&IVec::from("gone")));
        let seen = reading.pass(b"d", pairs(&[("a", "same"), ("changed", "newest"), ("created", "new")]));
        let seen: Vec<_> = seen.iter().map(|(key, value)| (key.as_slice(), value.as_ref())).collect();
        assert_eq!(seen, [(&b"a"[..], &b"same"[..]), (b"changed", b"old")]);
        preimages.keep(b"a", Some(&IVec::from("behind")));
        let seen = reading.pass(b"z", Vec::new());
        assert_eq!(seen.into_keys().collect::<Vec<_>>(), [b"removed".to_vec()]);
    }

    #[test]
    fn the_writer_waits_when_there_are_too_many_and_goes_on_when_they_are_passed_or_the_snapshot_ends() {
        let preimages = Preimages::new(1);
        preimages.keep(b"before any snapshot", None);
        preimages.wait_for_room();
        let reading = preimages.begin();
        preimages.keep(b"a", Some(&IVec::from("1")));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| preimages.wait_for_room());
            reading.pass(b"b", Vec::new());
            waiting.join().unwrap();
            preimages.keep(b"c", Some(&IVec::from("1")));
            let waiting = scope.spawn(|| preimages.wait_for_room());
            drop(reading);
            waiting.join().unwrap();
        });
    }
}
