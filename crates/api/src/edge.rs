//! What every call passes on its way in and out: the form of the request, room, the caller, the deadline, the span, the counters.
//!
//! It looks at headers and at the form of messages. What a call asks for is for the services behind it.

mod answer;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header, request::Parts};
use http_body::Body;
use leasehold_domain::{actor::Principal, text::TraceId, time::Timestamp};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tonic::{Status, service::Routes};
use tower::ServiceExt as _;
use tracing::{Instrument as _, Span, field::Empty};

pub(crate) use answer::Answer;

use crate::{
    authentication::{Callers, Identified, Shown, Unidentified},
    deadline,
    interface::{Admission, Interface, Method},
    metrics::Metrics,
    peer::Peer,
    refusal::Refusal,
    status::{self, Attempt},
    strict::Checked,
};
use answer::{Record, Stream};

/// The most calls of callers on this node at a time, streams included.
const CALLS_MAX: usize = 16_384;
/// The most calls of one answer that anybody may make on this node at a time. They cannot use up the room of callers.
const CHECKS_MAX: usize = 1024;
/// How long such a call may take: it asks for what is in memory.
const CHECK_WAIT_MAX: Duration = Duration::from_secs(5);
/// The most streams that anybody may have open on this node at a time: to watch the health, or to ask for descriptors. They cannot use up
/// the room of those who check the health.
const OPEN_STREAMS_MAX: usize = 256;

/// The way in. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Edge(Arc<Inner>);

struct Inner {
    routes: Routes,
    callers: Arc<dyn Callers>,
    metrics: Arc<Metrics>,
    calls: Arc<Semaphore>,
    checks: Arc<Semaphore>,
    open_streams: Arc<Semaphore>,
}

/// Room for one call, until it is dropped.
pub(crate) struct Room {
    _connection: OwnedSemaphorePermit,
    _node: OwnedSemaphorePermit,
}

/// A call that was let in and answered.
struct Answered {
    response: http::Response<tonic::body::Body>,
    room: Room,
    ends_at: Option<Instant>,
}

impl Edge {
    /// A way in to these services.
    pub(crate) fn new(routes: Routes, callers: Arc<dyn Callers>, metrics: Arc<Metrics>) -> Self {
        Self(Arc::new(Inner {
            routes: routes.prepare(),
            callers,
            metrics,
            calls: Arc::new(Semaphore::new(CALLS_MAX)),
            checks: Arc::new(Semaphore::new(CHECKS_MAX)),
            open_streams: Arc::new(Semaphore::new(OPEN_STREAMS_MAX)),
        }))
    }

