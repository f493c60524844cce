//! How long a test binary may take, by the wall: each of its tests holds its budget, by itself or in what it starts, and looks when it ends.
//! Whichever ends last has seen it all.

use std::sync::OnceLock;

use tokio::time::{Duration, Instant};

static BEGAN: OnceLock<Instant> = OnceLock::new();

/// The suites that start nodes, and the seconds that each of their binaries may take on two busy cores: three times what they take on two idle ones.
pub const SUITES: [(&str, u64); 4] = [
    ("leasehold-crash", 360),
    ("leasehold-disk", 420),
    ("leasehold-journey", 240),
    ("leasehold-secrets", 240),
];

/// Held by a test until it ends.
#[must_use = "it looks at the time when it is dropped"]
pub struct Budget(Duration);

impl Budget {
    /// What [`SUITES`] grants the suite that runs: cargo says which it is.
    ///
    /// # Panics
    /// Where the suite has none.
    pub fn of_this_suite() -> Self {
        let suite = std::env::var("CARGO_PKG_NAME").unwrap_or_default();
        let granted = SUITES.iter().find(|(name, _)| *name == suite).map(|(_, seconds)| *seconds);
        assert!(suite.is_empty() || granted.is_some(), "the suite {suite} has no budget");
        // A binary that is run by hand is in nobody's way.
        Self::seconds(granted.unwrap_or(3600))
    }

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
