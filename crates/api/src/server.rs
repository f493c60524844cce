//! The port of gRPC: its bounds, and what stands behind it.

use std::convert::Infallible;

use hyper::{body::Incoming, service::service_fn};
use leasehold_port::{Arrival, Door, Protocol, ServeError, Settings};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    edge::Edge,
    peer::{CALLS_PER_CONNECTION_MAX, Peer},
};

/// The most connections at a time.
const CONNECTIONS_MAX: usize = 4096;
/// The most TLS handshakes at a time.
const HANDSHAKES_MAX: usize = 512;

/// Serves connections until `stop` is cancelled, then answers what is on its way and returns.
///
/// # Errors
/// [`ServeError`], before anything is accepted.
pub(crate) async fn serve(
    listener: TcpListener,
    door: Door,
    edge: Edge,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let settings = Settings {
        protocol: Protocol::Grpc,
        door,
        connections_max: CONNECTIONS_MAX,
        handshakes_max: HANDSHAKES_MAX,
        streams_max: CALLS_PER_CONNECTION_MAX.into(),
        counts: edge.metrics().port.clone(),
    };
    let service = move |arrival: &Arrival| {
        let (edge, peer) = (edge.clone(), Peer::new(arrival));
        service_fn(move |request: http::Request<Incoming>| {
            let (edge, peer) = (edge.clone(), peer.clone());
            async move { Ok::<_, Infallible>(edge.call(&peer, request).await) }
        })
    };
    leasehold_port::serve(listener, settings, service, stop).await
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
