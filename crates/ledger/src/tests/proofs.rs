//! Proofs, checked by an implementation that is not ours.

use std::sync::Arc;

use ct_merkle::{ConsistencyProof, InclusionProof, RootHash, mem_backed_tree::MemoryBackedTree};
use sha2::Sha256;

use crate::{
    Hash, Options, ProofError, TreeHead,
    store::RealDisk,
    testing::{Author, Bench},
};

fn bench() -> Bench {
    let options = Options { tail_bytes: 0, ..Options::default() };
    let (bench, mut author) = (Bench::with(options, Arc::new(RealDisk)), Author::new());
    bench.feed(author.story(3));
    for first in 0..4 {
        bench.feed([author.leases(2000 + first * 200, 200, 1, 2)]);
    }
    bench
}

fn root(head: TreeHead) -> RootHash<Sha256> {
    RootHash::new(head.root.into(), head.size)
}

fn bytes(proof: Vec<Hash>) -> Vec<u8> {
    proof.concat()
}

#[test]
fn every_line_is_proven_to_be_in_the_tree_and_every_root_is_the_right_one() {
    let bench = bench();
    bench.ledger.checkpoint().unwrap();
    let head = bench.ledger.tree().unwrap();
    assert!(head.size > 800, "more than three tiles");
    let mut oracle = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    for seq in 0..head.size {
        let line = bench.ledger.line(seq).unwrap().unwrap().bytes.to_vec();
        oracle.push(line.clone());
        assert_eq!(oracle.root().as_bytes().as_slice(), bench.ledger.tree_at(seq + 1).unwrap().root);
        let proof = InclusionProof::from_bytes(bytes(bench.ledger.prove_inclusion(seq, head.size).unwrap()));
        assert!(root(head).verify_inclusion(&line, seq, &proof).is_ok(), "line {seq}");
        assert!(root(head).verify_inclusion(&b"another".to_vec(), seq, &proof).is_err());
    }
}

#[test]
fn an_older_tree_is_proven_to_be_a_prefix() {
    let bench = bench();
    let head = bench.ledger.tree().unwrap();
    for old in [1, 2, 7, 255, 256, 257, 512, 700, head.size - 1, head.size] {
        let older = bench.ledger.tree_at(old).unwrap();
        let proof = bytes(bench.ledger.prove_consistency(old, head.size).unwrap());
        let proof = ConsistencyProof::<Sha256>::try_from_bytes(proof).unwrap();
        assert!(root(head).verify_consistency(&root(older), &proof).is_ok(), "from {old}");
    }
}

#[test]
fn proofs_are_the_same_from_memory_and_from_the_store() {
    let bench = bench();
    let size = bench.ledger.tree().unwrap().size;
    let ask = |bench: &Bench| {
        (0..size).step_by(37).map(|seq| bench.ledger.prove_inclusion(seq, size).unwrap()).collect::<Vec<_>>()
    };
    let before = ask(&bench);
    bench.ledger.checkpoint().unwrap();
    assert_eq!(ask(&bench), before);
    assert_eq!(ask(&bench.reopened()), before);
}

#[test]
fn what_is_not_there_has_no_proof() {
    let bench = bench();
    let size = bench.ledger.tree().unwrap().size;
    let none = Err(ProofError::OutOfRange { size });
    assert_eq!(bench.ledger.prove_inclusion(size, size), none);
    assert_eq!(bench.ledger.prove_inclusion(0, size + 1), none);
    assert_eq!(bench.ledger.prove_consistency(0, size), none);
    assert_eq!(bench.ledger.prove_consistency(2, 1), none);
    assert_eq!(bench.ledger.prove_consistency(1, size + 1), none);
    assert_eq!(bench.ledger.tree_at(size + 1), Err(ProofError::OutOfRange { size }));
    assert_eq!(bench.fault(), None, "a wrong question stops nothing");
}
