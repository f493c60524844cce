//! Which lines speak of what: for each topic, the sequence numbers of the lines that touch it.
//!
//! Numbers gather in memory for a *run* of [`RUN_LEN`] lines. A complete run is written once, as pages of sorted blocks, and never again: far
//! fewer rows than one a topic, whatever the traffic, and rebuilt from its lines should a crash come first. Each page says where the next one
//! begins, so a page that is lost is damage and never an answer that is silently shorter.
//!
//! A reader asks the run in memory, then each written run from the newest back, one look-up each.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use leasehold_codec::touches::Topic;

use crate::{
    cursor::{Cursor, put_bytes, put_varint},
    error::Fault,
    keys::{CONTENT_LEN_MAX, POSTINGS},
};

pub(crate) mod find;

/// How many lines a run covers. Fewer under test, so that a test can fill some.
pub(crate) const RUN_LEN: u64 = if cfg!(test) { 8192 } else { 65_536 };
/// The most numbers in a block.
const BLOCK_LEN_MAX: usize = 256;
/// The most bytes of a block: its topic, a length, and three for each number within the run.
const BLOCK_BYTES_MAX: usize = Topic::KEY_LEN + 4 + 3 * BLOCK_LEN_MAX;
/// The bytes of a page's key.
const PAGE_KEY_LEN: usize = 1 + 8 + Topic::KEY_LEN + 8;
/// Where a page is closed.
const PAGE_BYTES: usize = 32 * 1024;

const _: () =
    assert!(PAGE_BYTES + BLOCK_BYTES_MAX + PAGE_KEY_LEN + 4 <= CONTENT_LEN_MAX, "a page must fit a value");

/// What a topic sorts by.
type TopicKey = [u8; Topic::KEY_LEN];

/// The numbers of one run of lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Run {
    /// Which, counted from 0.
    pub(crate) number: u64,
    topics: BTreeMap<TopicKey, Vec<u64>>,
}

impl Run {
    /// The first line that it covers.
    pub(crate) fn first(&self) -> u64 {
        self.number * RUN_LEN
    }

    /// Its pages, in order: keys and contents.
    pub(crate) fn pages(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut pages = vec![(page_key(self.number, None), Vec::new())];
        for (topic, seqs) in &self.topics {
            for block in seqs.chunks(BLOCK_LEN_MAX) {
                let full = pages.last().is_some_and(|(_, page)| page.len() >= PAGE_BYTES);
                if full {
                    pages.push((page_key(self.number, block.first().map(|seq| (topic, *seq))), Vec::new()));
                }
                if let Some((_, page)) = pages.last_mut() {
                    put_block(page, topic, self.first(), block);
                }
            }
        }
        let next: Vec<_> = pages.iter().skip(1).map(|(key, _)| key.clone()).chain([Vec::new()]).collect();
        pages.into_iter().zip(next).map(|((key, blocks), next)| (key, page_content(&next, &blocks))).collect()
    }
}

/// The first page of a run begins with every topic, each other one with a block.
fn page_key(run: u64, block: Option<(&TopicKey, u64)>) -> Vec<u8> {
    let mut key = [&[POSTINGS][..], &run.to_be_bytes()].concat();
    if let Some((topic, seq)) = block {
        key.extend_from_slice(topic);
        key.extend_from_slice(&seq.to_be_bytes());
    }
    key
}

/// The run that a page belongs to, by its key.
pub(crate) fn run_of(key: &[u8]) -> Option<u64> {
    key.strip_prefix(&[POSTINGS])?.first_chunk().map(|run| u64::from_be_bytes(*run))
}

fn page_content(next: &[u8], blocks: &[u8]) -> Vec<u8> {
    let mut content = Vec::with_capacity(4 + next.len() + blocks.len());
    put_bytes(&mut content, next);
    content.extend_from_slice(blocks);
    content
}

fn put_block(page: &mut Vec<u8>, topic: &TopicKey, run_first: u64, seqs: &[u64]) {
    let mut numbers = Vec::new();
    let mut before = run_first;
    for seq in seqs {
        put_varint(&mut numbers, seq - before);
        before = *seq;
    }
    page.extend_from_slice(topic);
    put_bytes(page, &numbers);
}

/// The topic and the numbers, still packed, of the next block of a page.
fn block<'a>(cursor: &mut Cursor<'a>) -> Option<(TopicKey, &'a [u8])> {
    Some((cursor.array()?, cursor.bytes()?))
}

/// The numbers of a block of the run that begins with line `run_first`.
fn unpacked(numbers: &[u8], run_first: u64) -> Option<Vec<u64>> {
    let (mut cursor, mut seq, mut seqs) = (Cursor(numbers), run_first, Vec::new());
    while !cursor.is_done() {
        seq = seq.checked_add(cursor.varint()?)?;
        seqs.push(seq);
    }
    Some(seqs)
}

