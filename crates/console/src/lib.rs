//! The browser's edge: people sign in, consent, come back from the provider and confirm the account.
//!
//! Pages and forms become calls of `control`, and answers become pages; nothing is decided here. What this edge does itself is what
//! browsers need: sealed cookies, forms that no other site can make, headers that keep pages from being framed, cached or looked over, and
//! a way out of every URL that carries a code. It runs no scripts and loads nothing, not even from itself.
//!
//! Knows no gRPC, no storage and no provider.

mod account;
mod callback;
mod connect;
mod cookies;
mod edge;
mod form;
mod guard;
mod headers;
mod home;
mod origin;
mod outcome;
mod page;
mod problem;
mod router;
mod serving;
mod sign_in;
mod site;
mod state_cookie;
mod text;
mod trouble;
mod visit;

#[cfg(test)]
mod tests;

pub use router::router;
pub use serving::serve;
pub use site::{PublicUrlError, Settings};
