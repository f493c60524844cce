//! Snapshots, from one ledger to another.

use std::{
    fs,
    sync::{Arc, Barrier},
};

use leasehold_domain::state::BlobKey;

use crate::{
    Options, SnapshotError, SnapshotMeta, Topic,
    store::RealDisk,
    testing::{Author, Bench, answers, epoch_dir, grant_id, open, sealed},
};

#[test]
fn a_ledger_that_takes_over_a_snapshot_answers_as_the_one_it_came_from() {
    let (one, mut author) = (Bench::new(), Author::new());
    one.feed(author.story(4));
    let before = answers(&one.ledger).unwrap();
    let snapshots = tempfile::tempdir().unwrap();
    let meta = one.ledger.build_snapshot(snapshots.path(), 0).unwrap();
    assert_eq!((meta.position, meta.tree), (before.digest.position, before.digest.tree));
    assert_eq!(SnapshotMeta::list(snapshots.path()).unwrap(), vec![meta.clone()]);

    let other = Bench::new();
    let applied = other.ledger.install_snapshot(&meta.path).unwrap();
    assert_eq!(applied.position, meta.position);
    assert_eq!(other.ledger.flushed(), meta.position, "it is durable");
    assert_eq!(answers(&other.ledger).unwrap(), before);
    assert_eq!(other.ledger.blob(&BlobKey::Tokens(grant_id(0), 2)).unwrap(), Some(sealed(1, 900)));
    let topic = Topic::Grant(grant_id(2));
    assert_eq!(other.ledger.postings(topic, None, 50), one.ledger.postings(topic, None, 50));

    // And both go on alike.
    let mut same = author.clone();
    one.feed([author.leases(800, 3, 1, 2)]);
    other.feed([same.leases(800, 3, 1, 2)]);
    let after = answers(&one.ledger).unwrap();
    assert_eq!(answers(&other.ledger).unwrap(), after);
    let other = other.reopened();
    assert_eq!(answers(&other.ledger).unwrap(), after);
    assert!(!epoch_dir(other.dir.path(), 1).exists() && epoch_dir(other.dir.path(), 2).exists());
}

#[test]
fn a_snapshot_without_the_lines_that_the_receiver_has_is_completed_from_them() {
    let (one, other) =
        (Bench::new(), Bench::with(Options { tail_bytes: 500, ..Options::default() }, Arc::new(RealDisk)));
    let (mut author, mut same) = (Author::new(), Author::new());
    one.feed(author.story(2));
    other.feed(same.story(2));
    other.ledger.checkpoint().unwrap();
    let from = other.ledger.tree().unwrap().size;
    one.feed((0..20).map(|n| author.leases(3000 + n * 50, 50, 1, 2)).collect::<Vec<_>>());
    let before = answers(&one.ledger).unwrap();
    let snapshots = tempfile::tempdir().unwrap();
    let meta = one.ledger.build_snapshot(snapshots.path(), from).unwrap();
    assert_eq!(meta.lines_from, from);

    let stranger = Bench::new();
    let refused = stranger.ledger.install_snapshot(&meta.path);
    assert!(matches!(refused, Err(SnapshotError::Gap { have: 0, .. })));
    other.ledger.install_snapshot(&meta.path).unwrap();
    assert_eq!(answers(&other.ledger).unwrap(), before);
}

#[test]
fn a_snapshot_is_of_one_moment_though_the_ledger_goes_on() {
    let (bench, mut author) = (Bench::new(), Author::new());
    bench.feed(author.founding());
    for n in 0..60 {
        bench.feed(author.consent(n));
    }
    bench.ledger.checkpoint().unwrap();
    let snapshots = tempfile::tempdir().unwrap();
    let start = Barrier::new(2);
    let meta = std::thread::scope(|scope| {
        let building = scope.spawn(|| {
            start.wait();
            bench.ledger.build_snapshot(snapshots.path(), 0).unwrap()
        });
        start.wait();
        for n in 0..60 {
            bench.feed(author.refresh(n, 1));
            bench.feed(author.consent(100 + n));
        }
        building.join().unwrap()
    });
    bench.ledger.checkpoint().unwrap();
    let other = Bench::new();
    other.ledger.install_snapshot(&meta.path).unwrap();
    let digest = other.ledger.state_digest().unwrap();
    let index = meta.position.unwrap().index;
    assert_eq!(Some(digest), bench.ledger.state_digest_at(index).unwrap());
}

