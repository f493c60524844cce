//! The Merkle tree over the event lines (RFC 6962), grown leaf by leaf.
//!
//! Hashes are kept as C2SP tlog-tiles keeps them: in tiles of 256, a tile of level n holding the roots of 256 tiles of level n − 1. Complete
//! tiles are handed out once, to be stored for ever; only the last, incomplete tile of each level is in memory, at most 255 hashes for each
//! factor of 256 in the size. Knows neither sled nor events.

use crate::{
    error::Fault,
    hash::{self, Hash},
};

pub(crate) mod prove;

/// How many hashes a tile holds.
pub(crate) const TILE_WIDTH: usize = 256;
/// Levels of the binary tree that one level of tiles spans.
pub(crate) const TILE_HEIGHT: u8 = 8;
/// How many bytes a complete tile has.
pub(crate) const TILE_LEN: usize = TILE_WIDTH * size_of::<Hash>();

/// Where the tree stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeHead {
    /// How many lines it covers.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// Which tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TileId {
    /// 0 for leaf hashes.
    pub(crate) level: u8,
    /// Counted from the left, from 0.
    pub(crate) number: u64,
}

/// A complete tile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tile(Vec<Hash>);

impl Tile {
    pub(crate) fn hashes(&self) -> &[Hash] {
        &self.0
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.0.concat()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (hashes, rest) = bytes.as_chunks::<{ size_of::<Hash>() }>();
        (hashes.len() == TILE_WIDTH && rest.is_empty()).then(|| Self(hashes.to_vec()))
    }
}

/// The tree: its size, its right edge, and the last tile of each level.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Tree {
    size: u64,
    /// Roots of the complete subtrees that the size decomposes into, left to right.
    edge: Vec<Hash>,
    /// The incomplete tile of each level, possibly empty.
    partial: Vec<Vec<Hash>>,
}

impl Tree {
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf; every tile that it completes goes to `complete`.
    pub(crate) fn append(&mut self, leaf: Hash, mut complete: impl FnMut(TileId, Tile)) {
        self.push(0, leaf);
        let (mut hash, mut carry, mut height) = (leaf, self.size, 0u8);
        while carry & 1 == 1
            && let Some(left) = self.edge.pop()
        {
            hash = hash::node(&left, &hash);
            carry >>= 1;
            height += 1;
            if height.is_multiple_of(TILE_HEIGHT) {
                let level = height / TILE_HEIGHT - 1;
                let number = self.size >> height;
                if let Some(tile) = self.partial.get_mut(usize::from(level)) {
                    complete(TileId { level, number }, Tile(std::mem::take(tile)));
                }
                self.push(level + 1, hash);
            }
        }
        self.edge.push(hash);
        self.size += 1;
    }

    fn push(&mut self, level: u8, hash: Hash) {
        let level = usize::from(level);
        if self.partial.len() <= level {
            self.partial.resize(level + 1, Vec::new());
        }
        if let Some(tile) = self.partial.get_mut(level) {
            tile.push(hash);
        }
    }

    /// The size and the root.
    pub(crate) fn head(&self) -> TreeHead {
        let mut hashes = self.edge.iter().rev();
        let root = hashes
            .next()
            .map_or_else(hash::empty, |last| hashes.fold(*last, |right, left| hash::node(left, &right)));
        TreeHead { size: self.size, root }
    }

    /// Begins a tree of `size` leaves from the tiles that are stored and the last `size % 256` leaf hashes.
    ///
    /// # Errors
    /// What `tile` answers, or [`Fault::Damaged`] when the leaves are not as many.
    pub(crate) fn restore(
        size: u64,
        last_leaves: Vec<Hash>,
        mut tile: impl FnMut(TileId) -> Result<Tile, Fault>,
    ) -> Result<Self, Fault> {
        if last_leaves.len() as u64 != size % TILE_WIDTH as u64 {
            return Err(Fault::damaged("the last lines do not make up the last tile"));
        }
        let mut partial = vec![last_leaves];
        for level in 1u8.. {
            let complete = size.checked_shr(u32::from(level) * u32::from(TILE_HEIGHT)).unwrap_or(0);
            if complete == 0 {
                break;
            }
            let first = complete - complete % TILE_WIDTH as u64;
            let roots = (first..complete)
                .map(|number| Ok(hash::subtree(tile(TileId { level: level - 1, number })?.hashes())))
                .collect::<Result<_, Fault>>()?;
            partial.push(roots);
        }
        let edge = partial.iter().rev().flat_map(|tile| decomposed(tile)).collect();
        Ok(Self { size, edge, partial })
    }

