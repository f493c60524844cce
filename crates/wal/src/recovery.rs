//! Opening a log: read everything, judge, and only then change anything.

mod mend;
mod replay;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::identity::{self, Stage};
use crate::index::Index;
use crate::segment::{self, HEADER, Header};
use crate::{DirLock, Failure, Fs, FsFile, Identity, OpenError, State};

/// What is known from elsewhere, such as the ledger's checkpoint; the default expects nothing.
///
/// A log cut off at the end of a record looks like one that ended there: only such knowledge tells them apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expectation {
    /// An index that was durable in this log, and committed, so that the log must reach it.
    pub min_index: Option<u64>,
    /// A term that this node has voted in.
    pub min_term: Option<u64>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Vote and ends of the log. All of it is durable.
    pub state: State,
    /// The directory was new.
    pub created: bool,
    /// A write that a crash had torn. None of its callbacks had run.
    pub torn: Option<TornTail>,
}

/// Where a torn write was cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The segment.
    pub file: PathBuf,
    /// Where it was cut.
    pub offset: u64,
    /// How many bytes went.
    pub bytes: u64,
    /// The copy of them, of which the last 16 are kept; `None` if the disk was too full to keep one.
    pub kept: Option<PathBuf>,
}

/// The segment being written.
pub(crate) struct Active {
    pub(crate) id: u64,
    pub(crate) file: Arc<dyn FsFile>,
    pub(crate) size: u64,
    /// All below is durable. What follows, up to `size`, can only be a mark.
    pub(crate) durable: u64,
    pub(crate) chain: u32,
}

/// A segment that is complete.
pub(crate) struct Closed {
    pub(crate) id: u64,
    /// Index of the last entry when it was sealed: once that is purged, the segment may go.
    pub(crate) last: Option<u64>,
}

pub(crate) struct Opened {
    pub(crate) lock: DirLock,
    pub(crate) recovered: Recovered,
    pub(crate) stage: Stage,
    pub(crate) oldest: u64,
    pub(crate) index: Index,
    pub(crate) files: BTreeMap<u64, Arc<dyn FsFile>>,
    pub(crate) active: Active,
    pub(crate) closed: VecDeque<Closed>,
}

pub(crate) fn open(
    fs: &dyn Fs,
    dir: &Path,
    identity: Identity,
    expected: Expectation,
    cache_bytes_max: usize,
) -> Result<Opened, OpenError> {
    let fresh = Index::new(0, cache_bytes_max);
    match fs.list(dir) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            refuse_if_expected(dir, expected)?;
            fs.create_dir(dir).map_err(Failure::io("create", dir.to_owned()))?;
        }
        Err(error) => return Err(Failure::io("list", dir.to_owned())(error).into()),
    }
    let lock = fs.lock(dir).map_err(|error| match error.kind() == io::ErrorKind::WouldBlock {
        true => OpenError::Locked { dir: dir.to_owned() },
        false => Failure::io("lock", dir.to_owned())(error).into(),
    })?;
    let names = fs.list(dir).map_err(Failure::io("list", dir.to_owned()))?;
    let mut ids: Vec<u64> = names.iter().filter_map(|name| segment::id_of(name)).collect();
    ids.sort_unstable();
    let stage = identity::read(fs, dir, identity)?;
    match (stage, ids.last()) {
        (None, None) => {
            refuse_if_expected(dir, expected)?;
            identity::write(fs, dir, identity, Stage::Created)?;
            create(fs, dir, identity, lock, fresh)
        }
        (Some(Stage::Created), None) => {
            refuse_if_expected(dir, expected)?;
            create(fs, dir, identity, lock, fresh)
        }
        (Some(Stage::Started | Stage::Voted), None) => Err(OpenError::Missing {
            file: dir.join("*.seg"),
            reason: "the identity file says that the log has been written to",
        }),
        (None, Some(_)) => {
            Err(OpenError::Missing { file: identity::path(dir), reason: "there are segments without it" })
        }
        (Some(stage), Some(_)) => {
            let log = replay::replay(fs, dir, identity, &ids, fresh)?;
            log.judge(dir, stage, expected)?;
            mend::mend(fs, dir, identity, stage, &names, lock, log)
        }
    }
}

fn refuse_if_expected(dir: &Path, expected: Expectation) -> Result<(), OpenError> {
    if expected == Expectation::default() {
        return Ok(());
    }
    Err(OpenError::Missing { file: dir.to_owned(), reason: "the checkpoint says that there was a log" })
}

fn create(
    fs: &dyn Fs,
    dir: &Path,
    identity: Identity,
    lock: DirLock,
    index: Index,
) -> Result<Opened, OpenError> {
    let header = Header { identity, id: 1, oldest: 1, chain: 0, state: State::default() };
    let file = segment::create(fs, dir, &header)?;
    identity::write(fs, dir, identity, Stage::Started)?;
    let start = HEADER as u64;
    Ok(Opened {
        lock,
        recovered: Recovered { state: header.state, created: true, torn: None },
        stage: Stage::Started,
        oldest: header.oldest,
        index,
        files: BTreeMap::from([(header.id, Arc::clone(&file))]),
        active: Active { id: header.id, file, size: start, durable: start, chain: header.crc() },
        closed: VecDeque::new(),
    })
}
