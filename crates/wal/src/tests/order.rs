//! Groups, the order of callbacks, and the durable watermark.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use super::{append, done, entry, id, open, small, try_open, vote};
use crate::testing::SimFs;
use crate::{Options, Refused, Wal, WriteError};

#[test]
fn all_that_gathers_during_a_sync_becomes_one_group() {
    let fs = SimFs::new();
    let (wal, _) = try_open(&fs, Options::default()).unwrap();
    let before = fs.syncs();
    let held = fs.hold_syncs();
    let mut outcomes = Vec::new();
    for index in 1..=100 {
        let (done, outcome) = done();
        wal.append(vec![entry(1, index, "x")], done).unwrap();
        outcomes.push(outcome);
        if index == 1 {
            held.wait();
        }
    }
    assert_eq!(wal.durable_index(), None, "readable, not durable");
    assert_eq!(super::entries(&wal).len(), 100);
    held.release();
    for outcome in outcomes {
        outcome.recv().unwrap().unwrap();
    }
    assert_eq!(fs.syncs() - before, 2);
    assert_eq!(wal.durable_index(), Some(100));
}

#[test]
fn callbacks_come_in_order_under_concurrent_load_with_votes_between() {
    let fs = SimFs::new();
    let wal = Arc::new(open(&fs));
    let order = Arc::new(Mutex::new(Vec::new()));
    let next = Arc::new(Mutex::new(0_u64));
    let votes = Arc::new(AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (wal, order, next, votes) = (&wal, &order, &next, &votes);
            scope.spawn(move || {
                for round in 0..150 {
                    // Submission and its number are one step; the log's own lock is what is under test after it.
                    let mut number = next.lock().unwrap();
                    *number += 1;
                    let (index, told) = (*number, Arc::clone(order));
                    let size = (index * 37 % 300) as usize;
                    let done = Box::new(move |outcome: Result<(), WriteError>| {
                        outcome.unwrap();
                        told.lock().unwrap().push(index);
                    });
                    wal.append(vec![entry(1, index, vec![1; size])], done).unwrap();
                    if (round + thread) % 7 == 0 {
                        let (counted, term) = (Arc::clone(votes), index);
                        let done = Box::new(move |outcome: Result<(), WriteError>| {
                            outcome.unwrap();
                            counted.fetch_add(1, Ordering::SeqCst);
                        });
                        wal.save_vote_then(vote(term), done).unwrap();
                    }
                    drop(number);
                    let durable = wal.durable_index();
                    assert!(durable <= wal.state().last.map(|last| last.index));
                }
            });
        }
    });
    wal.close().unwrap();
    assert_eq!(*order.lock().unwrap(), (1..=600).collect::<Vec<u64>>());
    assert!(votes.load(Ordering::SeqCst) > 80);
    drop(wal);
    let wal = open(&fs);
    assert_eq!(super::entries(&wal).len(), 600);
    assert!(wal.state().vote.is_some_and(|vote| vote.term > 500));
}

#[test]
fn votes_and_appends_interleave_in_the_order_of_submission() {
    let fs = SimFs::new();
    let wal = open(&fs);
    let (sender, told) = mpsc::channel();
    let held = fs.hold_syncs();
    for number in 1..=10_u64 {
        let sender = sender.clone();
        let done =
            Box::new(move |outcome: Result<(), WriteError>| sender.send((number, outcome.is_ok())).unwrap());
        match number % 2 {
            0 => wal.save_vote_then(vote(number), done).unwrap(),
            _ => wal.append(vec![entry(number, number / 2 + 1, "x")], done).unwrap(),
        }
        if number == 1 {
            held.wait();
        }
    }
    held.release();
    let told: Vec<(u64, bool)> = told.iter().take(10).collect();
    assert_eq!(told, (1..=10).map(|number| (number, true)).collect::<Vec<_>>());
}

#[test]
fn the_watermark_rises_before_the_callbacks_and_subscribers_see_it_grow() {
    let fs = SimFs::new();
    let wal = Arc::new(open(&fs));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let subscriber = Arc::clone(&seen);
    wal.subscribe(Box::new(move |durable| subscriber.lock().unwrap().push(durable))).unwrap();
    for index in 1..=20 {
        let (inside, seen, (sender, receiver)) = (Arc::clone(&wal), Arc::clone(&seen), mpsc::channel());
        let done = Box::new(move |outcome: Result<(), WriteError>| {
            outcome.unwrap();
            sender.send((inside.durable_index(), seen.lock().unwrap().last().copied())).unwrap();
        });
        wal.append(vec![entry(1, index, "x")], done).unwrap();
        assert_eq!(receiver.recv().unwrap(), (Some(index), Some(index)));
        wal.wait_durable(index).unwrap();
    }
    assert_eq!(*seen.lock().unwrap(), (1..=20).collect::<Vec<u64>>());
    for _ in 1..Wal::SUBSCRIBERS_MAX {
        wal.subscribe(Box::new(|_| {})).unwrap();
    }
    assert_eq!(wal.subscribe(Box::new(|_| {})), Err(Refused::TooManySubscribers));
}

