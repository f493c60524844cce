//! How long a test binary may take, by the wall: each of its tests says so first, and each looks when it ends. Whichever ends last has seen it all.

use std::sync::OnceLock;

use tokio::time::{Duration, Instant};

static BEGAN: OnceLock<Instant> = OnceLock::new();

/// Held by a test until it ends.
#[must_use = "it looks at the time when it is dropped"]
pub struct Budget(Duration);

impl Budget {
    /// The binary may take this many seconds, from when its first test began.
    pub fn seconds(seconds: u64) -> Self {
        BEGAN.get_or_init(Instant::now);
        Self(Duration::from_secs(seconds))
    }
}

impl Drop for Budget {
    fn drop(&mut self) {
        let took = BEGAN.get_or_init(Instant::now).elapsed();
        assert!(
            std::thread::panicking() || took <= self.0,
            "this binary has taken {took:.1?} so far, and its budget is {:?}",
            self.0
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "its budget is 0ns")]
    fn a_budget_that_is_spent_fails_the_test_that_holds_it() {
        drop(Budget::seconds(0));
    }

    #[test]
    fn a_budget_that_is_not_spent_says_nothing() {
        drop(Budget::seconds(3600));
    }
}