/// The postings that are in memory, and how many runs are in the store.
#[derive(Debug, Default)]
pub(crate) struct Postings {
    open: Run,
    complete: VecDeque<Arc<Run>>,
    written: u64,
}

impl Postings {
    /// Of a store that has this many runs; the lines after them are to be added.
    pub(crate) fn after(written: u64) -> Self {
        Self { open: Run { number: written, ..Run::default() }, complete: VecDeque::new(), written }
    }

    /// Adds the next line's topics.
    pub(crate) fn push(&mut self, seq: u64, topics: impl IntoIterator<Item = Topic>) {
        if seq >= self.open.first() + RUN_LEN {
            let next = Run { number: self.open.number + 1, ..Run::default() };
            self.complete.push_back(Arc::new(std::mem::replace(&mut self.open, next)));
        }
        for topic in topics {
            let seqs = self.open.topics.entry(topic.to_key()).or_default();
            if seqs.last() != Some(&seq) {
                seqs.push(seq);
            }
        }
    }

    /// The oldest complete run that is not in the store yet, if all its lines are among the first `size`.
    pub(crate) fn due(&self, size: u64) -> Option<Arc<Run>> {
        self.complete.front().filter(|run| run.first() + RUN_LEN <= size).cloned()
    }

    /// That run is in the store now.
    pub(crate) fn written(&mut self) {
        self.complete.pop_front();
        self.written += 1;
    }

    /// The numbers of a topic that are in memory, below `before`, the newest first.
    fn in_memory(&self, topic: TopicKey, before: u64) -> impl Iterator<Item = u64> {
        let runs = std::iter::once(&self.open).chain(self.complete.iter().rev().map(AsRef::as_ref));
        let seqs = runs.filter_map(move |run| run.topics.get(&topic)).flat_map(|seqs| seqs.iter().rev());
        seqs.copied().filter(move |seq| *seq < before)
    }
}

/// Follows pages as a snapshot brings them: each must be where the one before said.
#[derive(Debug, Default)]
pub(crate) struct PageChain {
    runs: u64,
    next: Option<Vec<u8>>,
}

impl PageChain {
    /// The next page.
    ///
    /// # Errors
    /// [`Fault::Damaged`] when it is not the one that comes next.
    pub(crate) fn follow(&mut self, key: &[u8], content: &[u8]) -> Result<(), Fault> {
        let expected = self.next.take().unwrap_or_else(|| page_key(self.runs, None));
        let next = Cursor(content).bytes().filter(|_| expected == key);
        let next = next.ok_or_else(|| Fault::damaged(format!("a page of run {} is missing", self.runs)))?;
        if next.is_empty() {
            self.runs += 1;
        } else {
            self.next = Some(next.to_vec());
        }
        Ok(())
    }

    /// How many runs were complete.
    ///
    /// # Errors
    /// [`Fault::Damaged`] when the last one was not.
    pub(crate) fn finish(self) -> Result<u64, Fault> {
        match self.next {
            None => Ok(self.runs),
            Some(_) => Err(Fault::damaged(format!("run {} ends early", self.runs))),
        }
    }
}

#[cfg(test)]
mod tests {
    use leasehold_domain::id::{GrantId, SubjectId};

    use super::*;

    fn grant(n: u64) -> Topic {
        Topic::Grant(GrantId::from_bytes(u128::from(n).to_be_bytes()))
    }

    #[test]
    fn pages_chain_and_a_missing_one_is_damage() {
        let mut postings = Postings::after(0);
        for seq in 0..=RUN_LEN {
            postings.push(seq, [Topic::Subject(SubjectId::from_bytes([9; 16])), grant(seq % 5_000)]);
        }
        let pages = postings.due(RUN_LEN).unwrap().pages();
        assert!(pages.len() > 3, "several pages make the test mean something");
        assert!(pages.iter().all(|(_, content)| content.len() <= CONTENT_LEN_MAX));
        assert!(pages.is_sorted());
        let follow = |lost: Option<usize>| {
            let mut chain = PageChain::default();
            let mut rest = pages.iter().enumerate().filter(|(n, _)| Some(*n) != lost);
            rest.try_for_each(|(_, (key, content))| chain.follow(key, content)).and_then(|()| chain.finish())
        };
        assert_eq!(follow(None), Ok(1));
        for lost in 0..pages.len() {
            assert!(follow(Some(lost)).is_err(), "without page {lost}");
        }
    }

    #[test]
    fn a_run_is_due_only_when_all_its_lines_are_written() {
        let mut postings = Postings::after(0);
        for seq in 0..=RUN_LEN {
            postings.push(seq, [grant(1)]);
        }
        assert!(postings.due(RUN_LEN - 1).is_none());
        assert!(postings.due(RUN_LEN).is_some());
        postings.written();
        assert!(postings.due(u64::MAX).is_none());
        assert_eq!(postings.in_memory(grant(1).to_key(), u64::MAX).collect::<Vec<_>>(), [RUN_LEN]);
    }
}
