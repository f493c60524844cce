//! SHA-256 as RFC 6962 section 2.1 uses it.

use aws_lc_rs::digest::{Context, SHA256, SHA256_OUTPUT_LEN};

/// A SHA-256 hash.
pub type Hash = [u8; SHA256_OUTPUT_LEN];

fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    parts.iter().for_each(|part| context.update(part));
    let mut hash = Hash::default();
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// The hash of the empty tree: of nothing.
pub(crate) fn empty() -> Hash {
    sha256(&[])
}

/// The leaf of an event: its line without the newline.
pub fn leaf(line: &[u8]) -> Hash {
    sha256(&[&[0], line])
}

/// An inner node.
pub(crate) fn node(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

/// A key and its value, framed by the key's length: what a state digest sums.
pub(crate) fn pair(key: &[u8], value: &[u8]) -> Hash {
    let len = u32::try_from(key.len()).unwrap_or(u32::MAX);
    sha256(&[&len.to_le_bytes(), key, value])
}

/// The root of a complete subtree over these hashes, whose number is a power of two.
pub(crate) fn subtree(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => empty(),
        [one] => *one,
        more => {
            let (left, right) = more.split_at(more.len() / 2);
            node(&subtree(left), &subtree(right))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_an_independent_implementation() {
        let (a, b) = (leaf(b"a"), leaf(b"b"));
        assert_eq!(empty(), tlog_tiles::EMPTY_HASH.0);
        assert_eq!(a, tlog_tiles::record_hash(b"a").0);
        assert_eq!(node(&a, &b), tlog_tiles::node_hash(tlog_tiles::Hash(a), tlog_tiles::Hash(b)).0);
        assert_eq!(subtree(&[a, b, b, a]), node(&node(&a, &b), &node(&b, &a)));
    }
}
