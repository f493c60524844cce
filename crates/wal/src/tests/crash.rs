//! Loss of power at every call, with every sort of loss among what was not synced.

use std::io::ErrorKind;

use super::script::{Content, Script};
use super::{Draw, append, entry, id, open, segment, small, try_open, vote};
use crate::testing::{Call, SimFs, Tear};

/// Choices of the pieces that survive: all where they are few, else prefixes, single ones, and random ones.
fn choices(pieces: usize, draw: &mut Draw) -> Vec<Vec<bool>> {
    if pieces <= 4 {
        return (0..1_usize << pieces)
            .map(|bits| (0..pieces).map(|piece| bits >> piece & 1 == 1).collect())
            .collect();
    }
    let mut choices: Vec<Vec<bool>> =
        (0..=pieces).map(|kept| (0..pieces).map(|piece| piece < kept).collect()).collect();
    for _ in 0..4 {
        let chosen = draw.below(pieces as u64) as usize;
        choices.push((0..pieces).map(|piece| piece == chosen).collect());
        choices.push((0..pieces).map(|piece| piece != chosen).collect());
        choices.push((0..pieces).map(|_| draw.below(2) == 0).collect());
        choices.push((0..pieces).map(|_| draw.below(4) > 0).collect());
    }
    choices
}

/// Opens an image, checks it, and writes to it once more; returns what was found.
fn recover(script: &Script, image: &SimFs, acknowledged: usize, context: &str) -> Content {
    let (wal, recovered) = try_open(image, small()).unwrap_or_else(|error| panic!("{context}: {error}"));
    let found = Content::of(&wal);
    script.check(&found, acknowledged, &context);
    assert_eq!(recovered.state.last, found.last, "{context}");
    let (term, index) = found.last.map_or((9, 1), |last| (last.term + 9, last.index + 1));
    append(&wal, vec![entry(term, index, "after the crash")]);
    wal.close().unwrap();
    let again = open(image);
    assert_eq!(again.state().last, Some(id(term, index)), "{context}");
    assert_eq!(super::entries(&again).len(), found.entries.len() + 1, "{context}");
    found
}

#[test]
fn whatever_a_loss_of_power_keeps_of_unsynced_writes_acknowledged_steps_survive() {
    let mut images = 0;
    let mut torn = 0;
    for seed in 1..=3 {
        let script = Script::random(seed, 60);
        let fs = SimFs::new();
        fs.record_history();
        let wal = open(&fs);
        script.run(&fs, &wal, Draw(seed));
        wal.close().unwrap();
        assert_eq!(script.acknowledged_by(u64::MAX), script.acknowledged_by(fs.calls()));
        let mut draw = Draw(seed + 100);
        for (calls, disk) in fs.history() {
            let acknowledged = script.acknowledged_by(calls);
            for tear in [Tear::Sector, Tear::Page] {
                for choice in choices(disk.unsynced_pieces(tear), &mut draw) {
                    images += 1;
                    let context = format!("seed {seed}, call {calls}, {tear:?}, kept {choice:?}");
                    let image = disk.crashed(tear, |piece| choice[piece]);
                    image.record_history();
                    recover(&script, &image, acknowledged, &context);
                    torn += usize::from(
                        image.files().iter().any(|(path, _)| path.to_string_lossy().contains(".torn-")),
                    );
                    if images % 61 == 0 {
                        crash_while_mending(&script, &image, acknowledged, &context);
                    }
                }
            }
        }
    }
    assert!(images > 2_000 && torn > 100, "only {images} images, {torn} of them torn");
}

/// `image` was opened and written to with its history recorded; loses power at each of those calls.
fn crash_while_mending(script: &Script, image: &SimFs, acknowledged: usize, context: &str) {
    for (calls, disk) in image.history() {
        for keep in [0, 1, 2] {
            let again = disk.crashed(Tear::Sector, |piece| keep == 1 || (keep == 2 && piece % 2 == 0));
            let (wal, _) =
                try_open(&again, small()).unwrap_or_else(|e| panic!("{context}, then call {calls}: {e}"));
            let mut found = Content::of(&wal);
            found.entries.retain(|entry| entry.payload != "after the crash");
            if found.entries.len() < super::entries(&wal).len() {
                continue;
            }
            script.check(&found, acknowledged, &format!("{context}, then call {calls}"));
        }
    }
}

#[test]
fn a_killed_process_loses_nothing_that_was_written() {
    for seed in 20..24 {
        let script = Script::random(seed, 40);
        let fs = SimFs::new();
        fs.record_history();
        let wal = open(&fs);
        script.run(&fs, &wal, Draw(seed));
        wal.close().unwrap();
        for (calls, disk) in fs.history() {
            recover(
                &script,
                &disk.killed(),
                script.acknowledged_by(calls),
                &format!("seed {seed}, call {calls}"),
            );
        }
    }
}

#[test]
fn power_loss_just_after_rotation_keeps_what_went_into_the_new_segment() {
    let fs = SimFs::new();
    let wal = open(&fs);
    append(&wal, vec![entry(1, 1, vec![1; 1200])]);
    append(&wal, vec![entry(1, 2, "first in the second segment")]);
    assert!(fs.content(&segment(2)).is_ok(), "the log has rotated");
    let after = fs.crashed(Tear::Sector, |_| false);
    assert_eq!(super::entries(&open(&after)), super::entries(&wal));
}

