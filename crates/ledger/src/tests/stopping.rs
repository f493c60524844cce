//! What stops a ledger, and that it stays stopped.

use std::sync::{Arc, atomic::Ordering};

use leasehold_domain::state::BlobKey;

use crate::{
    Fault, Options, Payload, ProofError, SnapshotError,
    testing::{Author, Bench, TestDisk},
};

fn is_stopped(bench: &Bench, author: &mut Author) {
    let fault = bench.fault().expect("the fault is reported");
    assert_eq!(bench.faults.lock().unwrap().len(), 1, "once");
    let ledger = &bench.ledger;
    assert_eq!(ledger.apply(author.payload(Payload::Blank)).map(drop), Err(fault.clone()));
    assert_eq!(ledger.read(|_| ()), Err(fault.clone()));
    assert_eq!(ledger.blob(&BlobKey::RootCheck), Err(fault.clone()));
    assert_eq!(ledger.lines(0, 1, 1), Err(fault.clone()));
    assert_eq!(ledger.tree(), Err(fault.clone()));
    assert_eq!(ledger.tree_at(1), Err(ProofError::Fault(fault.clone())));
    assert_eq!(ledger.checkpoint(), Err(fault.clone()));
    assert_eq!(ledger.applied(), Err(fault.clone()));
    assert_eq!(ledger.close(), Err(fault.clone()));
    let built = ledger.build_snapshot(&bench.dir.path().join("snapshots"), 0);
    assert!(matches!(built, Err(SnapshotError::Fault(found)) if found == fault));
}

fn a_disk_that_fails(fail: impl FnOnce(&TestDisk)) {
    let disk = Arc::new(TestDisk::default());
    let (bench, mut author) = (Bench::with(Options::default(), disk.clone()), Author::new());
    bench.feed(author.story(1));
    let flushed = bench.ledger.checkpoint().unwrap();
    fail(&disk);
    let entry = author.leases(700, 2, 0, 2);
    let index = entry.position.index;
    bench.ledger.apply(entry).unwrap();
    bench.ledger.wal_durable(index);
    let Err(Fault::Disk { file, .. }) = bench.ledger.checkpoint() else { panic!("the disk is named") };
    assert_eq!(file, bench.dir.path().join("epoch-1/db"));
    assert_eq!(bench.ledger.flushed(), flushed, "what failed is not called durable");
    is_stopped(&bench, &mut author);
}

#[test]
fn a_failed_write_stops_the_ledger() {
    a_disk_that_fails(|disk| disk.fail_write.store(disk.writes.load(Ordering::SeqCst) + 1, Ordering::SeqCst));
}

#[test]
fn a_failed_flush_stops_the_ledger() {
    a_disk_that_fails(|disk| {
        disk.fail_flush.store(disk.flushes.load(Ordering::SeqCst) + 1, Ordering::SeqCst)
    });
}

#[test]
fn a_failed_fdatasync_stops_the_ledger_and_is_not_tried_again() {
    let disk = Arc::new(TestDisk::default());
    let (bench, mut author) = (Bench::with(Options::default(), disk.clone()), Author::new());
    bench.feed(author.founding());
    disk.fail_sync.store(disk.syncs.load(Ordering::SeqCst) + 1, Ordering::SeqCst);
    assert!(matches!(bench.ledger.checkpoint(), Err(Fault::Disk { what: "sync", .. })));
    let tried = disk.syncs.load(Ordering::SeqCst);
    is_stopped(&bench, &mut author);
    assert_eq!(disk.syncs.load(Ordering::SeqCst), tried);
}

#[test]
fn an_entry_that_does_not_follow_stops_the_ledger() {
    let (bench, mut author) = (Bench::new(), Author::new());
    bench.feed(author.founding());
    author.index += 1;
    let last = author.index - 2;
    let entry = author.payload(Payload::Blank);
    let gap = Fault::OutOfOrder { last, found: last + 2 };
    assert_eq!(bench.ledger.apply(entry).map(drop), Err(gap.clone()));
    assert_eq!(bench.fault(), Some(gap));
    is_stopped(&bench, &mut author);
}

#[test]
fn apply_that_waits_for_the_writer_ends_when_the_ledger_stops() {
    let disk = Arc::new(TestDisk::default());
    let options = Options { queue_entries_max: 1, ..Options::default() };
    let (bench, mut author) = (Bench::with(options, disk.clone()), Author::new());
    let mut entries = author.founding().into_iter();
    bench.ledger.apply(entries.next().unwrap()).unwrap();
    disk.fail_write.store(disk.writes.load(Ordering::SeqCst) + 1, Ordering::SeqCst);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| bench.ledger.apply(entries.next().unwrap()).map(drop));
        bench.ledger.wal_durable(0);
        // The writer takes the first entry, which makes room for the second or stops it.
        drop(waiting.join().unwrap());
    });
    assert!(bench.ledger.checkpoint().is_err());
    is_stopped(&bench, &mut author);
}
