//! How a request that brought no answer failed, and whether the provider may have seen it.
//!
//! The line is drawn at the connection: an error while one was being made is before any byte of the request, everything else
//! counts as after. Unsure is [`Exchange::Ambiguous`].

use std::{error::Error, io, iter};

use thiserror::Error as ThisError;

use super::{Exchange, egress::EgressRefusal, resolve::Forbidden};

/// Why a request was certainly not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum NotSent {
    /// The egress rule forbids the destination.
    #[error("the destination is refused: {0}")]
    Refused(EgressRefusal),
    /// The request could not be put into the form of HTTP.
    #[error("the request cannot be written as HTTP")]
    Unwritable,
    /// The host's name was not resolved.
    #[error("the host was not resolved")]
    Dns,
    /// No connection came about.
    #[error("no connection was made")]
    Connect,
    /// Making the connection took longer than allowed, name resolution and TLS included.
    #[error("no connection was made in time")]
    ConnectTimeout,
    /// The forward proxy could not be reached, refused our credentials, or did not connect.
    #[error("the forward proxy made no connection")]
    Proxy,
    /// The TLS handshake failed, for example over the provider's certificate.
    #[error("the tls handshake failed")]
    Tls,
}

/// Why nobody knows whether a request was processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum Unanswered {
    /// No answer within the time allowed.
    #[error("no answer came in time")]
    Timeout,
    /// The connection ended before an answer began, or what began was no HTTP.
    #[error("the connection was lost before an answer")]
    Lost,
}

/// Sorts an error of the HTTP client. Its text, which may quote a URL, goes no further.
pub(super) fn sort(error: &reqwest::Error) -> Exchange {
    if error.is_builder() {
        return Exchange::NotSent(NotSent::Unwritable);
    }
    if error.is_connect() {
        return Exchange::NotSent(before(error));
    }
    Exchange::Ambiguous(if error.is_timeout() { Unanswered::Timeout } else { Unanswered::Lost })
}

fn before(error: &reqwest::Error) -> NotSent {
    if causes(error).any(|cause| cause.is::<Forbidden>()) {
        return NotSent::Refused(EgressRefusal::Address);
    }
    if error.is_timeout() {
        return NotSent::ConnectTimeout;
    }
    if error.is_dns() {
        return NotSent::Dns;
    }
    if causes(error).any(|cause| cause.is::<rustls::Error>()) {
        return NotSent::Tls;
    }
    // The error of a tunnel has no name outside its crate: a test of a proxy that refuses holds this to its text.
    if causes(error).any(|cause| cause.to_string().starts_with("tunnel error")) {
        return NotSent::Proxy;
    }
    NotSent::Connect
}

/// An error and what is beneath it. An `io::Error` hides the error that it wraps from `source`, so it is opened here.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| {
        let error: &'a (dyn Error + 'static) = *error;
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        wrapped.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source())
    })
    .take(32)
}
