//! How large things may become, and how often the disk is flushed.

use std::time::Duration;

use crate::queue::Limits;

const MIB: usize = 1 << 20;

/// Bounds of a ledger. The defaults are for production; tests shrink them.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many applied entries may wait to be written before apply waits: 4,096.
    pub queue_entries_max: usize,
    /// About how many bytes of them: 64 MiB.
    pub queue_bytes_max: usize,
    /// About how many bytes the writer takes into one batch: 4 MiB.
    pub group_bytes: usize,
    /// After how many written bytes the store is flushed: 16 MiB.
    pub flush_bytes: usize,
    /// After which time at most, if anything was written: one second.
    pub flush_interval: Duration,
    /// How many bytes of lines stay in memory for those who follow the ledger: 8 MiB.
    pub tail_bytes: usize,
    /// How many bytes of old rows a snapshot may leave in memory before the writer waits for it: 64 MiB.
    pub preimage_bytes_max: usize,
    /// sled's cache: 128 MiB.
    pub cache_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queue_entries_max: 4096,
            queue_bytes_max: 64 * MIB,
            group_bytes: 4 * MIB,
            flush_bytes: 16 * MIB,
            flush_interval: Duration::from_secs(1),
            tail_bytes: 8 * MIB,
            preimage_bytes_max: 64 * MIB,
            cache_bytes: 128 << 20,
        }
    }
}

impl Options {
    pub(crate) fn queue_limits(&self) -> Limits {
        Limits { entries: self.queue_entries_max, bytes: self.queue_bytes_max, group_bytes: self.group_bytes }
    }
}
