//! The edge for programs that speak HTTP and no gRPC: they exchange a subject's token for a lease (RFC 8693), and give the lease back (RFC
//! 7009).
//!
//! Forms become calls of `control`, and answers become JSON; nothing is decided here. A workload authenticates with its API credential,
//! always: with `Basic`, by its name or id (RFC 6749 section 2.3.1), or with `Bearer`, as it does in gRPC. Nobody vouches for a subject here:
//! a subject is named by its token alone, which is verified as gRPC verifies it.
//!
//! `POST /oauth2/token`, what the parameters mean:
//!
//! | parameter | means | `Acquire` in gRPC |
//! |---|---|---|
//! | `grant_type` | `urn:ietf:params:oauth:grant-type:token-exchange` and nothing else | |
//! | `resource` | the MCP server on whose behalf: its registered resource URI, byte for byte | `mcp_server` |
//! | `audience` | the connector whose token is wanted: its name or id | `connector` |
//! | `subject_token`, `subject_token_type` | whose access it is: a JWT of a registered identity provider, addressed to the workload or to the MCP server alone | `subject_token` |
//! | `scope` | what the token must carry; left out, what the MCP server is registered as needing | `scopes` |
//! | `requested_token_type` | left out, an access token, or `urn:leasehold:token-type:lease`: the same token under either name | |
//! | `account` | of ours: which of several accounts, as a grant's id | `account` |
//!
//! RFC 8693 means by `resource` where a token is used, and leaves to each server what `audience` names. An MCP server knows its own URI, and
//! a provider's API often has none that everybody agrees on: so this is the pair that both sides can write down. Each may be repeated with
//! the same value; several targets are `invalid_target`, for a token has one.
//!
//! `POST /oauth2/revoke` takes a lease's id as `token`, and ends that lease. The access token itself lives at its provider until it ends there,
//! as after a `Release` in gRPC: it is one for all holders of the grant.
//!
//! An exchange under a live lease answers with that lease, so it is also how a holder looks again, and after the lease's end it is how a new one
//! is had: renewing has no endpoint of its own. There is no metadata document (RFC 8414): it would tell MCP clients that this is an
//! authorization server for them, which it is not. It serves no browsers: whatever carries an `Origin` is refused, and no answer has CORS headers.
//!
//! Knows no gRPC, no pages, no storage and no provider.

mod answer;
mod authentication;
mod edge;
mod exchange;
mod form;
mod guard;
mod metrics;
mod problem;
mod refusal;
mod revocation;
mod router;
mod token_type;
mod visit;

pub use edge::Settings;
pub use metrics::{Counted, Metrics};
pub use router::AuthServer;
