//! Looking a topic up.

use leasehold_codec::touches::Topic;

use super::{PAGE_KEY_LEN, Postings, RUN_LEN, TopicKey, block, page_key, unpacked};
use crate::{cursor::Cursor, error::Fault, store::Store};

/// The numbers that memory has, and which runs of the store to ask for more.
pub(crate) struct Found {
    seqs: Vec<u64>,
    topic: TopicKey,
    before: u64,
    runs: u64,
    limit: usize,
}

impl Postings {
    /// Begins a look-up: up to `limit` numbers of a topic below `before`, the newest first.
    pub(crate) fn find(&self, topic: Topic, before: u64, limit: usize) -> Found {
        let topic = topic.to_key();
        let seqs = self.in_memory(topic, before).take(limit).collect();
        Found { seqs, topic, before, runs: self.written, limit }
    }
}

impl Found {
    /// Goes on in the store, without any lock of the ledger.
    pub(crate) fn go_on(mut self, store: &Store) -> Result<Vec<u64>, Fault> {
        let newest = self.before.div_ceil(RUN_LEN).min(self.runs);
        for run in (0..newest).rev() {
            if self.seqs.len() >= self.limit {
                break;
            }
            self.in_run(store, run)?;
        }
        Ok(self.seqs)
    }

    fn in_run(&mut self, store: &Store, run: u64) -> Result<(), Fault> {
        let damaged = || Fault::damaged(format!("the postings of run {run} do not hang together"));
        let begin = page_key(run, None);
        let topic_begin = page_key(run, Some((&self.topic, 0)));
        let mut target = page_key(run, Some((&self.topic, self.before.saturating_sub(1))));
        let mut following = None;
        loop {
            let (key, content) = store.last(begin.clone()..=target.clone())?.ok_or_else(damaged)?;
            let mut cursor = Cursor(&content);
            let next = cursor.bytes().ok_or_else(damaged)?;
            let chained = match &following {
                Some(key) => next == key,
                None => next.is_empty() || next > target.as_slice(),
            };
            if !chained {
                return Err(damaged());
            }
            let mut seqs = Vec::new();
            while !cursor.is_done() {
                let (topic, numbers) = block(&mut cursor).ok_or_else(damaged)?;
                if topic == self.topic {
                    seqs.extend(unpacked(numbers, run * RUN_LEN).ok_or_else(damaged)?);
                }
            }
            let room = self.limit - self.seqs.len();
            self.seqs.extend(seqs.into_iter().rev().filter(|seq| *seq < self.before).take(room));
            if self.seqs.len() >= self.limit || key.as_ref() <= topic_begin.as_slice() {
                return Ok(());
            }
            target = before(&key);
            following = Some(key.to_vec());
        }
    }
}

/// The greatest key of a page that is less than this one.
fn before(key: &[u8]) -> Vec<u8> {
    let mut key = key.to_vec();
    while let Some(last) = key.pop() {
        if last > 0 {
            key.push(last - 1);
            key.resize(PAGE_KEY_LEN, 0xff);
            break;
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use leasehold_domain::id::{ConnectorId, GrantId, SubjectId, WorkloadId};

    use super::*;
    use crate::store::{RealDisk, Writes};

    const EVERY: Topic = Topic::Subject(SubjectId::from_bytes([1; 16]));
    const RARE: Topic = Topic::Connector(ConnectorId::from_bytes([2; 16]));
    const NEVER: Topic = Topic::Workload(WorkloadId::from_bytes([3; 16]));

    fn grant(n: u64) -> Topic {
        Topic::Grant(GrantId::from_bytes(u128::from(n).to_be_bytes()))
    }

    fn filled() -> (tempfile::TempDir, Store, Postings, BTreeMap<Topic, Vec<u64>>) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), 16 << 20).unwrap();
        let (mut postings, mut expected) = (Postings::after(0), BTreeMap::<Topic, Vec<u64>>::new());
        for seq in 0..RUN_LEN * 2 + 100 {
            let mut topics = vec![EVERY, grant(seq % 3_001)];
            if seq % 9000 == 8999 {
                topics.push(RARE);
            }
            for topic in &topics {
                expected.entry(*topic).or_default().push(seq);
            }
            postings.push(seq, topics);
            if let Some(run) = postings.due(seq) {
                let mut writes = Writes::default();
                run.pages().iter().for_each(|(key, content)| writes.put(key, content));
                store.write(&RealDisk, writes.into_batch()).unwrap();
                postings.written();
            }
        }
        (dir, store, postings, expected)
    }

    #[test]
    fn a_topic_is_found_across_runs_and_pages_the_newest_first() {
        let (_dir, store, postings, expected) = filled();
        for topic in [EVERY, RARE, grant(7), NEVER] {
            let mut all = expected.get(&topic).cloned().unwrap_or_default();
            all.reverse();
            assert_eq!(postings.find(topic, u64::MAX, usize::MAX).go_on(&store).unwrap(), all);
            for before in [0, 1, 300, RUN_LEN - 1, RUN_LEN, RUN_LEN + 1, 2 * RUN_LEN + 50] {
                let below: Vec<u64> = all.iter().copied().filter(|seq| *seq < before).take(600).collect();
                assert_eq!(
                    postings.find(topic, before, 600).go_on(&store).unwrap(),
                    below,
                    "before {before}"
                );
            }
        }
    }

    #[test]
    fn a_page_that_is_lost_is_damage_and_not_a_shorter_answer() {
        let (_dir, store, postings, _) = filled();
        let pages: Vec<Vec<u8>> = store
            .scan(crate::keys::space(crate::keys::POSTINGS))
            .map(|pair| pair.unwrap().0.to_vec())
            .collect();
        let every = || postings.find(EVERY, u64::MAX, usize::MAX).go_on(&store);
        assert!(every().is_ok());
        // Grants sort before subjects, so the last page of a run speaks of nothing but the latter.
        let lost = pages.iter().rposition(|key| key.starts_with(&page_key(0, None))).unwrap();
        let mut writes = Writes::default();
        writes.remove(&pages[lost]);
        store.write(&RealDisk, writes.into_batch()).unwrap();
        assert!(matches!(every(), Err(Fault::Damaged { .. })));
    }
}
