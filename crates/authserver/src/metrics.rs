//! What is counted: requests by endpoint and outcome, for the binary to render.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// Counters of this edge. They only ever grow, and their labels are words of this program: there are few, whatever is asked.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<BTreeMap<(&'static str, &'static str), u64>>);

/// How often an endpoint was answered so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// `token`, `revoke` or `none`.
    pub endpoint: &'static str,
    /// `ok`, or the error code of the answer.
    pub outcome: &'static str,
    /// How often.
    pub count: u64,
}

impl Metrics {
    pub(crate) fn count(&self, endpoint: &'static str, outcome: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry((endpoint, outcome)).or_default() += 1;
    }

    /// Everything that was counted so far.
    pub fn counted(&self) -> Vec<Counted> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(&(endpoint, outcome), &count)| Counted { endpoint, outcome, count }).collect()
    }
}
