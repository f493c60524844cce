//! Every secret the sandbox ever issued, was configured with, or was shown: the canaries a test greps for afterwards.
//!
//! Passwords are not among them: only the two login pages ever see those.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Shorter values are not kept: a canary of three letters would be found in every file.
const LENGTH_MIN: usize = 16;
/// Longer values cannot have come from here.
const LENGTH_MAX: usize = 4096;
const KEPT_MAX: usize = 4_000_000;

#[derive(Debug, Default)]
pub(crate) struct Canaries(Mutex<BTreeSet<String>>);

impl Canaries {
    pub(crate) fn keep(&self, secret: &str) {
        if (LENGTH_MIN..=LENGTH_MAX).contains(&secret.len()) {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() < KEPT_MAX {
                kept.insert(secret.to_owned());
            }
        }
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
