//! The journey against a whole node: real sockets, a real disk, real browsers' rules.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod consent;
mod erase;
mod keys;
mod lease;
mod ledger;
mod operations;
mod people;
mod provider_faults;
mod refresh;
mod restart;
mod revoke;
mod strictness;
mod thin_clients;
mod token_exchange;
mod watch;
