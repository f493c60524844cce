//! The same log on a real disk.

use std::sync::Arc;

use super::{IDENTITY, append, done, entries, entry, id, small, vote};
use crate::{DiskFs, Expectation, OpenError, Options, Recovered, Wal};

fn open(dir: &std::path::Path, options: Options) -> Result<(Wal, Recovered), OpenError> {
    let expected = Expectation { min_index: None, min_term: None };
    Wal::open(Arc::new(DiskFs), dir, IDENTITY, options, expected, Box::new(|_| {}))
}

#[test]
fn a_log_on_a_real_disk_survives_restarts_purges_and_a_torn_write() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("node/wal");
    let (wal, recovered) = open(&dir, small()).unwrap();
    assert!(recovered.created);
    assert!(matches!(open(&dir, small()), Err(OpenError::Locked { .. })));
    wal.save_vote(vote(3)).unwrap();
    let all: Vec<_> =
        (1..=200).map(|index| entry(1, index, vec![index as u8; 40 * (index as usize % 300)])).collect();
    let mut last = None;
    for entry in &all {
        let (done, outcome) = done();
        wal.append(vec![entry.clone()], done).unwrap();
        last = Some(outcome);
    }
    last.unwrap().recv().unwrap().unwrap();
    wal.purge(id(1, 120)).unwrap();
    wal.save_committed(id(1, 150)).unwrap();
    wal.close().unwrap();
    drop(wal);

    let mut names: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|item| item.unwrap().path()).collect();
    names.sort();
    let newest = names.iter().rfind(|path| path.extension().is_some_and(|suffix| suffix == "seg")).unwrap();
    let mut content = std::fs::read(newest).unwrap();
    content.extend([0; 100]);
    std::fs::write(newest, &content).unwrap();

    let (wal, recovered) = open(&dir, small()).unwrap();
    let torn = recovered.torn.unwrap();
    assert_eq!(std::fs::read(torn.kept.unwrap()).unwrap(), [0; 100]);
    assert_eq!((recovered.state.vote, recovered.state.committed), (Some(vote(3)), Some(id(1, 150))));
    assert_eq!(entries(&wal), all[120..]);
    append(&wal, vec![entry(2, 201, "after the restart")]);
    drop(wal);

    let mut content = std::fs::read(newest).unwrap();
    content[300] ^= 1;
    std::fs::write(newest, &content).unwrap();
    let error = open(&dir, small()).map(|_| ()).unwrap_err();
    assert!(matches!(&error, OpenError::Damaged { file, .. } if file == newest), "{error}");
    assert_eq!(std::fs::read(newest).unwrap(), content, "a refusal changes nothing");
}
