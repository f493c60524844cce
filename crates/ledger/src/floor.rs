//! How far a store is durable, noted outside of it.
//!
//! After damage near the end of its log sled opens with an older state, whole and consistent in itself: no digest in the store can tell. So each flush
//! is noted here once it is done, and a store that ends before what was noted, or has another tree up to there, is refused.
//!
//! Two slots are written in turn, so that a crash while one is written leaves the other.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use crate::{cursor::Cursor, hash::Hash, keys, merkle::TreeHead, meta::Meta};

const NAME: &str = "floor";
const SLOT_LEN: usize = 64;
const KEY: &[u8] = b"floor";

/// What was durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Floor {
    /// How many entries: one more than the last one's index; 0 before the first.
    pub(crate) entries: u64,
    size: u64,
    root: Hash,
}

impl Floor {
    pub(crate) fn of(meta: &Meta) -> Self {
        let entries = meta.applied.position.map_or(0, |position| position.index + 1);
        Self { entries, size: meta.size(), root: meta.root }
    }

    pub(crate) fn tree(&self) -> TreeHead {
        TreeHead { size: self.size, root: self.root }
    }

    fn to_slot(self) -> Vec<u8> {
        let content = [&self.entries.to_le_bytes()[..], &self.size.to_le_bytes(), &self.root].concat();
        let mut slot = keys::guarded(KEY, &content);
        slot.resize(SLOT_LEN, 0);
        slot
    }

    fn from_slot(slot: &[u8]) -> Option<Self> {
        let value = slot.get(..8 + 8 + size_of::<Hash>() + keys::GUARD_LEN)?;
        keys::content_len(KEY, value)?;
        let mut cursor = Cursor(value);
        Some(Self { entries: cursor.u64()?, size: cursor.u64()?, root: cursor.array()? })
    }
}

/// The file that notes it.
pub(crate) struct FloorFile {
    file: File,
    slot: u64,
}

/// Where it is.
pub(crate) fn path(store: &Path) -> PathBuf {
    store.join(NAME)
}

impl FloorFile {
    /// Begins the file of a store that begins here.
    pub(crate) fn begin(store: &Path, floor: Floor) -> io::Result<()> {
        let mut file = Self { file: File::create(path(store))?, slot: 0 };
        file.note(floor)?;
        file.note(floor)?;
        crate::place::sync_dir(store)
    }

    /// Opens the file of a store; `None` where there is none, or none that can be read.
    pub(crate) fn open(store: &Path) -> io::Result<Option<(Self, Floor)>> {
        let path = path(store);
        if !path.is_file() {
            return Ok(None);
        }
        let bytes = fs::read(&path)?;
        let slots = bytes.chunks(SLOT_LEN).map(Floor::from_slot).zip(0..2);
        let newest = slots.filter_map(|(floor, slot)| Some((floor?, slot))).max();
        let file = File::options().write(true).open(path)?;
        // The next one goes over the older.
        Ok(newest.map(|(floor, slot)| (Self { file, slot: 1 - slot }, floor)))
    }

    /// Notes what is durable now.
    pub(crate) fn note(&mut self, floor: Floor) -> io::Result<()> {
        self.file.write_all_at(&floor.to_slot(), self.slot * SLOT_LEN as u64)?;
        self.file.sync_data()?;
        self.slot = 1 - self.slot;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floor(entries: u64) -> Floor {
        Floor { entries, size: entries * 2, root: [entries as u8; 32] }
    }

    fn read(dir: &Path) -> Option<Floor> {
        FloorFile::open(dir).unwrap().map(|(_, floor)| floor)
    }

    #[test]
    fn the_newest_note_is_read_and_the_one_before_it_when_that_was_cut_short() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()), None);
        FloorFile::begin(dir.path(), floor(0)).unwrap();
        for entries in 1..5 {
            let (mut file, _) = FloorFile::open(dir.path()).unwrap().unwrap();
            file.note(floor(entries)).unwrap();
            assert_eq!(read(dir.path()), Some(floor(entries)));
        }
        let mut bytes = fs::read(path(dir.path())).unwrap();
        let newest =
            bytes.chunks(SLOT_LEN).position(|slot| Floor::from_slot(slot) == Some(floor(4))).unwrap();
        bytes[newest * SLOT_LEN + 3] ^= 1;
        fs::write(path(dir.path()), &bytes).unwrap();
        assert_eq!(read(dir.path()), Some(floor(3)));
        let (mut file, _) = FloorFile::open(dir.path()).unwrap().unwrap();
        file.note(floor(5)).unwrap();
        assert_eq!(read(dir.path()), Some(floor(5)), "the damaged one is written over");
        fs::write(path(dir.path()), [0; 128]).unwrap();
        assert_eq!(read(dir.path()), None);
    }
}
