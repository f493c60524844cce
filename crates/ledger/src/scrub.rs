//! Reading again what may not have been read for years, so that damage is found while there are copies, and not by an auditor.
//!
//! A pass reads every value against its checksum, then every line against its leaf, then every bucket of blobs against its digest, in steps that
//! whoever calls spaces out. What sled has in its cache is not read from the disk again: a restart reads that.

use std::sync::Arc;

use crate::{
    buckets,
    error::Fault,
    shared::{Shared, lock},
};

/// How many values a step reads: at most 4 MiB.
const VALUES_AT_ONCE: usize = 64;
/// How many lines, and about how many bytes of them.
const LINES_AT_ONCE: usize = 256;
const LINES_LEN: usize = 1 << 20;
/// How many of the 16,384 buckets. Nothing is written meanwhile.
const BUCKETS_AT_ONCE: u16 = 64;

/// Where a pass goes on. The default is its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scrub(Next);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Next {
    Values(Vec<u8>),
    Line(u64),
    Bucket(u16),
}

impl Default for Scrub {
    fn default() -> Self {
        Self(Next::Values(Vec::new()))
    }
}

impl Shared {
    /// One step; `None` after the last.
    pub(crate) fn scrub(&self, from: Scrub) -> Result<Option<Scrub>, Fault> {
        let next = match from.0 {
            Next::Values(from) => Some(self.or_stop(self.scrub_values(from))?),
            Next::Line(from) => Some(self.scrub_lines(from)?),
            Next::Bucket(from) => self.or_stop(self.scrub_buckets(from))?,
        };
        Ok(next.map(Scrub))
    }

    fn scrub_values(&self, from: Vec<u8>) -> Result<Next, Fault> {
        let store = self.log()?.store()?;
        let mut last = None;
        for pair in store.scan(from..).take(VALUES_AT_ONCE) {
            last = Some(pair?.0);
        }
        // The next key after the last one.
        Ok(last.map_or(Next::Line(0), |last| Next::Values([&last[..], &[0]].concat())))
    }

    fn scrub_lines(&self, from: u64) -> Result<Next, Fault> {
        let lines = self.lines(from, LINES_AT_ONCE, LINES_LEN)?;
        Ok(lines.last().map_or(Next::Bucket(0), |last| Next::Line(last.seq + 1)))
    }

    fn scrub_buckets(&self, from: u16) -> Result<Option<Next>, Fault> {
        let written = lock(&self.writing);
        let (store, compared) = {
            let log = self.log()?;
            (log.store()?, Arc::clone(&log.compared))
        };
        let end = from.saturating_add(BUCKETS_AT_ONCE).min(buckets::COUNT);
        for bucket in from..end {
            written.buckets.compare(&store, bucket)?;
            compared.insert(bucket);
        }
        Ok((end < buckets::COUNT).then_some(Next::Bucket(end)))
    }
}
