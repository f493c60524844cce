//! Who is at the other end of a connection, as far as the connection says.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio_util::sync::CancellationToken;

/// One connection. Cheap to clone; the clones are the same connection.
#[derive(Clone)]
pub struct Arrival(Arc<Inner>);

struct Inner {
    address: SocketAddr,
    certificate: Option<Arc<[u8]>>,
    withdrawn: AtomicBool,
    used: AtomicBool,
    ending: CancellationToken,
}

impl Arrival {
    /// A connection from `address` whose handshake verified the leaf `certificate`, in DER. `ending` ends its streams.
    pub fn new(address: SocketAddr, certificate: Option<Vec<u8>>, ending: CancellationToken) -> Self {
        Self(Arc::new(Inner {
            address,
            certificate: certificate.map(Arc::from),
            withdrawn: AtomicBool::new(false),
            used: AtomicBool::new(false),
            ending,
        }))
    }

    /// Where it comes from.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// The client's leaf certificate, in DER, for as long as one of the authorities in force vouches for it.
    pub fn certificate(&self) -> Option<&Arc<[u8]>> {
        self.0.certificate.as_ref().filter(|_| !self.0.withdrawn.load(Ordering::Acquire))
    }

    /// Cancelled when its streams are to end.
    pub fn ending(&self) -> &CancellationToken {
        &self.0.ending
    }

    /// Says that its certificate counts for nothing any more, and that its streams are to end.
    pub(crate) fn withdraw(&self) {
        self.0.withdrawn.store(true, Ordering::Release);
        self.0.ending.cancel();
    }

    /// Says that a request has come.
    pub(crate) fn use_it(&self) {
        self.0.used.store(true, Ordering::Relaxed);
    }

    /// Whether a request has ever come.
    pub(crate) fn used(&self) -> bool {
        self.0.used.load(Ordering::Relaxed)
    }
}
