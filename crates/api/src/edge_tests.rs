use http_body_util::{BodyExt as _, Full};
use leasehold_control::Problem;
use leasehold_port::Arrival;
use leasehold_proto::v1::{
    ClusterStatusRequest, ClusterStatusResponse, ProveInclusionRequest, TailRequest, TailResponse,
};
use prost::Message;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::*;
use crate::{
    peer::CALLS_PER_CONNECTION_MAX,
    testing::{Known, edge, workload},
};

const STATUS: &str = "/leasehold.v1.ClusterService/Status";
const TAIL: &str = "/leasehold.v1.AuditService/Tail";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

struct World {
    edge: Edge,
    known: Arc<Known>,
    peer: Peer,
    ending: CancellationToken,
}

impl World {
    async fn new() -> Self {
        Self::of(Known::default()).await
    }

    async fn of(known: Known) -> Self {
        let known = Arc::new(known);
        let (edge, _) = edge(known.clone()).await;
        let ending = CancellationToken::new();
        let peer = Peer::new(&Arrival::new("192.0.2.7:4711".parse().unwrap(), None, ending.clone()));
        Self { edge, known, peer, ending }
    }

    async fn call(&self, request: http::Request<Full<Bytes>>) -> http::Response<Answer> {
        self.edge.call(&self.peer, request).await
    }

    fn signed(&self, path: &str, message: &impl Message) -> http::Request<Full<Bytes>> {
        let mut request = asked(path, &message.encode_to_vec());
        let credential = format!("Bearer {}", *self.known.credential(workload(1)));
        request.headers_mut().insert(header::AUTHORIZATION, credential.parse().unwrap());
        request
    }

    fn count(&self, method: &str, code: Code) -> u64 {
        let calls = self.edge.metrics().calls();
        let found = calls.iter().find(|counted| counted.method == method && counted.code == code);
        found.map_or(0, |counted| counted.count)
    }
}

fn asked(path: &str, message: &[u8]) -> http::Request<Full<Bytes>> {
    let len = u32::try_from(message.len()).unwrap();
    let framed = [&[0], len.to_be_bytes().as_slice(), message].concat();
    http::Request::post(path)
        .header(header::CONTENT_TYPE, "application/grpc")
        .body(Full::new(Bytes::from(framed)))
        .unwrap()
}

/// The message and the status of a response that ends.
async fn told(response: http::Response<Answer>) -> (Bytes, Status) {
    let (parts, body) = response.into_parts();
    let collected = body.collect().await.unwrap();
    let trailers = collected.trailers().cloned();
    let status = Status::from_header_map(trailers.as_ref().unwrap_or(&parts.headers)).unwrap();
    (collected.to_bytes(), status)
}

async fn refused(response: http::Response<Answer>) -> Status {
    let (bytes, status) = told(response).await;
    assert!(bytes.is_empty() && status.code() != Code::Ok);
    status
}

fn reason(status: &Status) -> String {
    status.get_error_details().error_info().unwrap().reason.clone()
}

