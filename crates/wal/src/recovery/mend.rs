//! The changes that opening a sound log may need, in an order in which a crash at any step is harmless.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};

use leasehold_failpoint::failpoint;

use super::replay::Log;
use super::{Active, Opened, Recovered, TornTail};
use crate::fs::read_full;
use crate::identity::{self, Stage};
use crate::scan::Tail;
use crate::segment::{self, TEMPORARY};
use crate::{DirLock, Failure, Fs, FsFile, Identity, OpenError};

const TORN: &str = ".torn-";
/// How many torn tails are kept for whoever wants to look.
const TORN_MAX: usize = 16;
const CHUNK: u64 = 1 << 20;

pub(super) fn mend(
    fs: &dyn Fs,
    dir: &Path,
    identity: Identity,
    mut stage: Stage,
    names: &[String],
    lock: DirLock,
    mut log: Log,
) -> Result<Opened, OpenError> {
    for name in names.iter().filter(|name| name.ends_with(TEMPORARY)) {
        remove(fs, &dir.join(name))?;
    }
    failpoint!("wal.mend-begun");
    let missing = || OpenError::Missing { file: log.path.clone(), reason: "it was just read" };
    let file = log.files.get(&log.id).map(std::sync::Arc::clone).ok_or_else(missing)?;
    let torn = cut(fs, dir, names, &log.path, file.as_ref(), &log.tail)?;
    // The data of a sync that failed may be in memory alone, and the system calls it clean. Written anew, it is not.
    rewrite(&log.path, file.as_ref(), &log.tail)?;
    failpoint!("wal.mend-rewritten");
    if let Some((id, tail)) = &log.sealing
        && let Some(file) = log.files.get(id)
    {
        rewrite(&segment::path(dir, *id), file.as_ref(), tail)?;
    }
    if let Some(id) = log.unfinished {
        failpoint!("wal.mend-before-unfinished");
        remove(fs, &segment::path(dir, id))?;
    }
    for id in names.iter().filter_map(|name| segment::id_of(name)).filter(|id| *id < log.oldest) {
        remove(fs, &segment::path(dir, id))?;
    }
    log.files.retain(|id, _| *id >= log.oldest);
    log.closed.retain(|closed| closed.id >= log.oldest);
    fs.sync_dir(dir).map_err(Failure::io("sync", dir.to_owned()))?;
    let reached = if log.state.vote.is_some() { Stage::Voted } else { Stage::Started };
    if stage < reached {
        match identity::write(fs, dir, identity, reached) {
            Ok(()) => stage = reached,
            // A full disk must not keep the node from starting; the next vote sets the mark before it is acknowledged.
            Err(failure) if is_full(&failure) => remove_temporary(fs, &identity::path(dir))?,
            Err(failure) => return Err(failure.into()),
        }
    }
    Ok(Opened {
        lock,
        recovered: Recovered { state: log.state, created: false, torn },
        stage,
        oldest: log.oldest,
        index: log.index,
        files: log.files,
        active: Active {
            id: log.id,
            file,
            size: log.tail.offset,
            durable: log.tail.offset,
            chain: log.tail.chain,
        },
        closed: log.closed,
    })
}

fn cut(
    fs: &dyn Fs,
    dir: &Path,
    names: &[String],
    path: &Path,
    file: &dyn FsFile,
    tail: &Tail,
) -> Result<Option<TornTail>, Failure> {
    if tail.bad.is_none() {
        return Ok(None);
    }
    let bytes = tail.size - tail.offset;
    let mut content = vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)];
    let length = read_full(file, tail.offset, &mut content).map_err(Failure::io("read", path.to_owned()))?;
    content.truncate(length);
    let mut name = path.as_os_str().to_owned();
    name.push(format!("{TORN}{:020}", tail.offset));
    let copy = PathBuf::from(name);
    let mut older: Vec<&String> = names.iter().filter(|name| name.contains(TORN)).collect();
    older.sort_unstable();
    for name in older.iter().rev().skip(TORN_MAX - 1) {
        remove(fs, &dir.join(name))?;
    }
    let kept = match segment::publish(fs, dir, &copy, &content) {
        Ok(()) => Some(copy),
        Err(failure) if is_full(&failure) => {
            remove_temporary(fs, &copy)?;
            None
        }
        Err(failure) => return Err(failure),
    };
    failpoint!("wal.mend-tail-kept");
    // Made durable by the sync that ends the rewrite, before anything is written after it.
    file.truncate(tail.offset).map_err(Failure::io("truncate", path.to_owned()))?;
    failpoint!("wal.mend-cut");
    Ok(Some(TornTail { file: path.to_owned(), offset: tail.offset, bytes, kept }))
}

/// Writes the last group again, in place and unchanged, and syncs it: all before it is known to have been durable.
fn rewrite(path: &Path, file: &dyn FsFile, tail: &Tail) -> Result<(), Failure> {
    let mut offset = tail.group;
    while offset < tail.offset {
        let mut chunk = vec![0; usize::try_from(CHUNK.min(tail.offset - offset)).unwrap_or(usize::MAX)];
        let length = read_full(file, offset, &mut chunk).map_err(Failure::io("read", path.to_owned()))?;
        if length != chunk.len() {
            return Err(Failure::Damaged { file: path.to_owned(), offset });
        }
        let mut slices = [IoSlice::new(&chunk)];
        file.write_at(offset, &mut slices).map_err(Failure::io("write", path.to_owned()))?;
        offset += chunk.len() as u64;
    }
    file.sync_all().map_err(Failure::io("sync", path.to_owned()))
}

fn is_full(failure: &Failure) -> bool {
    matches!(failure, Failure::Io { source, .. }
        if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
}

fn remove_temporary(fs: &dyn Fs, target: &Path) -> Result<(), Failure> {
    let mut name = target.as_os_str().to_owned();
    name.push(TEMPORARY);
    remove(fs, Path::new(&name))
}

fn remove(fs: &dyn Fs, path: &Path) -> Result<(), Failure> {
    match fs.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Failure::io("remove", path.to_owned())(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
