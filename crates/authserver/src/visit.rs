//! One request: where from, and under which trace.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, request::Parts},
};
use leasehold_domain::text::TraceId;
use leasehold_vault::Entropy;

use crate::refusal::Refusal;

/// What is known of a request before anybody looks at what it asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visit {
    pub(crate) trace: TraceId,
    pub(crate) from: IpAddr,
}

impl Visit {
    /// Reads a request. Nothing where the server did not say whose connection it is: no address is made up.
    pub(crate) fn read(parts: &Parts, trace: TraceId) -> Option<Self> {
        let ConnectInfo(from) = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
        Some(Self { trace, from: from.ip().to_canonical() })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        parts.extensions.get::<Self>().copied().ok_or_else(Refusal::fault)
    }
}

/// The trace of a request: the caller's, where it sends exactly one, else a new one.
pub(crate) fn trace(headers: &HeaderMap, entropy: &dyn Entropy) -> TraceId {
    let mut all = headers.get_all("traceparent").iter();
    let only = all.next().filter(|_| all.next().is_none());
    only.and_then(|value| value.to_str().ok()).and_then(TraceId::of_traceparent).unwrap_or_else(|| {
        let mut drawn = [0; 16];
        entropy.fill(&mut drawn);
        TraceId::from_bytes(drawn)
    })
}
