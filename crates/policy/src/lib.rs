//! Who may: Cedar policies over workloads, connectors, MCP servers, subjects and administrators.
//!
//! Default deny. The crate turns a question in the domain's words into a Cedar request and answers with the policies that decided. It knows
//! neither storage nor how the caller proved who it is. An administrator may never lease: the schema gives the action to workloads alone.

mod answers;
mod engine;
mod question;
mod shape;

pub use engine::{Engine, InvalidPolicies, POLICIES_MAX, SCHEMA, Verdict};
pub use question::{AdministerQuestion, AdministratorAction, LeaseQuestion, LeaseSubject};