#[test]
fn a_directory_keeps_two_snapshots() {
    let (bench, mut author) = (Bench::new(), Author::new());
    let snapshots = tempfile::tempdir().unwrap();
    bench.feed(author.founding());
    fs::write(snapshots.path().join("snapshot-00000000000000000001.new"), b"cut short by a crash").unwrap();
    for n in 0..4 {
        bench.feed(author.consent(n));
        bench.ledger.checkpoint().unwrap();
        bench.ledger.build_snapshot(snapshots.path(), 0).unwrap();
    }
    let kept = SnapshotMeta::list(snapshots.path()).unwrap();
    assert_eq!(kept.len(), 2);
    assert_eq!(kept[0].position, Some(author.position(author.index - 1)), "the newest first");
    assert_eq!(fs::read_dir(snapshots.path()).unwrap().count(), 2);
}

#[test]
fn an_older_snapshot_is_refused_and_changes_nothing() {
    let (bench, mut author) = (Bench::new(), Author::new());
    bench.feed(author.story(1));
    bench.ledger.checkpoint().unwrap();
    let snapshots = tempfile::tempdir().unwrap();
    let old = bench.ledger.build_snapshot(snapshots.path(), 0).unwrap();
    bench.feed(author.consent(7));
    let before = answers(&bench.ledger).unwrap();
    let refused = bench.ledger.install_snapshot(&old.path);
    assert!(matches!(refused, Err(SnapshotError::Outdated { .. })));
    assert_eq!(answers(&bench.ledger).unwrap(), before);
}

#[test]
fn a_snapshot_with_a_flipped_bit_or_a_missing_end_is_refused_and_changes_nothing() {
    let (one, mut author) = (Bench::new(), Author::new());
    one.feed(author.story(1));
    one.ledger.checkpoint().unwrap();
    let snapshots = tempfile::tempdir().unwrap();
    let meta = one.ledger.build_snapshot(snapshots.path(), 0).unwrap();
    let good = fs::read(&meta.path).unwrap();
    let (other, mut same) = (Bench::new(), Author::new());
    other.feed(same.founding());
    let before = answers(&other.ledger).unwrap();
    let refused = |bytes: &[u8]| {
        let path = snapshots.path().join("bad");
        fs::write(&path, bytes).unwrap();
        let outcome = other.ledger.install_snapshot(&path);
        assert!(
            matches!(outcome, Err(SnapshotError::Damaged { .. } | SnapshotError::UnknownFormat { .. })),
            "it is refused for what it is: {outcome:?}"
        );
    };
    for at in (0..good.len()).step_by(good.len() / 60) {
        let mut flipped = good.clone();
        flipped[at] ^= 1 << (at % 8);
        refused(&flipped);
    }
    for len in [0, 10, good.len() / 2, good.len() - 1] {
        refused(&good[..len]);
    }
    refused(&[&good[..], b"x"].concat());
    assert_eq!(answers(&other.ledger).unwrap(), before);
    assert!(!epoch_dir(other.dir.path(), 2).exists());
    assert_eq!(other.fault(), None);
}

#[test]
fn a_crash_before_the_pointer_moves_leaves_the_old_ledger_and_after_it_the_new() {
    let (one, mut author) = (Bench::new(), Author::new());
    one.feed(author.story(2));
    let new = answers(&one.ledger).unwrap();
    let snapshots = tempfile::tempdir().unwrap();
    let meta = one.ledger.build_snapshot(snapshots.path(), 0).unwrap();
    let (other, mut same) = (Bench::new(), Author::new());
    other.feed(same.founding());
    let old = answers(&other.ledger).unwrap();
    let before = tempfile::tempdir().unwrap();
    crate::testing::copy_dir(other.dir.path(), before.path());
    other.ledger.install_snapshot(&meta.path).unwrap();

    // The new epoch stands beside the old one, and the pointer names the one or the other.
    let crashed = |current: &str| {
        let dir = tempfile::tempdir().unwrap();
        crate::testing::copy_dir(before.path(), dir.path());
        crate::testing::copy_dir(&epoch_dir(other.dir.path(), 2), &epoch_dir(dir.path(), 2));
        fs::write(dir.path().join("current"), current).unwrap();
        let ledger = open(dir.path()).unwrap();
        let answers = answers(&ledger).unwrap();
        assert_eq!(epoch_dir(dir.path(), 1).exists(), current == "1\n");
        assert_eq!(epoch_dir(dir.path(), 2).exists(), current == "2\n");
        answers
    };
    assert_eq!(crashed("1\n"), old);
    assert_eq!(crashed("2\n"), new);
}
