//! The public port: accepting, handshakes, and stopping in order.

mod connection;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::{edge::Edge, peer::Peer, tls::TlsAcceptorConfig};

/// The most connections at a time; further ones wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 4096;
/// How long a TLS handshake may take.
const HANDSHAKE_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long to wait before accepting again after it failed: the process is short of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long calls on their way may take when the node stops.
const DRAIN_WAIT_MAX: Duration = Duration::from_secs(20);

/// Why the port is not served.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Without TLS beyond this machine: tokens would cross the network in clear.
    #[error("serving {0} without TLS is refused: only a loopback address may be served in clear")]
    ClearBeyondLoopback(SocketAddr),
    /// The listener does not say where it listens.
    #[error("reading the listener's address failed")]
    Listener(#[source] io::Error),
}

/// Serves connections until `stop` is cancelled, then answers what is on its way and returns.
///
/// # Errors
/// [`ServeError`], before anything is accepted.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptorConfig>,
    edge: Edge,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let address = listener.local_addr().map_err(ServeError::Listener)?;
    if tls.is_none() && !address.ip().is_loopback() {
        return Err(ServeError::ClearBeyondLoopback(address));
    }
    let port = Port { tls, edge, stop: stop.clone(), room: Arc::new(Semaphore::new(CONNECTIONS_MAX)) };
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            (room, accepted) = port.accept(&listener) => match accepted {
                Ok((socket, from)) => drop(connections.spawn(port.clone().serve(socket, from, room))),
                Err(error) => {
                    tracing::warn!(%error, "accepting a connection failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_WAIT_MAX, drained).await.is_err() {
        tracing::warn!(connections = connections.len(), "connections were cut: they did not end in time");
    }
    connections.shutdown().await;
    Ok(())
}

#[derive(Clone)]
struct Port {
    tls: Option<TlsAcceptorConfig>,
    edge: Edge,
    stop: CancellationToken,
    room: Arc<Semaphore>,
}

impl Port {
    /// The next connection, once there is room for it.
    async fn accept(
        &self,
        listener: &TcpListener,
    ) -> (OwnedSemaphorePermit, io::Result<(TcpStream, SocketAddr)>) {
        let room = self.room.clone().acquire_owned().await.expect("the semaphore of a port is never closed");
        (room, listener.accept().await)
    }

    async fn serve(self, socket: TcpStream, from: SocketAddr, room: OwnedSemaphorePermit) {
        let metrics = self.edge.metrics().clone();
        metrics.accepted.fetch_add(1, Ordering::Relaxed);
        metrics.connections.fetch_add(1, Ordering::Relaxed);
        // A small answer must not wait for the next one.
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "a socket keeps its delay");
        }
        self.shake_hands(socket, from).await;
        metrics.connections.fetch_sub(1, Ordering::Relaxed);
        drop(room);
    }

    async fn shake_hands(&self, socket: TcpStream, from: SocketAddr) {
        let Some(tls) = &self.tls else {
            let peer = Peer::new(from, None, self.stop.child_token());
            return connection::serve(socket, peer, self.edge.clone(), &self.stop).await;
        };
        let handshake = TlsAcceptor::from(tls.current()).accept(socket);
        let shaken = tokio::select! {
            biased;
            shaken = tokio::time::timeout(HANDSHAKE_WAIT_MAX, handshake) => shaken,
            () = self.stop.cancelled() => return,
        };
        match shaken.unwrap_or_else(|elapsed| Err(elapsed.into())) {
            Ok(stream) => {
                let certificates = stream.get_ref().1.peer_certificates();
                let certificate = certificates.and_then(<[_]>::first).map(|leaf| leaf.to_vec());
                let peer = Peer::new(from, certificate, self.stop.child_token());
                connection::serve(stream, peer, self.edge.clone(), &self.stop).await;
            }
            Err(error) => {
                self.edge.metrics().handshakes_failed.fetch_add(1, Ordering::Relaxed);
                tracing::info!(peer = %from, %error, "a TLS handshake failed");
            }
        }
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
