//! One connection: HTTP/2 with its bounds, and how long it lives.
//!
//! A connection ends when nobody uses it, when it has reached its age, so that callers spread over the nodes again, and when the node stops.
//! First it takes no new calls, then its streams end with a status that says to open them elsewhere, then it is cut.

use std::{convert::Infallible, pin::pin, time::Duration};

use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    edge::Edge,
    peer::{CALLS_PER_CONNECTION_MAX, Peer},
};

/// How often a connection is asked whether it is still there.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// How long it may take to answer that.
const KEEP_ALIVE_WAIT: Duration = Duration::from_secs(10);
/// How long a connection may be open before its first call.
const FIRST_CALL_WAIT: Duration = Duration::from_secs(30);
/// The age at which a connection takes no new calls; up to a tenth later, by its port.
const AGE_MAX: Duration = Duration::from_secs(30 * 60);
/// How long calls and streams may go on after that.
const AGE_GRACE: Duration = Duration::from_secs(5 * 60);
/// How long streams have to say that they end.
const END_WAIT: Duration = Duration::from_secs(5);
/// The most bytes of a request's headers.
const HEADERS_LEN_MAX: u32 = 16 * 1024;
/// The most bytes that wait to be sent on one stream.
const SEND_BUFFER_LEN: usize = 64 * 1024;
/// What a caller may send on one stream before it is read: more than a message.
const STREAM_WINDOW: u32 = 512 * 1024;
/// What a caller may send on all streams together before it is read.
const CONNECTION_WINDOW: u32 = 2 * 1024 * 1024;
/// How many streams that were reset at once may wait to be noticed.
const RESETS_PENDING_MAX: usize = 128;

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Unused,
    Open,
    /// It takes no new calls.
    Closing,
    /// Its streams end.
    Ending,
}

/// Serves one connection until it ends.
pub(super) async fn serve<S>(socket: S, peer: Peer, edge: Edge, stop: &CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let begun = Instant::now();
    let age_max = AGE_MAX + AGE_MAX / 10 * u32::from(peer.address().port() % 64) / 64;
    let caller = peer.clone();
    let service = service_fn(move |request: http::Request<Incoming>| {
        let (edge, peer) = (edge.clone(), caller.clone());
        async move { Ok::<_, Infallible>(edge.call(&peer, request).await) }
    });
    let mut connection = pin!(builder().serve_connection(TokioIo::new(socket), service));

    let mut stage = Stage::Unused;
    let mut until = begun + FIRST_CALL_WAIT;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(peer = %peer.address(), %error, "a connection broke");
                }
                return;
            }
            () = stop.cancelled(), if matches!(stage, Stage::Unused | Stage::Open) => {
                // Its streams end by the same token.
                connection.as_mut().graceful_shutdown();
                (stage, until) = (Stage::Closing, Instant::now() + AGE_GRACE);
            }
            () = sleep_until(until) => match stage {
                Stage::Unused if peer.used() => (stage, until) = (Stage::Open, begun + age_max),
                Stage::Unused => {
                    tracing::debug!(peer = %peer.address(), "a connection was not used");
                    connection.as_mut().graceful_shutdown();
                    (stage, until) = (Stage::Ending, Instant::now() + END_WAIT);
                }
                Stage::Open => {
                    connection.as_mut().graceful_shutdown();
                    (stage, until) = (Stage::Closing, Instant::now() + AGE_GRACE);
                }
                Stage::Closing => {
                    peer.ending().cancel();
                    (stage, until) = (Stage::Ending, Instant::now() + END_WAIT);
                }
                // Dropping it cuts it: whoever has not even begun to speak would never end it in order.
                Stage::Ending => return,
            },
        }
    }
}

fn builder() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_WAIT)
        .max_concurrent_streams(u32::try_from(CALLS_PER_CONNECTION_MAX).unwrap_or(u32::MAX))
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
