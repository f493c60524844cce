//! The attackers of the threat model, played: a module for each row, named as the row.
//!
//! What other suites play already is not played again: `rows` says which test it is, and fails when that test is no more, or when the model has a row that
//! nobody plays.

#[cfg(test)]
mod a_malicious_provider;
#[cfg(test)]
mod a_stolen_administrator_credential;
#[cfg(test)]
mod a_stolen_workload_credential;
#[cfg(test)]
mod attacker;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod whoever_reads_the_disk_or_a_backup;
#[cfg(test)]
mod whoever_writes_the_disk;
