//! Crashes at every named step: a node in a process of its own that ends itself at a failpoint, starts again, and is compared one to one with what the
//! sandbox saw.
//!
//! The tests hold the scenarios; here is what they have in common.

pub mod busy;
pub mod folder;
pub mod holding;
pub mod record;
pub mod scenario;

use leasehold_journey::Budget;

pub use scenario::{Scenario, TABLE};

/// How long the whole suite may take. It takes about a hundred seconds on two cores.
pub fn budget() -> Budget {
    Budget::of_this_suite()
}
