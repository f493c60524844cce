//! Damage of every other sort, refused by name, with nothing changed.

use std::sync::Arc;

use super::{append, entry, id, open, refusal, refusal_expecting, segment, vote};
use crate::segment::{HEADER, Header};
use crate::testing::SimFs;
use crate::{Expectation, Identity, OpenError, State, Wal};

/// Five segments, of which the last holds entries 9 and 10.
fn log() -> SimFs {
    let fs = SimFs::new();
    let wal = open(&fs);
    wal.save_vote(vote(4)).unwrap();
    for index in 1..=10 {
        append(&wal, vec![entry(1, index, vec![index as u8; 450])]);
    }
    wal.close().unwrap();
    assert!(fs.content(&segment(5)).is_ok() && fs.content(&segment(6)).is_err());
    fs
}

fn assert_damaged(fs: &SimFs, id: u64, reason: &str) {
    let error = refusal(fs);
    let text = error.to_string();
    assert!(matches!(&error, OpenError::Damaged { file, .. } if *file == segment(id)), "{text}");
    assert!(text.contains(reason), "{text}");
}

fn assert_missing(fs: &SimFs, id: u64) {
    let error = refusal(fs);
    assert!(matches!(&error, OpenError::Missing { file, .. } if *file == segment(id)), "{error}");
}

#[test]
fn a_missing_segment_is_named() {
    for id in 1..=5 {
        let fs = log();
        fs.unplant(&segment(id));
        match id {
            5 => assert_missing(&fs, 5),
            // The run that remains starts after the gap, and lacks its first segment.
            _ => assert_missing(&fs, 1),
        }
    }
}

#[test]
fn a_missing_oldest_segment_is_refused_after_a_purge_too() {
    let fs = log();
    let wal = open(&fs);
    wal.purge(id(1, 5)).unwrap();
    wal.close().unwrap();
    assert!(fs.content(&segment(2)).is_err() && fs.content(&segment(3)).is_ok());
    assert_eq!(super::entries(&open(&fs)).len(), 5);
    fs.unplant(&segment(3));
    assert_missing(&fs, 3);
}

#[test]
fn an_emptied_directory_is_not_a_new_one() {
    let fs = log();
    for id in 1..=5 {
        fs.unplant(&segment(id));
    }
    assert!(matches!(refusal(&fs), OpenError::Missing { .. }));
    let fs = log();
    fs.unplant(&super::dir().join("identity"));
    assert!(matches!(refusal(&fs), OpenError::Missing { file, .. } if file.ends_with("identity")));
}

#[test]
fn a_zero_filled_or_foreign_successor_is_refused() {
    let fs = log();
    let length = fs.content(&segment(5)).unwrap().len();
    fs.plant(&segment(5), vec![0; length]);
    assert_damaged(&fs, 5, "header");
    let fs = log();
    fs.plant(&segment(6), vec![0; 256]);
    assert_damaged(&fs, 6, "header");
    let fs = log();
    fs.plant(&segment(6), Vec::new());
    assert_damaged(&fs, 6, "header");
    let fs = log();
    fs.plant(&segment(5), fs.content(&segment(4)).unwrap());
    assert_damaged(&fs, 5, "another segment");
}

#[test]
fn a_stale_segment_put_back_is_refused() {
    let fs = SimFs::new();
    let wal = open(&fs);
    append(&wal, vec![entry(1, 1, vec![1; 1200])]);
    append(&wal, vec![entry(1, 2, vec![2; 100])]);
    let stale = fs.content(&segment(2)).unwrap();
    append(&wal, vec![entry(1, 3, vec![3; 1200])]);
    append(&wal, vec![entry(1, 4, vec![4; 100])]);
    wal.close().unwrap();
    assert!(fs.content(&segment(3)).is_ok());
    fs.plant(&segment(2), stale);
    assert_damaged(&fs, 2, "seal");
}

/// Two logs of one node that differ in what their entries hold and in nothing else.
fn twins(payload_bytes: usize) -> [SimFs; 2] {
    [1, 2].map(|byte| {
        let fs = SimFs::new();
        let wal = open(&fs);
        append(&wal, vec![entry(1, 1, vec![byte; payload_bytes]), entry(1, 2, vec![byte; 10])]);
        append(&wal, vec![entry(1, 3, "in both")]);
        wal.close().unwrap();
        fs
    })
}

#[test]
fn a_record_of_another_history_in_the_right_place_is_refused() {
    let [fs, other] = twins(10);
    let mut content = fs.content(&segment(1)).unwrap();
    let second = 256 + 96;
    content.truncate(second);
    content.extend(&other.content(&segment(1)).unwrap()[second..]);
    fs.plant(&segment(1), content);
    assert_damaged(&fs, 1, "does not follow");
}

