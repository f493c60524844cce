use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use openraft::impls::BasicNode;

use super::*;
use crate::types::{Batch, Membership, Payload};

fn members() -> Membership {
    let nodes =
        BTreeMap::from([(1, BasicNode::new("a:1")), (2, BasicNode::new("b:2")), (9, BasicNode::new(""))]);
    Membership::new(vec![BTreeSet::from([1]), BTreeSet::from([1, 2])], nodes).unwrap()
}

fn payloads() -> [Payload; 4] {
    [
        Payload::Blank,
        Payload::Normal(Batch(Bytes::from_static(b"a batch"))),
        Payload::Normal(Batch(Bytes::from(vec![7; 70_000]))),
        Payload::Membership(members()),
    ]
}

#[test]
fn every_payload_reads_back_as_it_was_written() {
    for payload in payloads() {
        assert_eq!(decode_payload(&encode_payload(&payload)).unwrap(), payload);
    }
}

#[test]
fn the_bytes_of_the_first_release_are_fixed() {
    let [blank, batch, _, membership] = payloads();
    assert_eq!(encode_payload(&blank).as_ref(), [0x83, 1, 0, 0xf6]);
    assert_eq!(encode_payload(&batch).as_ref(), b"\x83\x01\x01\x47a batch");
    let expected = b"\x83\x01\x02\x82\x82\x81\x01\x82\x01\x02\x83\x82\x01\x63a:1\x82\x02\x63b:2\x82\x09\x60";
    assert_eq!(encode_payload(&membership).as_ref(), expected);
}

#[test]
fn a_payload_that_is_cut_or_longer_or_of_another_kind_is_refused() {
    for payload in payloads() {
        let bytes = encode_payload(&payload);
        for end in 0..bytes.len().min(200) {
            assert!(decode_payload(&bytes.slice(..end)).is_err());
        }
        let longer = [bytes.as_ref(), &[0]].concat();
        assert!(decode_payload(&Bytes::from(longer)).is_err());
    }
    for alien in [[0x83, 2, 0, 0xf6], [0x83, 1, 3, 0xf6], [0x82, 1, 0, 0xf6]] {
        assert!(decode_payload(&Bytes::copy_from_slice(&alien)).is_err());
    }
}

#[test]
fn a_membership_reads_back_as_it_was_written() {
    for membership in [Membership::default(), members()] {
        assert_eq!(decode_membership(&encode_membership(&membership)).unwrap(), membership);
    }
    assert!(decode_membership(&[]).is_err());
}

#[test]
fn a_membership_with_a_voter_that_has_no_node_or_with_anybody_twice_is_refused() {
    let good = [0x82, 1, 0x82, 0x81, 0x81, 7, 0x81, 0x82, 7, 0x60];
    assert!(decode_membership(&good).is_ok());
    assert!(decode_membership(&[0x82, 1, 0x82, 0x81, 0x81, 7, 0x80]).is_err());
    assert!(decode_membership(&[0x82, 1, 0x82, 0x81, 0x82, 7, 7, 0x81, 0x82, 7, 0x60]).is_err());
    assert!(decode_membership(&[0x82, 1, 0x82, 0x81, 0x81, 7, 0x82, 0x82, 7, 0x60, 0x82, 7, 0x60]).is_err());
}