#[tokio::test]
async fn a_known_caller_reaches_the_service_with_its_trace_id() {
    let world = World::new().await;
    let mut request = world.signed(STATUS, &ClusterStatusRequest {});
    request.headers_mut().insert("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01").parse().unwrap());
    let (bytes, status) = told(world.call(request).await).await;
    assert_eq!(status.code(), Code::Ok);
    let answer = ClusterStatusResponse::decode(&bytes[5..]).unwrap();
    let Principal::Workload(id) = workload(1) else { panic!("a workload") };
    assert_eq!((answer.organisation, answer.version.as_str()), (id.to_string(), TRACE));
    assert_eq!(world.count("Status", Code::Ok), 1);
    assert_eq!(world.edge.metrics().in_flight.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn whoever_is_not_known_gets_one_message_and_is_counted() {
    let world = World::new().await;
    let nothing = refused(world.call(asked(STATUS, &[])).await).await;
    let mut request = world.signed(STATUS, &ClusterStatusRequest {});
    world.known.retire_credentials();
    let stale = refused(world.call(request).await).await;
    request = asked(STATUS, &[]);
    request.headers_mut().insert(header::AUTHORIZATION, "Bearer eyJhbGciOiJub25lIn0.e30.".parse().unwrap());
    let malformed = refused(world.call(request).await).await;
    for status in [&nothing, &stale, &malformed] {
        assert_eq!(status.code(), Code::Unauthenticated);
        assert_eq!(status.message(), nothing.message());
        assert_eq!(reason(status), "UNAUTHENTICATED");
    }
    assert_eq!(world.edge.metrics().unauthenticated.load(Ordering::Relaxed), 3);
    assert_eq!(world.count("Status", Code::Unauthenticated), 3);
}

#[tokio::test]
async fn a_fault_while_identifying_shows_its_trace_id_alone() {
    let world = World::of(Known::broken(Problem::Fault)).await;
    let status = refused(world.call(world.signed(STATUS, &ClusterStatusRequest {})).await).await;
    assert_eq!(status.code(), Code::Internal);
    assert_eq!(status.message(), format!("an internal fault: quote the trace id {}", "dd".repeat(16)));
}

#[tokio::test]
async fn an_unknown_field_is_refused_before_the_service_and_after_the_caller() {
    let world = World::new().await;
    let mut request = world.signed(STATUS, &ClusterStatusRequest {});
    *request.body_mut() = asked(STATUS, &[0x78, 1]).into_body();
    let status = refused(world.call(request).await).await;
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "UNKNOWN_FIELD"));
    let details = status.get_error_details();
    assert_eq!(details.bad_request().unwrap().field_violations[0].field, "ClusterStatusRequest.15");
    let nobody = refused(world.call(asked(STATUS, &[0x78, 1])).await).await;
    assert_eq!(nobody.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn health_answers_anybody_and_nothing_else_does() {
    let world = World::new().await;
    let (bytes, status) = told(world.call(asked("/grpc.health.v1.Health/Check", &[])).await).await;
    assert_eq!(status.code(), Code::Ok);
    assert_eq!(&bytes[5..], [0x08, 2], "NOT_SERVING until somebody says otherwise");
    for path in [TAIL, "/leasehold.v1.LeaseService/Acquire", "/leasehold.v1.AuditService/Export"] {
        assert_eq!(refused(world.call(asked(path, &[])).await).await.code(), Code::Unauthenticated, "{path}");
    }
}

#[tokio::test]
async fn a_method_that_is_not_there_is_unimplemented() {
    let world = World::new().await;
    for path in ["/leasehold.v1.LeaseService/Steal", "/", "/leasehold.v2.LeaseService/Acquire"] {
        let status = refused(world.call(asked(path, &[])).await).await;
        assert_eq!((status.code(), reason(&status).as_str()), (Code::Unimplemented, "NO_SUCH_METHOD"));
    }
    assert_eq!(world.edge.metrics().unknown_methods.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn what_a_browser_can_send_from_any_page_is_no_call() {
    let world = World::new().await;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/grpc-web+proto", ""] {
        let mut request = asked(STATUS, &[]);
        request.headers_mut().insert(header::CONTENT_TYPE, kind.parse().unwrap());
        assert_eq!(world.call(request).await.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
    }
    let mut request = asked(STATUS, &[]);
    *request.method_mut() = http::Method::GET;
    assert_eq!(world.call(request).await.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_at_the_callers_deadline_or_at_ours() {
    let world = World::new().await;
    let path = "/leasehold.v1.AuditService/GetCheckpoint";
    for (timeout, wait) in [(Some("2S"), Duration::from_secs(2)), (None, deadline::ANSWER_WAIT_MAX)] {
        let mut request = world.signed(path, &ClusterStatusRequest {});
        if let Some(timeout) = timeout {
            request.headers_mut().insert("grpc-timeout", timeout.parse().unwrap());
        }
        let begun = Instant::now();
        let status = refused(world.call(request).await).await;
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert!(begun.elapsed() >= wait && begun.elapsed() < wait + Duration::from_secs(1));
    }
    let mut request = world.signed(path, &ClusterStatusRequest {});
    request.headers_mut().insert("grpc-timeout", "soon".parse().unwrap());
    assert_eq!(refused(world.call(request).await).await.code(), Code::InvalidArgument);
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_at_the_callers_deadline() {
    let world = World::new().await;
    let mut request = world.signed(TAIL, &TailRequest { from: 5 });
    request.headers_mut().insert("grpc-timeout", "3S".parse().unwrap());
    let (bytes, status) = told(world.call(request).await).await;
    assert_eq!(TailResponse::decode(&bytes[5..]).unwrap().seq, 5);
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(world.count("Tail", Code::DeadlineExceeded), 1);
}

#[tokio::test]
async fn streams_end_with_their_connection_even_those_that_never_pause() {
    let world = World::new().await;
    let quiet = world.call(world.signed(TAIL, &TailRequest { from: 5 })).await;
    let busy = world.call(world.signed("/leasehold.v1.AuditService/Export", &TailRequest { from: 0 })).await;
    world.ending.cancel();
    for response in [quiet, busy] {
        let (_, status) = told(response).await;
        assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "STOPPED"));
        assert!(status.get_error_details().retry_info().is_some());
    }
}

#[tokio::test]
async fn an_answer_of_one_message_is_given_even_while_the_connection_ends() {
    let world = World::new().await;
    let response = world.call(world.signed(STATUS, &ClusterStatusRequest {})).await;
    world.ending.cancel();
    assert_eq!(told(response).await.1.code(), Code::Ok);
}

#[tokio::test]
async fn a_connection_has_room_for_so_many_calls_until_they_end() {
    let world = World::new().await;
    let mut open = Vec::new();
    for _ in 0..CALLS_PER_CONNECTION_MAX {
        open.push(world.call(world.signed(TAIL, &TailRequest { from: 5 })).await);
        world.known.retire_credentials();
    }
    let status = refused(world.call(world.signed(STATUS, &ClusterStatusRequest {})).await).await;
    assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "OVERLOADED"));
    assert!(status.get_error_details().retry_info().is_some());
    assert_eq!(world.edge.metrics().shed.load(Ordering::Relaxed), 1);
    open.pop();
    assert_eq!(world.count("Tail", Code::Cancelled), 1, "a stream that is dropped counts as cancelled");
    let (_, status) = told(world.call(world.signed(STATUS, &ClusterStatusRequest {})).await).await;
    assert_eq!(status.code(), Code::Ok);
}

#[tokio::test]
async fn what_a_service_refuses_is_counted_by_its_code() {
    let world = World::new().await;
    let request =
        world.signed("/leasehold.v1.AuditService/ProveInclusion", &ProveInclusionRequest::default());
    assert_eq!(refused(world.call(request).await).await.code(), Code::NotFound);
    assert_eq!(world.count("ProveInclusion", Code::NotFound), 1);
}
