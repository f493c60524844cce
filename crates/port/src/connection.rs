//! One connection: HTTP with its bounds, and how long it lives.
//!
//! A connection ends when nobody uses it, when it has reached its age, so that callers spread over the nodes again, when nobody vouches for its
//! client certificate any more, and when the node stops. First it takes no new requests, then its streams end with a status that says to
//! open them elsewhere, then it is cut.

use std::{convert::Infallible, pin::pin, time::Duration};

use http::{Request, Response};
use http_body::Body;
use hyper::{
    body::Incoming,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::{Builder, HttpServerConnExec},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    arrival::Arrival,
    counts::Counts,
    listen::{Protocol, Settings},
    tls::Vouching,
};

/// How often a connection is asked whether it is still there.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// How long it may take to answer that.
const KEEP_ALIVE_WAIT: Duration = Duration::from_secs(10);
/// How long a connection may be open before its first request.
const FIRST_REQUEST_WAIT: Duration = Duration::from_secs(30);
/// How long the headers of an HTTP/1.1 request may take; a connection may stand idle for as long.
const HEADERS_WAIT: Duration = Duration::from_secs(30);
/// The age at which a connection of gRPC takes no new calls; up to a tenth later, by its port.
const GRPC_AGE_MAX: Duration = Duration::from_secs(30 * 60);
/// The same for a browser's: what it does here takes minutes.
const PAGES_AGE_MAX: Duration = Duration::from_secs(5 * 60);
/// How long requests and streams may go on after that.
const AGE_GRACE: Duration = Duration::from_secs(5 * 60);
/// How long streams have to say that they end. Also how long a connection whose client certificate is withdrawn has for what was asked before.
const END_WAIT: Duration = Duration::from_secs(5);
/// The most bytes of a request's headers.
const HEADERS_LEN_MAX: u32 = 16 * 1024;
/// The most headers of an HTTP/1.1 request.
const HEADERS_MAX: usize = 64;
/// The most bytes that wait to be sent on one stream.
const SEND_BUFFER_LEN: usize = 64 * 1024;
/// What may be sent to us on one stream before it is read: more than a message of gRPC.
const STREAM_WINDOW: u32 = 512 * 1024;
/// What may be sent to us on all streams together before it is read.
const CONNECTION_WINDOW: u32 = 2 * 1024 * 1024;
/// How many streams that were reset at once may wait to be noticed.
const RESETS_PENDING_MAX: usize = 128;

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Unused,
    Open,
    /// It takes no new requests.
    Closing,
    /// Its streams end.
    Ending,
}

/// Serves one connection until it ends.
pub(crate) async fn serve<T, S, B>(
    socket: T,
    settings: &Settings,
    arrival: Arrival,
    vouching: Option<Vouching>,
    service: S,
    stop: &CancellationToken,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    TokioExecutor: HttpServerConnExec<S::Future, B>,
{
    let begun = Instant::now();
    let age_max = match settings.protocol {
        Protocol::Grpc => GRPC_AGE_MAX,
        Protocol::Pages => PAGES_AGE_MAX,
    };
    let age_max = age_max + age_max / 10 * u32::from(arrival.address().port() % 64) / 64;
    let marked = arrival.clone();
    let service = service_fn(move |request| {
        marked.use_it();
        service.call(request)
    });
    let builder = builder(settings);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(socket), service));
    let mut withdrawn = pin!(async move {
        match vouching {
            Some(vouching) => vouching.withdrawn().await,
            None => std::future::pending().await,
        }
    });

    let mut stage = Stage::Unused;
    let mut until = begun + FIRST_REQUEST_WAIT;
    loop {
        tokio::select! {
            // A withdrawn certificate is noticed before the next request is read.
            biased;
            () = withdrawn.as_mut(), if !matches!(stage, Stage::Ending) => {
                tracing::info!(peer = %arrival.address(), "a connection ends: nobody vouches for its certificate any more");
                Counts::count(&settings.counts.withdrawn);
                arrival.withdraw();
                connection.as_mut().graceful_shutdown();
                (stage, until) = (Stage::Ending, Instant::now() + END_WAIT);
            }
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(peer = %arrival.address(), %error, "a connection broke");
                }
                return;
            }
            () = stop.cancelled(), if matches!(stage, Stage::Unused | Stage::Open) => {
                // Its streams end by the same token.
                connection.as_mut().graceful_shutdown();
                (stage, until) = (Stage::Closing, Instant::now() + AGE_GRACE);
            }
            () = sleep_until(until) => match stage {
                Stage::Unused if arrival.used() => (stage, until) = (Stage::Open, begun + age_max),
                Stage::Unused => {
                    tracing::debug!(peer = %arrival.address(), "a connection was not used");
                    connection.as_mut().graceful_shutdown();
                    (stage, until) = (Stage::Ending, Instant::now() + END_WAIT);
                }
                Stage::Open => {
                    connection.as_mut().graceful_shutdown();
                    (stage, until) = (Stage::Closing, Instant::now() + AGE_GRACE);
                }
                Stage::Closing => {
                    arrival.ending().cancel();
                    (stage, until) = (Stage::Ending, Instant::now() + END_WAIT);
                }
                // Dropping it cuts it: whoever has not even begun to speak would never end it in order.
                Stage::Ending => return,
            },
        }
    }
}

fn builder(settings: &Settings) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    if settings.protocol == Protocol::Grpc {
        builder = builder.http2_only();
    }
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WAIT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(SEND_BUFFER_LEN);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_WAIT)
        .max_concurrent_streams(settings.streams_max)
        .max_header_list_size(HEADERS_LEN_MAX)
        .max_send_buf_size(SEND_BUFFER_LEN)
        .max_pending_accept_reset_streams(RESETS_PENDING_MAX)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    builder
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
