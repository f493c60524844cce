use std::io::ErrorKind;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    pki_types::{CertificateDer, ServerName, UnixTime},
    version::{TLS12, TLS13},
};
use tokio::{io::AsyncReadExt as _, task::JoinHandle};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::*;
use crate::tls::TlsMaterial;

/// 2030-01-01, inside the validity of what `rcgen` makes.
const NOW: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_893_456_000));

/// A port that answers every request with nothing.
struct Node {
    address: SocketAddr,
    certificate: CertificateDer<'static>,
    counts: Arc<Counts>,
    stop: CancellationToken,
    served: JoinHandle<Result<(), ServeError>>,
}

impl Node {
    async fn start(handshakes_max: usize) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let (pem, key) = (certificate.pem(), key.serialize_pem());
        let material =
            TlsMaterial { certificates: pem.as_bytes(), key: key.as_bytes(), client_authorities: None };
        let door = Door::Tls(Tls::new(Protocol::Pages, &material, NOW).unwrap());
        let counts = Arc::<Counts>::default();
        let settings = Settings {
            protocol: Protocol::Pages,
            door,
            connections_max: 64,
            handshakes_max,
            streams_max: 8,
            counts: counts.clone(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let service =
            |_: &Arrival| service_fn(async |_: Request<Incoming>| Ok(Response::new(Empty::<Bytes>::new())));
        let served = tokio::spawn(serve(listener, settings, service, stop.clone()));
        Self { address, certificate: certificate.der().clone(), counts, stop, served }
    }

    async fn stopped(self) {
        self.stop.cancel();
        self.served.await.unwrap().unwrap();
    }

    fn client(&self, version: &'static rustls::SupportedProtocolVersion) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder =
            ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Keeps every ticket and session id that it is given.
        config.resumption = Resumption::in_memory_sessions(8);
        Arc::new(config)
    }

    async fn connect(&self, config: &Arc<ClientConfig>) -> io::Result<TlsStream<TcpStream>> {
        let socket = TcpStream::connect(self.address).await?;
        TlsConnector::from(config.clone()).connect(ServerName::try_from("localhost").unwrap(), socket).await
    }

    /// Makes a request on a new connection, so that whatever comes after the handshake is read; answers with how the handshake was.
    async fn ask(&self, config: &Arc<ClientConfig>) -> rustls::HandshakeKind {
        let stream = self.connect(config).await.unwrap();
        let kind = stream.get_ref().1.handshake_kind().unwrap();
        let (mut client, driving) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        let driving = tokio::spawn(driving);
        let request = Request::get("/").header("host", "localhost").body(Empty::<Bytes>::new()).unwrap();
        assert_eq!(client.send_request(request).await.unwrap().status(), 200);
        drop(client);
        driving.await.unwrap().unwrap();
        kind
    }
}

#[tokio::test]
async fn a_client_that_keeps_sessions_has_nothing_to_resume() {
    let node = Node::start(8).await;
    for version in [&TLS12, &TLS13] {
        let config = node.client(version);
        for _ in 0..3 {
            assert_eq!(node.ask(&config).await, rustls::HandshakeKind::Full, "{version:?}");
        }
    }
    node.stopped().await;
}

#[tokio::test]
async fn what_is_not_tls_is_turned_away_and_counted() {
    let node = Node::start(8).await;
    let mut socket = TcpStream::connect(node.address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut socket, b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut said = Vec::new();
    match socket.read_to_end(&mut said).await {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    assert!(!said.starts_with(b"HTTP"), "{said:?}");
    let counts = node.counts.clone();
    node.stopped().await;
    assert_eq!(counts.handshakes_failed.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_shake_hands_is_let_go_in_time() {
    let node = Node::start(1).await;
    let mut silent = TcpStream::connect(node.address).await.unwrap();
    let begun = tokio::time::Instant::now();
    assert_eq!(silent.read(&mut [0; 16]).await.unwrap(), 0);
    assert!(begun.elapsed() >= HANDSHAKE_WAIT_MAX && begun.elapsed() < 2 * HANDSHAKE_WAIT_MAX);
    let counts = node.counts.clone();
    node.stopped().await;
    assert_eq!(counts.handshakes_failed.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn the_next_handshake_begins_when_there_is_room_for_it() {
    let node = Node::start(1).await;
    let config = node.client(&TLS13);
    let silent = TcpStream::connect(node.address).await.unwrap();
    let leaving = async {
        while node.counts.accepted.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        drop(silent);
    };
    let (kind, ()) = tokio::join!(node.ask(&config), leaving);
    assert_eq!(kind, rustls::HandshakeKind::Full);
    let counts = node.counts.clone();
    assert_eq!(counts.handshakes_failed.load(Ordering::Relaxed), 1);
    node.stopped().await;
    assert_eq!(counts.connections.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn only_what_a_proxy_stands_in_front_of_is_served_in_clear_beyond_this_machine() {
    for (door, refused) in [(Door::Loopback, true), (Door::BehindTlsProxy, false)] {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let settings = Settings {
            protocol: Protocol::Pages,
            door,
            connections_max: 1,
            handshakes_max: 1,
            streams_max: 1,
            counts: Arc::default(),
        };
        let stop = CancellationToken::new();
        stop.cancel();
        let service =
            |_: &Arrival| service_fn(async |_: Request<Incoming>| Ok(Response::new(Empty::<Bytes>::new())));
        let served = serve(listener, settings, service, stop).await;
        assert_eq!(matches!(served, Err(ServeError::ClearBeyondLoopback(_))), refused);
    }
}
