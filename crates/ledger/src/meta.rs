//! The record that says where the rows stand: written in the same batch as what it speaks of.

use leasehold_domain::{state::Clock, time::Timestamp};

use crate::{
    cursor::{Cursor, put_bytes},
    digest::SetDigest,
    entry::{Applied, Position},
    hash::{self, Hash},
};

/// Where the rows of one store stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meta {
    /// The last entry, the last membership, time and size.
    pub(crate) applied: Applied,
    /// The root over as many lines as `applied.clock.next_seq` says.
    pub(crate) root: Hash,
    /// The digest of the rows of state.
    pub(crate) rows: SetDigest,
    /// The digest of the blobs.
    pub(crate) blobs: SetDigest,
    /// How many runs of postings are written.
    pub(crate) runs: u64,
}

impl Meta {
    /// Of a store that holds nothing yet.
    pub(crate) fn empty() -> Self {
        Self {
            applied: Applied::default(),
            root: hash::empty(),
            rows: SetDigest::default(),
            blobs: SetDigest::default(),
            runs: 0,
        }
    }

    /// How many lines there are.
    pub(crate) fn size(&self) -> u64 {
        self.applied.clock.next_seq
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        put_position(&mut out, self.applied.position);
        match &self.applied.membership {
            None => out.push(0),
            Some((position, bytes)) => {
                out.push(1);
                put_position(&mut out, *position);
                put_bytes(&mut out, bytes);
            }
        }
        out.extend_from_slice(&self.applied.clock.time.as_millis().to_le_bytes());
        out.extend_from_slice(&self.applied.clock.next_seq.to_le_bytes());
        out.extend_from_slice(&self.root);
        out.extend_from_slice(&self.rows.to_bytes());
        out.extend_from_slice(&self.blobs.to_bytes());
        out.extend_from_slice(&self.runs.to_le_bytes());
        out
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor(bytes);
        let position = position(&mut cursor)?;
        let membership = match cursor.u8()? {
            0 => None,
            1 => Some((self::position(&mut cursor)?, cursor.bytes()?.to_vec())),
            _ => return None,
        };
        let clock = Clock { time: Timestamp::from_millis(cursor.u64()?), next_seq: cursor.u64()? };
        let meta = Self {
            applied: Applied { position, membership, clock },
            root: cursor.array()?,
            rows: SetDigest::from_bytes(cursor.array()?),
            blobs: SetDigest::from_bytes(cursor.array()?),
            runs: cursor.u64()?,
        };
        cursor.is_done().then_some(meta)
    }
}

pub(crate) fn put_position(out: &mut Vec<u8>, position: Option<Position>) {
    match position {
        None => out.push(0),
        Some(Position { term, node, index }) => {
            out.push(1);
            for number in [term, node, index] {
                out.extend_from_slice(&number.to_le_bytes());
            }
        }
    }
}

/// What [`put_position`] wrote; the outer `None` where it did not.
pub(crate) fn position(cursor: &mut Cursor<'_>) -> Option<Option<Position>> {
    match cursor.u8()? {
        0 => Some(None),
        1 => Some(Some(Position { term: cursor.u64()?, node: cursor.u64()?, index: cursor.u64()? })),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_and_no_part_of_it_does() {
        let position = Some(Position { term: 3, node: 2, index: 71 });
        let mut rows = SetDigest::default();
        rows.add(b"k", b"v");
        let meta = Meta {
            applied: Applied {
                position,
                membership: Some((position, b"three nodes".to_vec())),
                clock: Clock { time: Timestamp::from_millis(12), next_seq: 9 },
            },
            root: [7; 32],
            rows,
            blobs: SetDigest::default(),
            runs: 4,
        };
        let bytes = meta.to_bytes();
        assert_eq!(Meta::from_bytes(&bytes), Some(meta));
        for len in 0..bytes.len() {
            assert_eq!(Meta::from_bytes(&bytes[..len]), None);
        }
        assert_eq!(Meta::from_bytes(&Meta::empty().to_bytes()), Some(Meta::empty()));
    }
}