#[test]
fn a_segment_of_another_history_in_the_right_place_is_refused() {
    let [fs, other] = twins(1200);
    fs.plant(&segment(2), other.content(&segment(2)).unwrap());
    assert_damaged(&fs, 2, "does not follow");
}

#[test]
fn a_header_that_contradicts_the_records_before_it_is_refused() {
    let [fs, _] = twins(1200);
    let content = fs.content(&segment(2)).unwrap();
    let header = Header::decode(&content[..HEADER]).ok().unwrap();
    for wrong in [
        Header { state: State { vote: Some(vote(9)), ..header.state }, ..header },
        Header { oldest: 2, ..header },
    ] {
        fs.plant(&segment(2), wrong.encode());
        assert_damaged(&fs, 2, "contradicts");
    }
    fs.plant(&segment(2), header.encode());
    assert_eq!(super::entries(&open(&fs)).len(), 2);
}

#[test]
fn bytes_after_a_seal_and_a_short_older_segment_are_refused() {
    let fs = log();
    let mut content = fs.content(&segment(2)).unwrap();
    content.extend([0; 32]);
    fs.plant(&segment(2), content);
    assert_damaged(&fs, 2, "seal");
    for cut in [1, 40, 64, 100, 700] {
        let fs = log();
        let mut content = fs.content(&segment(2)).unwrap();
        content.truncate(content.len() - cut);
        fs.plant(&segment(2), content);
        assert_damaged(&fs, 2, "seal");
    }
}

#[test]
fn zeroed_or_swapped_sectors_anywhere_are_refused_once_a_mark_follows() {
    for id in 1..=5 {
        let sectors = log().content(&segment(id)).unwrap().len() / 512;
        for sector in 0..sectors {
            let fs = log();
            let mut content = fs.content(&segment(id)).unwrap();
            content[sector * 512..(sector + 1) * 512].fill(0);
            fs.plant(&segment(id), content);
            assert!(matches!(refusal(&fs), OpenError::Damaged { file, .. } if file == segment(id)));
            let fs = log();
            let mut content = fs.content(&segment(id)).unwrap();
            let (here, there) = (sector * 512, (sector + 1) % sectors * 512);
            let whole = content.clone();
            content[here..here + 512].copy_from_slice(&whole[there..there + 512]);
            content[there..there + 512].copy_from_slice(&whole[here..here + 512]);
            assert_ne!(content, whole);
            fs.plant(&segment(id), content);
            assert!(matches!(refusal(&fs), OpenError::Damaged { file, .. } if file == segment(id)));
        }
    }
}

#[test]
fn a_log_shorter_than_the_checkpoint_says_is_refused() {
    let fs = log();
    let expecting = |min_index| Expectation { min_index: Some(min_index), min_term: None };
    let error = refusal_expecting(&fs, expecting(11));
    assert!(matches!(error, OpenError::Short { expected: 11, last: Some(10), .. }), "{error}");
    let mut content = fs.content(&segment(5)).unwrap();
    content.truncate(256);
    fs.plant(&segment(5), content);
    let error = refusal_expecting(&fs, expecting(10));
    assert!(matches!(&error, OpenError::Short { file, offset: 256, .. } if *file == segment(5)), "{error}");
    let nowhere = refusal_expecting(&SimFs::new(), expecting(1));
    assert!(matches!(nowhere, OpenError::Missing { .. }));
}

#[test]
fn a_lost_or_older_vote_is_refused() {
    let fs = log();
    let expected = Expectation { min_index: None, min_term: Some(5) };
    assert!(matches!(refusal_expecting(&fs, expected), OpenError::VoteLost { term: Some(4), .. }));
    let (voted, plain) = (SimFs::new(), SimFs::new());
    open(&voted).save_vote(vote(1)).unwrap();
    append(&open(&plain), vec![entry(1, 1, "no vote here")]);
    plain.plant(&super::dir().join("identity"), voted.content(&super::dir().join("identity")).unwrap());
    assert!(matches!(refusal(&plain), OpenError::VoteLost { term: None, .. }));
}

#[test]
fn a_log_of_another_cluster_or_node_is_refused() {
    let fs = log();
    for (identity, what) in [
        (Identity { cluster: [8; 16], node: 3 }, "cluster"),
        (Identity { cluster: [7; 16], node: 4 }, "node"),
    ] {
        let opened = Wal::open(
            Arc::new(fs.clone()),
            &super::dir(),
            identity,
            super::small(),
            Expectation::default(),
            Box::new(|_| {}),
        );
        assert!(matches!(opened, Err(OpenError::Foreign { what: found, .. }) if found == what));
    }
}

#[test]
fn a_directory_has_one_log_at_a_time() {
    let fs = log();
    let wal = open(&fs);
    assert!(matches!(refusal(&fs), OpenError::Locked { .. }));
    drop(wal);
    open(&fs);
}
