//! The crate against real ledgers, on a simulated disk for the log or on the real one.

mod entries;
mod faults;
mod proposing;
mod restart;
mod snapshots;
mod suite;
mod support;
