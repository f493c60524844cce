//! One request of a browser: where from, under which trace, with which cookies.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, request::Parts},
};
use leasehold_domain::text::TraceId;
use leasehold_vault::Entropy;

use crate::{cookies::Cookies, problem::Refusal, trouble::Trouble};

/// What is known of a request before anybody looks at what it asks. Without `Debug`: it carries cookies.
#[derive(Clone)]
pub(crate) struct Visit {
    pub(crate) trace: TraceId,
    pub(crate) from: IpAddr,
    pub(crate) cookies: Arc<Cookies>,
}

impl Visit {
    /// Reads a request. Nothing where the server did not say whose connection it is: no address is made up.
    pub(crate) fn read(parts: &Parts, trace: TraceId) -> Option<Self> {
        let ConnectInfo(from) = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
        Some(Self { trace, from: from.ip().to_canonical(), cookies: Arc::new(Cookies::read(&parts.headers)) })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Trouble::Internal.into())
    }
}

/// The trace of a request: the caller's (W3C Trace Context, section 3.2), else a new one.
pub(crate) fn trace(headers: &HeaderMap, entropy: &dyn Entropy) -> TraceId {
    let carried =
        headers.get("traceparent").and_then(|value| value.to_str().ok()).and_then(TraceId::of_traceparent);
    carried.unwrap_or_else(|| {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes);
        TraceId::from_bytes(bytes)
    })
}

#[cfg(test)]
mod tests {
    use leasehold_vault::OsEntropy;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn a_trace_is_carried_on() {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01").parse().unwrap());
        assert_eq!(trace(&headers, &OsEntropy).to_string(), TRACE);
    }

    #[test]
    fn a_trace_that_cannot_be_read_is_replaced() {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", TRACE.parse().unwrap());
        assert_ne!(trace(&headers, &OsEntropy).to_string(), TRACE);
        assert_ne!(trace(&HeaderMap::new(), &OsEntropy), trace(&HeaderMap::new(), &OsEntropy));
    }
}
