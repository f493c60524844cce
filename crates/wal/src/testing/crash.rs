//! What a loss of power leaves: everything synced, and any choice of the pieces that were not.

use super::world::{Pending, World};

/// The unit in which a disk writes or does not write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tear {
    /// 512-byte sectors.
    Sector,
    /// 4096-byte pages.
    Page,
}

impl Tear {
    fn bytes(self) -> u64 {
        match self {
            Self::Sector => 512,
            Self::Page => 4096,
        }
    }
}

/// A part of an unsynced operation that survives or not, whatever becomes of the rest.
pub(super) enum Piece {
    /// The file has grown, and what was not written reads as zeros.
    Grow {
        inode: u64,
        size: u64,
    },
    Change(Pending),
}

impl World {
    pub(super) fn pieces(&self, tear: Tear) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for change in &self.pending {
            let Pending::Write { inode, offset, data } = change else {
                pieces.push(Piece::Change(change.clone()));
                continue;
            };
            let (mut offset, mut rest) = (*offset, data.as_slice());
            while !rest.is_empty() {
                let room = usize::try_from(tear.bytes() - offset % tear.bytes()).unwrap_or(usize::MAX);
                let (sector, after) = rest.split_at_checked(room).unwrap_or((rest, &[]));
                pieces.push(Piece::Change(Pending::Write { inode: *inode, offset, data: sector.to_vec() }));
                offset += sector.len() as u64;
                rest = after;
            }
            pieces.push(Piece::Grow { inode: *inode, size: offset });
        }
        pieces
    }

    pub(super) fn crashed(&self, tear: Tear, mut keep: impl FnMut(usize) -> bool) -> Self {
        let mut view = self.durable.clone();
        for (number, piece) in self.pieces(tear).into_iter().enumerate() {
            if !keep(number) {
                continue;
            }
            match piece {
                Piece::Change(change) => view.apply(&change),
                Piece::Grow { inode, size } => {
                    let held = view.data.get(&inode).map_or(0, |data| data.len() as u64);
                    view.apply(&Pending::Truncate { inode, size: size.max(held) });
                }
            }
        }
        self.emptied(view)
    }
}
