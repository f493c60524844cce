//! What lies on a disk or comes from another node: rows, log entries, lines, the write-ahead log, snapshots.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use leasehold_codec::{batch, line, row};
use leasehold_domain::state::rows::{Change, Row};
use leasehold_fuzz::run;
use leasehold_ledger::{Ledger, SnapshotMeta};
use leasehold_wal::{Expectation, Fs, Identity, Options, Wal, testing::SimFs};

use crate::tells_nothing;

/// The row as what the ledger would write again.
macro_rules! change {
    ($row:expr, $($variant:ident)+) => {
        match $row {
            Row::Singular(row) => Change::Singular(row),
            $(Row::$variant(key, row) => Change::$variant(key, Some(row)),)+
        }
    };
}

#[test]
fn a_row_that_is_read_is_the_one_that_would_be_written() {
    run("row", 30_000, |input| {
        let Some((len, rest)) = input.split_first() else { return };
        let Some((key, value)) = rest.split_at_checked(usize::from(*len)) else { return };
        match row::decode(key, value) {
            Ok(read) => {
                let change = change!(&read, Administrator Credential Certificate IdentityProvider Connector McpServer Workload
                    Subject Directory Authorization Binding Grant UpstreamTask Epoch Denials Key Erasure);
                assert_eq!(row::key(&change), key);
                assert_eq!(row::value(&change).as_deref(), Some(value));
            }
            Err(refusal) => tells_nothing(refusal),
        }
        if let Ok(known) = row::parse_blob_key(rest) {
            assert_eq!(row::blob_key(&known), rest);
        }
    });
}

#[test]
fn a_log_entry_that_is_read_is_the_one_that_would_be_written() {
    run("batch", 30_000, |input| match batch::decode(input) {
        Ok(proposals) => {
            assert!(proposals.len() <= batch::PROPOSALS_MAX);
            assert_eq!(batch::encode(&proposals), input);
        }
        Err(refusal) => tells_nothing(refusal),
    });
}

#[test]
fn a_line_that_is_read_is_the_one_that_would_be_written() {
    run("line", 30_000, |input| match line::parse(input) {
        Ok((envelope, event)) => {
            assert_eq!(line::render(&envelope, &event), input);
            assert!(input.len() <= line::LEN_MAX && !input.contains(&b'\n'));
        }
        Err(refusal) => tells_nothing(refusal),
    });
}

const IDENTITY: Identity = Identity { cluster: [7; 16], node: 1 };

fn open(fs: &SimFs) -> Option<Vec<Vec<u8>>> {
    let options = Options { segment_bytes: 256, ..Options::default() };
    let fs: Arc<dyn Fs> = Arc::new(fs.clone());
    let expected = Expectation::default();
    let (wal, _) = Wal::open(fs, Path::new("/log"), IDENTITY, options, expected, Box::new(|_| {})).ok()?;
    let entries = wal.read(0..u64::MAX, usize::MAX).ok()?;
    Some(entries.into_iter().map(|entry| entry.payload.to_vec()).collect())
}

#[test]
fn a_log_of_which_a_file_was_changed_opens_as_a_beginning_of_what_it_was_or_not_at_all() {
    // The files of a real log: `<name>` is the file that an input takes the place of.
    let corpus = leasehold_fuzz::corpus("wal");
    let whole: BTreeMap<&str, &[u8]> = corpus
        .iter()
        .filter_map(|(name, content)| Some((name.strip_prefix("log.")?, content.as_slice())))
        .collect();
    let plant = |changed: Option<(&str, &[u8])>| {
        let fs = SimFs::new();
        fs.create_dir(Path::new("/log")).unwrap();
        for (name, content) in &whole {
            let content = changed.filter(|(which, _)| which == name).map_or(*content, |(_, content)| content);
            fs.plant(&Path::new("/log").join(name), content.to_vec());
        }
        fs
    };
    let known = open(&plant(None)).expect("the log as it was written opens");
    assert!(known.len() > 3);
    run("wal", 1_500, |input| {
        for name in whole.keys() {
            if let Some(found) = open(&plant(Some((name, input)))) {
                assert!(known.starts_with(&found), "{name}: {} entries that were never written", found.len());
            }
        }
    });
}

#[test]
fn a_snapshot_is_whole_or_refused_and_the_ledger_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let ledger =
        Ledger::open(&folder.path().join("ledger"), leasehold_ledger::Options::default(), Box::new(|_| {}))
            .unwrap();
    let file = folder.path().join("snapshot");
    let genuine = leasehold_fuzz::corpus("snapshot").remove("genuine").unwrap();
    std::fs::write(&file, &genuine).unwrap();
    let stated = SnapshotMeta::read(&file).unwrap().tree;
    run("snapshot", 1_000, |input| {
        std::fs::write(&file, input).unwrap();
        if let Err(refusal) = SnapshotMeta::read(&file) {
            tells_nothing(refusal);
        }
        // Installing verifies every line against the tree: only the genuine one has that tree.
        if ledger.install_snapshot(&file).is_ok() {
            assert_eq!(SnapshotMeta::read(&file).unwrap().tree, stated);
        }
    });
    ledger.close().unwrap();
}
