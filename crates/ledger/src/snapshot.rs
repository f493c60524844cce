//! Snapshots: one moment of a ledger in a file, for a node that cannot catch up from a log.
//!
//! A file is a sequence of [frames]: a manifest, rows, blobs, pages of postings, lines, an end. Tiles are not in it: whoever takes it over
//! hashes every line anyway, and compares the root.

use std::{
    fs::{self, File},
    io::BufReader,
    path::{Path, PathBuf},
};

use crate::{
    entry::Position,
    error::SnapshotError,
    merkle::TreeHead,
    meta::Meta,
    snapshot::frames::{Frame, FrameReader},
};

mod build;
mod frames;
mod install;

/// How many snapshots a directory keeps.
const KEPT: usize = 2;
const PREFIX: &str = "snapshot-";

/// What a snapshot is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotMeta {
    /// Its file.
    pub path: PathBuf,
    /// How many bytes that has.
    pub bytes: u64,
    /// The entry at which it was taken; none before the first.
    pub position: Option<Position>,
    /// The membership as of then, as in [`Applied`](crate::Applied).
    pub membership: Option<(Option<Position>, Vec<u8>)>,
    /// The Merkle tree as of then.
    pub tree: TreeHead,
    /// The first line that it holds: a receiver must have those before.
    pub lines_from: u64,
}

/// What stands first in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Manifest {
    meta: Meta,
    lines_from: u64,
}

impl SnapshotMeta {
    /// Reads what a file says of itself. Nothing else of it is verified; installing does that.
    ///
    /// # Errors
    /// [`SnapshotError`]: it is no snapshot, of an unknown format, or cannot be read.
    pub fn read(path: &Path) -> Result<Self, SnapshotError> {
        let file = File::open(path).map_err(SnapshotError::io("open", path))?;
        let bytes = file.metadata().map_err(SnapshotError::io("look at", path))?.len();
        let mut frames = FrameReader::new(BufReader::new(file), path)?;
        match frames.next()? {
            Frame::Manifest(manifest) => Ok(Self::of(path, bytes, &manifest)),
            Frame::Pairs(_) | Frame::Lines(_) | Frame::End => {
                Err(SnapshotError::damaged(path, "it does not begin with a manifest"))
            }
        }
    }

    /// The snapshots in a directory that can be read, the newest first. Files of another kind are left alone.
    ///
    /// # Errors
    /// [`SnapshotError::Io`] when the directory cannot be listed.
    pub fn list(dir: &Path) -> Result<Vec<Self>, SnapshotError> {
        let mut known: Vec<Self> = paths(dir)?.iter().filter_map(|path| Self::read(path).ok()).collect();
        known.sort_by_key(|meta| std::cmp::Reverse(meta.position.map(|position| position.index)));
        Ok(known)
    }

    fn of(path: &Path, bytes: u64, manifest: &Manifest) -> Self {
        let Manifest { meta, lines_from } = manifest;
        Self {
            path: path.to_owned(),
            bytes,
            position: meta.applied.position,
            membership: meta.applied.membership.clone(),
            tree: TreeHead { size: meta.size(), root: meta.root },
            lines_from: *lines_from,
        }
    }
}

/// Files named as snapshots, in the order of their entries.
fn paths(dir: &Path) -> Result<Vec<PathBuf>, SnapshotError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(SnapshotError::io("list", dir))? {
        let entry = entry.map_err(SnapshotError::io("list", dir))?;
        let name = entry.file_name();
        if name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX))
            .is_some_and(|rest| rest.parse::<u64>().is_ok())
        {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// Where the snapshot at this entry goes.
fn path_at(dir: &Path, position: Option<Position>) -> PathBuf {
    dir.join(format!("{PREFIX}{:020}", position.map_or(0, |position| position.index)))
}
