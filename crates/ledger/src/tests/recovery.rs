//! What comes back after a stop.

use std::sync::Arc;

use leasehold_domain::{
    actor::Principal,
    machine::Reply,
    state::{BlobKey, recent::HORIZON},
};

use crate::{
    Fault, Options, Payload, Topic,
    open::STORE_ID_LEN,
    postings::RUN_LEN,
    store::RealDisk,
    testing::{
        Author, Bench, answers, copy_dir, epoch_dir, grant_id, holder, lease_id, open, request, sealed,
        subject_id,
    },
};

#[test]
fn a_ledger_dropped_without_a_close_answers_the_same_when_it_opens_again() {
    let (bench, mut author) = (Bench::new(), Author::new());
    bench.feed(author.story(4));
    let before = answers(&bench.ledger).unwrap();
    assert!(before.digest.tree.size > 40, "the story is long enough to mean something");
    let bench = bench.reopened();
    assert_eq!(answers(&bench.ledger).unwrap(), before);
}

#[test]
fn a_ledger_that_was_closed_answers_the_same_when_it_opens_again() {
    let (bench, mut author) = (Bench::new(), Author::new());
    bench.feed(author.story(3));
    let before = answers(&bench.ledger).unwrap();
    bench.ledger.close().unwrap();
    assert!(bench.dir.path().join("closed").exists());
    assert_eq!(bench.ledger.read(|_| ()), Err(Fault::Closed));
    assert_eq!(bench.fault(), None, "a close is no fault");
    let bench = bench.reopened();
    assert!(!bench.dir.path().join("closed").exists(), "from here on a crash counts");
    assert_eq!(answers(&bench.ledger).unwrap(), before);
}

#[test]
fn request_outcomes_and_leases_survive_without_a_row() {
    let (bench, mut author) = (Bench::new(), Author::new());
    bench.feed(author.story(1));
    bench.feed([author.leases(100, 3, 0, 2)]);
    let outcome = |bench: &Bench| {
        let ask = |name: &str| {
            bench
                .ledger
                .read(|state| state.recent.outcome(holder().principal, &request(name).id, state.clock.time))
        };
        (ask("lease-100").unwrap(), ask("lease-102").unwrap(), ask("never").unwrap())
    };
    let before = outcome(&bench);
    assert!(before.0.is_some() && before.1.is_some() && before.2.is_none());
    bench.ledger.checkpoint().unwrap();
    let bench = bench.reopened();
    assert_eq!(outcome(&bench), before);
    let again = author.lease(100, 0, 2);
    let replies = bench.ledger.apply(author.payload(Payload::Proposals(vec![again]))).unwrap();
    assert!(matches!(replies.as_slice(), [Reply::Repeated { outcome }] if Some(*outcome) == before.0));
    assert_eq!(bench.ledger.read(|state| state.recent.lease(&lease_id(101)).is_some()), Ok(true));
}

#[test]
fn an_outcome_of_several_events_comes_back_as_one() {
    let (bench, mut author) = (Bench::new(), Author::new());
    bench.feed(author.founding());
    let mut entries = author.consent(0);
    for entry in &mut entries {
        if let Payload::Proposals(proposals) = &mut entry.payload {
            for (n, proposal) in proposals.iter_mut().enumerate() {
                proposal.request = Some(request(&format!("step-{}-{n}", entry.position.index)));
            }
        }
    }
    let last = entries.last().unwrap().position.index;
    bench.feed(entries);
    let outcome = |bench: &Bench| {
        let id = request(&format!("step-{last}-0")).id;
        bench
            .ledger
            .read(|state| state.recent.outcome(Principal::Person(subject_id(0)), &id, state.clock.time))
            .unwrap()
    };
    let before = outcome(&bench).unwrap();
    assert_eq!(before.events, 2, "the account is confirmed and the grant active");
    bench.ledger.checkpoint().unwrap();
    assert_eq!(outcome(&bench.reopened()), Some(before));
}

#[test]
fn leases_older_than_the_horizon_are_not_read_again() {
    let (bench, mut author) = (Bench::new(), Author::new());
    bench.feed(author.story(1));
    author.now = author.now + HORIZON + HORIZON;
    bench.feed([author.leases(500, 1, 0, 2)]);
    bench.ledger.checkpoint().unwrap();
    let bench = bench.reopened();
    assert_eq!(bench.ledger.read(|state| state.recent.lease(&lease_id(500)).is_some()), Ok(true));
    assert_eq!(bench.ledger.read(|state| state.recent.lease(&lease_id(0)).is_some()), Ok(false));
}

#[test]
fn blobs_come_from_the_overlay_and_then_from_the_store_and_removed_ones_from_neither() {
    let (bench, mut author) = (Bench::new(), Author::new());
    let entries = author.story(1);
    let last = entries.last().unwrap().position.index;
    for entry in entries {
        bench.ledger.apply(entry).unwrap();
    }
    let check = |bench: &Bench| {
        let blob = |key| bench.ledger.blob(&key).unwrap();
        assert_eq!(blob(BlobKey::Tokens(grant_id(0), 1)), Some(sealed(6, 900)));
        assert_eq!(blob(BlobKey::Tokens(grant_id(0), 2)), Some(sealed(1, 900)));
        assert_eq!(blob(BlobKey::Tokens(grant_id(0), 3)), None);
        assert_eq!(blob(BlobKey::RootCheck), Some(sealed(1, 40)));
        let authorization = leasehold_domain::id::AuthorizationId::from_bytes(grant_id(0).to_bytes());
        assert_eq!(blob(BlobKey::Verifier(authorization)), None, "it was written and removed again");
    };
    check(&bench);
    bench.ledger.wal_durable(last);
    bench.ledger.checkpoint().unwrap();
    check(&bench);
    check(&bench.reopened());
}

