//! The domain from outside: given what happened, when something is ordered, then these facts follow or this refusal.
//!
//! Every test drives `machine::apply`, the entry by which a node applies what the cluster has agreed on.

mod fixture;
mod harness;
mod rows;
mod worlds;

mod administrator;
mod audit;
mod authorization;
mod connector;
mod grant;
mod identity_provider;
mod keys;
mod lease;
mod machine;
mod mcp_server;
mod organisation;
mod policy;
mod properties;
mod revocation;
mod subject;
mod tick;
mod work;
mod workload;
