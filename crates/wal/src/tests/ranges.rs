//! Appending, truncating, purging, reading: the log's two ends and what lies between.

use super::{append, done, entries, entry, id, open, segment, small, try_open, vote};
use crate::testing::SimFs;
use crate::{Options, Refused, State, Violation, Wal, WriteError};

fn ten(fs: &SimFs) -> Wal {
    let wal = open(fs);
    append(&wal, (1..=10).map(|index| entry(1, index, vec![index as u8; 200])).collect());
    wal
}

fn held(wal: &Wal) -> Vec<u64> {
    entries(wal).iter().map(|entry| entry.id.index).collect()
}

fn refused(outcome: Result<(), WriteError>) -> Refused {
    match outcome {
        Err(WriteError::Refused(refused)) => refused,
        other => panic!("{other:?}"),
    }
}

fn order(outcome: Result<(), WriteError>) -> Violation {
    let refused = refused(outcome);
    let Refused::Order(violation) = refused else { panic!("{refused}") };
    violation
}

/// The same answers before and after a restart.
fn assert_kept(fs: &SimFs, wal: Wal) {
    let (state, before) = (wal.state(), entries(&wal));
    wal.close().unwrap();
    drop(wal);
    let wal = open(fs);
    assert_eq!((wal.state(), entries(&wal)), (state, before));
    assert_eq!(wal.durable_index(), state.last.map(|last| last.index));
}

#[test]
fn a_new_log_is_empty_and_may_start_at_any_index() {
    for index in [0, 1, 2, 77] {
        let fs = SimFs::new();
        let (wal, recovered) = try_open(&fs, small()).unwrap();
        assert!(recovered.created);
        assert_eq!(
            (recovered.state, entries(&wal), wal.durable_index()),
            (State::default(), Vec::new(), None)
        );
        append(&wal, vec![entry(1, index, "first"), entry(1, index + 1, "second")]);
        assert_eq!(held(&wal), [index, index + 1]);
        assert_kept(&fs, wal);
    }
}

#[test]
fn entries_that_do_not_follow_are_refused_and_none_of_the_batch_is_kept() {
    let fs = SimFs::new();
    let wal = ten(&fs);
    for (batch, violation) in [
        (vec![entry(1, 12, "gap")], Violation::Gap { index: 12, last: 10 }),
        (vec![entry(1, 10, "again")], Violation::Gap { index: 10, last: 10 }),
        (vec![entry(1, 11, "good"), entry(1, 13, "gap")], Violation::Gap { index: 13, last: 11 }),
        (vec![entry(0, 11, "old term")], Violation::TermReversal { index: 11, term: 0 }),
    ] {
        let (done, outcome) = done();
        assert_eq!(order(wal.append(batch, done)), violation);
        assert_eq!(order(outcome.recv().unwrap()), violation, "the callback hears the same");
        assert_eq!(held(&wal).len(), 10);
    }
    let limit = Options { payload_bytes_max: 4, ..small() };
    let (small, _) = try_open(&SimFs::new(), limit).unwrap();
    let (done, _outcome) = done();
    let error = refused(small.append(vec![entry(1, 1, "fives")], done));
    assert_eq!(error, Refused::TooLarge { index: 1, bytes: 5, max: 4 });
    assert_kept(&fs, wal);
}

#[test]
fn a_vote_never_falls() {
    let fs = SimFs::new();
    let wal = open(&fs);
    wal.save_vote(vote(5)).unwrap();
    assert_eq!(order(wal.save_vote(vote(4))), Violation::VoteReversal { term: 4, saved: 5 });
    wal.save_vote(vote(5)).unwrap();
    assert_eq!(wal.state().vote, Some(vote(5)));
    assert_kept(&fs, wal);
}

#[test]
fn truncation_keeps_what_it_names_and_new_entries_follow_it() {
    let fs = SimFs::new();
    let wal = ten(&fs);
    wal.truncate_after(Some(id(1, 11))).unwrap();
    wal.truncate_after(Some(id(1, 10))).unwrap();
    assert_eq!(held(&wal).len(), 10, "at or beyond the end nothing changes");
    assert_eq!(order(wal.truncate_after(Some(id(2, 5)))), Violation::OtherEntry { index: 5 });
    wal.truncate_after(Some(id(1, 5))).unwrap();
    assert_eq!((wal.state().last, wal.durable_index()), (Some(id(1, 5)), Some(5)));
    append(&wal, vec![entry(2, 6, "anew")]);
    assert_eq!(entries(&wal).last(), Some(&entry(2, 6, "anew")));
    wal.truncate_after(None).unwrap();
    assert_eq!((wal.state().last, wal.durable_index(), held(&wal)), (None, None, Vec::new()));
    append(&wal, vec![entry(3, 0, "from the start")]);
    assert_kept(&fs, wal);
}

#[test]
fn what_is_committed_or_purged_is_never_truncated() {
    let fs = SimFs::new();
    let wal = ten(&fs);
    wal.save_committed(id(1, 6)).unwrap();
    assert_eq!(order(wal.truncate_after(Some(id(1, 5)))), Violation::TruncateOutOfRange { kept: Some(5) });
    wal.purge(id(1, 6)).unwrap();
    assert_eq!(order(wal.truncate_after(Some(id(1, 3)))), Violation::TruncateOutOfRange { kept: Some(3) });
    assert_eq!(order(wal.truncate_after(None)), Violation::TruncateOutOfRange { kept: None });
    assert_eq!(order(wal.truncate_after(Some(id(9, 6)))), Violation::OtherEntry { index: 6 });
    wal.truncate_after(Some(id(1, 6))).unwrap();
    assert_eq!(
        (wal.state().last, held(&wal)),
        (Some(id(1, 6)), Vec::new()),
        "down to the purge itself it may go"
    );
    append(&wal, vec![entry(2, 7, "next")]);
    assert_kept(&fs, wal);
}

