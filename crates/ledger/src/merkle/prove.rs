//! Proofs over the tree: that a line is in it, and that an older tree is a prefix of a newer one (RFC 6962 sections 2.1.1 and 2.1.2).

use std::cell::RefCell;

use thiserror::Error;
use tlog_tiles::{HashReader, prove_record, prove_tree, split_stored_hash_index, tree_hash};

use super::{Tile, TileId, Tree, TreeHead};
use crate::{error::Fault, hash::Hash};

/// Why there is no proof.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The tree is smaller than that, or the smaller size is not at least 1 and at most the larger.
    #[error("there is no such line or size in a ledger of {size} lines")]
    OutOfRange {
        /// How many lines the ledger has.
        size: u64,
    },
    /// The ledger itself stopped.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Answers the hashes that a proof asks for, from the tiles and the right edge.
struct Reader<'a, F> {
    tree: &'a Tree,
    tile: F,
    fault: RefCell<Option<Fault>>,
}

impl<F: Fn(TileId) -> Result<Tile, Fault>> HashReader for Reader<'_, F> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        indexes
            .iter()
            .map(|index| {
                let (height, number) = split_stored_hash_index(*index);
                match self.tree.subtree(height, number, &self.tile) {
                    Ok(hash) => hash.map(tlog_tiles::Hash).ok_or(tlog_tiles::Error::IndexesNotInTree),
                    Err(fault) => {
                        self.fault.replace(Some(fault));
                        Err(tlog_tiles::Error::IndexesNotInTree)
                    }
                }
            })
            .collect()
    }
}

fn read<T, F: Fn(TileId) -> Result<Tile, Fault>>(
    tree: &Tree,
    tile: F,
    prove: impl FnOnce(&Reader<'_, F>) -> Result<T, tlog_tiles::Error>,
) -> Result<T, ProofError> {
    let reader = Reader { tree, tile, fault: RefCell::new(None) };
    prove(&reader).map_err(|_| {
        reader.fault.take().map_or(ProofError::OutOfRange { size: tree.size() }, ProofError::Fault)
    })
}

fn plain(hashes: Vec<tlog_tiles::Hash>) -> Vec<Hash> {
    hashes.into_iter().map(|hash| hash.0).collect()
}

impl Tree {
    fn within(&self, size: u64, part: bool) -> Result<(), ProofError> {
        if part && size <= self.size() { Ok(()) } else { Err(ProofError::OutOfRange { size: self.size() }) }
    }

    /// The head that the tree had at `size`.
    pub(crate) fn head_at(
        &self,
        size: u64,
        tile: impl Fn(TileId) -> Result<Tile, Fault>,
    ) -> Result<TreeHead, ProofError> {
        self.within(size, true)?;
        let root = read(self, tile, |reader| tree_hash(size, reader))?.0;
        Ok(TreeHead { size, root })
    }

    /// That line `seq` is in the tree of `size`.
    pub(crate) fn inclusion(
        &self,
        seq: u64,
        size: u64,
        tile: impl Fn(TileId) -> Result<Tile, Fault>,
    ) -> Result<Vec<Hash>, ProofError> {
        self.within(size, seq < size)?;
        read(self, tile, |reader| prove_record(size, seq, reader)).map(plain)
    }

    /// That the tree of `old` is a prefix of the tree of `new`.
    pub(crate) fn consistency(
        &self,
        old: u64,
        new: u64,
        tile: impl Fn(TileId) -> Result<Tile, Fault>,
    ) -> Result<Vec<Hash>, ProofError> {
        self.within(new, (1..=new).contains(&old))?;
        read(self, tile, |reader| prove_tree(new, old, reader)).map(plain)
    }
}
