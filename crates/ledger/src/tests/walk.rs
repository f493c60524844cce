//! The walk over all blobs: complete, wherever they are, and without what was removed.

use std::collections::BTreeMap;

use leasehold_domain::{id::AuthorizationId, state::BlobKey, text::Sealed};

use crate::{
    BLOB_BUCKETS, Ledger,
    testing::{Author, Bench, grant_id},
};

fn walk(ledger: &Ledger, enough: usize) -> BTreeMap<BlobKey, Sealed> {
    let (mut all, mut from) = (BTreeMap::new(), 0);
    loop {
        let page = ledger.blobs(from, enough).unwrap();
        for (key, blob) in page.blobs {
            assert!(all.insert(key, blob).is_none(), "{key:?} was met twice");
        }
        match page.next {
            Some(next) => {
                assert!(next > from && next < BLOB_BUCKETS);
                from = next;
            }
            None => return all,
        }
    }
}

#[test]
fn a_walk_meets_every_blob_once_in_the_overlay_and_in_the_store() {
    const GRANTS: u64 = 40;
    let (bench, mut author) = (Bench::new(), Author::new());
    let entries = author.story(GRANTS);
    let last = entries.last().unwrap().position.index;
    for entry in entries {
        bench.ledger.apply(entry).unwrap();
    }
    let check = |ledger: &Ledger| {
        let all = walk(ledger, 7);
        assert_eq!(all, walk(ledger, usize::MAX));
        for (key, blob) in &all {
            assert_eq!(ledger.blob(key).unwrap().as_ref(), Some(blob));
        }
        for n in 0..GRANTS {
            assert!(all.contains_key(&BlobKey::Tokens(grant_id(n), 1)), "grant {n}");
            let removed = AuthorizationId::from_bytes(grant_id(n).to_bytes());
            assert!(!all.contains_key(&BlobKey::Verifier(removed)), "it was written and removed again");
        }
        assert!(all.contains_key(&BlobKey::RootCheck) && all.contains_key(&BlobKey::SigningKey));
        all
    };
    let before = check(&bench.ledger);
    bench.ledger.wal_durable(last);
    bench.ledger.checkpoint().unwrap();
    assert_eq!(check(&bench.ledger), before);
    assert_eq!(check(&bench.reopened().ledger), before);
}
