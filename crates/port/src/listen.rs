//! The accept loop: room, handshakes, and stopping in order.

use std::{
    convert::Infallible,
    fmt, io,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, service::Service};
use hyper_util::{rt::TokioExecutor, server::conn::auto::HttpServerConnExec};
use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::{
    arrival::Arrival,
    connection,
    counts::Counts,
    tls::{Tls, Vouching},
};

/// How long a TLS handshake may take.
const HANDSHAKE_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long to wait before accepting again after it failed: the process is short of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long requests on their way may take when the node stops.
const DRAIN_WAIT_MAX: Duration = Duration::from_secs(20);

/// What is spoken on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// gRPC: HTTP/2 alone.
    Grpc,
    /// Browser pages: HTTP/2 and HTTP/1.1.
    Pages,
}

/// How a port is reached.
#[derive(Clone)]
pub enum Door {
    /// Over TLS.
    Tls(Tls),
    /// In clear, from this machine alone.
    Loopback,
    /// In clear, at any address: somebody says that a TLS proxy stands in front of it.
    BehindTlsProxy,
}

/// How a port behaves.
pub struct Settings {
    /// What is spoken.
    pub protocol: Protocol,
    /// How it is reached.
    pub door: Door,
    /// The most connections at a time; further ones wait in the kernel's queue.
    pub connections_max: usize,
    /// The most TLS handshakes at a time; further ones wait likewise.
    pub handshakes_max: usize,
    /// The most requests on one connection at a time.
    pub streams_max: u32,
    /// The counters.
    pub counts: Arc<Counts>,
}

/// Why a port is not served.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Without TLS beyond this machine: what is secret would cross the network in clear.
    #[error("serving {0} without TLS is refused: only a loopback address may be served in clear")]
    ClearBeyondLoopback(SocketAddr),
    /// The listener does not say where it listens.
    #[error("reading the listener's address failed")]
    Listener(#[source] io::Error),
}

/// Serves connections until `stop` is cancelled, then answers what is on its way and returns within 20 s. `service` makes what answers the
/// requests of one connection.
///
/// # Errors
/// [`ServeError`], before anything is accepted.
pub async fn serve<F, S, B>(
    listener: TcpListener,
    settings: Settings,
    service: F,
    stop: CancellationToken,
) -> Result<(), ServeError>
where
    F: Fn(&Arrival) -> S + Clone + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    TokioExecutor: HttpServerConnExec<S::Future, B>,
{
    let address = listener.local_addr().map_err(ServeError::Listener)?;
    if matches!(settings.door, Door::Loopback) && !address.ip().is_loopback() {
        return Err(ServeError::ClearBeyondLoopback(address));
    }
    let port = Port {
        connections: Arc::new(Semaphore::new(settings.connections_max)),
        handshakes: Arc::new(Semaphore::new(settings.handshakes_max)),
        settings: Arc::new(settings),
        stop: stop.clone(),
    };
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            (room, accepted) = port.accept(&listener) => match accepted {
                Ok((socket, from)) => {
                    drop(connections.spawn(port.clone().serve(socket, from, room, service.clone())));
                }
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
    settings: Arc<Settings>,
    connections: Arc<Semaphore>,
    handshakes: Arc<Semaphore>,
    stop: CancellationToken,
}

/// Room for a connection and for its handshake. Both are taken before it is accepted: what there is no room for waits where it costs nothing.
struct Room {
    _connection: OwnedSemaphorePermit,
    handshake: OwnedSemaphorePermit,
}

/// What a connection is counted as for as long as it is open, however its task ends.
struct Open(Arc<Counts>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Port {
    /// The next connection, once there is room for it.
    async fn accept(&self, listener: &TcpListener) -> (Room, io::Result<(TcpStream, SocketAddr)>) {
        let take = async |from: &Arc<Semaphore>| {
            from.clone().acquire_owned().await.expect("the semaphores of a port are never closed")
        };
        let room =
            Room { _connection: take(&self.connections).await, handshake: take(&self.handshakes).await };
        (room, listener.accept().await)
    }

    async fn serve<F, S, B>(self, socket: TcpStream, from: SocketAddr, room: Room, service: F)
    where
        F: Fn(&Arrival) -> S + Clone + Send + 'static,
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
        S::Future: Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        TokioExecutor: HttpServerConnExec<S::Future, B>,
    {
        let counts = &self.settings.counts;
        Counts::count(&counts.accepted);
        Counts::count(&counts.connections);
        let _open = Open(counts.clone());
        let Room { _connection, handshake } = room;
        // A small answer must not wait for the next one.
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "a socket keeps its delay");
        }
        let ending = self.stop.child_token();
        let Door::Tls(tls) = &self.settings.door else {
            drop(handshake);
            let arrival = Arrival::new(from, None, ending);
            let answering = service(&arrival);
            return connection::serve(socket, &self.settings, arrival, None, answering, &self.stop).await;
        };
        let (config, vouching) = tls.next();
        let shaken = tokio::select! {
            biased;
            shaken = tokio::time::timeout(HANDSHAKE_WAIT_MAX, TlsAcceptor::from(config).accept(socket)) => shaken,
            () = self.stop.cancelled() => return,
        };
        drop(handshake);
        match shaken.unwrap_or_else(|elapsed| Err(elapsed.into())) {
            Ok(stream) => {
                let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
                let leaf = chain.first().map(|leaf| leaf.to_vec());
                let vouching = leaf.as_ref().map(|_| Vouching::of(vouching, chain));
                let arrival = Arrival::new(from, leaf, ending);
                let answering = service(&arrival);
                connection::serve(stream, &self.settings, arrival, vouching, answering, &self.stop).await;
            }
            Err(error) => {
                Counts::count(&counts.handshakes_failed);
                tracing::info!(peer = %from, %error, "a TLS handshake failed");
            }
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "listen_tests.rs"]
mod tests;
