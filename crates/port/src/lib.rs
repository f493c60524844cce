//! A port of a node: accepting, TLS, bounds, the age of connections, and stopping in order. gRPC and the browser pages stand behind it alike.
//!
//! It knows who is at the other end as far as a connection says: an address, and a client certificate that the handshake verified. What a
//! request asks for, and what a certificate stands for, is for whoever is behind it.

mod arrival;
mod connection;
mod counts;
mod listen;
mod tls;

pub use arrival::Arrival;
pub use counts::Counts;
pub use listen::{Door, Protocol, ServeError, Settings, serve};
pub use tls::{InvalidTls, Tls, TlsMaterial};
