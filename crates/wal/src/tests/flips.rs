//! One flipped bit, anywhere.

use super::{append, entry, flip, id, open, refusal, segment, small, try_open, vote};
use crate::testing::{SimFs, Tear};
use crate::{OpenError, Options};

/// Three segments with records of every kind, zeros in the payloads, and the last group acknowledged but not marked.
fn log() -> SimFs {
    let fs = SimFs::new();
    let wal = open(&fs);
    wal.save_vote(vote(1)).unwrap();
    append(&wal, vec![entry(1, 1, vec![0; 600]), entry(1, 2, "two")]);
    wal.save_committed(id(1, 1)).unwrap();
    append(&wal, vec![entry(1, 3, vec![0xFF; 300])]);
    wal.truncate_after(Some(id(1, 2))).unwrap();
    wal.purge(id(1, 1)).unwrap();
    append(&wal, vec![entry(2, 3, vec![0; 900])]);
    wal.save_vote(vote(2)).unwrap();
    append(&wal, vec![entry(2, 4, ""), entry(2, 5, vec![0; 1100])]);
    assert!(fs.content(&segment(3)).is_ok());
    // Only the data of that group survives: the mark that follows it does not.
    fs.crashed(Tear::Sector, |_| false)
}

#[test]
fn no_single_flipped_bit_goes_unnoticed() {
    let fs = log();
    let mut flips = 0;
    for (path, content) in fs.files() {
        for bit in 0..content.len() * 8 {
            flip(&fs, &path, bit);
            let error = refusal(&fs);
            assert!(
                error.to_string().contains(&*path.to_string_lossy()),
                "bit {bit} of {}: {error}",
                path.display()
            );
            flips += 1;
            flip(&fs, &path, bit);
        }
    }
    assert!(flips > 30_000, "{flips}");
    assert_eq!(super::entries(&open(&fs)).len(), 4, "and without them the log opens");
}

#[test]
fn a_flipped_bit_beside_a_torn_tail_never_takes_what_was_acknowledged() {
    let fs = log();
    let acknowledged = super::entries(&open(&fs.killed()));
    let path = segment(3);
    let whole = fs.content(&path).unwrap();
    let (wal, _) = try_open(&fs, Options::default()).unwrap();
    let held = fs.hold_syncs();
    let (done, outcome) = super::done();
    wal.append(vec![entry(2, 6, vec![5; 1500]), entry(2, 7, "seven")], done).unwrap();
    held.wait();
    // The last sector of the group was written, the one in the middle was not.
    let pieces = fs.unsynced_pieces(Tear::Sector);
    let torn = fs.crashed(Tear::Sector, |piece| piece + 3 != pieces);
    held.release();
    outcome.recv().unwrap().unwrap();
    let size = torn.content(&path).unwrap().len();
    let mut cut = 0;
    for bit in 0..size * 8 {
        let image = torn.killed();
        flip(&image, &path, bit);
        match try_open(&image, small()) {
            Ok((wal, recovered)) => {
                assert!(bit / 8 >= whole.len(), "bit {bit} lies in what was acknowledged");
                assert_eq!(super::entries(&wal), acknowledged, "bit {bit}");
                assert!(recovered.torn.is_some());
                cut += 1;
            }
            Err(OpenError::Damaged { file, .. }) => assert_eq!(file, path),
            Err(other) => panic!("bit {bit}: {other}"),
        }
    }
    assert!(cut > 100, "{cut}");
}
