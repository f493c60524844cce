use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use leasehold_domain::actor::Principal;
use leasehold_port::{Tls, TlsMaterial};
use leasehold_proto::v1::{
    ClusterStatusRequest, ClusterStatusResponse, TailRequest, audit_service_client::AuditServiceClient,
    cluster_service_client::ClusterServiceClient,
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::UnixTime;
use tokio::{net::TcpStream, task::JoinHandle};
use tonic::{
    Code, Request, Status,
    metadata::MetadataValue,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::*;
use crate::{
    health::Health,
    testing::{Known, edge, workload},
};

/// A self-made authority.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key.
struct Pair {
    certificate: rcgen::Certificate,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn issue(&self, name: &str) -> Pair {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Pair { certificate, key: key.serialize_pem() }
    }
}

/// 2030-01-01, inside the validity of what `rcgen` makes.
const NOW: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_893_456_000));

fn material<'a>(pem: &'a str, node: &'a Pair, clients: &'a Authority) -> TlsMaterial<'a> {
    TlsMaterial {
        certificates: pem.as_bytes(),
        key: node.key.as_bytes(),
        client_authorities: Some(clients.pem.as_bytes()),
    }
}

fn tls(node: &Pair, clients: &Authority) -> Tls {
    let pem = node.certificate.pem();
    Tls::new(Protocol::Grpc, &material(&pem, node, clients), NOW).unwrap()
}

struct Node {
    address: SocketAddr,
    edge: Edge,
    known: Arc<Known>,
    health: Health,
    stop: CancellationToken,
    served: JoinHandle<Result<(), ServeError>>,
}

impl Node {
    async fn start(door: impl Into<Option<Tls>>) -> Self {
        let door = door.into().map_or(Door::Loopback, Door::Tls);
        let known = Arc::new(Known::default());
        let (edge, health) = edge(known.clone()).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let served = tokio::spawn(serve(listener, door, edge.clone(), stop.clone()));
        Self { address, edge, known, health, stop, served }
    }

    fn endpoint(&self, scheme: &str) -> Endpoint {
        Endpoint::from_shared(format!("{scheme}://{}", self.address)).unwrap()
    }

    async fn over_tls(
        &self,
        authority: &Authority,
        client: Option<&Pair>,
    ) -> Result<Channel, tonic::transport::Error> {
        let mut config = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&authority.pem))
            .domain_name("localhost");
        if let Some(client) = client {
            config = config.identity(Identity::from_pem(client.certificate.pem(), &client.key));
        }
        self.endpoint("https").tls_config(config)?.connect().await
    }

    async fn in_clear(&self) -> Channel {
        self.endpoint("http").connect().await.unwrap()
    }

    async fn stopped(self) -> Result<(), ServeError> {
        self.stop.cancel();
        self.served.await.unwrap()
    }
}

