//! The domain: commands in, events out.
//!
//! Everything that decides about grants, leases and revocations is here and is pure: no clock, no entropy, no disk, no network, no
//! plaintext secret. The crate is `no_std`, so none of these compile. What is not deterministic (moments, ids, ciphertext) arrives with a
//! [`command::Proposal`], and [`machine::apply`] turns it into events and a changed [`state::State`], the same on every node.
//!
//! Each aggregate is a module with its types, its `Command` and its `Event`; its `decide` module says what a command leads to and how an
//! event changes the state (that of [`grant`] leaves the latter to `grant::evolve`). [`work`] says what is due.
#![no_std]

extern crate alloc;

pub mod actor;
pub mod administrator;
pub mod audit;
pub mod authorization;
pub mod command;
pub mod connector;
pub mod event;
pub mod grant;
pub mod id;
pub mod identity_provider;
pub mod lease;
pub mod machine;
pub mod mcp_server;
pub mod organisation;
pub mod policy;
pub mod provider;
pub mod rejection;
pub mod revocation;
pub mod scope;
pub mod state;
pub mod subject;
pub mod text;
pub mod time;
mod trace;
pub mod work;
pub mod workload;
