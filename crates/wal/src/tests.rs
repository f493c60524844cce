//! Tests of the whole log over the simulated disk, and once over the real one.

mod crash;
mod damage;
mod disk;
mod faults;
mod flips;
mod order;
mod ranges;
mod script;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::testing::SimFs;
use crate::{
    Done, Entry, Expectation, Failure, Fs, Identity, LogId, OnFatal, OpenError, Options, Recovered, Vote,
    Wal, WriteError,
};

const IDENTITY: Identity = Identity { cluster: [7; 16], node: 3 };

fn dir() -> PathBuf {
    PathBuf::from("/wal")
}

fn segment(id: u64) -> PathBuf {
    dir().join(format!("{id:020}.seg"))
}

fn small() -> Options {
    Options { segment_bytes: 1024, cache_bytes_max: 512, ..Options::default() }
}

fn id(term: u64, index: u64) -> LogId {
    LogId { term, node: 1, index }
}

fn entry(term: u64, index: u64, payload: impl Into<Vec<u8>>) -> Entry {
    Entry { id: id(term, index), payload: Bytes::from(payload.into()) }
}

fn vote(term: u64) -> Vote {
    Vote { term, node: 2, committed: false }
}

/// Failures that the hook was told.
#[derive(Clone, Default)]
struct Fatal(Arc<Mutex<Vec<Failure>>>);

impl Fatal {
    fn hook(&self) -> OnFatal {
        let told = Arc::clone(&self.0);
        Box::new(move |failure| told.lock().unwrap().push(failure.clone()))
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

fn try_open(fs: &SimFs, options: Options) -> Result<(Wal, Recovered), OpenError> {
    open_with(fs, options, Expectation::default(), &Fatal::default())
}

fn open_with(
    fs: &SimFs,
    options: Options,
    expected: Expectation,
    fatal: &Fatal,
) -> Result<(Wal, Recovered), OpenError> {
    let fs: Arc<dyn Fs> = Arc::new(fs.clone());
    Wal::open(fs, &dir(), IDENTITY, options, expected, fatal.hook())
}

fn open(fs: &SimFs) -> Wal {
    try_open(fs, small()).unwrap().0
}

fn refusal(fs: &SimFs) -> OpenError {
    refusal_expecting(fs, Expectation::default())
}

/// The error of an open that must fail, having changed nothing.
fn refusal_expecting(fs: &SimFs, expected: Expectation) -> OpenError {
    let (before, calls) = (fs.files(), fs.calls());
    let error = open_with(fs, small(), expected, &Fatal::default()).map(|_| ()).unwrap_err();
    assert_eq!(fs.calls(), calls, "a refusal changes nothing: {error}");
    assert!(fs.files() == before, "a refusal changes nothing: {error}");
    error
}

fn done() -> (Done, Receiver<Result<(), WriteError>>) {
    let (sender, receiver) = channel();
    (Box::new(move |outcome| sender.send(outcome).unwrap_or(())), receiver)
}

fn append(wal: &Wal, entries: Vec<Entry>) {
    let (done, outcome) = done();
    wal.append(entries, done).unwrap();
    outcome.recv().unwrap().unwrap();
}

fn entries(wal: &Wal) -> Vec<Entry> {
    wal.read(0..u64::MAX, usize::MAX).unwrap()
}

fn flip(fs: &SimFs, path: &Path, bit: usize) {
    let mut content = fs.content(path).unwrap();
    content[bit / 8] ^= 1 << (bit % 8);
    fs.plant(path, content);
}

/// Numbers that look random and are the same on every run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}
