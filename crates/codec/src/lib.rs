//! Where the domain's values become bytes, and bytes become values again.
//!
//! Three forms, each for one purpose: proposals in the Raft log ([`batch`]), rows of state in the ledger
//! ([`row`]), and event lines, which are the ledger's truth ([`mod@line`]). [`mod@touches`] says which things a line
//! is about. Domain types know none of it: every field number and every name in a line stands in a list here.
//!
//! Bytes are replicated behaviour. What is written once stays readable for ever, two nodes write the same
//! value as the same bytes, and there is only one way to write a value: a decoder refuses every other. Golden
//! files under `tests/golden` hold what a level has promised. This crate knows no storage, no network and no
//! clock.

pub mod batch;
pub mod cbor;
pub mod line;
pub mod row;
pub mod touches;

#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod samples;

pub use cbor::{DecodeError, Problem};
