//! Digests of the blobs, by bucket, so that a start need not read them all.
//!
//! Blobs are many and large, and in no one's memory. Their keys begin with a bucket, and each bucket has its own digest. An orderly close notes the
//! digests; the next start takes them over and compares a bucket when it is first read. Without that note every blob is read when the ledger opens.

use std::{
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
};

use crate::{digest::SetDigest, error::Fault, keys, store::Store};

/// How many buckets there are: a thousand grants have a few blobs in each fourth, a million some 200 in each.
pub(crate) const COUNT: u16 = 16_384;

const _: () = assert!(COUNT.is_power_of_two(), "a bucket is cut out of a checksum");

/// The bucket of a blob, by the key that `codec` gives it.
pub(crate) fn bucket_of(key: &[u8]) -> u16 {
    crc32c::crc32c(key) as u16 % COUNT
}

/// All keys in a bucket.
pub(crate) fn space(bucket: u16) -> Range<Vec<u8>> {
    let key = |bucket: u16| [&[keys::BLOB], &bucket.to_be_bytes()[..]].concat();
    key(bucket)..key(bucket + 1)
}

/// The bucket in the key of a blob in the store.
pub(crate) fn bucket_in(key: &[u8]) -> Option<u16> {
    key.strip_prefix(&[keys::BLOB])?.first_chunk().map(|bucket| u16::from_be_bytes(*bucket))
}

/// The digest of each bucket.
pub(crate) struct Buckets {
    digests: Vec<SetDigest>,
}

impl Buckets {
    fn empty() -> Self {
        Self { digests: vec![SetDigest::default(); usize::from(COUNT)] }
    }

    /// Of all blobs that a store has.
    pub(crate) fn of(store: &Store) -> Result<Self, Fault> {
        let mut buckets = Self::empty();
        for pair in store.scan(keys::space(keys::BLOB)) {
            let (key, content) = pair?;
            let digest = buckets.of_key_mut(&key).ok_or_else(|| Fault::damaged("a blob is in no bucket"))?;
            digest.add(&key, &content);
        }
        Ok(buckets)
    }

    /// The digest of the bucket that a key is in.
    pub(crate) fn of_key_mut(&mut self, key: &[u8]) -> Option<&mut SetDigest> {
        self.digests.get_mut(usize::from(bucket_in(key)?))
    }

    /// The digest of all blobs.
    pub(crate) fn total(&self) -> SetDigest {
        self.digests.iter().fold(SetDigest::default(), |total, digest| total.with(*digest))
    }

    /// Whether the blobs of a bucket are those that were written.
    ///
    /// # Errors
    /// [`Fault::Damaged`] when they are not.
    pub(crate) fn compare(&self, store: &Store, bucket: u16) -> Result<(), Fault> {
        let mut digest = SetDigest::default();
        for pair in store.scan(space(bucket)) {
            let (key, content) = pair?;
            digest.add(&key, &content);
        }
        if self.digests.get(usize::from(bucket)) == Some(&digest) {
            Ok(())
        } else {
            Err(Fault::damaged("blobs are not those that were written"))
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.digests.iter().flat_map(|digest| digest.to_bytes()).collect()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (digests, rest) = bytes.as_chunks::<{ SetDigest::LEN }>();
        let digests: Vec<SetDigest> = digests.iter().map(|digest| SetDigest::from_bytes(*digest)).collect();
        (digests.len() == usize::from(COUNT) && rest.is_empty()).then_some(Self { digests })
    }
}

/// Which buckets were compared since the ledger opened.
pub(crate) struct Compared {
    buckets: Vec<AtomicBool>,
}

impl Compared {
    /// All of them, or none.
    pub(crate) fn new(all: bool) -> Self {
        Self { buckets: (0..COUNT).map(|_| AtomicBool::new(all)).collect() }
    }

    pub(crate) fn contains(&self, bucket: u16) -> bool {
        self.buckets.get(usize::from(bucket)).is_some_and(|bucket| bucket.load(Ordering::Acquire))
    }

    pub(crate) fn insert(&self, bucket: u16) {
        if let Some(bucket) = self.buckets.get(usize::from(bucket)) {
            bucket.store(true, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{RealDisk, Writes};

    fn key(n: u32) -> Vec<u8> {
        let key = n.to_be_bytes();
        [&[keys::BLOB][..], &bucket_of(&key).to_be_bytes(), &key].concat()
    }

    #[test]
    fn a_lost_blob_fails_its_bucket_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), 16 << 20).unwrap();
        let mut writes = Writes::default();
        (0..500).for_each(|n| writes.put(&key(n), b"ciphertext"));
        store.write(&RealDisk, writes.into_batch()).unwrap();
        let buckets = Buckets::of(&store).unwrap();
        let noted = Buckets::from_bytes(&buckets.to_bytes()).unwrap();
        assert_eq!(noted.total(), buckets.total());
        let all: Vec<u16> = (0..500).filter_map(|n| bucket_in(&key(n))).collect();
        assert!(all.iter().all(|bucket| noted.compare(&store, *bucket).is_ok()));

        let mut writes = Writes::default();
        writes.remove(&key(77));
        store.write(&RealDisk, writes.into_batch()).unwrap();
        let lost = bucket_in(&key(77)).unwrap();
        for bucket in all {
            assert_eq!(noted.compare(&store, bucket).is_err(), bucket == lost);
        }
        assert_ne!(Buckets::of(&store).unwrap().total(), buckets.total());
    }

    #[test]
    fn digests_of_another_number_of_buckets_are_not_taken_over() {
        let bytes = Buckets::empty().to_bytes();
        assert!(Buckets::from_bytes(&bytes[32..]).is_none());
        assert!(Buckets::from_bytes(&bytes[1..]).is_none());
    }
}
