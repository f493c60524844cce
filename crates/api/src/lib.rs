//! The gRPC edge: it translates the interface of `proto/` into use cases, and never decides.
//!
//! A call comes in through `server` (the port, `leasehold-port`), passes `edge` (form, room, caller, deadline, span, counters) and reaches one file of
//! `service`, which reads its fields, calls one use case of `control`, and writes the answer. Problems become gRPC statuses in `status` and
//! nowhere else. Bodies are never logged. Knows neither storage nor consensus.

mod api;
mod authentication;
mod call;
mod deadline;
mod edge;
mod fields;
mod health;
mod interface;
mod metrics;
mod peer;
mod refusal;
mod request_id;
mod server;
mod service;
mod status;
mod strict;
#[cfg(test)]
mod testing;
mod trace;
mod view;

pub use api::Api;
pub use health::Health;
pub use metrics::{CallCount, Measure, Metrics};
pub use service::cluster::{NodeStatus, ReadNodeStatus};