    /// The counters.
    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.0.metrics
    }

    /// Answers one request of a connection.
    pub(crate) async fn call<B>(&self, peer: &Peer, request: http::Request<B>) -> http::Response<Answer>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
    {
        if let Err(code) = speaks_grpc(&request) {
            return Answer::plain(code);
        }
        let trace = crate::trace::given(request.headers()).unwrap_or_else(|| self.0.callers.draw_trace());
        let Some(method) = Interface::of_this_build().method(request.uri().path()) else {
            self.0.metrics.unknown_methods.fetch_add(1, Ordering::Relaxed);
            return Answer::refused(Refusal::no_such_method().traced(trace).into_status(), None);
        };
        let span = tracing::info_span!(
            "call",
            service = method.service,
            method = method.name,
            %trace,
            caller.kind = Empty,
            caller.id = Empty,
            code = Empty,
        );
        let record = Record::begin(self.0.metrics.clone(), method, span.clone());
        match self.admit(peer, method, trace, request).instrument(span).await {
            Ok(Answered { response, room, ends_at }) => {
                let stream =
                    method.server_streams.then(|| Stream::new(peer.ending().clone(), ends_at, trace));
                Answer::of(response, record, room, stream)
            }
            Err(refusal) => Answer::refused(refusal.traced(trace).into_status(), Some(record)),
        }
    }

    async fn admit<B>(
        &self,
        peer: &Peer,
        method: &'static Method,
        trace: TraceId,
        request: http::Request<B>,
    ) -> Result<Answered, Refusal>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
    {
        let room = self.room(peer, method)?;
        let (mut parts, body) = request.into_parts();
        match method.admission {
            Admission::Callers => {
                let identified = self.identify(&mut parts.headers, peer, trace)?;
                parts.extensions.insert(identified);
            }
            Admission::Anybody => drop(parts.headers.remove(header::AUTHORIZATION)),
        }
        let longest = match method.admission {
            Admission::Callers => deadline::ANSWER_WAIT_MAX,
            Admission::Anybody => CHECK_WAIT_MAX,
        };
        let given = deadline::given(&parts.headers).map_err(|_| Refusal::bad_timeout())?;
        let ends_at = given.map(|wait| Instant::now() + wait);
        let wait = given.unwrap_or(Duration::MAX).min(longest);
        let answer = self.answer(parts, body, method);
        let response = tokio::time::timeout(wait, answer).await.map_err(|_| Refusal::deadline_exceeded())?;
        Ok(Answered { response, room, ends_at })
    }

    async fn answer<B>(
        &self,
        parts: Parts,
        body: B,
        method: &'static Method,
    ) -> http::Response<tonic::body::Body>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
    {
        let request = http::Request::from_parts(parts, Checked::new(body, method));
        match self.0.routes.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    fn room(&self, peer: &Peer, method: &Method) -> Result<Room, Refusal> {
        let node = match method.admission {
            Admission::Callers => &self.0.calls,
            Admission::Anybody if method.server_streams => &self.0.open_streams,
            Admission::Anybody => &self.0.checks,
        };
        let take = |from: &Arc<Semaphore>, full| {
            from.clone().try_acquire_owned().map_err(|_| {
                self.0.metrics.shed.fetch_add(1, Ordering::Relaxed);
                Refusal::overloaded(full)
            })
        };
        Ok(Room {
            _connection: take(peer.calls(), "too many calls are on their way on this connection")?,
            _node: take(node, "too many calls are on their way on this node")?,
        })
    }

    fn identify(&self, headers: &mut HeaderMap, peer: &Peer, trace: TraceId) -> Result<Identified, Refusal> {
        let shown = Shown::take(headers, peer, trace).map_err(Unidentified::Unknown);
        let identified = shown.and_then(|shown| {
            let caller = shown.identify(&*self.0.callers)?;
            Ok(Identified { caller, shown })
        });
        match identified {
            Ok(identified) => {
                let (kind, id) = named(identified.caller.actor.principal);
                let span = Span::current();
                span.record("caller.kind", kind);
                span.record("caller.id", id);
                Ok(identified)
            }
            Err(Unidentified::Unknown(why)) => {
                self.0.metrics.unauthenticated.fetch_add(1, Ordering::Relaxed);
                tracing::info!(peer = %peer.address(), reason = %why, "a caller is not known");
                Err(Refusal::unauthenticated())
            }
            Err(Unidentified::Problem(problem)) => {
                let attempt = Attempt { what: "identify the caller", trace, at: Timestamp::default() };
                Err(status::refusal(&problem, attempt))
            }
        }
    }
}

/// What a principal is called in a span.
fn named(principal: Principal) -> (&'static str, String) {
    match principal {
        Principal::Cluster => ("cluster", String::new()),
        Principal::Bootstrap(id) => ("bootstrap", id.to_string()),
        Principal::Administrator(id) => ("administrator", id.to_string()),
        Principal::Workload(id) => ("workload", id.to_string()),
        Principal::Person(id) => ("person", id.to_string()),
    }
}

/// Whether a request is one of gRPC. A browser that holds a client certificate can be made to send others from any page, and not these.
fn speaks_grpc<B>(request: &http::Request<B>) -> Result<(), StatusCode> {
    if request.method() != http::Method::POST {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    let kind = request.headers().get(header::CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
    match kind.strip_prefix(b"application/grpc") {
        Some(b"" | b"+proto") => Ok(()),
        Some([b';', ..]) => Ok(()),
        Some(_) | None => Err(StatusCode::UNSUPPORTED_MEDIA_TYPE),
    }
}

/// The headers of a status, for trailers.
fn trailers(status: &Status) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if status.add_header(&mut headers).is_err() {
        headers.insert("grpc-status", http::HeaderValue::from(i32::from(status.code())));
    }
    headers
}

#[cfg(test)]
#[path = "edge_tests.rs"]
mod tests;
