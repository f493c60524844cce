//! Who is at the other end of a connection, as far as the connection says.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use leasehold_control::Credentials;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// The most calls on one connection at a time, streams included. HTTP/2 does not admit more either.
pub(crate) const CALLS_PER_CONNECTION_MAX: usize = 512;

/// One connection. Cheap to clone; the clones are the same connection.
#[derive(Clone)]
pub(crate) struct Peer(Arc<Inner>);

struct Inner {
    address: SocketAddr,
    certificate: Option<Arc<Credentials>>,
    calls: Arc<Semaphore>,
    used: AtomicBool,
    ending: CancellationToken,
}

impl Peer {
    /// A connection from `address` whose handshake verified the certificate. `ending` ends its streams.
    pub(crate) fn new(address: SocketAddr, certificate: Option<Vec<u8>>, ending: CancellationToken) -> Self {
        Self(Arc::new(Inner {
            address,
            certificate: certificate.map(|der| Arc::new(Credentials::Certificate(der))),
            calls: Arc::new(Semaphore::new(CALLS_PER_CONNECTION_MAX)),
            used: AtomicBool::new(false),
            ending,
        }))
    }

    /// Where it comes from.
    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// The client certificate that the handshake verified.
    pub(crate) fn certificate(&self) -> Option<&Arc<Credentials>> {
        self.0.certificate.as_ref()
    }

    /// Room for calls.
    pub(crate) fn calls(&self) -> &Arc<Semaphore> {
        &self.0.calls
    }

    /// Says that a call has begun.
    pub(crate) fn use_it(&self) {
        self.0.used.store(true, Ordering::Relaxed);
    }

    /// Whether a call has ever begun.
    pub(crate) fn used(&self) -> bool {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Cancelled when its streams are to end.
    pub(crate) fn ending(&self) -> &CancellationToken {
        &self.0.ending
    }
}
