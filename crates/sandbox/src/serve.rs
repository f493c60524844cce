//! Accepts connections and serves a router on them, with two powers an ordinary server lacks: a handler may cut its own
//! connection, and a shutdown waits for nobody longer than a moment.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::answer::Answer;
use crate::ledger::Ledger;

const CONNECTIONS_MAX: usize = 1_024;
const HEADER_READ_MAX: Duration = Duration::from_secs(60);
const DRAIN_MAX: Duration = Duration::from_secs(1);
/// Pause after a failed accept, which is nearly always a shortage of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// The connection a request came on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connection(CancellationToken);

impl Connection {
    /// Cuts the connection: not one more byte is written. Never returns, since the caller is dropped with it.
    pub(crate) async fn sever(&self) -> Infallible {
        self.0.cancel();
        std::future::pending().await
    }
}

/// Serves until `stop`, then drains for at most a second.
pub(crate) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_ended) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((stream, _peer)) => {
                    connections.spawn(connection(stream, router.clone(), stop.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "sandbox could not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_MAX, drained).await.is_err() {
        connections.shutdown().await;
    }
}

async fn connection(stream: TcpStream, router: Router, stop: CancellationToken) {
    let handle = Connection::default();
    let severed = handle.0.clone();
    let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let router = router.clone();
        let handle = handle.clone();
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(handle);
            router.oneshot(request).await
        }
    });
    let _unsupported = stream.set_nodelay(true);
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        biased;
        () = severed.cancelled() => return,
        ended = serving.as_mut() => {
            if let Err(error) = ended {
                tracing::debug!(%error, "sandbox connection ended");
            }
            return;
        }
        () = stop.cancelled() => serving.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        biased;
        () = severed.cancelled() => {}
        _ended = serving => {}
    }
}

/// Refuses requests for any other name than this listener's own and its issuer's, so that no web page can reach it by
/// rebinding DNS.
pub(crate) fn guarded(router: Router, address: SocketAddr, issuer: Option<&str>) -> Router {
    let authority =
        issuer.and_then(|issuer| issuer.split_once("://")).map(|(_, authority)| authority.to_owned());
    let names = [Some(address.to_string()), Some(format!("localhost:{}", address.port())), authority];
    let names: Arc<[String]> = names.into_iter().flatten().collect();
    router.layer(middleware::from_fn_with_state(names, guard))
}

/// Refuses everything once the record is full: an issuer that forgets is of no use to a test.
pub(crate) fn recorded(router: Router, ledger: Arc<Ledger>) -> Router {
    router.layer(middleware::from_fn_with_state(ledger, refuse_when_full))
}

async fn refuse_when_full(State(ledger): State<Arc<Ledger>>, request: Request, next: Next) -> Response {
    if ledger.full() {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return Answer::error(status, "temporarily_unavailable", "the record is full").into_response();
    }
    next.run(request).await
}

async fn guard(State(names): State<Arc<[String]>>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or("");
    if names.iter().any(|name| host.eq_ignore_ascii_case(name)) {
        next.run(request).await
    } else {
        (StatusCode::MISDIRECTED_REQUEST, "this listener answers to its own address only\n").into_response()
    }
}
