//! The sandbox's own record: every token it issued and every presentation, append-only, in memory.
//!
//! It exists to be compared, one to one, with what the client believes happened. Tokens stand in it by fingerprint.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

mod record;

pub use record::{Endpoint, Issued, Outcome, Presentation, TokenKind};

/// Past this many lines the issuers answer 503 rather than forget.
const LINES_MAX: usize = 1_000_000;
/// Names that requests merely claim are counted up to here.
const CLAIMED_MAX: usize = 10_000;

#[derive(Debug)]
pub(crate) struct Ledger {
    lines: Mutex<Lines>,
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Lines {
    issued: Vec<Issued>,
    presented: Vec<Presentation>,
    ended_by_reuse: BTreeSet<String>,
    refresh_requests: BTreeMap<String, u64>,
    refresh_requests_of_family: BTreeMap<String, u64>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { lines: Mutex::default(), changed: watch::channel(0).0 }
    }
}

impl Ledger {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn full(&self) -> bool {
        let lines = self.lines();
        lines.issued.len().saturating_add(lines.presented.len()) >= LINES_MAX
    }

    pub(crate) fn record_issued(&self, mut line: Issued) {
        let mut lines = self.lines();
        line.sequence = count(lines.issued.len());
        lines.issued.push(line);
        drop(lines);
        self.announce();
    }

    pub(crate) fn record_presentation(&self, mut line: Presentation) {
        let mut lines = self.lines();
        line.sequence = count(lines.presented.len());
        lines.presented.push(line);
        drop(lines);
        self.announce();
    }

    pub(crate) fn record_refresh_request(&self, client: &str, family: Option<&str>) {
        let mut lines = self.lines();
        if lines.refresh_requests.len() < CLAIMED_MAX || lines.refresh_requests.contains_key(client) {
            *lines.refresh_requests.entry(client.to_owned()).or_default() += 1;
        }
        if let Some(family) = family {
            *lines.refresh_requests_of_family.entry(family.to_owned()).or_default() += 1;
        }
        drop(lines);
        self.announce();
    }

    pub(crate) fn record_ended_by_reuse(&self, family: &str) {
        self.lines().ended_by_reuse.insert(family.to_owned());
    }

    /// Wakes whoever waits for the record to change.
    pub(crate) fn announce(&self) {
        self.changed.send_modify(|version| *version = version.wrapping_add(1));
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(crate) fn issued(&self, wanted: impl Fn(&Issued) -> bool) -> Vec<Issued> {
        self.lines().issued.iter().filter(|line| wanted(line)).cloned().collect()
    }

    pub(crate) fn presentations(&self, wanted: impl Fn(&Presentation) -> bool) -> Vec<Presentation> {
        self.lines().presented.iter().filter(|line| wanted(line)).cloned().collect()
    }

    pub(crate) fn count_presentations(&self, wanted: impl Fn(&Presentation) -> bool) -> u64 {
        count(self.lines().presented.iter().filter(|line| wanted(line)).count())
    }

    pub(crate) fn refresh_requests(&self, client: &str) -> u64 {
        self.lines().refresh_requests.get(client).copied().unwrap_or(0)
    }

    pub(crate) fn refresh_requests_of_family(&self, family: &str) -> u64 {
        self.lines().refresh_requests_of_family.get(family).copied().unwrap_or(0)
    }

    pub(crate) fn ended_by_reuse(&self) -> Vec<String> {
        self.lines().ended_by_reuse.iter().cloned().collect()
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
