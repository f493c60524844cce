//! Damage to what is on disk: refused when the ledger opens or when it is read, and never another answer.

use std::{fs, path::Path};

use leasehold_domain::state::BlobKey;

use crate::{
    Fault, OpenError,
    testing::{
        Answers, Author, Bench, KNOWN_FORMAT, answers, copy_dir, epoch_dir, grant_id, heavy_secrets, open,
        set_modified,
    },
};

const GRANTS: u64 = 3;
/// The first connector with large secrets, and how many of them there may be.
const HEAVY: u64 = 500;
const HEAVY_MAX: u64 = 80;

/// A ledger on disk, what it answers, and which blobs it has.
fn stopped(close: bool, heavy: u64) -> (tempfile::TempDir, Answers, Vec<Option<Vec<u8>>>) {
    let (bench, mut author) = (Bench::new(), Author::new());
    let story = author.story(GRANTS);
    bench.feed(story);
    for n in 0..heavy {
        bench.feed(author.heavy_connector(HEAVY + n));
    }
    let (answered, blobs) = (answers(&bench.ledger).unwrap(), blobs(&bench.ledger).unwrap());
    if close {
        bench.ledger.close().unwrap();
    }
    let Bench { dir, ledger, .. } = bench;
    drop(ledger);
    let copy = tempfile::tempdir().unwrap();
    copy_dir(dir.path(), copy.path());
    (copy, answered, blobs)
}

fn blobs(ledger: &crate::Ledger) -> Result<Vec<Option<Vec<u8>>>, Fault> {
    let tokens = (0..GRANTS).flat_map(|n| [BlobKey::Tokens(grant_id(n), 1), BlobKey::Tokens(grant_id(n), 2)]);
    let secrets = (HEAVY..HEAVY + HEAVY_MAX).flat_map(heavy_secrets);
    tokens
        .chain(secrets)
        .chain([BlobKey::RootCheck, BlobKey::SigningKey])
        .map(|key| Ok(ledger.blob(&key)?.map(|blob| blob.as_bytes().to_vec())))
        .collect()
}

/// What became of a damaged copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Refused,
    Same,
}

/// Opens a copy of `dir` after `damage`: it is refused, when it opens or when it is read, or answers as before.
fn damaged(dir: &Path, expected: &(Answers, Vec<Option<Vec<u8>>>), damage: impl FnOnce(&Path)) -> Outcome {
    let copy = tempfile::tempdir().unwrap();
    copy_dir(dir, copy.path());
    damage(copy.path());
    let Ok(ledger) = open(copy.path()) else { return Outcome::Refused };
    match answers(&ledger).and_then(|answers| Ok((answers, blobs(&ledger)?))) {
        Err(_) => Outcome::Refused,
        Ok(found) => {
            assert!(&found == expected, "damage must never give another answer");
            Outcome::Same
        }
    }
}

/// Flips one bit at each of `count` places, and keeps the dates. Answers how many flips were refused.
fn flip_bits(file: &str, count: usize, close: bool, heavy: u64) -> usize {
    let (dir, answered, blobs) = stopped(close, heavy);
    let expected = (answered, blobs);
    let path = epoch_dir(dir.path(), 1).join(file);
    // sled fills the rest of its segment; flips are spread over what is written.
    let written = fs::read(&path).unwrap().iter().rposition(|byte| *byte != 0).unwrap_or(0);
    let places = (0..=written).step_by(written / count + 1);
    let outcomes = places.map(|at| {
        damaged(dir.path(), &expected, |copy| {
            let path = epoch_dir(copy, 1).join(file);
            let modified = fs::metadata(&path).unwrap().modified().unwrap();
            let mut bytes = fs::read(&path).unwrap();
            bytes[at] ^= 1 << (at % 8);
            fs::write(&path, bytes).unwrap();
            set_modified(&path, modified);
        })
    });
    outcomes.filter(|outcome| *outcome == Outcome::Refused).count()
}

#[test]
fn a_flipped_bit_in_the_data_after_a_crash_is_refused_or_harmless() {
    assert!(flip_bits("db", 60, false, 0) > 0, "some flips hit what is live");
}

#[test]
fn a_flipped_bit_in_the_data_after_an_orderly_close_is_refused_or_harmless() {
    assert!(flip_bits("db", 60, true, 0) > 0, "some flips hit what is live");
}

#[test]
fn a_flipped_bit_in_data_of_several_segments_is_refused_or_harmless() {
    for close in [false, true] {
        assert!(flip_bits("db", 12, close, HEAVY_MAX) > 0, "some flips hit what is live");
    }
}

#[test]
fn a_flipped_bit_in_what_stands_beside_the_data_is_refused_or_harmless() {
    for file in ["conf", "floor"] {
        flip_bits(file, 40, true, 0);
    }
}

#[test]
fn a_store_that_is_cut_or_empty_or_gone_is_refused() {
    let (dir, answered, blobs) = stopped(false, 0);
    let expected = (answered, blobs);
    let db = |copy: &Path| epoch_dir(copy, 1).join("db");
    let len = fs::metadata(db(dir.path())).unwrap().len();
    for keep in [0, 100, len / 4] {
        let cut =
            |copy: &Path| fs::File::options().write(true).open(db(copy)).unwrap().set_len(keep).unwrap();
        damaged(dir.path(), &expected, cut);
    }
    assert_eq!(damaged(dir.path(), &expected, |copy| fs::remove_file(db(copy)).unwrap()), Outcome::Refused);
    let gone = |copy: &Path| fs::remove_dir_all(epoch_dir(copy, 1)).unwrap();
    assert_eq!(damaged(dir.path(), &expected, gone), Outcome::Refused);
    let empty = |copy: &Path| fs::File::options().write(true).open(db(copy)).unwrap().set_len(0).unwrap();
    assert_eq!(damaged(dir.path(), &expected, empty), Outcome::Refused);
}

