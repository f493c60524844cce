//! Reading: always the overlay first, then the store, and nothing from the store unchecked.

use std::sync::Arc;

use leasehold_codec::touches::Topic;
use leasehold_domain::{
    state::{BlobKey, State},
    text::Sealed,
};

use crate::{
    error::Fault,
    hash::Hash,
    keys,
    lines::{
        Line,
        stored::{Leaves, Stored},
    },
    merkle::{TreeHead, prove::ProofError},
    shared::{Shared, lock},
    written::StateDigest,
};

impl Shared {
    pub(crate) fn read<R>(&self, read: impl FnOnce(&State) -> R) -> Result<R, Fault> {
        Ok(read(&self.memory()?.state))
    }

    pub(crate) fn blob(&self, key: &BlobKey) -> Result<Option<Sealed>, Fault> {
        let (store, compared) = {
            let log = self.log()?;
            if let Some(blob) = log.pending.blob(key) {
                return Ok(blob);
            }
            (log.store()?, Arc::clone(&log.compared))
        };
        let (key, bucket) = keys::blob_in_bucket(key);
        if !compared.contains(bucket) {
            self.or_stop(self.compare_bucket(bucket))?;
        }
        let content = self.or_stop(store.get(&key))?;
        let sealed = content.map(|content| {
            Sealed::new(content.as_ref()).ok_or_else(|| Fault::damaged("a blob is longer than any may be"))
        });
        self.or_stop(sealed.transpose())
    }

    /// Compares a bucket of blobs, once, while nothing is written.
    pub(crate) fn compare_bucket(&self, bucket: u16) -> Result<(), Fault> {
        let written = lock(&self.writing);
        let (store, compared) = {
            let log = self.log()?;
            (log.store()?, Arc::clone(&log.compared))
        };
        if !compared.contains(bucket) {
            written.buckets.compare(&store, bucket)?;
            compared.insert(bucket);
        }
        Ok(())
    }

    /// Up to `lines_max` lines and about `bytes_max` bytes from line `from` on; at least one, if there is one.
    pub(crate) fn lines(&self, from: u64, lines_max: usize, bytes_max: usize) -> Result<Vec<Line>, Fault> {
        let mut page = Page { lines: Vec::new(), next: from, lines_max, bytes_left: bytes_max };
        let first = {
            let log = self.log()?;
            if from >= log.pending.first() {
                page.fill(log.pending.lines_from(from).map(Ok))?;
                return Ok(page.lines);
            }
            log.pending.first()
        };
        self.or_stop(self.stored_lines(&mut page, first))?;
        if page.next == first && !page.is_full() {
            // Those after it may have left memory meanwhile; whoever reads on gets them from the store.
            let log = self.log()?;
            if page.next >= log.pending.first() {
                page.fill(log.pending.lines_from(first).map(Ok))?;
            }
        }
        Ok(page.lines)
    }

    fn stored_lines(&self, page: &mut Page, end: u64) -> Result<(), Fault> {
        let view = self.view()?;
        let mut leaves = Leaves::new(&view);
        let lines = Stored::new(&view.store, page.next, end)?;
        page.fill(lines.map(|line| {
            let line = line?;
            leaves.check(&line)?;
            Ok(line)
        }))
    }

    pub(crate) fn postings(
        &self,
        topic: Topic,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<u64>, Fault> {
        let (found, store) = {
            let log = self.log()?;
            (log.postings.find(topic, before.unwrap_or(u64::MAX), limit), log.store()?)
        };
        self.or_stop(found.go_on(&store))
    }

    pub(crate) fn tree(&self) -> Result<TreeHead, Fault> {
        Ok(self.log()?.pending.tree.head())
    }

    pub(crate) fn tree_at(&self, size: u64) -> Result<TreeHead, ProofError> {
        let view = self.view()?;
        self.proof(view.tree.head_at(size, |id| view.tile(id)))
    }

    pub(crate) fn prove_inclusion(&self, seq: u64, size: u64) -> Result<Vec<Hash>, ProofError> {
        let view = self.view()?;
        self.proof(view.tree.inclusion(seq, size, |id| view.tile(id)))
    }

    pub(crate) fn prove_consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, ProofError> {
        let view = self.view()?;
        self.proof(view.tree.consistency(old, new, |id| view.tile(id)))
    }

    fn proof<T>(&self, proof: Result<T, ProofError>) -> Result<T, ProofError> {
        proof.map_err(|error| match error {
            ProofError::Fault(fault) => ProofError::Fault(self.stop(fault)),
            ProofError::OutOfRange { .. } => error,
        })
    }

    pub(crate) fn state_digest(&self) -> Result<StateDigest, Fault> {
        self.check()?;
        lock(&self.writing).digest().ok_or_else(|| Fault::damaged("no digest is remembered"))
    }

    pub(crate) fn state_digest_at(&self, index: u64) -> Result<Option<StateDigest>, Fault> {
        self.check()?;
        Ok(lock(&self.writing).digest_at(index))
    }
}

/// Lines that are being gathered.
struct Page {
    lines: Vec<Line>,
    next: u64,
    lines_max: usize,
    bytes_left: usize,
}

impl Page {
    fn is_full(&self) -> bool {
        self.lines.len() >= self.lines_max || (self.bytes_left == 0 && !self.lines.is_empty())
    }

    fn fill(&mut self, lines: impl Iterator<Item = Result<Line, Fault>>) -> Result<(), Fault> {
        for line in lines {
            if self.is_full() {
                break;
            }
            let line = line?;
            self.bytes_left = self.bytes_left.saturating_sub(line.bytes.len());
            self.next = line.seq + 1;
            self.lines.push(line);
        }
        Ok(())
    }
}