fn signed<T>(message: T, credential: &str) -> Request<T> {
    let mut request = Request::new(message);
    let value: MetadataValue<_> = format!("Bearer {credential}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

async fn status(channel: Channel, credential: Option<&str>) -> Result<ClusterStatusResponse, Status> {
    let request = match credential {
        Some(credential) => signed(ClusterStatusRequest {}, credential),
        None => Request::new(ClusterStatusRequest {}),
    };
    ClusterServiceClient::new(channel).status(request).await.map(tonic::Response::into_inner)
}

fn name(principal: Principal) -> String {
    let Principal::Workload(id) = principal else { panic!("a workload") };
    id.to_string()
}

#[tokio::test]
async fn a_workload_calls_by_its_certificate_or_by_its_credential_over_tls() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let client = theirs.issue("gateway.example");
    let node = Node::start(tls(&ours.issue("localhost"), &theirs)).await;
    node.known.certificate(client.certificate.der(), workload(2));
    let credential = node.known.credential(workload(1));

    let with_certificate = node.over_tls(&ours, Some(&client)).await.unwrap();
    assert_eq!(status(with_certificate.clone(), None).await.unwrap().organisation, name(workload(2)));
    let without = node.over_tls(&ours, None).await.unwrap();
    let answer = status(without.clone(), Some(&credential)).await.unwrap();
    assert_eq!(answer.organisation, name(workload(1)));

    assert_eq!(status(without, None).await.unwrap_err().code(), Code::Unauthenticated);
    let disagree = status(with_certificate, Some(&credential)).await.unwrap_err();
    assert_eq!(disagree.code(), Code::Unauthenticated);
    node.stopped().await.unwrap();
}

#[tokio::test]
async fn a_client_certificate_of_a_stranger_does_not_pass_the_handshake() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let node = Node::start(tls(&ours.issue("localhost"), &theirs)).await;
    let stranger = Authority::new().issue("gateway.example");
    node.known.certificate(stranger.certificate.der(), workload(2));
    // TLS 1.3 lets a client believe in the handshake before the server has judged: the first call fails then.
    let called = match node.over_tls(&ours, Some(&stranger)).await {
        Ok(channel) => status(channel, None).await.map_err(|status| status.code()),
        Err(_) => Err(Code::Unavailable),
    };
    assert!(called.is_err_and(|code| code != Code::Unauthenticated), "no call got through");
    let metrics = node.edge.metrics().clone();
    node.stopped().await.unwrap();
    assert_eq!(metrics.port.handshakes_failed.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn replaced_certificates_hold_for_the_next_handshake_and_spare_open_connections() {
    let (before, after, theirs) = (Authority::new(), Authority::new(), Authority::new());
    let config = tls(&before.issue("localhost"), &theirs);
    let node = Node::start(config.clone()).await;
    let credential = node.known.credential(workload(1));
    let open = node.over_tls(&before, None).await.unwrap();
    assert!(status(open.clone(), Some(&credential)).await.is_ok());

    let next = after.issue("localhost");
    let pem = next.certificate.pem();
    config.replace(&material(&pem, &next, &theirs), NOW).unwrap();
    assert!(node.over_tls(&before, None).await.is_err());
    let channel = node.over_tls(&after, None).await.unwrap();
    assert!(status(channel, Some(&credential)).await.is_ok());
    assert!(status(open, Some(&credential)).await.is_ok());
    node.stopped().await.unwrap();
}

#[tokio::test]
async fn a_client_authority_that_is_taken_away_takes_its_clients_with_it_and_no_others() {
    let (ours, kept, dropped) = (Authority::new(), Authority::new(), Authority::new());
    let pair = ours.issue("localhost");
    let both = Authority { pem: format!("{}{}", kept.pem, dropped.pem), issuer: Authority::new().issuer };
    let config = tls(&pair, &both);
    let node = Node::start(config.clone()).await;
    let (stays, goes) = (kept.issue("kept.example"), dropped.issue("dropped.example"));
    node.known.certificate(stays.certificate.der(), workload(1));
    node.known.certificate(goes.certificate.der(), workload(2));
    let staying = node.over_tls(&ours, Some(&stays)).await.unwrap();
    let going = node.over_tls(&ours, Some(&goes)).await.unwrap();
    assert!(status(staying.clone(), None).await.is_ok());
    let mut lines = AuditServiceClient::new(going.clone());
    let mut lines = lines.tail(TailRequest { from: 7 }).await.unwrap().into_inner();
    assert_eq!(lines.message().await.unwrap().unwrap().seq, 7);

    let pem = pair.certificate.pem();
    config.replace(&material(&pem, &pair, &kept), NOW).unwrap();
    assert_eq!(lines.message().await.unwrap_err().code(), Code::Unavailable);
    assert!(status(going, None).await.is_err(), "a certificate that nobody vouches for opens nothing");
    assert!(status(staying, None).await.is_ok());
    let metrics = node.edge.metrics().clone();
    node.stopped().await.unwrap();
    assert_eq!(metrics.port.withdrawn.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn serving_in_clear_beyond_loopback_is_refused() {
    for address in ["0.0.0.0:0", "[::]:0"] {
        let Ok(listener) = TcpListener::bind(address).await else { continue };
        let (edge, _) = edge(Arc::new(Known::default())).await;
        let refused = serve(listener, Door::Loopback, edge, CancellationToken::new()).await;
        assert!(matches!(refused, Err(ServeError::ClearBeyondLoopback(_))), "{address}");
    }
}

#[tokio::test]
async fn loopback_may_be_served_in_clear() {
    let node = Node::start(None).await;
    let credential = node.known.credential(workload(1));
    let answer = status(node.in_clear().await, Some(&credential)).await.unwrap();
    assert_eq!(answer.organisation, name(workload(1)));
    node.stopped().await.unwrap();
}

#[tokio::test]
async fn stopping_ends_streams_with_a_status_and_answers_no_new_connection() {
    let node = Node::start(None).await;
    let credential = node.known.credential(workload(1));
    let mut client = AuditServiceClient::new(node.in_clear().await);
    let mut lines = client.tail(signed(TailRequest { from: 7 }, &credential)).await.unwrap().into_inner();
    assert_eq!(lines.message().await.unwrap().unwrap().seq, 7);
    let endpoint = node.endpoint("http");
    node.stop.cancel();
    let ended = lines.message().await.unwrap_err();
    assert_eq!(ended.code(), Code::Unavailable);
    assert!(ended.message().contains("open the stream again"), "{}", ended.message());
    tokio::time::timeout(Duration::from_secs(10), node.served).await.unwrap().unwrap().unwrap();
    assert!(endpoint.connect().await.is_err());
}

#[tokio::test]
async fn health_follows_what_the_node_says() {
    let node = Node::start(None).await;
    let mut client = HealthClient::new(node.in_clear().await);
    let mut ask = async |service: &str| {
        let request = HealthCheckRequest { service: service.to_owned() };
        client.check(request).await.unwrap().into_inner().status().as_str_name()
    };
    let services = ["", "leasehold.v1.LeaseService", "leasehold.v1.ClusterService"];
    for service in services {
        assert_eq!(ask(service).await, "NOT_SERVING", "{service}");
    }
    node.health.set_serving(true).await;
    for service in services {
        assert_eq!(ask(service).await, "SERVING", "{service}");
    }
    node.health.set_serving(false).await;
    assert_eq!(ask("").await, "NOT_SERVING");
    node.stopped().await.unwrap();
}

#[tokio::test]
async fn reflection_lists_every_service_to_anybody() {
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let node = Node::start(None).await;
    let mut client = ServerReflectionClient::new(node.in_clear().await);
    let ask = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let asks = futures::stream::iter([ask]);
    let mut answers = client.server_reflection_info(asks).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response;
    let Some(MessageResponse::ListServicesResponse(listed)) = answer else { panic!("{answer:?}") };
    let names: Vec<&str> = listed.service.iter().map(|service| service.name.as_str()).collect();
    for expected in ["leasehold.v1.LeaseService", "leasehold.v1.AuditService", "grpc.health.v1.Health"] {
        assert!(names.contains(&expected), "{names:?}");
    }
    node.stopped().await.unwrap();
}

#[tokio::test]
async fn a_socket_that_closes_at_once_holds_nobody_up() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let node = Node::start(tls(&ours.issue("localhost"), &theirs)).await;
    drop(TcpStream::connect(node.address).await.unwrap());
    let credential = node.known.credential(workload(1));
    let channel = node.over_tls(&ours, None).await.unwrap();
    assert!(status(channel, Some(&credential)).await.is_ok());
    let metrics = node.edge.metrics().clone();
    node.stopped().await.unwrap();
    assert_eq!(metrics.port.accepted.load(Ordering::Relaxed), 2);
    assert_eq!(metrics.port.handshakes_failed.load(Ordering::Relaxed), 1);
    assert_eq!(metrics.port.connections.load(Ordering::Relaxed), 0);
}

/// What is written to it, for a subscriber.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_credential_is_in_no_log_and_a_call_is_with_its_caller_and_code() {
    // With one subscriber alone, places that another test's thread logs from first would be switched off for this one too.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let log = Log::default();
    let written = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || log.clone())
        .finish();
    // This test's runtime has one thread: both ends of the connection log here, and no other test does.
    let _guard = tracing::subscriber::set_default(subscriber);
    let node = Node::start(None).await;
    let credential = node.known.credential(workload(1));
    let channel = node.in_clear().await;
    status(channel.clone(), Some(&credential)).await.unwrap();
    node.known.retire_credentials();
    assert!(status(channel, Some(&credential)).await.is_err());
    node.stopped().await.unwrap();

    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    let secret = credential.split_once('.').unwrap().1;
    let leaks: Vec<&str> = text.lines().filter(|line| line.contains(secret)).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
    for expected in [
        "service=\"leasehold.v1.ClusterService\" method=\"Status\"",
        &format!("caller.kind=\"workload\" caller.id=\"{}\" code=Ok", name(workload(1))),
        "a caller is not known",
    ] {
        assert!(text.contains(expected), "{expected}");
    }
}
