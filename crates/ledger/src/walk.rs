//! A walk over all blobs, bucket by bucket: for what concerns everything that is sealed.
//!
//! Not one moment's view: what is written meanwhile may be met or not. What was there at the start of a page and is not touched is met.

use std::{collections::BTreeMap, sync::Arc};

use leasehold_codec::row;
use leasehold_domain::{state::BlobKey, text::Sealed};

use crate::{buckets, error::Fault, keys, shared::Shared};

/// Some blobs, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobPage {
    /// The blobs, by the keys that they are kept under.
    pub blobs: Vec<(BlobKey, Sealed)>,
    /// The next bucket; none after the last.
    pub next: Option<u16>,
}

/// How many buckets a walk goes through.
pub const BLOB_BUCKETS: u16 = buckets::COUNT;

impl Shared {
    /// The blobs of whole buckets from `from` on, until there are at least `enough` or all were seen.
    pub(crate) fn blobs(&self, from: u16, enough: usize) -> Result<BlobPage, Fault> {
        let (store, compared, pending) = {
            let log = self.log()?;
            let mut pending: BTreeMap<Vec<u8>, (BlobKey, Option<Sealed>)> = BTreeMap::new();
            for (key, blob) in log.pending.blobs() {
                let (place, bucket) = keys::blob_in_bucket(key);
                if bucket >= from {
                    pending.insert(place, (*key, blob.clone()));
                }
            }
            (log.store()?, Arc::clone(&log.compared), pending)
        };
        let mut pending = pending.into_iter().peekable();
        let (mut blobs, mut bucket) = (Vec::new(), from);
        while bucket < buckets::COUNT && blobs.len() < enough {
            if !compared.contains(bucket) {
                self.or_stop(self.compare_bucket(bucket))?;
            }
            let mut found = BTreeMap::new();
            for pair in store.scan(buckets::space(bucket)) {
                let (place, content) = self.or_stop(pair)?;
                let key = place.get(3..).map(row::parse_blob_key);
                let (Some(Ok(key)), Some(sealed)) = (key, Sealed::new(content.as_ref())) else {
                    return Err(self.stop(Fault::damaged("a blob is none that may be")));
                };
                found.insert(place.to_vec(), (key, sealed));
            }
            while let Some((place, (key, blob))) =
                pending.next_if(|(place, _)| buckets::bucket_in(place) == Some(bucket))
            {
                match blob {
                    Some(sealed) => found.insert(place, (key, sealed)),
                    None => found.remove(&place),
                };
            }
            blobs.extend(found.into_values());
            bucket += 1;
        }
        Ok(BlobPage { blobs, next: (bucket < buckets::COUNT).then_some(bucket) })
    }
}
