//! The machine's clock, moved forward by tests.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use leasehold_control::{Clock, SystemClock};
use leasehold_domain::time::{Span, Timestamp};

/// A clock that tests move.
#[derive(Debug, Clone, Default)]
pub struct MovedClock(Arc<AtomicU64>);

impl MovedClock {
    /// Moves it forward.
    pub fn advance(&self, span: Span) {
        self.0.fetch_add(span.as_millis(), Ordering::SeqCst);
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        SystemClock.now() + Span::from_millis(self.0.load(Ordering::SeqCst))
    }
}