#[test]
fn an_entry_rewritten_while_its_first_version_is_being_synced_is_not_yet_durable() {
    let fs = SimFs::new();
    let wal = Arc::new(open(&fs));
    append(&wal, vec![entry(1, 1, "stays")]);
    let held = fs.hold_syncs();
    let (sender, first) = mpsc::channel();
    let inside = Arc::clone(&wal);
    let callback = Box::new(move |_| sender.send(inside.durable_index()).unwrap());
    wal.append(vec![entry(1, 2, "old"), entry(1, 3, "old")], callback).unwrap();
    held.wait();
    wal.truncate_after(Some(id(1, 1))).unwrap();
    let (second, second_outcome) = done();
    wal.append(vec![entry(2, 2, "new")], second).unwrap();
    let (sender, between) = mpsc::channel();
    wal.subscribe(Box::new(move |durable| sender.send(durable).unwrap())).unwrap();
    held.release();
    assert_eq!(first.recv().unwrap(), Some(1));
    second_outcome.recv().unwrap().unwrap();
    assert_eq!(
        between.try_iter().collect::<Vec<_>>(),
        [2],
        "never 3, and 2 only once the new one is durable"
    );
    assert_eq!(super::entries(&wal), vec![entry(1, 1, "stays"), entry(2, 2, "new")]);
}

#[test]
fn a_callback_may_submit_but_not_block() {
    let fs = SimFs::new();
    let wal = Arc::new(open(&fs));
    let (sender, receiver) = mpsc::channel();
    let inside = Arc::clone(&wal);
    let callback = Box::new(move |outcome: Result<(), WriteError>| {
        outcome.unwrap();
        let refused = WriteError::Refused(Refused::FromCallback).to_string();
        assert_eq!(inside.save_vote(vote(1)).unwrap_err().to_string(), refused);
        assert_eq!(inside.wait_durable(9).unwrap_err().to_string(), refused);
        inside
            .append(vec![entry(1, 2, "from the callback")], Box::new(move |_| sender.send(()).unwrap()))
            .unwrap();
    });
    wal.append(vec![entry(1, 1, "x")], callback).unwrap();
    receiver.recv().unwrap();
    assert_eq!(wal.durable_index(), Some(2));
}

#[test]
fn a_full_queue_makes_callers_wait_and_loses_nothing() {
    let fs = SimFs::new();
    let options = Options { queue_bytes_max: 2_000, group_bytes_max: 500, ..small() };
    let (wal, _) = try_open(&fs, options).unwrap();
    let (sender, told) = mpsc::channel();
    for index in 1..=200 {
        let sender = sender.clone();
        let done =
            Box::new(move |outcome: Result<(), WriteError>| sender.send((index, outcome.is_ok())).unwrap());
        wal.append(vec![entry(1, index, vec![0; 300])], done).unwrap();
    }
    drop(sender);
    wal.close().unwrap();
    let told: Vec<(u64, bool)> = told.iter().collect();
    assert_eq!(told, (1..=200).map(|index| (index, true)).collect::<Vec<_>>());
}

#[test]
fn closing_writes_out_what_is_queued_and_answers_what_comes_later() {
    let fs = SimFs::new();
    let wal = open(&fs);
    let held = fs.hold_syncs();
    let (first, first_outcome) = done();
    wal.append(vec![entry(1, 1, "x")], first).unwrap();
    held.wait();
    let (second, second_outcome) = done();
    wal.append(vec![entry(1, 2, "y")], second).unwrap();
    wal.save_committed(id(1, 2)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| wal.close().unwrap());
        held.release();
    });
    first_outcome.recv().unwrap().unwrap();
    second_outcome.recv().unwrap().unwrap();
    let (late, late_outcome) = done();
    assert!(wal.append(vec![entry(1, 3, "z")], late).is_err());
    assert!(late_outcome.recv().unwrap().is_err());
    wal.close().unwrap();
    let after = fs.crashed(crate::testing::Tear::Sector, |_| false);
    assert_eq!(open(&after).state().committed, Some(id(1, 2)));
}