#[test]
fn purging_forgets_entries_and_removes_whole_segments() {
    let fs = SimFs::new();
    let wal = open(&fs);
    for index in 1..=10 {
        append(&wal, vec![entry(1, index, vec![index as u8; 900])]);
    }
    wal.purge(id(1, 4)).unwrap();
    assert_eq!((held(&wal), wal.log_id(4), wal.log_id(5)), ((5..=10).collect(), None, Some(id(1, 5))));
    wal.purge(id(1, 3)).unwrap();
    assert_eq!(wal.state().purged, Some(id(1, 4)), "it does not move back");
    assert_eq!(order(wal.purge(id(7, 6))), Violation::OtherEntry { index: 6 });
    wal.close().unwrap();
    let left: Vec<u64> = (1..=10).filter(|id| fs.content(&segment(*id)).is_ok()).collect();
    assert_eq!(left, (5..=10).collect::<Vec<u64>>());
    assert_kept(&fs, wal);
}

#[test]
fn a_purge_beyond_the_end_starts_the_log_after_it() {
    let fs = SimFs::new();
    let wal = ten(&fs);
    wal.purge(id(4, 50)).unwrap();
    assert_eq!((wal.state().purged, wal.state().last), (Some(id(4, 50)), Some(id(4, 50))));
    append(&wal, Vec::new());
    assert_eq!((held(&wal), wal.durable_index()), (Vec::new(), Some(50)));
    append(&wal, vec![entry(4, 51, "after the snapshot")]);
    assert_eq!(held(&wal), [51]);
    assert_kept(&fs, wal);
}

#[test]
fn a_purge_just_before_the_first_entry_keeps_all_and_one_further_down_is_refused() {
    let fs = SimFs::new();
    let wal = open(&fs);
    append(&wal, vec![entry(1, 5, "a"), entry(1, 6, "b")]);
    assert_eq!(order(wal.purge(id(1, 3))), Violation::PurgeOutOfRange { index: 3 });
    wal.purge(id(1, 4)).unwrap();
    assert_eq!(held(&wal), [5, 6]);
    assert_kept(&fs, wal);
}

#[test]
fn reads_are_bounded_by_bytes_and_give_at_least_one_entry() {
    let fs = SimFs::new();
    let wal = ten(&fs);
    let read = |range, bytes_max| wal.read(range, bytes_max).unwrap().len();
    assert_eq!((read(1..11, 0), read(3..5, usize::MAX), read(3..3, usize::MAX)), (1, 2, 0));
    assert_eq!((read(0..100, usize::MAX), read(11..20, usize::MAX)), (10, 0));
    assert!((2..5).contains(&read(1..11, 800)));
    wal.purge(id(1, 2)).unwrap();
    assert_eq!(wal.read(0..5, usize::MAX).unwrap().first().unwrap().id, id(1, 3));
}

#[test]
fn entries_beyond_the_cache_are_read_from_their_segments() {
    let fs = SimFs::new();
    let (wal, _) = try_open(&fs, Options { cache_bytes_max: 0, ..small() }).unwrap();
    let all: Vec<_> = (1..=30).map(|index| entry(1, index, vec![index as u8; 37 * index as usize])).collect();
    for chunk in all.chunks(3) {
        append(&wal, chunk.to_vec());
    }
    assert_eq!(entries(&wal), all);
    assert_eq!(wal.read(7..9, usize::MAX).unwrap(), all[6..8]);
    assert_kept(&fs, wal);
}

#[test]
fn a_commit_mark_rides_with_the_next_group_and_waits_for_the_log_to_reach_it() {
    let fs = SimFs::new();
    let wal = ten(&fs);
    let syncs = fs.syncs();
    wal.save_committed(id(1, 4)).unwrap();
    wal.save_committed(id(1, 3)).unwrap();
    wal.save_committed(id(1, 12)).unwrap();
    assert_eq!((fs.syncs(), wal.state().committed), (syncs, Some(id(1, 12))));
    append(&wal, vec![entry(1, 11, "x")]);
    let image = fs.crashed(crate::testing::Tear::Sector, |_| false);
    assert_eq!(open(&image).state().committed, Some(id(1, 4)));
    append(&wal, vec![entry(1, 12, "y")]);
    let image = fs.crashed(crate::testing::Tear::Sector, |_| false);
    assert_eq!(open(&image).state().committed, Some(id(1, 12)));
    assert_kept(&fs, wal);
}

#[test]
fn entries_not_yet_written_are_readable_whatever_the_size_of_the_cache() {
    let fs = SimFs::new();
    let (wal, _) = try_open(&fs, Options { cache_bytes_max: 0, ..small() }).unwrap();
    let held = fs.hold_syncs();
    let (done, outcome) = done();
    let two = vec![entry(1, 1, "in memory"), entry(1, 2, "in memory too")];
    wal.append(two.clone(), done).unwrap();
    held.wait();
    assert_eq!((entries(&wal), wal.durable_index()), (two.clone(), None));
    held.release();
    outcome.recv().unwrap().unwrap();
    assert_eq!(entries(&wal), two);
}
