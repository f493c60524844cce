//! The root of the Merkle tree over lines, as RFC 6962 section 2.1 defines it, in one pass and with a hash for each bit of their number.

use aws_lc_rs::digest::{Context, SHA256};

/// A SHA-256 hash.
pub(super) type Hash = [u8; 32];

/// A tree that grows by one leaf at a time. Holds the roots of its complete subtrees, left to right.
#[derive(Debug, Default)]
pub(super) struct Tree {
    size: u64,
    edge: Vec<Hash>,
}

impl Tree {
    /// Adds a line, given without its newline.
    pub(super) fn push(&mut self, line: &[u8]) {
        let mut hash = sha256(&[&[0], line]);
        let mut carry = self.size;
        while carry & 1 == 1
            && let Some(left) = self.edge.pop()
        {
            hash = sha256(&[&[1], &left, &hash]);
            carry >>= 1;
        }
        self.edge.push(hash);
        self.size += 1;
    }

    /// How many lines were added.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The root over them.
    pub(super) fn root(&self) -> Hash {
        let mut hashes = self.edge.iter().rev();
        let last = hashes.next().copied().unwrap_or_else(|| sha256(&[]));
        hashes.fold(last, |right, left| sha256(&[&[1], left, &right]))
    }
}

fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    parts.iter().for_each(|part| context.update(part));
    *context.finish().as_ref().first_chunk().expect("SHA-256 gives 32 bytes")
}

#[cfg(test)]
mod tests {
    use tlog_tiles::{Error, Hash as TileHash, HashReader};

    use super::*;

    /// The hashes that an independent implementation stores, in its order.
    struct Stored(Vec<TileHash>);

    impl HashReader for Stored {
        fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<TileHash>, Error> {
            Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
        }
    }

    #[test]
    fn roots_are_those_of_an_independent_implementation() {
        let (mut tree, mut stored) = (Tree::default(), Stored(Vec::new()));
        assert_eq!(tree.root(), tlog_tiles::EMPTY_HASH.0);
        for seq in 0..300u64 {
            let line = format!("{{\"seq\":{seq}}}");
            stored.0.extend(tlog_tiles::stored_hashes(seq, line.as_bytes(), &stored).unwrap());
            tree.push(line.as_bytes());
            assert_eq!(tree.root(), tlog_tiles::tree_hash(seq + 1, &stored).unwrap().0, "{} lines", seq + 1);
        }
    }
}
