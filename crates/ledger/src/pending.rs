//! What is applied and not in the store yet, and the last lines that are: every read looks here first, so it sees what was applied at once.
//!
//! Bounded by the writer's queue and by the bytes of lines kept for those who follow the ledger.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use leasehold_domain::{state::BlobKey, text::Sealed};

use crate::{
    lines::Line,
    merkle::{Tile, TileId, Tree},
};

/// The overlay.
#[derive(Default)]
pub(crate) struct Pending {
    pub(crate) tree: Tree,
    /// The last lines; the first of them is line `tree.size() - lines.len()`.
    lines: VecDeque<Bytes>,
    lines_bytes: usize,
    /// Lines below this one are in the store.
    written: u64,
    /// Each with the index of the entry that wrote it last.
    blobs: BTreeMap<BlobKey, (u64, Option<Sealed>)>,
    pub(crate) tiles: BTreeMap<TileId, Arc<Tile>>,
}

impl Pending {
    /// Of a ledger all of whose lines are in the store.
    pub(crate) fn of(tree: Tree) -> Self {
        Self { written: tree.size(), tree, ..Self::default() }
    }

    /// The first line that is in memory.
    pub(crate) fn first(&self) -> u64 {
        self.tree.size() - self.lines.len() as u64
    }

    /// Lines from `from` on that are in memory.
    pub(crate) fn lines_from(&self, from: u64) -> impl Iterator<Item = Line> {
        let skip = usize::try_from(from.saturating_sub(self.first())).unwrap_or(usize::MAX);
        (from.max(self.first())..)
            .zip(self.lines.iter().skip(skip))
            .map(|(seq, bytes)| Line { seq, bytes: bytes.clone() })
    }

    /// Adds the next line, whose leaf hash is known; answers the tiles that it completes.
    pub(crate) fn push(&mut self, line: Bytes, leaf: crate::hash::Hash) -> Vec<(TileId, Arc<Tile>)> {
        let mut complete = Vec::new();
        self.tree.append(leaf, |id, tile| complete.push((id, Arc::new(tile))));
        self.lines_bytes += line.len();
        self.lines.push_back(line);
        self.tiles.extend(complete.iter().cloned());
        complete
    }

    /// Lets lines go that are in the store, the oldest first, until those in memory have at most `keep` bytes.
    pub(crate) fn trim(&mut self, keep: usize) {
        while self.lines_bytes > keep && self.first() < self.written {
            let Some(line) = self.lines.pop_front() else { break };
            self.lines_bytes -= line.len();
        }
    }

    /// A blob that entry `index` wrote or removed.
    pub(crate) fn put_blob(&mut self, index: u64, key: BlobKey, blob: Option<Sealed>) {
        self.blobs.insert(key, (index, blob));
    }

    /// A blob that is not in the store yet; the inner `None` where it was removed.
    pub(crate) fn blob(&self, key: &BlobKey) -> Option<Option<Sealed>> {
        self.blobs.get(key).map(|(_, blob)| blob.clone())
    }

    /// All blobs that are not in the store yet.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = (&BlobKey, &Option<Sealed>)> {
        self.blobs.iter().map(|(key, (_, blob))| (key, blob))
    }

    /// Everything up to entry `index` and line `size` is in the store: of the blobs and tiles, these.
    pub(crate) fn written(
        &mut self,
        index: u64,
        size: u64,
        blobs: impl IntoIterator<Item = BlobKey>,
        tiles: impl IntoIterator<Item = TileId>,
    ) {
        self.written = size;
        for key in blobs {
            if self.blobs.get(&key).is_some_and(|(by, _)| *by <= index) {
                self.blobs.remove(&key);
            }
        }
        for id in tiles {
            self.tiles.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash;

    fn push(pending: &mut Pending, line: &'static [u8]) {
        pending.push(Bytes::from_static(line), hash::leaf(line));
    }

    #[test]
    fn lines_stay_until_they_are_written_and_the_newest_a_while_longer() {
        let mut pending = Pending::default();
        for line in [b"one", b"two", b"six"] {
            push(&mut pending, line);
        }
        pending.trim(3);
        assert_eq!(pending.first(), 0, "nothing is written yet");
        pending.written(1, 2, [], []);
        pending.trim(6);
        assert_eq!(pending.lines_from(0).map(|line| line.seq).collect::<Vec<_>>(), [1, 2]);
        pending.trim(0);
        assert_eq!(pending.lines_from(1).map(|line| line.bytes).collect::<Vec<_>>(), ["six"]);
        assert_eq!(pending.lines_from(3).count(), 0);
    }

    #[test]
    fn a_blob_that_was_written_again_meanwhile_stays() {
        let mut pending = Pending::default();
        let sealed = |byte: u8| Sealed::new([byte]);
        pending.put_blob(1, BlobKey::RootCheck, sealed(1));
        pending.put_blob(2, BlobKey::RootCheck, sealed(2));
        pending.written(1, 0, [BlobKey::RootCheck], []);
        assert_eq!(pending.blob(&BlobKey::RootCheck), Some(sealed(2)));
        pending.written(2, 0, [BlobKey::RootCheck], []);
        assert_eq!(pending.blob(&BlobKey::RootCheck), None);
    }
}
