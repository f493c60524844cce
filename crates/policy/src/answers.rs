//! Answers that one policy set has given, so that the same question is not worked out twice.
//!
//! Two halves: when the younger is full it becomes the older, and the older is forgotten. What is asked again and again stays; what a caller makes
//! up to fill the memory goes, and costs no more than working it out.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Mutex, PoisonError},
};

use crate::engine::Verdict;

/// Answers in each half. At about 400 bytes each, both halves take 13 MB.
const HALF_MAX: usize = 16_384;

type Half = BTreeMap<Box<[u8]>, Verdict>;

/// Verdicts by the terms of their questions.
#[derive(Default)]
pub(crate) struct Answers(Mutex<[Half; 2]>);

impl Answers {
    /// The answer to these terms, if it is remembered.
    pub(crate) fn known(&self, key: &[u8]) -> Option<Verdict> {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let [young, old] = &mut *halves;
        if let Some(verdict) = young.get(key) {
            return Some(verdict.clone());
        }
        let (key, verdict) = old.remove_entry(key)?;
        let answer = verdict.clone();
        put(&mut halves, key, verdict);
        Some(answer)
    }

    /// Remembers an answer.
    pub(crate) fn keep(&self, key: Box<[u8]>, verdict: Verdict) {
        put(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), key, verdict);
    }
}

fn put([young, old]: &mut [Half; 2], key: Box<[u8]>, verdict: Verdict) {
    if young.len() >= HALF_MAX {
        *old = mem::take(young);
    }
    young.insert(key, verdict);
}

#[cfg(test)]
mod tests {
    use leasehold_domain::policy::Decision;

    use super::*;

    fn verdict(version: u64) -> Verdict {
        Verdict { permitted: true, decision: Decision { version, determining: Vec::new() } }
    }

    fn key(number: usize) -> Box<[u8]> {
        number.to_be_bytes().into()
    }

    #[test]
    fn what_is_asked_again_stays_and_the_rest_is_bounded() {
        let answers = Answers::default();
        answers.keep(key(0), verdict(7));
        for number in 1..=5 * HALF_MAX {
            answers.keep(key(number), verdict(1));
            if number % 1000 == 0 {
                assert_eq!(answers.known(&key(0)), Some(verdict(7)), "after {number}");
            }
        }
        assert_eq!(answers.known(&key(1)), None);
        let halves = answers.0.lock().unwrap();
        assert!(halves.iter().map(BTreeMap::len).sum::<usize>() <= 2 * HALF_MAX);
    }
}
