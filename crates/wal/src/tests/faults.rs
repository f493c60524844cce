//! Errors from the disk: the log ends, everyone is told, nothing is retried, and a restart finds what was promised.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};

use super::script::{Content, Script};
use super::{Fatal, append, done, entry, open, open_with, segment, small, try_open, vote};
use crate::testing::{Call, SimFs, Tear};
use crate::{Expectation, Failure, Options, ReadError, Wal, WriteError};

/// Every record is a group of its own.
fn open_fatal(fs: &SimFs, fatal: &Fatal) -> Wal {
    let options = Options { group_bytes_max: 1, ..small() };
    open_with(fs, options, Expectation::default(), fatal).unwrap().0
}

fn assert_ended(wal: &Wal, fatal: &Fatal) {
    assert!(matches!(wal.close(), Err(WriteError::Failed(_))));
    assert_eq!(fatal.count(), 1, "the hook is called once");
    let (done, outcome) = done();
    assert!(matches!(wal.append(vec![entry(9, 99, "late")], done), Err(WriteError::Failed(_))));
    assert!(matches!(outcome.recv().unwrap(), Err(WriteError::Failed(_))), "late callers are told too");
    assert!(matches!(wal.save_vote(vote(99)), Err(WriteError::Failed(_))));
    assert!(matches!(wal.wait_durable(u64::MAX), Err(WriteError::Failed(_))));
}

#[test]
fn a_failed_sync_of_the_nth_group_fails_everyone_from_there_on_and_is_not_retried() {
    for nth in 1..=5_u64 {
        let (fs, fatal) = (SimFs::new(), Fatal::default());
        let (wal, _) = open_with(&fs, Options::default(), Expectation::default(), &fatal).unwrap();
        let syncs = fs.syncs();
        fs.fail(Call::Sync, nth, ErrorKind::Other);
        let outcomes = Arc::new(Mutex::new(Vec::new()));
        let submit = |index: u64| {
            let told = Arc::clone(&outcomes);
            let done = Box::new(move |outcome: Result<(), WriteError>| {
                told.lock().unwrap().push((index, outcome.is_ok()))
            });
            wal.append(vec![entry(1, index, "x")], done).unwrap();
        };
        for index in 1..nth {
            submit(index);
            wal.wait_durable(index).unwrap();
        }
        let held = fs.hold_syncs();
        submit(nth);
        held.wait();
        for index in nth + 1..=nth + 4 {
            submit(index);
        }
        held.release();
        assert_ended(&wal, &fatal);
        let told = outcomes.lock().unwrap().clone();
        let expected: Vec<(u64, bool)> = (1..=nth + 4).map(|index| (index, index < nth)).collect();
        assert_eq!(told, expected, "in order, and none forgotten");
        assert_eq!(fs.syncs(), syncs + nth, "no sync after the failed one");
        assert_eq!(wal.durable_index(), (nth > 1).then(|| nth - 1));
    }
}

#[test]
fn what_a_restart_after_a_failed_sync_reads_is_made_durable_before_it_is_believed() {
    let fs = SimFs::new();
    let wal = open(&fs);
    append(&wal, vec![entry(1, 1, "durable")]);
    fs.fail(Call::Sync, 1, ErrorKind::Other);
    let (done, outcome) = done();
    wal.append(vec![entry(1, 2, "clean in memory, absent on disk")], done).unwrap();
    assert!(outcome.recv().unwrap().is_err());
    drop(wal);
    let restarted = fs.killed();
    let found = super::entries(&open(&restarted));
    assert_eq!(found.len(), 2, "the page cache still has it");
    let after = restarted.crashed(Tear::Sector, |_| false);
    assert_eq!(super::entries(&open(&after)), found);
}

#[test]
fn an_error_of_any_kind_at_any_call_loses_nothing_acknowledged() {
    let calls = [
        Call::Create,
        Call::Write,
        Call::Sync,
        Call::SyncDir,
        Call::Rename,
        Call::Remove,
        Call::Open,
        Call::Truncate,
    ];
    let mut failures = 0;
    for seed in 40..42 {
        for call in calls {
            for nth in 1.. {
                let script = Script::random(seed, 40);
                let (fs, fatal) = (SimFs::new(), Fatal::default());
                let wal = open_fatal(&fs, &fatal);
                fs.fail(call, nth, ErrorKind::Other);
                script.run_until_failure(&fs, &wal);
                if wal.close().is_ok() {
                    break;
                }
                failures += 1;
                assert_ended(&wal, &fatal);
                drop(wal);
                let acknowledged = script.acknowledged_by(u64::MAX);
                let context = format!("seed {seed}, {call:?} {nth}");
                for image in
                    [fs.killed(), fs.crashed(Tear::Sector, |_| false), fs.crashed(Tear::Page, |n| n % 2 == 0)]
                {
                    let (wal, _) =
                        try_open(&image, small()).unwrap_or_else(|error| panic!("{context}: {error}"));
                    script.check(&Content::of(&wal), acknowledged, &context);
                }
            }
        }
    }
    assert!(failures > 50, "{failures}");
}

