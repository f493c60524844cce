//! A digest of a set of rows that follows each change in constant time, whatever the order of the changes.
//!
//! It is the sum of the SHA-256 of every row, as four lanes modulo 2^64. Two nodes with the same rows have the same digest, and a row that is
//! lost, stale or doubled changes it. It guards against damage and divergence, not against someone who chooses rows to make two sums meet:
//! whoever could choose them holds the node already.

use crate::hash;

const LANES: usize = 4;

/// The digest of a set of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SetDigest([u64; LANES]);

fn lanes(key: &[u8], value: &[u8]) -> [u64; LANES] {
    let hash = hash::pair(key, value);
    let mut lanes = [0; LANES];
    for (lane, bytes) in lanes.iter_mut().zip(hash.as_chunks::<8>().0) {
        *lane = u64::from_le_bytes(*bytes);
    }
    lanes
}

impl SetDigest {
    pub(crate) const LEN: usize = LANES * 8;

    /// A row is there now.
    pub(crate) fn add(&mut self, key: &[u8], value: &[u8]) {
        for (lane, term) in self.0.iter_mut().zip(lanes(key, value)) {
            *lane = lane.wrapping_add(term);
        }
    }

    /// A row is gone.
    pub(crate) fn remove(&mut self, key: &[u8], value: &[u8]) {
        for (lane, term) in self.0.iter_mut().zip(lanes(key, value)) {
            *lane = lane.wrapping_sub(term);
        }
    }

    /// The digest of two sets that share no row, together.
    pub(crate) fn with(mut self, other: Self) -> Self {
        for (lane, term) in self.0.iter_mut().zip(other.0) {
            *lane = lane.wrapping_add(term);
        }
        self
    }

    pub(crate) fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        for (chunk, lane) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.0) {
            *chunk = lane.to_le_bytes();
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        let mut digest = Self::default();
        for (lane, chunk) in digest.0.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *lane = u64::from_le_bytes(*chunk);
        }
        digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_changes_does_not_matter_and_each_row_does() {
        let mut one = SetDigest::default();
        one.add(b"a", b"1");
        one.add(b"b", b"2");
        one.remove(b"a", b"1");
        one.add(b"a", b"3");
        let mut other = SetDigest::default();
        other.add(b"a", b"3");
        other.add(b"b", b"2");
        assert_eq!(one, other);
        for (key, value) in [(b"a", b"3"), (b"b", b"2")] {
            let mut lost = one;
            lost.remove(key, value);
            assert_ne!(lost, one);
        }
        assert_eq!(SetDigest::from_bytes(one.to_bytes()), one);
    }

    #[test]
    fn where_a_key_ends_and_its_value_begins_matters() {
        let (mut one, mut other) = (SetDigest::default(), SetDigest::default());
        one.add(b"ab", b"c");
        other.add(b"a", b"bc");
        assert_ne!(one, other);
    }
}