    /// The hash at `height` of the binary tree, the `number`th from the left; `tile` reads complete tiles. `None` where the tree has no such
    /// complete subtree.
    pub(crate) fn subtree(
        &self,
        height: u8,
        number: u64,
        tile: impl FnOnce(TileId) -> Result<Tile, Fault>,
    ) -> Result<Option<Hash>, Fault> {
        let (level, rest) = (height / TILE_HEIGHT, height % TILE_HEIGHT);
        let (first, count) = (number << rest, 1u64 << rest);
        let have = self.size.checked_shr(u32::from(level) * u32::from(TILE_HEIGHT)).unwrap_or(0);
        if first + count > have {
            return Ok(None);
        }
        let width = TILE_WIDTH as u64;
        let begin = (first % width) as usize;
        let within = begin..begin + count as usize;
        let stored = first / width;
        let hash = if stored < have / width {
            tile(TileId { level, number: stored })?.hashes().get(within).map(hash::subtree)
        } else {
            self.partial.get(usize::from(level)).and_then(|tile| tile.get(within)).map(hash::subtree)
        };
        Ok(hash)
    }

    /// The leaf hashes of the incomplete tile: those from line `size - size % 256` on.
    pub(crate) fn last_leaves(&self) -> &[Hash] {
        self.partial.first().map_or(&[], Vec::as_slice)
    }
}

/// The roots of the complete subtrees that a tile's hashes decompose into, left to right.
fn decomposed(mut hashes: &[Hash]) -> Vec<Hash> {
    let mut roots = Vec::new();
    while !hashes.is_empty() {
        let (subtree, rest) = hashes.split_at(1 << hashes.len().ilog2());
        roots.push(hash::subtree(subtree));
        hashes = rest;
    }
    roots
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn grown(size: u64) -> (Tree, BTreeMap<TileId, Tile>) {
        let (mut tree, mut tiles) = (Tree::default(), BTreeMap::new());
        for n in 0..size {
            tree.append(hash::leaf(&n.to_be_bytes()), |id, tile| {
                assert!(tiles.insert(id, tile).is_none(), "a tile is complete once");
            });
        }
        (tree, tiles)
    }

    #[test]
    fn roots_are_those_of_an_independent_implementation_at_every_size() {
        let mut oracle = ct_merkle::mem_backed_tree::MemoryBackedTree::<sha2::Sha256, [u8; 8]>::new();
        let mut tree = Tree::default();
        for n in 0..1_100u64 {
            tree.append(hash::leaf(&n.to_be_bytes()), |_, _| {});
            oracle.push(n.to_be_bytes());
            assert_eq!(tree.head().root.as_slice(), oracle.root().as_bytes().as_slice(), "at size {}", n + 1);
        }
        assert_eq!(Tree::default().head().root, hash::empty());
    }

    #[test]
    fn a_tree_is_restored_from_its_tiles_and_last_leaves() {
        for size in [0, 1, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 66_000] {
            let (tree, tiles) = grown(size);
            let restored =
                Tree::restore(size, tree.last_leaves().to_vec(), |id| Ok(tiles[&id].clone())).unwrap();
            assert_eq!(restored.head(), tree.head(), "at size {size}");
            assert_eq!(restored.edge, tree.edge, "at size {size}");
            let trimmed = |tree: &Tree| {
                tree.partial.iter().filter(|tile| !tile.is_empty()).cloned().collect::<Vec<_>>()
            };
            assert_eq!(trimmed(&restored), trimmed(&tree), "at size {size}");
        }
    }

    #[test]
    fn a_restored_tree_grows_as_the_first_one_does() {
        let (mut tree, tiles) = grown(65_500);
        let mut restored =
            Tree::restore(65_500, tree.last_leaves().to_vec(), |id| Ok(tiles[&id].clone())).unwrap();
        for n in 65_500..66_100u64 {
            let (mut one, mut other) = (Vec::new(), Vec::new());
            tree.append(hash::leaf(&n.to_be_bytes()), |id, tile| one.push((id, tile)));
            restored.append(hash::leaf(&n.to_be_bytes()), |id, tile| other.push((id, tile)));
            assert_eq!((tree.head(), one), (restored.head(), other));
        }
    }

    #[test]
    fn a_wrong_number_of_last_leaves_is_damage() {
        let (tree, tiles) = grown(300);
        let mut leaves = tree.last_leaves().to_vec();
        leaves.pop();
        let restored = Tree::restore(300, leaves, |id| Ok(tiles[&id].clone()));
        assert!(matches!(restored, Err(Fault::Damaged { .. })));
    }

    #[test]
    fn a_tile_survives_its_bytes() {
        let (_, tiles) = grown(256);
        let tile = &tiles[&TileId { level: 0, number: 0 }];
        assert_eq!(tile.to_bytes().len(), TILE_LEN);
        assert_eq!(Tile::from_bytes(&tile.to_bytes()).as_ref(), Some(tile));
        assert_eq!(Tile::from_bytes(&tile.to_bytes()[1..]), None);
    }
}
