//! The key spaces of the one sled tree, and how a value is guarded.
//!
//! | prefix | key | value |
//! |---|---|---|
//! | `h` | | format, store id |
//! | `m` | | [`Meta`](crate::meta::Meta) |
//! | `r` | table and row, by `codec` | row, by `codec` |
//! | `b` | [bucket](crate::buckets), kind and ids, by `codec` | ciphertext or text |
//! | `l` | first sequence number | [lines](crate::lines) |
//! | `t` | level, number | [tile](crate::merkle) |
//! | `p` | run, topic, first sequence number | [postings](crate::postings) |
//!
//! Each value ends in the CRC32C of its key and itself, so one that is damaged, or stands under another key, is told from one that was written.
//! Numbers in keys are big-endian, so that the order of keys is theirs.

use std::ops::Range;

use leasehold_codec::row;
use leasehold_domain::state::{BlobKey, rows::Change};

use crate::{buckets::bucket_of, merkle::TileId};

/// sled keeps a message inline up to a quarter of its segment less 52 bytes; what is larger goes to a file that sled never syncs. A message may
/// be a whole leaf.
pub(crate) const SEGMENT_LEN: usize = 8 << 20;
/// A leaf splits above 16 entries, after up to ten deltas.
const LEAF_ENTRIES_MAX: usize = 20;
/// The longest value, guard included.
pub(crate) const VALUE_LEN_MAX: usize = 64 * 1024 - 1;
/// The longest key.
pub(crate) const KEY_LEN_MAX: usize = 1024;
/// The bytes of a guard.
pub(crate) const GUARD_LEN: usize = 4;
/// The longest value, without its guard.
pub(crate) const CONTENT_LEN_MAX: usize = VALUE_LEN_MAX - GUARD_LEN;

const _: () = assert!(
    LEAF_ENTRIES_MAX * (VALUE_LEN_MAX + KEY_LEN_MAX) < SEGMENT_LEN / 4 - 52,
    "a leaf of the largest values must stay inline"
);
const _: () = assert!(leasehold_domain::text::Sealed::LEN_MAX <= CONTENT_LEN_MAX, "a blob must fit a value");

pub(crate) const HEADER: &[u8] = b"h";
pub(crate) const META: &[u8] = b"m";
pub(crate) const ROW: u8 = b'r';
pub(crate) const BLOB: u8 = b'b';
pub(crate) const LINES: u8 = b'l';
pub(crate) const TILE: u8 = b't';
pub(crate) const POSTINGS: u8 = b'p';

/// All keys with this prefix.
pub(crate) fn space(prefix: u8) -> Range<Vec<u8>> {
    vec![prefix]..vec![prefix + 1]
}

/// A row.
pub(crate) fn row(change: &Change<'_>) -> Vec<u8> {
    [&[ROW], row::key(change).as_slice()].concat()
}

/// The lines that begin with this one.
pub(crate) fn lines(first: u64) -> Vec<u8> {
    [&[LINES][..], &first.to_be_bytes()].concat()
}

/// The sequence number in a key of lines.
pub(crate) fn lines_first(key: &[u8]) -> Option<u64> {
    match key {
        [LINES, seq @ ..] => seq.try_into().ok().map(u64::from_be_bytes),
        _ => None,
    }
}

/// A tile.
pub(crate) fn tile(id: TileId) -> Vec<u8> {
    [&[TILE, id.level][..], &id.number.to_be_bytes()].concat()
}

/// A blob.
pub(crate) fn blob(key: &BlobKey) -> Vec<u8> {
    blob_in_bucket(key).0
}

/// A blob, and its bucket.
pub(crate) fn blob_in_bucket(key: &BlobKey) -> (Vec<u8>, u16) {
    let key = row::blob_key(key);
    let bucket = bucket_of(&key);
    ([&[BLOB][..], &bucket.to_be_bytes(), &key].concat(), bucket)
}

fn guard(key: &[u8], content: &[u8]) -> [u8; GUARD_LEN] {
    crc32c::crc32c_append(crc32c::crc32c(key), content).to_le_bytes()
}

/// A value: the content and its guard.
pub(crate) fn guarded(key: &[u8], content: &[u8]) -> Vec<u8> {
    [content, &guard(key, content)].concat()
}

/// How much of a value is content, if its guard holds.
pub(crate) fn content_len(key: &[u8], value: &[u8]) -> Option<usize> {
    let (content, found) = value.split_last_chunk::<GUARD_LEN>()?;
    (guard(key, content) == *found).then_some(content.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_under_another_key_or_with_a_flipped_bit_is_refused() {
        let value = guarded(b"k", b"content");
        assert_eq!(content_len(b"k", &value), Some(7));
        assert_eq!(content_len(b"j", &value), None);
        for bit in 0..value.len() * 8 {
            let mut flipped = value.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(content_len(b"k", &flipped), None);
        }
        assert_eq!(content_len(b"k", b"abc"), None);
    }
}
