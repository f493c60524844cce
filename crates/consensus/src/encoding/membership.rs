//! Memberships: the sets of voters (two during a change) and the address of every node.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use minicbor::{Decoder, Encoder};
use openraft::impls::BasicNode;

use super::{Decoded, FORMAT, Malformed, array, format, length, whole};
use crate::types::Membership;

type Written = Result<(), minicbor::encode::Error<Infallible>>;

/// A membership as the ledger keeps it.
pub(crate) fn encode_membership(membership: &Membership) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    let written = (|| {
        encoder.array(2)?.u8(FORMAT)?;
        write(&mut encoder, membership)
    })();
    written.expect("writing to a vector does not fail");
    encoder.into_writer()
}

/// # Errors
///
/// If [`encode_membership`] did not write this.
pub(crate) fn decode_membership(bytes: &[u8]) -> Result<Membership, Malformed> {
    whole("membership", bytes, |decoder| {
        array(decoder, 2)?;
        format(decoder)?;
        read(decoder)
    })
}

pub(super) fn write(encoder: &mut Encoder<Vec<u8>>, membership: &Membership) -> Written {
    encoder.array(2)?;
    let configs = membership.get_joint_config();
    encoder.array(configs.len() as u64)?;
    for voters in configs {
        encoder.array(voters.len() as u64)?;
        for voter in voters {
            encoder.u64(*voter)?;
        }
    }
    encoder.array(membership.nodes().count() as u64)?;
    for (id, node) in membership.nodes() {
        encoder.array(2)?.u64(*id)?.str(&node.addr)?;
    }
    Ok(())
}

pub(super) fn read(decoder: &mut Decoder<'_>) -> Decoded<Membership> {
    array(decoder, 2)?;
    let mut configs = Vec::new();
    for _ in 0..length(decoder)? {
        let mut voters = BTreeSet::new();
        for _ in 0..length(decoder)? {
            if !voters.insert(decoder.u64()?) {
                return Err(minicbor::decode::Error::message("voter twice"));
            }
        }
        configs.push(voters);
    }
    let mut nodes = BTreeMap::new();
    for _ in 0..length(decoder)? {
        array(decoder, 2)?;
        if nodes.insert(decoder.u64()?, BasicNode::new(decoder.str()?)).is_some() {
            return Err(minicbor::decode::Error::message("node twice"));
        }
    }
    Membership::new(configs, nodes).map_err(|_| minicbor::decode::Error::message("voter without a node"))
}
