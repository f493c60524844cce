//! The routes.

use std::sync::Arc;

use axum::{Router, middleware::from_fn_with_state, routing::post};
use leasehold_control::Control;

use crate::{
    edge::{Edge, Settings},
    exchange, guard,
    metrics::Metrics,
    refusal::Refusal,
    revocation,
};

/// Where tokens are exchanged.
pub(crate) const TOKEN_PATH: &str = "/oauth2/token";
/// Where leases are given back.
pub(crate) const REVOCATION_PATH: &str = "/oauth2/revoke";

/// The HTTP interface for workloads.
pub struct AuthServer(Arc<Edge>);

impl AuthServer {
    /// The interface over these use cases.
    pub fn new(control: Control, settings: &Settings) -> Self {
        Self(Arc::new(Edge::new(control, settings)))
    }

    /// The counters.
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.0.metrics)
    }

    /// The routes. Whoever serves them says by whose connection a request came: `ConnectInfo<SocketAddr>` among the request's extensions, as
    /// `into_make_service_with_connect_info` puts it there. Without it every request is refused.
    pub fn router(&self) -> Router {
        Router::new()
            .route(TOKEN_PATH, post(exchange::exchange))
            .route(REVOCATION_PATH, post(revocation::release))
            .fallback(async || Refusal::not_found())
            .method_not_allowed_fallback(async || Refusal::method_not_allowed())
            .layer(from_fn_with_state(Arc::clone(&self.0), guard::guard))
            .with_state(Arc::clone(&self.0))
    }
}