#[test]
fn two_ledgers_fed_the_same_entries_agree_byte_for_byte() {
    // One writes entry by entry, the other everything at once.
    let (one, other) = (Bench::new(), Bench::new());
    let (mut author, mut same) = (Author::new(), Author::new());
    for entry in author.story(3) {
        one.feed([entry]);
        one.ledger.checkpoint().unwrap();
    }
    let entries = same.story(3);
    let last = entries.last().unwrap().position.index;
    for entry in entries {
        other.ledger.apply(entry).unwrap();
    }
    other.ledger.wal_durable(last);
    assert_eq!(answers(&one.ledger).unwrap(), answers(&other.ledger).unwrap());
    for index in 0..=last {
        let digest = one.ledger.state_digest_at(index).unwrap();
        assert!(digest.is_some());
        assert_eq!(digest, other.ledger.state_digest_at(index).unwrap(), "at entry {index}");
    }
}

#[test]
fn a_copy_taken_after_a_checkpoint_opens_and_is_what_was_flushed() {
    let (bench, mut author) = (Bench::new(), Author::new());
    bench.feed(author.story(3));
    let before = answers(&bench.ledger).unwrap();
    let copy = tempfile::tempdir().unwrap();
    copy_dir(bench.dir.path(), copy.path());
    bench.feed([author.leases(900, 4, 0, 2)]);
    let copied = open(copy.path()).unwrap();
    assert_eq!(answers(&copied).unwrap(), before);
    assert_eq!(copied.flushed(), before.digest.position);
    assert_eq!(copied.store_id(), bench.ledger.store_id());
    assert_ne!(copied.store_id(), [0; STORE_ID_LEN]);
}

#[test]
fn the_topics_of_lines_are_found_before_and_after_a_restart() {
    let (bench, mut author) = (Bench::new(), Author::new());
    bench.feed(author.story(3));
    let ask = |bench: &Bench| {
        let all = bench.ledger.postings(Topic::Grant(grant_id(1)), None, 100).unwrap();
        let some = bench.ledger.postings(Topic::Grant(grant_id(1)), all.get(2).copied(), 3).unwrap();
        (all, some)
    };
    let (all, some) = ask(&bench);
    assert_eq!(all.len(), 8, "activated, refresh intended and committed, five leases");
    assert!(all.iter().rev().is_sorted());
    assert_eq!(some, all[3..6]);
    for seq in &all {
        let line = bench.ledger.line(*seq).unwrap().unwrap();
        assert!(String::from_utf8_lossy(&line.bytes).contains(&grant_id(1).to_string()));
    }
    bench.ledger.checkpoint().unwrap();
    assert_eq!(ask(&bench.reopened()), (all, some));
}

#[test]
fn lines_are_read_across_the_store_and_memory_within_the_bounds_of_a_page() {
    let options = Options { tail_bytes: 1000, ..Options::default() };
    let (bench, mut author) = (Bench::with(options, Arc::new(RealDisk)), Author::new());
    bench.feed(author.story(6));
    bench.ledger.checkpoint().unwrap();
    let size = bench.ledger.tree().unwrap().size;
    for from in 0..size {
        let lines = bench.ledger.lines(from, 7, usize::MAX).unwrap();
        assert!(!lines.is_empty() && lines.len() <= 7);
        assert!((from..).zip(&lines).all(|(seq, line)| line.seq == seq));
    }
    assert_eq!(bench.ledger.lines(0, 100, 1).unwrap().len(), 1, "at least one, if there is one");
    assert!(bench.ledger.lines(size, 10, 1000).unwrap().is_empty());
    assert_eq!(bench.ledger.line(size).unwrap(), None);
    assert!(!epoch_dir(bench.dir.path(), 2).exists());
}

#[test]
fn postings_are_found_across_written_runs_a_restart_and_a_snapshot() {
    let (bench, mut author) = (Bench::new(), Author::new());
    bench.feed(author.story(2));
    for first in 0..u64::div_ceil(RUN_LEN * 2, 200) {
        bench.feed([author.leases(10_000 + first * 200, 200, first % 2, 2)]);
    }
    bench.ledger.checkpoint().unwrap();
    let ask = |bench: &Bench| bench.ledger.postings(Topic::Grant(grant_id(1)), None, usize::MAX).unwrap();
    let all = ask(&bench);
    assert!(all.len() as u64 > RUN_LEN - 200);
    assert_eq!(bench.ledger.written_meta().runs, 2, "two runs are written");
    let bench = bench.reopened();
    assert_eq!(ask(&bench), all);
    let snapshots = tempfile::tempdir().unwrap();
    let meta = bench.ledger.build_snapshot(snapshots.path(), 0).unwrap();
    let other = Bench::new();
    other.ledger.install_snapshot(&meta.path).unwrap();
    assert_eq!(ask(&other), all);
}

#[test]
fn a_snapshot_of_sleds_own_that_a_crash_cut_short_is_no_part_of_the_store() {
    let (bench, mut author) = (Bench::new(), Author::new());
    bench.feed(author.story(1));
    let before = answers(&bench.ledger).unwrap();
    for content in [&b""[..], b"half of a page table"] {
        let unfinished = epoch_dir(bench.dir.path(), 1).join("snap.7FFFFFFFFFFFFFFF.generating");
        std::fs::write(&unfinished, content).unwrap();
        let copy = tempfile::tempdir().unwrap();
        copy_dir(bench.dir.path(), copy.path());
        assert_eq!(answers(&open(copy.path()).unwrap()).unwrap(), before);
    }
}
