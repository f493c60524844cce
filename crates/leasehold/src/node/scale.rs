//! How far things grow before the log is cut into segments and snapshots are taken, and which clock the node goes by.
//!
//! In a build with the feature `failpoints`, and in no other, tests make these small by the environment, so that a short run comes to every step.

use std::sync::Arc;

use leasehold_consensus::Config as ReplicaConfig;
use leasehold_control::{Clock, SystemClock};
use leasehold_wal::Options as LogOptions;

/// The bounds of the write-ahead log.
pub(super) fn log() -> LogOptions {
    let plain = LogOptions::default();
    LogOptions { segment_bytes: scaled("LEASEHOLD_TEST_SEGMENT_BYTES", plain.segment_bytes), ..plain }
}

/// After how many bytes of log a snapshot is taken.
pub(super) fn snapshot_every_bytes() -> u64 {
    scaled("LEASEHOLD_TEST_SNAPSHOT_BYTES", ReplicaConfig::SNAPSHOT_EVERY_BYTES)
}

/// How many entries below a snapshot the log keeps.
pub(super) fn entries_kept() -> u64 {
    scaled("LEASEHOLD_TEST_ENTRIES_KEPT", ReplicaConfig::ENTRIES_KEPT)
}

#[cfg(not(feature = "failpoints"))]
fn scaled(_name: &str, plain: u64) -> u64 {
    plain
}

#[cfg(feature = "failpoints")]
fn scaled(name: &str, plain: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(plain)
}

/// The machine's clock.
#[cfg(not(feature = "failpoints"))]
pub(super) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// The machine's clock, ahead by as many seconds as the environment says.
#[cfg(feature = "failpoints")]
pub(super) fn clock() -> Arc<dyn Clock> {
    use leasehold_domain::time::{Span, Timestamp};

    struct Ahead(Span);

    impl Clock for Ahead {
        fn now(&self) -> Timestamp {
            SystemClock.now() + self.0
        }
    }

    Arc::new(Ahead(Span::from_secs(scaled("LEASEHOLD_TEST_SECONDS_AHEAD", 0))))
}
