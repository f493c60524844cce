//! Building a snapshot while the ledger goes on.
//!
//! Rows and blobs are read under [pre-images](crate::preimages), so they are of one moment; lines and pages of postings are never changed once
//! written, so those below that moment's size are of it anyway.

use std::{
    fs::{self, File},
    io::{self, BufWriter},
    path::Path,
    sync::Arc,
};

use leasehold_failpoint::failpoint;

use super::{KEPT, Manifest, PREFIX, SnapshotMeta, frames::FrameWriter, path_at, paths};
use crate::{
    error::{Fault, SnapshotError},
    keys,
    lines::{blocks, stored::Stored},
    place::{UNFINISHED, replace, sync_dir},
    preimages::Reading,
    shared::{Shared, lock},
    store::Store,
};

/// How many rows are read before what changed meanwhile is taken into account.
const ROWS_AT_ONCE: usize = 1024;
/// How many lines are gathered before they are written.
const LINES_AT_ONCE: usize = 1024;

/// Why writing stopped: the disk that the snapshot goes to, or the ledger it comes from.
enum Stop {
    Io(io::Error),
    Fault(Fault),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Shared {
    pub(crate) fn build_snapshot(&self, dir: &Path, lines_from: u64) -> Result<SnapshotMeta, SnapshotError> {
        let _building = lock(&self.building);
        fs::create_dir_all(dir).map_err(SnapshotError::io("create", dir))?;
        remove_unfinished(dir)?;

        // Between two batches the store is at one entry.
        let (meta, reading, store) = {
            let written = lock(&self.writing);
            let store = self.log()?.store()?;
            (written.meta.clone(), self.preimages.begin(), store)
        };
        if lines_from > meta.size() {
            return Err(SnapshotError::Gap { from: lines_from, have: meta.size() });
        }
        let path = path_at(dir, meta.applied.position);
        failpoint!("snapshot.moment-taken");
        let manifest = Manifest { meta, lines_from };
        let mut fault = None;
        let replaced = replace(&path, |file| {
            write(file, &manifest, reading, &store).map_err(|stop| match stop {
                Stop::Io(error) => error,
                Stop::Fault(found) => {
                    fault = Some(found);
                    io::Error::other("the ledger cannot be read")
                }
            })
        });
        if let Some(fault) = fault {
            return Err(self.stop(fault).into());
        }
        replaced.map_err(SnapshotError::io("write", &path))?;
        failpoint!("snapshot.named");
        keep_newest(dir)?;
        failpoint!("snapshot.older-removed");
        let bytes = fs::metadata(&path).map_err(SnapshotError::io("look at", &path))?.len();
        tracing::info!(lines = manifest.meta.size(), bytes, "snapshot built");
        Ok(SnapshotMeta::of(&path, bytes, &manifest))
    }
}

fn write(file: &mut File, manifest: &Manifest, reading: Reading<'_>, store: &Arc<Store>) -> Result<(), Stop> {
    let mut frames = FrameWriter::new(BufWriter::new(file), manifest)?;
    for space in [keys::BLOB, keys::ROW] {
        let end = keys::space(space).end;
        let mut from = keys::space(space).start;
        while from < end {
            let pairs = store.scan(from..end.clone()).take(ROWS_AT_ONCE).collect::<Result<Vec<_>, _>>()?;
            from = match pairs.last() {
                // The next key after the last one.
                Some((last, _)) if pairs.len() == ROWS_AT_ONCE => [last, &[0][..]].concat(),
                Some(_) | None => end.clone(),
            };
            for (key, content) in reading.pass(&from, pairs) {
                frames.pair(&key, &content)?;
            }
        }
    }
    drop(reading);
    let mut pages = store.scan(keys::space(keys::POSTINGS));
    for page in &mut pages {
        let (key, content) = page?;
        if crate::postings::run_of(&key).is_none_or(|run| run >= manifest.meta.runs) {
            break;
        }
        frames.pair(&key, &content)?;
    }
    let mut lines = Stored::new(store, manifest.lines_from, manifest.meta.size())?.peekable();
    while let Some(first) = lines.peek() {
        let first = first.as_ref().map_or(0, |line| line.seq);
        let some = lines
            .by_ref()
            .take(LINES_AT_ONCE)
            .map(|line| Ok(line?.bytes))
            .collect::<Result<Vec<_>, Fault>>()?;
        for block in blocks(first, some) {
            frames.lines(&block)?;
        }
    }
    frames.finish()?;
    Ok(())
}

/// What a crash left of a snapshot that was being written.
fn remove_unfinished(dir: &Path) -> Result<(), SnapshotError> {
    for entry in fs::read_dir(dir).map_err(SnapshotError::io("list", dir))? {
        let path = entry.map_err(SnapshotError::io("list", dir))?.path();
        let named =
            path.file_stem().and_then(|stem| stem.to_str()).is_some_and(|stem| stem.starts_with(PREFIX));
        if named && path.extension().is_some_and(|extension| extension == UNFINISHED) {
            fs::remove_file(&path).map_err(SnapshotError::io("remove", &path))?;
        }
    }
    Ok(())
}

fn keep_newest(dir: &Path) -> Result<(), SnapshotError> {
    let all = paths(dir)?;
    for path in all.iter().take(all.len().saturating_sub(KEPT)) {
        fs::remove_file(path).map_err(SnapshotError::io("remove", path))?;
    }
    sync_dir(dir).map_err(SnapshotError::io("sync", dir))
}