/// Changes something with sled alone: opening the ledger then fails for this reason.
fn tampered(tamper: impl FnOnce(&sled::Db)) -> Option<OpenError> {
    let (dir, ..) = stopped(true, 0);
    let path = epoch_dir(dir.path(), 1);
    let db = sled::Config::new().path(&path).segment_size(8 << 20).flush_every_ms(None).open().unwrap();
    tamper(&db);
    db.flush().unwrap();
    drop(db);
    open(dir.path()).err()
}

fn first(db: &sled::Db, prefix: &[u8]) -> (sled::IVec, sled::IVec) {
    db.scan_prefix(prefix).next().unwrap().unwrap()
}

#[test]
fn a_row_or_blob_that_is_lost_or_stale_is_refused_though_every_value_is_whole() {
    for prefix in [b"r", b"b"] {
        let lost = tampered(|db| drop(db.remove(first(db, prefix).0).unwrap()));
        assert!(matches!(lost, Some(OpenError::Damaged { .. })), "without a row of {prefix:?}");
    }
    let stale = tampered(|db| {
        let (key, _) = first(db, b"b");
        db.insert(&key, crate::keys::guarded(&key, b"the generation before")).unwrap();
    });
    assert!(matches!(stale, Some(OpenError::Damaged { what, .. }) if what.contains("blobs")));
}

#[test]
fn a_line_that_is_lost_or_another_is_refused_when_the_ledger_opens() {
    let last = |db: &sled::Db| db.scan_prefix(b"l").next_back().unwrap().unwrap().0;
    assert!(matches!(tampered(|db| drop(db.remove(last(db)).unwrap())), Some(OpenError::Damaged { .. })));
    let another = tampered(|db| {
        let (key, value) = first(db, b"l");
        let mut content = value[..value.len() - 4].to_vec();
        let at = content.len() - 3;
        content[at] ^= 1;
        db.insert(&key, crate::keys::guarded(&key, &content)).unwrap();
    });
    assert!(matches!(another, Some(OpenError::Damaged { .. })));
}

#[test]
fn a_format_that_is_not_known_is_named_and_refused() {
    let newer = tampered(|db| {
        let (key, value) = first(db, b"h");
        let mut content = value[..value.len() - 4].to_vec();
        content[0] += 1;
        db.insert(&key, crate::keys::guarded(&key, &content)).unwrap();
    });
    let Some(OpenError::UnknownFormat { found, known }) = newer else {
        panic!("it is refused for its format")
    };
    assert_eq!((found, known), (KNOWN_FORMAT + 1, KNOWN_FORMAT));
}

#[test]
fn an_old_line_that_is_another_is_refused_when_it_is_read() {
    let options = crate::Options { tail_bytes: 0, ..crate::Options::default() };
    let (bench, mut author) =
        (Bench::with(options, std::sync::Arc::new(crate::store::RealDisk)), Author::new());
    bench.feed(author.founding());
    bench.ledger.checkpoint().unwrap();
    // What a disk might do between two reads: a whole value with another line in it.
    bench.ledger.danger_replace_first_line(b"{}");
    let read = bench.ledger.lines(0, 10, 1000);
    assert!(matches!(read, Err(Fault::Damaged { .. })));
    assert_eq!(bench.fault(), read.err(), "and the node must stop");
}

/// A pass over everything, and how many steps it took.
fn scrubbed(ledger: &crate::Ledger) -> Result<usize, Fault> {
    let (mut next, mut steps) = (Some(crate::Scrub::default()), 0);
    while let Some(from) = next {
        next = ledger.scrub(from)?;
        steps += 1;
    }
    Ok(steps)
}

#[test]
fn a_scrub_reads_everything_in_steps_and_finds_nothing_where_nothing_is_damaged() {
    let (bench, mut author) = (Bench::new(), Author::new());
    assert!(scrubbed(&bench.ledger).unwrap() > 256, "the buckets alone are so many");
    bench.feed(author.story(GRANTS));
    for n in 0..20 {
        bench.feed(author.heavy_connector(HEAVY + n));
    }
    let before = answers(&bench.ledger).unwrap();
    scrubbed(&bench.ledger).unwrap();
    assert_eq!(answers(&bench.ledger).unwrap(), before);
    assert_eq!(bench.fault(), None);
}

#[test]
fn a_scrub_finds_an_old_line_that_is_another_and_stops_the_ledger() {
    let options = crate::Options { tail_bytes: 0, ..crate::Options::default() };
    let (bench, mut author) =
        (Bench::with(options, std::sync::Arc::new(crate::store::RealDisk)), Author::new());
    bench.feed(author.founding());
    bench.ledger.checkpoint().unwrap();
    bench.ledger.danger_replace_first_line(b"{}");
    let found = scrubbed(&bench.ledger);
    assert!(matches!(&found, Err(Fault::Damaged { what }) if what.contains("line 0")), "{found:?}");
    assert_eq!(bench.fault(), found.err(), "and the node must stop");
}

#[test]
fn a_scrub_finds_a_blob_that_was_lost_while_nobody_looked() {
    let (bench, mut author) = (Bench::new(), Author::new());
    bench.feed(author.story(1));
    bench.ledger.checkpoint().unwrap();
    bench.ledger.danger_lose_a_blob();
    let found = scrubbed(&bench.ledger);
    assert!(matches!(&found, Err(Fault::Damaged { what }) if what.contains("blobs")), "{found:?}");
    assert_eq!(bench.fault(), found.err(), "and the node must stop");
}
