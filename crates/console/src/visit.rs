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
        headers.get("traceparent").and_then(|value| value.to_str().ok()).and_then(parse_traceparent);
    carried.unwrap_or_else(|| {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes);
        TraceId::from_bytes(bytes)
    })
}

/// Reads a trace id of 32 lower-case hexadecimal digits that are not all zero.
pub(crate) fn parse_trace(digits: &str) -> Option<TraceId> {
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let value =
        u128::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 32 && digits.bytes().all(lower))?;
    (value != 0).then(|| TraceId::from_bytes(value.to_be_bytes()))
}

fn parse_traceparent(text: &str) -> Option<TraceId> {
    let mut fields = text.split('-');
    let (version, trace) = (fields.next()?, fields.next()?);
    let known =
        version.len() == 2 && version != "ff" && fields.next().is_some_and(|parent| parent.len() == 16);
    parse_trace(trace).filter(|_| known)
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
        let zero = "0".repeat(32);
        for bad in [
            String::new(),
            TRACE.to_owned(),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{zero}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            format!("00-+{}-00f067aa0ba902b7-01", &TRACE[1..]),
            format!("00-{TRACE}"),
        ] {
            assert_eq!(parse_traceparent(&bad), None, "{bad}");
        }
        assert_ne!(trace(&HeaderMap::new(), &OsEntropy), trace(&HeaderMap::new(), &OsEntropy));
    }
}
