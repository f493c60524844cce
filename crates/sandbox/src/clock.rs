//! The sandbox's own clock: real time once, at start, then a monotonic count plus an offset that a test may push forward.
//!
//! Every lifetime in the sandbox is judged by this clock, so a test expires tokens by `advance`, never by waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Milliseconds since the Unix epoch, by the sandbox's clock.
pub type Millis = u64;

/// A shared handle on the sandbox's clock. Clones show the same time.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    base: Millis,
    started: Instant,
    offset: AtomicU64,
}

impl Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the sandbox is a foreign system: it has a clock of its own"
    )]
    pub(crate) fn start() -> Self {
        let base = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, whole_millis);
        Self(Arc::new(Inner { base, started: Instant::now(), offset: AtomicU64::new(0) }))
    }

    /// The present, in milliseconds since the Unix epoch.
    pub fn now(&self) -> Millis {
        let offset = self.0.offset.load(Ordering::SeqCst);
        self.0.base.saturating_add(whole_millis(self.0.started.elapsed())).saturating_add(offset)
    }

    /// The present, in seconds since the Unix epoch.
    pub fn now_seconds(&self) -> u64 {
        self.now() / 1000
    }

    /// Moves the clock forward for everything that holds it. It never goes back.
    pub fn advance(&self, by: Duration) {
        let step = whole_millis(by);
        let pushed = |offset: u64| Some(offset.saturating_add(step));
        let _previous = self.0.offset.fetch_update(Ordering::SeqCst, Ordering::SeqCst, pushed);
    }

    /// How far the clock has been pushed ahead of real time.
    pub fn offset(&self) -> Duration {
        Duration::from_millis(self.0.offset.load(Ordering::SeqCst))
    }
}

fn whole_millis(span: Duration) -> Millis {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advance_is_seen_by_every_clone_at_once() {
        let clock = Clock::start();
        let other = clock.clone();
        let before = other.now();
        clock.advance(Duration::from_secs(90));
        assert!(other.now() >= before + 90_000);
        assert_eq!(other.offset(), Duration::from_secs(90));
    }
}
