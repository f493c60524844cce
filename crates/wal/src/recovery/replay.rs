//! Reads the segments in order and folds their records. Changes nothing.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Closed, Expectation};
use crate::fs::read_full;
use crate::identity::Stage;
use crate::index::{Index, Place};
use crate::record::{HEAD, Record};
use crate::scan::{Bad, Tail, scan};
use crate::segment::{self, HEADER, Header, HeaderError};
use crate::{Failure, Fs, FsFile, Identity, OpenError, State};

/// A log that replays, with its end.
pub(super) struct Log {
    pub(super) state: State,
    pub(super) oldest: u64,
    pub(super) index: Index,
    pub(super) files: BTreeMap<u64, Arc<dyn FsFile>>,
    pub(super) closed: VecDeque<Closed>,
    /// The segment that goes on.
    pub(super) id: u64,
    pub(super) path: PathBuf,
    pub(super) tail: Tail,
    /// Start of the last group of the segment before, if nothing has been written since it was sealed.
    pub(super) sealing: Option<(u64, Tail)>,
    /// An empty segment whose predecessor was not sealed: a rotation that a crash cut short.
    pub(super) unfinished: Option<u64>,
}

struct Segment {
    path: PathBuf,
    file: Arc<dyn FsFile>,
    size: u64,
    header: Header,
}

fn damaged(path: &Path, offset: u64, reason: impl Into<String>) -> OpenError {
    OpenError::Damaged { file: path.to_owned(), offset, reason: reason.into() }
}

pub(super) fn replay(
    fs: &dyn Fs,
    dir: &Path,
    identity: Identity,
    ids: &[u64],
    index: Index,
) -> Result<Log, OpenError> {
    let missing = |id: u64, reason| OpenError::Missing { file: segment::path(dir, id), reason };
    // A crash while purging may have removed any of the purged segments: what counts is the unbroken run at the end.
    let gap = ids.windows(2).rposition(|pair| pair.first().map(|id| id + 1) != pair.last().copied());
    let run = ids.get(gap.map_or(0, |gap| gap + 1)..).unwrap_or_default();
    let segments = run.iter().map(|id| load(fs, dir, identity, *id)).collect::<Result<Vec<_>, _>>()?;
    let Some(first) = segments.first() else { return Err(missing(1, "there are no segments")) };
    let mut fold =
        Fold { state: first.header.state, oldest: first.header.oldest, index, segment: first.header.id };
    if let Some(last) = first.header.state.last {
        fold.index.purge(last.index);
    }
    let mut before: Option<Tail> = None;
    let (mut files, mut closed) = (BTreeMap::new(), VecDeque::new());
    let mut following = segments.iter().skip(1);
    for segment in &segments {
        let Segment { path, file, header, .. } = segment;
        let next = following.next();
        fold.segment = header.id;
        if let Some(before) = &before {
            if header.chain != before.chain {
                return Err(damaged(path, 0, "segment does not follow the one before it"));
            }
            if header.state != fold.state || header.oldest != fold.oldest {
                return Err(damaged(path, 0, "header contradicts the records before it"));
            }
        }
        let read = scan(file.as_ref(), header.id, header.crc(), |offset, head, record| {
            fold.apply(offset, HEAD + head.padded(), record)
        });
        let tail = read.map_err(Failure::io("read", path.clone()))?;
        if let Some(Bad::Damaged(reason)) = &tail.bad {
            return Err(damaged(path, tail.offset, reason));
        }
        let unfinished =
            next.is_some_and(|next| next.size == HEADER as u64 && Some(&next.header.id) == run.last());
        match next {
            Some(_) if tail.sealed => {
                closed.push_back(Closed { id: header.id, last: fold.state.last.map(|last| last.index) });
                files.insert(header.id, Arc::clone(file));
                before = Some(tail);
            }
            Some(next) if !unfinished => {
                let reason =
                    format!("segment ends without its seal, yet segment {} has records", next.header.id);
                return Err(damaged(path, tail.offset, reason));
            }
            None if tail.sealed => {
                return Err(missing(header.id + 1, "the segment before it is sealed and names it"));
            }
            Some(_) | None => {
                if fold.oldest < first.header.id {
                    return Err(missing(fold.oldest, "it has not been purged"));
                }
                fold.finish().map_err(|reason| damaged(path, tail.offset, reason))?;
                files.insert(header.id, Arc::clone(file));
                let sealing = before.filter(|_| tail.offset == HEADER as u64);
                return Ok(Log {
                    state: fold.state,
                    oldest: fold.oldest,
                    index: fold.index,
                    files,
                    closed,
                    id: header.id,
                    path: path.clone(),
                    tail,
                    sealing: sealing.map(|tail| (header.id - 1, tail)),
                    unfinished: next.map(|next| next.header.id),
                });
            }
        }
    }
    Err(missing(1, "there are no segments"))
}