#[test]
fn a_full_disk_ends_the_log_and_a_restart_on_the_still_full_disk_finds_everything_acknowledged() {
    let script = Script::random(7, 60);
    let (mut in_rotation, mut in_append) = (0, 0);
    for room in (0..9_000).step_by(40) {
        let (fs, fatal) = (SimFs::new(), Fatal::default());
        let wal = open_fatal(&fs, &fatal);
        fs.limit_space(Some(room));
        script.run_until_failure(&fs, &wal);
        if wal.close().is_ok() {
            break;
        }
        assert_ended(&wal, &fatal);
        let failure = fatal.0.lock().unwrap()[0].clone();
        let Failure::Io { file, .. } = &failure else { panic!("{failure}") };
        if file.to_string_lossy().ends_with(".tmp") {
            in_rotation += 1;
        } else {
            in_append += 1;
        }
        drop(wal);
        let acknowledged = script.acknowledged_by(u64::MAX);
        let full = fs.killed();
        full.limit_space(Some(0));
        let (wal, recovered) =
            try_open(&full, small()).unwrap_or_else(|error| panic!("room {room}: {error}"));
        let found = Content::of(&wal);
        script.check(&found, acknowledged, &format!("room {room}"));
        drop(wal);
        full.limit_space(None);
        let wal = open(&full);
        assert_eq!(Content::of(&wal), found);
        let next = recovered.state.last.map_or(1, |last| last.index + 1);
        append(&wal, vec![entry(90, next, "room again")]);
    }
    assert!(in_rotation > 5 && in_append > 50, "{in_rotation} in rotation, {in_append} in append");
}

#[test]
fn an_entry_that_does_not_read_back_ends_the_log() {
    let (fs, fatal) = (SimFs::new(), Fatal::default());
    let wal = open_fatal(&fs, &fatal);
    append(&wal, vec![entry(1, 1, vec![3; 700])]);
    append(&wal, vec![entry(1, 2, vec![4; 700])]);
    assert_eq!(wal.read(1..2, 0).unwrap(), vec![entry(1, 1, vec![3; 700])]);
    drop(wal);
    let damaged = fs.killed();
    let wal = open_fatal(&damaged, &fatal);
    // Planting replaces the file by name; the log holds the old one, so the damage goes through an open handle.
    let handle = crate::Fs::open(&damaged, &segment(1)).unwrap();
    handle.write_at(400, &mut [std::io::IoSlice::new(b"?")]).unwrap();
    let ReadError(failure) = wal.read(1..3, usize::MAX).unwrap_err();
    assert!(matches!(&failure, Failure::Damaged { file, .. } if *file == segment(1)), "{failure}");
    assert_ended(&wal, &fatal);
}

#[test]
fn a_read_error_ends_the_log() {
    let (fs, fatal) = (SimFs::new(), Fatal::default());
    append(&open(&fs), vec![entry(1, 1, vec![3; 700])]);
    let wal = open_fatal(&fs, &fatal);
    fs.fail(Call::Read, 1, ErrorKind::Other);
    assert!(matches!(wal.read(0..9, 0), Err(ReadError(Failure::Io { action: "read", .. }))));
    assert_ended(&wal, &fatal);
}

#[test]
fn a_callback_that_panics_ends_the_log_and_the_others_are_still_told() {
    let (fs, fatal) = (SimFs::new(), Fatal::default());
    let wal = open_fatal(&fs, &fatal);
    let held = fs.hold_syncs();
    wal.append(vec![entry(1, 1, "a")], Box::new(|_| panic!("from the test"))).unwrap();
    held.wait();
    let (second, outcome) = done();
    wal.append(vec![entry(1, 2, "b")], second).unwrap();
    held.release();
    assert!(outcome.recv().unwrap().is_err());
    assert_ended(&wal, &fatal);
}
