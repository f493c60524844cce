//! When what is written, and when it is durable.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    Options, Payload,
    store::RealDisk,
    testing::{Author, Bench, TestDisk, answers, copy_dir, epoch_dir, open},
};

#[test]
fn nothing_is_written_beyond_what_the_log_has_made_durable() {
    let (bench, mut author) = (Bench::new(), Author::new());
    let entries = author.story(2);
    let last = entries.last().unwrap().position.index;
    for entry in entries {
        bench.ledger.apply(entry).unwrap();
    }
    assert_eq!(bench.ledger.checkpoint().unwrap(), None);
    assert_eq!(bench.ledger.state_digest().unwrap().position, None);
    for durable in [0, 1, 4, last - 2] {
        bench.ledger.wal_durable(durable);
        assert_eq!(bench.ledger.checkpoint().unwrap(), Some(author.position(durable)));
        assert_eq!(bench.ledger.state_digest().unwrap().position, Some(author.position(durable)));
        let copy = tempfile::tempdir().unwrap();
        copy_dir(bench.dir.path(), copy.path());
        assert_eq!(open(copy.path()).unwrap().applied().unwrap().position, Some(author.position(durable)));
    }
    assert_eq!(
        bench.ledger.applied().unwrap().position,
        Some(author.position(last)),
        "and all of it can be read"
    );
}

#[test]
fn a_checkpoint_is_a_flush_and_an_fdatasync() {
    let disk = Arc::new(TestDisk::default());
    let options = Options { flush_interval: Duration::from_secs(3600), ..Options::default() };
    let (bench, mut author) = (Bench::with(options, disk.clone()), Author::new());
    let calls = || (disk.flushes.load(Ordering::SeqCst), disk.syncs.load(Ordering::SeqCst));
    let before = calls();
    bench.feed(author.story(1));
    bench.ledger.checkpoint().unwrap();
    assert_eq!(calls(), (before.0 + 1, before.1 + 1));
}

#[test]
fn the_store_is_flushed_by_bytes_without_being_asked() {
    let disk = Arc::new(TestDisk::default());
    let options =
        Options { flush_interval: Duration::from_secs(3600), flush_bytes: 1000, ..Options::default() };
    let (bench, mut author) = (Bench::with(options, disk), Author::new());
    let mut flushed = bench.ledger.subscribe_flushed();
    bench.feed(author.story(1));
    let last = author.position(author.index - 1);
    wait(&mut flushed, |flushed| *flushed == Some(last));
}

#[test]
fn the_store_is_flushed_by_time_without_being_asked() {
    let options = Options { flush_interval: Duration::from_millis(1), ..Options::default() };
    let (bench, mut author) = (Bench::with(options, Arc::new(RealDisk)), Author::new());
    let mut flushed = bench.ledger.subscribe_flushed();
    bench.feed(author.story(1));
    let last = author.position(author.index - 1);
    wait(&mut flushed, |flushed| *flushed == Some(last));
}

fn wait<T>(watched: &mut tokio::sync::watch::Receiver<T>, until: impl FnMut(&T) -> bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(watched.wait_for(until)).unwrap();
}

#[test]
fn those_who_follow_learn_of_each_new_line() {
    let (bench, mut author) = (Bench::new(), Author::new());
    let mut next_seq = bench.ledger.subscribe();
    bench.feed(author.founding());
    let size = bench.ledger.tree().unwrap().size;
    wait(&mut next_seq, |next| *next == size);
    next_seq.mark_unchanged();
    bench.feed([author.payload(Payload::Blank)]);
    assert!(!next_seq.has_changed().unwrap(), "an entry without events is no news");
}

#[test]
fn the_queue_holds_no_more_than_its_bound() {
    let options = Options { queue_entries_max: 3, ..Options::default() };
    let (bench, mut author) = (Bench::with(options, Arc::new(RealDisk)), Author::new());
    let entries = author.story(2);
    let last = entries.last().unwrap().position.index;
    let most = std::thread::scope(|scope| {
        let applying = scope.spawn(|| {
            entries
                .into_iter()
                .map(|entry| {
                    bench.ledger.apply(entry).unwrap();
                    bench.ledger.backlog().entries
                })
                .max()
        });
        // Apply waits for the writer, and the writer for the log: each step lets a few more through.
        for durable in 0..=last {
            bench.ledger.wal_durable(durable);
        }
        applying.join().unwrap()
    });
    assert!(most.unwrap() <= 3);
    assert_eq!(bench.ledger.checkpoint().unwrap(), Some(author.position(last)));
}

#[test]
fn no_value_goes_to_a_file_that_sled_never_syncs() {
    let (bench, mut author) = (Bench::new(), Author::new());
    bench.feed(author.founding());
    for n in 100..160 {
        bench.feed(author.heavy_connector(n));
    }
    bench.feed(author.consent(0));
    for first in 0..40 {
        bench.feed([author.leases(1000 + first * 200, 200, 0, 1)]);
    }
    let before = answers(&bench.ledger).unwrap();
    let blobs = |bench: &Bench| fs::read_dir(epoch_dir(bench.dir.path(), 1).join("blobs")).unwrap().count();
    assert_eq!(blobs(&bench), 0);
    let bench = bench.reopened();
    assert_eq!(blobs(&bench), 0);
    assert_eq!(answers(&bench.ledger).unwrap(), before);
}

#[test]
fn a_copy_taken_in_the_middle_of_writing_is_refused_or_is_a_moment_that_was() {
    let options = Options { group_bytes: 1, ..Options::default() };
    let (bench, mut author) = (Bench::with(options, Arc::new(RealDisk)), Author::new());
    bench.feed(author.founding());
    bench.ledger.checkpoint().unwrap();
    let done = AtomicBool::new(false);
    let copies = std::thread::scope(|scope| {
        let copying = scope.spawn(|| {
            let mut copies = Vec::new();
            while !done.load(Ordering::SeqCst) && copies.len() < 25 {
                let copy = tempfile::tempdir().unwrap();
                copy_dir(bench.dir.path(), copy.path());
                copies.push(copy);
            }
            copies
        });
        for n in 0..150 {
            bench.feed(author.consent(n));
            if n % 20 == 0 {
                bench.ledger.checkpoint().unwrap();
            }
        }
        done.store(true, Ordering::SeqCst);
        copying.join().unwrap()
    });
    bench.ledger.checkpoint().unwrap();
    let last = tempfile::tempdir().unwrap();
    copy_dir(bench.dir.path(), last.path());
    let mut opened = 0;
    for copy in copies.iter().chain([&last]) {
        let Ok(ledger) = open(copy.path()) else { continue };
        let digest = ledger.state_digest().unwrap();
        let index = digest.position.unwrap().index;
        assert_eq!(Some(digest), bench.ledger.state_digest_at(index).unwrap());
        assert_eq!(bench.ledger.tree_at(digest.tree.size), Ok(digest.tree));
        opened += 1;
    }
    assert!(opened > 0, "the last one was taken at rest");
}
