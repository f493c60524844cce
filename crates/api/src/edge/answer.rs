//! A response's body on its way out. It counts the call when it ends, gives its room back, and ends streams that must end.

use std::{
    pin::{Pin, pin},
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use leasehold_domain::text::TraceId;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{Code, Status};
use tracing::Span;

use super::{Room, trailers};
use crate::{interface::Method, metrics::Metrics, refusal::Refusal};

/// One call in the counters and in the log. Dropped before its end, it counts as cancelled.
pub(crate) struct Record {
    metrics: Arc<Metrics>,
    method: &'static Method,
    span: Span,
    over: bool,
}

impl Record {
    /// A call begins.
    pub(crate) fn begin(metrics: Arc<Metrics>, method: &'static Method, span: Span) -> Self {
        metrics.in_flight.fetch_add(1, Ordering::Relaxed);
        Self { metrics, method, span, over: false }
    }

    /// It ends with this code. Only the first end counts.
    fn end(&mut self, code: Code) {
        if !std::mem::replace(&mut self.over, true) {
            self.metrics.in_flight.fetch_sub(1, Ordering::Relaxed);
            self.metrics.answered(self.method, code);
            self.span.record("code", tracing::field::debug(code));
            tracing::debug!(parent: &self.span, ?code, "answered");
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.end(Code::Cancelled);
    }
}

/// When a stream ends by itself.
pub(crate) struct Stream {
    ending: CancellationToken,
    ended: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    deadline: Option<Pin<Box<Sleep>>>,
    trace: TraceId,
}

impl Stream {
    /// It ends with the connection, and when the caller's time has passed.
    pub(crate) fn new(ending: CancellationToken, ends_at: Option<Instant>, trace: TraceId) -> Self {
        let deadline = ends_at.map(|at| Box::pin(tokio::time::sleep_until(at)));
        Self { ending, ended: None, deadline, trace }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Refusal> {
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Refusal::deadline_exceeded().traced(self.trace));
        }
        let ending = &self.ending;
        let ended = self.ended.get_or_insert_with(|| Box::pin(ending.clone().cancelled_owned()));
        ended.as_mut().poll(cx).map(|()| Refusal::ending().traced(self.trace))
    }
}

/// A response's body.
pub(crate) struct Answer {
    inner: tonic::body::Body,
    record: Option<Record>,
    room: Option<Room>,
    stream: Option<Stream>,
}

impl Answer {
    /// A response of HTTP alone, for what is not gRPC.
    pub(crate) fn plain(code: StatusCode) -> http::Response<Self> {
        let mut response = http::Response::new(Self::empty(None));
        *response.status_mut() = code;
        response
    }

    /// A call that was refused before it reached a service.
    pub(crate) fn refused(status: Status, record: Option<Record>) -> http::Response<Self> {
        let mut answer = Self::empty(record);
        answer.end(status.code());
        let mut response = http::Response::new(answer);
        *response.headers_mut() = trailers(&status);
        let grpc = HeaderValue::from_static("application/grpc");
        response.headers_mut().insert(header::CONTENT_TYPE, grpc);
        response
    }

    /// What a service answered.
    pub(crate) fn of(
        response: http::Response<tonic::body::Body>,
        record: Record,
        room: Room,
        stream: Option<Stream>,
    ) -> http::Response<Self> {
        let (parts, inner) = response.into_parts();
        let mut answer = Self { inner, record: Some(record), room: Some(room), stream };
        if parts.headers.contains_key("grpc-status") {
            answer.end(code(&parts.headers));
        }
        http::Response::from_parts(parts, answer)
    }

    fn empty(record: Option<Record>) -> Self {
        Self { inner: tonic::body::Body::empty(), record, room: None, stream: None }
    }

    fn end(&mut self, code: Code) {
        if let Some(mut record) = self.record.take() {
            record.end(code);
        }
        self.room = None;
        self.stream = None;
    }

    /// Ends a stream that is to end.
    fn cut(&mut self, refusal: Refusal) -> Frame<Bytes> {
        let status = refusal.into_status();
        self.inner = tonic::body::Body::empty();
        self.end(status.code());
        Frame::trailers(trailers(&status))
    }
}

fn code(headers: &HeaderMap) -> Code {
    headers.get("grpc-status").map_or(Code::Unknown, |code| Code::from_bytes(code.as_bytes()))
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        // Before the stream itself: one that always has something to say ends too.
        if let Some(stream) = &mut self.stream
            && let Poll::Ready(refusal) = stream.poll_end(cx)
        {
            return Poll::Ready(Some(Ok(self.cut(refusal))));
        }
        let polled = pin!(&mut self.inner).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(code) = frame.trailers_ref().map(code) {
                    self.end(code);
                }
            }
            Poll::Ready(Some(Err(status))) => {
                let code = status.code();
                self.end(code);
            }
            Poll::Ready(None) => self.end(Code::Unknown),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
