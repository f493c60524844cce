//! The tree's definition, as RFC 6962 section 2.1 writes it: recursive, and slow.

use aws_lc_rs::digest::{Context, SHA256};

pub(crate) type Hash = [u8; 32];

pub(crate) fn root(leaves: &[&[u8]]) -> Hash {
    match leaves {
        [] => sha256(&[]),
        [leaf] => sha256(&[&[0], leaf]),
        _more => {
            let half = leaves.len().next_power_of_two() / 2;
            let (left, right) = leaves.split_at(half);
            sha256(&[&[1], &root(left), &root(right)])
        }
    }
}

fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    parts.iter().for_each(|part| context.update(part));
    context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
}
