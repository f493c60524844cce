//! The port of the pages: its bounds, and what stands behind it.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
};
use hyper::{body::Incoming, service::service_fn};
use leasehold_port::{Arrival, Counts, Door, Protocol, ServeError, Settings};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// The most connections at a time.
const CONNECTIONS_MAX: usize = 1024;
/// The most TLS handshakes at a time.
const HANDSHAKES_MAX: usize = 256;
/// The most requests on one connection at a time.
const REQUESTS_PER_CONNECTION_MAX: u32 = 32;

/// Serves the pages until `stop` is cancelled, then answers what is on its way and returns within 20 s.
///
/// # Errors
/// [`ServeError::ClearBeyondLoopback`] through [`Door::Loopback`] at an address that other machines reach. Nothing was accepted then.
pub async fn serve(
    listener: TcpListener,
    door: Door,
    pages: Router,
    counts: Arc<Counts>,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let settings = Settings {
        protocol: Protocol::Pages,
        door,
        connections_max: CONNECTIONS_MAX,
        handshakes_max: HANDSHAKES_MAX,
        streams_max: REQUESTS_PER_CONNECTION_MAX,
        counts,
    };
    let service = move |arrival: &Arrival| {
        let (pages, from) = (pages.clone(), arrival.address());
        service_fn(move |request| answer(pages.clone(), from, request))
    };
    leasehold_port::serve(listener, settings, service, stop).await
}

async fn answer(
    pages: Router,
    from: SocketAddr,
    request: hyper::Request<Incoming>,
) -> Result<axum::response::Response, Infallible> {
    let mut request: Request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(from));
    pages.oneshot(request).await
}
