//! The attackers of the threat model, played: a module for each row, named as the row.
//!
//! What other suites play already is not played again: `rows` says which test it is, and fails when that test is no more, or when the model has a row that
//! nobody plays.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod a_malicious_provider;
mod a_stolen_administrator_credential;
mod a_stolen_workload_credential;
mod attacker;
mod rows;
mod scene;
mod whoever_reads_the_disk_or_a_backup;
mod whoever_writes_the_disk;
