//! openraft's knobs, each with its reason where it is not the default.

use std::sync::Arc;

use openraft::{Config, ConfigError, SnapshotPolicy, StepDownPolicy};

/// Also the life of a peer request, so it must exceed a slow disk's fdatasync.
const HEARTBEAT_MILLIS: u64 = 150;
const ELECTION_MILLIS_MIN: u64 = 500;
const ELECTION_MILLIS_MAX: u64 = 1000;
/// About the entries of one log segment: a purge is inline in the core, and removes whole segments only.
const ENTRIES_PURGED_AT_ONCE: u64 = 4096;

/// The configuration of every node, alone or in company. A lone voter elects itself at the first tick whatever the timeouts.
pub(crate) fn config(cluster_name: String, entries_kept: u64) -> Result<Arc<Config>, ConfigError> {
    let config = Config {
        cluster_name,
        heartbeat_interval: HEARTBEAT_MILLIS,
        heartbeat_min_interval: Some(HEARTBEAT_MILLIS / 2),
        election_timeout_min: ELECTION_MILLIS_MIN,
        election_timeout_max: ELECTION_MILLIS_MAX,
        install_snapshot_timeout: 60_000,
        max_payload_entries: 1024,
        // Snapshots are taken by bytes of log: see `watch`.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: entries_kept,
        purge_batch_size: ENTRIES_PURGED_AT_ONCE.min(entries_kept.max(1)),
        enable_pre_vote: Some(true),
        // Without it the heartbeats of a leader that lost its majority keep the others from electing one.
        quorum_loss_probe_interval: Some(ELECTION_MILLIS_MAX * 5 / 2),
        // What apply did is not durable when it returns, so a restarted leader must be elected again.
        enable_leader_restore: Some(false),
        // A follower that lost its log must never be repaired in silence.
        allow_log_reversion: Some(false),
        removed_leader_step_down: StepDownPolicy::After(1000),
        backoff: "50ms 100ms 200ms ..2s".to_owned(),
        ..Config::default()
    };
    config.validate().map(Arc::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_one_that_openraft_accepts() {
        assert!(config("cluster".to_owned(), 100_000).is_ok());
    }
}
