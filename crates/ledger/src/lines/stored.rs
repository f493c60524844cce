//! Reading lines back from the store: in order, without a gap, each against its leaf.

use std::{collections::BTreeMap, sync::Arc};

use super::{Block, Line};
use crate::{
    error::Fault,
    hash::{self, Hash},
    keys,
    merkle::{TILE_WIDTH, Tile, TileId, Tree},
    store::{Pair, Store},
};

/// The tree at one moment, and where its complete tiles are.
pub(crate) struct View {
    pub(crate) tree: Tree,
    pub(crate) pending: BTreeMap<TileId, Arc<Tile>>,
    pub(crate) store: Arc<Store>,
}

impl View {
    /// A complete tile.
    pub(crate) fn tile(&self, id: TileId) -> Result<Tile, Fault> {
        if let Some(tile) = self.pending.get(&id) {
            return Ok(Tile::clone(tile));
        }
        stored_tile(&self.store, id)
    }
}

/// A complete tile that is in the store.
pub(crate) fn stored_tile(store: &Store, id: TileId) -> Result<Tile, Fault> {
    let content = store.get(&keys::tile(id))?;
    content
        .and_then(|content| Tile::from_bytes(&content))
        .ok_or_else(|| Fault::damaged(format!("tile {} of level {} is missing", id.number, id.level)))
}

/// The lines of a store from one on, in order; the first problem ends them.
pub(crate) struct Stored<'a> {
    blocks: Box<dyn Iterator<Item = Result<Pair, Fault>> + 'a>,
    lines: std::vec::IntoIter<Line>,
    next: u64,
    end: u64,
}

impl<'a> Stored<'a> {
    /// The lines from `from` up to, and without, `end`.
    pub(crate) fn new(store: &'a Store, from: u64, end: u64) -> Result<Self, Fault> {
        let first = store.last(keys::lines(0)..=keys::lines(from))?;
        let begin = first.map_or_else(|| keys::lines(from), |(key, _)| key.to_vec());
        let blocks = Box::new(store.scan(begin..keys::lines(end)));
        Ok(Self { blocks, lines: Vec::new().into_iter(), next: from, end })
    }

    fn block(&mut self) -> Result<Block, Fault> {
        let missing = || Fault::damaged(format!("line {} is missing", self.next));
        let (key, content) = self.blocks.next().ok_or_else(missing)??;
        let first = keys::lines_first(&key).ok_or_else(missing)?;
        let block = Block::from_content(first, &content)?;
        if (block.first..block.end()).contains(&self.next) { Ok(block) } else { Err(missing()) }
    }
}

impl Iterator for Stored<'_> {
    type Item = Result<Line, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.next < self.end {
            match self.lines.next() {
                Some(line) if line.seq < self.next => {}
                Some(line) => {
                    self.next += 1;
                    return Some(Ok(line));
                }
                None => match self.block() {
                    Ok(block) => self.lines = block.into_lines().collect::<Vec<_>>().into_iter(),
                    Err(fault) => {
                        self.end = self.next;
                        return Some(Err(fault));
                    }
                },
            }
        }
        None
    }
}

/// Compares lines with their leaves in the tree; lines in a row share a tile.
pub(crate) struct Leaves<'a> {
    view: &'a View,
    tile: Option<(u64, Vec<Hash>)>,
}

impl<'a> Leaves<'a> {
    pub(crate) fn new(view: &'a View) -> Self {
        Self { view, tile: None }
    }

    /// # Errors
    /// [`Fault::Damaged`] when the line is not the one that the tree has.
    pub(crate) fn check(&mut self, line: &Line) -> Result<(), Fault> {
        let width = TILE_WIDTH as u64;
        let number = line.seq / width;
        if self.tile.as_ref().is_none_or(|(have, _)| *have != number) {
            let hashes = if number < self.view.tree.size() / width {
                self.view.tile(TileId { level: 0, number })?.hashes().to_vec()
            } else {
                self.view.tree.last_leaves().to_vec()
            };
            self.tile = Some((number, hashes));
        }
        let leaf = self.tile.as_ref().and_then(|(_, hashes)| hashes.get((line.seq % width) as usize));
        if leaf == Some(&hash::leaf(&line.bytes)) {
            Ok(())
        } else {
            Err(Fault::damaged(format!("line {} is not the one that was written", line.seq)))
        }
    }
}
