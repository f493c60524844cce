//! A script of operations, what the log must be after each, and which of them have been acknowledged when.

use std::sync::{Arc, Mutex};

use super::{Draw, append, entries, entry, id, vote};
use crate::testing::SimFs;
use crate::{Entry, LogId, State, Vote, Wal, WriteError};

#[derive(Clone, Debug)]
pub(super) enum Step {
    Append(Entry),
    Vote(Vote),
    Truncate(LogId),
    Purge(LogId),
    Commit(LogId),
}

/// What can be compared after a crash: commit marks may lag.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Content {
    pub(super) vote: Option<Vote>,
    pub(super) purged: Option<LogId>,
    pub(super) last: Option<LogId>,
    pub(super) entries: Vec<Entry>,
}

impl Content {
    pub(super) fn of(wal: &Wal) -> Self {
        let State { vote, purged, last, .. } = wal.state();
        Self { vote, purged, last, entries: entries(wal) }
    }

    fn after(&self, step: &Step) -> Self {
        let mut next = self.clone();
        match step {
            Step::Append(entry) => {
                next.last = Some(entry.id);
                next.entries.push(entry.clone());
            }
            Step::Vote(vote) => next.vote = Some(*vote),
            Step::Truncate(kept) => {
                next.last = Some(*kept);
                next.entries.retain(|entry| entry.id.index <= kept.index);
            }
            Step::Purge(upto) => {
                next.purged = Some(*upto);
                next.last = next.last.max(Some(*upto));
                next.entries.retain(|entry| entry.id.index > upto.index);
            }
            Step::Commit(_) => {}
        }
        next
    }
}

/// Number of steps acknowledged, with the number of disk calls made by then.
pub(super) type Acknowledged = Arc<Mutex<Vec<(u64, usize)>>>;

pub(super) struct Script {
    pub(super) steps: Vec<Step>,
    /// The content after each number of steps.
    pub(super) contents: Vec<Content>,
    pub(super) acknowledged: Acknowledged,
}

impl Script {
    pub(super) fn random(seed: u64, length: usize) -> Self {
        let mut draw = Draw(seed);
        let (mut term, mut committed) = (1, 0);
        let mut contents = vec![Content::default()];
        let mut steps = Vec::new();
        while steps.len() < length {
            let now = contents.last().unwrap();
            let last = now.last.map_or(0, |last| last.index);
            let first = now.purged.map_or(0, |purged| purged.index);
            let at =
                |index: u64| now.entries.iter().find(|entry| entry.id.index == index).map(|entry| entry.id);
            let step = match draw.below(12) {
                0 | 1 => {
                    term += draw.below(2);
                    Some(Step::Vote(vote(term)))
                }
                2 => at(committed.max(first) + draw.below(4))
                    .filter(|kept| kept.index < last)
                    .map(Step::Truncate),
                3 => at(first + 1 + draw.below(4)).filter(|upto| upto.index <= committed).map(Step::Purge),
                4 if draw.below(8) == 0 => {
                    committed = last + 3;
                    Some(Step::Purge(id(term, last + 3)))
                }
                4 | 5 => at(last).map(|last| {
                    committed = last.index;
                    Step::Commit(last)
                }),
                _ => {
                    let size = [0, 9, 40, 200, 700, 1500][draw.below(6) as usize];
                    let byte = draw.below(3) as u8;
                    Some(Step::Append(entry(term, last + 1, vec![byte; size])))
                }
            };
            if let Some(step) = step {
                contents.push(now.after(&step));
                steps.push(step);
            }
        }
        Self { steps, contents, acknowledged: Acknowledged::default() }
    }

    /// Submits everything in bursts: each waits behind the sync of its first step, and becomes one group.
    pub(super) fn run(&self, fs: &SimFs, wal: &Wal, mut draw: Draw) {
        let mut number = 0;
        while number < self.steps.len() {
            let end = (number + 1 + draw.below(6) as usize).min(self.steps.len());
            let held = fs.hold_syncs();
            for step in number..end {
                self.submit(fs, wal, step).unwrap();
                if step == number && !matches!(self.steps[step], Step::Commit(_)) {
                    held.wait();
                }
            }
            held.release();
            append(wal, Vec::new());
            number = end;
        }
    }

    /// Submits everything without waiting until the log fails, if it does; true if it did not.
    pub(super) fn run_until_failure(&self, fs: &SimFs, wal: &Wal) -> bool {
        (0..self.steps.len()).all(|step| self.submit(fs, wal, step).is_ok())
    }

    fn submit(&self, fs: &SimFs, wal: &Wal, number: usize) -> Result<(), WriteError> {
        let (acknowledged, disk) = (Arc::clone(&self.acknowledged), fs.clone());
        let done = Box::new(move |outcome: Result<(), WriteError>| {
            if outcome.is_ok() {
                acknowledged.lock().unwrap().push((disk.calls(), number + 1));
            }
        });
        match &self.steps[number] {
            Step::Append(entry) => wal.append(vec![entry.clone()], done),
            Step::Vote(vote) => wal.save_vote_then(*vote, done),
            Step::Truncate(kept) => wal.truncate_after(Some(*kept)),
            Step::Purge(upto) => wal.purge(*upto),
            Step::Commit(id) => wal.save_committed(*id),
        }
    }

    /// How many steps had been acknowledged once the disk had seen so many calls.
    pub(super) fn acknowledged_by(&self, calls: u64) -> usize {
        let acknowledged = self.acknowledged.lock().unwrap();
        acknowledged.iter().filter(|(at, _)| *at <= calls).map(|(_, steps)| *steps).max().unwrap_or(0)
    }

    /// That the content is the script up to some step, and none that was acknowledged is missing.
    pub(super) fn check(&self, content: &Content, acknowledged: usize, context: &dyn std::fmt::Display) {
        let known = self.contents.iter().skip(acknowledged).any(|known| known == content);
        assert!(known, "{context}: {acknowledged} steps were acknowledged, found {content:?}");
    }
}
