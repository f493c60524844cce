//! The client side of OAuth: what Leasehold says to providers, and what it makes of their answers.
//!
//! Every call is a value that is built first and sent later, once; every answer is bytes first, to be put away, and is read later by
//! a pure function. The only input and output is [`transport`]. This crate knows nothing of consensus, of sealing and of storage;
//! it has no clock and no entropy of its own, so moments and random bytes are parameters. No code, state, verifier, token or secret, and
//! no text of a provider's choice, is ever printed by it.

pub mod account;
pub mod authorize;
pub mod call;
pub mod callback;
pub mod catalogue;
mod classify;
pub mod client;
pub mod discovery;
mod document;
pub mod endpoints;
pub mod failure;
mod form;
pub mod introspect;
pub mod proof;
pub mod resource;
pub mod revoke;
#[cfg(test)]
mod samples;
pub mod token;
pub mod transport;
