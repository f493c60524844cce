//! What the store holds: where it stands, and how a group of entries is written to it.

use std::collections::{BTreeMap, VecDeque};

use leasehold_failpoint::failpoint;
use sled::IVec;

use crate::{
    buckets::Buckets,
    digest::SetDigest,
    entry::Position,
    error::Fault,
    floor::{self, Floor, FloorFile},
    hash::Hash,
    keys,
    lines::blocks,
    merkle::TreeHead,
    meta::Meta,
    preimages::Preimages,
    queue::Queued,
    store::{Disk, Store, Writes},
};

/// How many digests are remembered, one an entry, for comparison with other nodes.
const DIGESTS_MAX: usize = 1024;

/// What two nodes that stand at the same entry have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateDigest {
    /// The entry; none before the first.
    pub position: Option<Position>,
    /// The Merkle tree.
    pub tree: TreeHead,
    /// Of all rows and blobs.
    pub digest: Hash,
}

/// What the store holds.
pub(crate) struct Written {
    pub(crate) meta: Meta,
    pub(crate) buckets: Buckets,
    floor: FloorFile,
    digests: VecDeque<StateDigest>,
}

impl Written {
    pub(crate) fn new(meta: Meta, buckets: Buckets, floor: FloorFile) -> Self {
        let mut written = Self { meta, buckets, floor, digests: VecDeque::new() };
        written.remember();
        written
    }

    fn remember(&mut self) {
        if self.digests.len() == DIGESTS_MAX {
            self.digests.pop_front();
        }
        self.digests.push_back(StateDigest {
            position: self.meta.applied.position,
            tree: TreeHead { size: self.meta.size(), root: self.meta.root },
            digest: self.meta.rows.with(self.meta.blobs).to_bytes(),
        });
    }

    /// Makes all that was written durable, and notes it.
    pub(crate) fn flush(&mut self, store: &Store, disk: &dyn Disk) -> Result<(), Fault> {
        store.flush(disk)?;
        failpoint!("ledger.synced");
        let noted = self.floor.note(Floor::of(&self.meta));
        noted.map_err(Fault::disk("note the flush in", floor::path(store.path())))
    }

    /// The digest at the last entry that is written.
    pub(crate) fn digest(&self) -> Option<StateDigest> {
        self.digests.back().copied()
    }

    /// The digest at this entry, if it is written and recent.
    pub(crate) fn digest_at(&self, index: u64) -> Option<StateDigest> {
        self.digests
            .iter()
            .rev()
            .find(|digest| digest.position.is_some_and(|position| position.index == index))
            .copied()
    }

    /// Adds whole entries to one batch. The old rows are read for the digest, and left to a snapshot that may want them.
    pub(crate) fn batch(
        &mut self,
        store: &Store,
        preimages: &Preimages,
        group: &[Queued],
    ) -> Result<Writes, Fault> {
        let mut changed = Changed { store, preimages, rows: BTreeMap::new() };
        for entry in group {
            for (key, row) in &entry.rows {
                let change = changed.put(key.clone(), row.as_deref())?;
                change.count_in(&mut self.meta.rows);
            }
            for (key, blob) in &entry.blobs {
                let change = changed.put(keys::blob(key), blob.as_ref().map(|blob| blob.as_bytes()))?;
                change.count_in(&mut self.meta.blobs);
                if let Some(bucket) = self.buckets.of_key_mut(&change.key) {
                    change.count_in(bucket);
                }
            }
            self.meta.applied = entry.applied.clone();
            self.meta.root = entry.root;
            self.remember();
        }
        let mut writes = Writes::default();
        for (key, row) in changed.rows {
            match row {
                Some(row) => writes.put(&key, &row),
                None => writes.remove(&key),
            }
        }
        if let Some(first) = group.first() {
            let lines = group.iter().flat_map(|entry| entry.lines.iter().cloned());
            for block in blocks(first.first_seq, lines) {
                writes.put(&keys::lines(block.first), &block.to_content());
            }
        }
        for (id, tile) in group.iter().flat_map(|entry| &entry.tiles) {
            writes.put(&keys::tile(*id), &tile.to_bytes());
        }
        writes.put(keys::META, &self.meta.to_bytes());
        Ok(writes)
    }
}

/// The rows that a group changes, as the last of its entries leaves them.
struct Changed<'a> {
    store: &'a Store,
    preimages: &'a Preimages,
    rows: BTreeMap<Vec<u8>, Option<IVec>>,
}

/// A row before and after.
struct Change<'a> {
    key: Vec<u8>,
    old: Option<IVec>,
    new: Option<&'a [u8]>,
}

impl Change<'_> {
    fn count_in(&self, digest: &mut SetDigest) {
        if let Some(old) = &self.old {
            digest.remove(&self.key, old);
        }
        if let Some(new) = self.new {
            digest.add(&self.key, new);
        }
    }
}

impl Changed<'_> {
    fn put<'r>(&mut self, key: Vec<u8>, new: Option<&'r [u8]>) -> Result<Change<'r>, Fault> {
        let old = match self.rows.get(&key) {
            Some(old) => old.clone(),
            None => {
                let old = self.store.get(&key)?;
                self.preimages.keep(&key, old.as_ref());
                old
            }
        };
        self.rows.insert(key.clone(), new.map(IVec::from));
        Ok(Change { key, old, new })
    }
}
