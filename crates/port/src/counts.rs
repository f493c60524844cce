//! What a port counts. Plain atomics, for the binary to render.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one port. All but the gauge only ever grow.
#[derive(Debug, Default)]
pub struct Counts {
    /// Connections open now: a gauge.
    pub connections: AtomicU64,
    /// Connections accepted.
    pub accepted: AtomicU64,
    /// TLS handshakes that failed or took too long.
    pub handshakes_failed: AtomicU64,
    /// Connections ended because nobody vouches for their client certificate any more.
    pub withdrawn: AtomicU64,
}

impl Counts {
    /// One more of these.
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
