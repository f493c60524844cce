//! Who is at the other end of a connection, as the services ask for it.

use std::{net::SocketAddr, sync::Arc};

use leasehold_control::Credentials;
use leasehold_port::Arrival;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// The most calls on one connection at a time, streams included. HTTP/2 does not admit more either.
pub(crate) const CALLS_PER_CONNECTION_MAX: u16 = 512;

/// One connection. Cheap to clone; the clones are the same connection.
#[derive(Clone)]
pub(crate) struct Peer(Arc<Inner>);

struct Inner {
    arrival: Arrival,
    certificate: Option<Arc<Credentials>>,
    calls: Arc<Semaphore>,
}

impl Peer {
    /// What arrived, with room for calls.
    pub(crate) fn new(arrival: &Arrival) -> Self {
        let certificate = arrival.certificate().map(|der| Arc::new(Credentials::Certificate(der.to_vec())));
        let calls = Arc::new(Semaphore::new(CALLS_PER_CONNECTION_MAX.into()));
        Self(Arc::new(Inner { arrival: arrival.clone(), certificate, calls }))
    }

    /// Where it comes from.
    pub(crate) fn address(&self) -> SocketAddr {
        self.0.arrival.address()
    }

    /// The client certificate that the handshake verified, for as long as the authorities in force vouch for it.
    pub(crate) fn certificate(&self) -> Option<&Arc<Credentials>> {
        self.0.arrival.certificate().and(self.0.certificate.as_ref())
    }

    /// Room for calls.
    pub(crate) fn calls(&self) -> &Arc<Semaphore> {
        &self.0.calls
    }

    /// Cancelled when its streams are to end.
    pub(crate) fn ending(&self) -> &CancellationToken {
        self.0.arrival.ending()
    }
}