fn load(fs: &dyn Fs, dir: &Path, identity: Identity, id: u64) -> Result<Segment, OpenError> {
    let path = segment::path(dir, id);
    let file = fs.open(&path).map_err(Failure::io("open", path.clone()))?;
    let size = file.size().map_err(Failure::io("stat", path.clone()))?;
    let mut bytes = [0; HEADER];
    let length = read_full(file.as_ref(), 0, &mut bytes).map_err(Failure::io("read", path.clone()))?;
    let header = match Header::decode(bytes.get(..length).unwrap_or_default()) {
        Ok(header) => header,
        Err(HeaderError::Damaged) => return Err(damaged(&path, 0, "segment header does not verify")),
        Err(HeaderError::Format(found)) => return Err(OpenError::Format { file: path, found }),
    };
    if header.identity.cluster != identity.cluster {
        return Err(OpenError::Foreign { file: path, what: "cluster" });
    }
    if header.identity.node != identity.node {
        return Err(OpenError::Foreign { file: path, what: "node" });
    }
    if header.id != id {
        return Err(damaged(&path, 0, "segment header names another segment"));
    }
    Ok(Segment { path, file, size, header })
}

struct Fold {
    state: State,
    oldest: u64,
    index: Index,
    segment: u64,
}

impl Fold {
    fn apply(&mut self, offset: u64, length: usize, record: Record) -> Result<(), String> {
        self.state.apply(&record).map_err(|violation| violation.to_string())?;
        match record {
            Record::Entry(entry) => {
                self.index.restore(entry.id, Place { segment: self.segment, offset, length });
            }
            Record::Truncate(kept) => self.index.truncate(kept.map_or(0, |id| id.index.saturating_add(1))),
            Record::Purge { upto, oldest } => {
                if oldest < self.oldest || oldest > self.segment {
                    return Err("purge names a segment that it cannot".to_owned());
                }
                self.oldest = oldest;
                if self.state.last == Some(upto) {
                    self.index.truncate(0);
                    self.index.purge(upto.index);
                }
            }
            Record::Vote(_) | Record::Committed(_) | Record::Mark | Record::Seal { .. } => {}
        }
        Ok(())
    }

    /// Drops what is purged, and checks that every entry left can be read.
    fn finish(&mut self) -> Result<(), &'static str> {
        let Some(purged) = self.state.purged else { return Ok(()) };
        let held_from = self.index.first();
        self.index.purge(purged.index);
        let missing =
            self.state.last.is_some_and(|last| last.index > purged.index && held_from > purged.index + 1);
        if missing { Err("entries after the purged ones are missing") } else { Ok(()) }
    }
}

impl Log {
    /// What the files alone cannot tell.
    pub(super) fn judge(&self, dir: &Path, stage: Stage, expected: Expectation) -> Result<(), OpenError> {
        let (file, offset) = (segment::path(dir, self.id), self.tail.offset);
        let term = self.state.vote.map(|vote| vote.term);
        if (stage == Stage::Voted && term.is_none()) || term < expected.min_term {
            return Err(OpenError::VoteLost { file, offset, term });
        }
        let last = self.state.last.map(|last| last.index);
        match expected.min_index {
            Some(expected) if last < Some(expected) => Err(OpenError::Short { file, offset, last, expected }),
            Some(_) | None => Ok(()),
        }
    }
}