#[test]
fn a_rotation_that_failed_before_its_seal_is_undone_at_open_and_done_again_later() {
    let fs = SimFs::new();
    let wal = open(&fs);
    append(&wal, vec![entry(1, 1, vec![1; 1200])]);
    wal.close().unwrap();
    drop(wal);
    let wal = open(&fs);
    // The header of the new segment is the first write, the seal the second.
    fs.fail(Call::Write, 2, ErrorKind::Other);
    let (done, outcome) = super::done();
    wal.append(vec![entry(1, 2, "lost")], done).unwrap();
    assert!(outcome.recv().unwrap().is_err());
    drop(wal);
    assert_eq!(fs.content(&segment(2)).unwrap().len(), 256);
    let wal = open(&fs);
    assert!(fs.content(&segment(2)).is_err());
    append(&wal, vec![entry(1, 2, "kept")]);
    assert_eq!(super::entries(&open(&fs.crashed(Tear::Sector, |_| false))), super::entries(&wal));
}

#[test]
fn a_seal_whose_sync_failed_is_made_durable_before_its_successor_is_used() {
    let fs = SimFs::new();
    let wal = open(&fs);
    append(&wal, vec![entry(1, 1, vec![1; 1200])]);
    wal.close().unwrap();
    drop(wal);
    let wal = open(&fs);
    fs.fail(Call::Sync, 2, ErrorKind::Other);
    let (done, outcome) = super::done();
    wal.append(vec![entry(1, 2, "lost")], done).unwrap();
    assert!(outcome.recv().unwrap().is_err());
    drop(wal);
    let wal = open(&fs);
    append(&wal, vec![entry(1, 2, "kept")]);
    assert!(fs.content(&segment(2)).unwrap().len() > 256);
    assert_eq!(super::entries(&open(&fs.crashed(Tear::Sector, |_| false))), super::entries(&wal));
}

#[test]
fn a_vote_is_on_disk_when_save_vote_returns() {
    let fs = SimFs::new();
    let wal = open(&fs);
    for term in 1..6 {
        wal.save_vote(vote(term)).unwrap();
        let after = fs.crashed(Tear::Sector, |_| false);
        assert_eq!(open(&after).state().vote, Some(vote(term)));
    }
}

#[test]
fn a_torn_tail_is_cut_and_kept_aside() {
    let fs = SimFs::new();
    let wal = open(&fs);
    append(&wal, vec![entry(1, 1, "whole")]);
    wal.close().unwrap();
    let mut content = fs.content(&segment(1)).unwrap();
    let end = content.len();
    let torn = [0_u8; 48];
    content.extend(torn);
    fs.plant(&segment(1), content);
    let (wal, recovered) = try_open(&fs, small()).unwrap();
    let tail = recovered.torn.unwrap();
    assert_eq!((tail.file, tail.offset, tail.bytes), (segment(1), end as u64, 48));
    let kept = tail.kept.unwrap();
    assert!(kept.to_string_lossy().ends_with(&format!("{:020}.seg.torn-{end:020}", 1)));
    assert_eq!(fs.content(&kept).unwrap(), torn);
    assert_eq!(super::entries(&wal), vec![entry(1, 1, "whole")]);
    drop(wal);
    assert_eq!(try_open(&fs, small()).unwrap().1.torn, None);
}

#[test]
fn at_most_sixteen_torn_tails_are_kept() {
    let fs = SimFs::new();
    for round in 1..=20 {
        let wal = open(&fs);
        append(&wal, vec![entry(1, round, "whole")]);
        wal.close().unwrap();
        let path = fs
            .files()
            .into_iter()
            .map(|(path, _)| path)
            .rfind(|path| path.to_string_lossy().ends_with(".seg"));
        let path = path.unwrap();
        let mut content = fs.content(&path).unwrap();
        content.extend([0; 20]);
        fs.plant(&path, content);
    }
    let wal = open(&fs);
    assert_eq!(super::entries(&wal).len(), 20);
    let kept = fs.files().into_iter().filter(|(path, _)| path.to_string_lossy().contains(".torn-")).count();
    assert_eq!(kept, 16);
}

#[test]
fn a_crash_between_a_purge_and_the_removal_of_its_segments_leaves_no_hole() {
    let fs = SimFs::new();
    let wal = open(&fs);
    for index in 1..=6 {
        append(&wal, vec![entry(1, index, vec![index as u8; 900])]);
    }
    let before = fs.calls();
    fs.record_history();
    wal.purge(id(1, 5)).unwrap();
    append(&wal, Vec::new());
    wal.close().unwrap();
    let removed = fs.content(&segment(1)).is_err();
    assert!(removed && fs.calls() > before);
    let mut images = 0;
    for (_, disk) in fs.history() {
        let pieces = disk.unsynced_pieces(Tear::Sector);
        assert!(pieces < 12);
        for bits in 0..1_usize << pieces {
            let image = disk.crashed(Tear::Sector, |piece| bits >> piece & 1 == 1);
            let wal = open(&image);
            let held: Vec<u64> = super::entries(&wal).iter().map(|entry| entry.id.index).collect();
            match wal.state().purged {
                None => assert_eq!(held, [1, 2, 3, 4, 5, 6]),
                Some(purged) => assert_eq!((purged, held), (id(1, 5), vec![6])),
            }
            wal.close().unwrap();
            let names: Vec<u64> = image.files().iter().filter_map(|(path, _)| number(path)).collect();
            assert!(names.windows(2).all(|pair| pair[0] + 1 == pair[1]), "leftovers are gone: {names:?}");
            images += 1;
        }
    }
    assert!(images > 20, "only {images}");
}

fn number(path: &std::path::Path) -> Option<u64> {
    path.file_name()?.to_string_lossy().strip_suffix(".seg")?.parse().ok()
}
