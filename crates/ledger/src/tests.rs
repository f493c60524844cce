//! The ledger as a whole, against its promises.

mod damage;
mod durability;
mod proofs;
mod recovery;
mod snapshots;
mod stopping;
mod walk;
