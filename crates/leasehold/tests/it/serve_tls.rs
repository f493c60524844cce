//! The ports of a real node over TLS: what is spoken there, what is refused, and certificates that are replaced under open connections.

use std::{net::SocketAddr, sync::Arc};

use leasehold_client::{Client, Endpoint, Proof, v1::WhoAmIRequest};
use rustix::process::Signal;
use rustls::{
    ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion,
    client::Resumption,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    version::{TLS12, TLS13},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::{
    node::{Node, PATIENCE},
    place::{Pair, Place},
};

/// A client that keeps whatever would let it resume.
fn keeping(place: &Place, version: &'static SupportedProtocolVersion, alpn: &[&str]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(place.authority.pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config.resumption = Resumption::in_memory_sessions(8);
    Arc::new(config)
}

/// How a connection went.
struct Shaken {
    kind: HandshakeKind,
    protocol: Option<Vec<u8>>,
    certificate: Vec<u8>,
    answer: Vec<u8>,
}

/// Shakes hands, says `words`, and reads what is answered until the other side closes.
async fn shake(config: &Arc<ClientConfig>, address: SocketAddr, words: &[u8]) -> Shaken {
    let talking = async {
        let socket = TcpStream::connect(address).await.unwrap();
        let connector = TlsConnector::from(config.clone());
        let mut stream = connector.connect(ServerName::try_from("localhost").unwrap(), socket).await.unwrap();
        stream.write_all(words).await.unwrap();
        let mut answer = Vec::new();
        // Some of what is said here is broken off without a word, and that is an end too.
        let _ = stream.read_to_end(&mut answer).await;
        let session = stream.get_ref().1;
        Shaken {
            kind: session.handshake_kind().unwrap(),
            protocol: session.alpn_protocol().map(<[u8]>::to_vec),
            certificate: session.peer_certificates().unwrap()[0].to_vec(),
            answer,
        }
    };
    tokio::time::timeout(PATIENCE, talking).await.unwrap()
}

/// The certificate that a new connection to gRPC is shown.
async fn shown(place: &Place, node: &Node) -> Vec<u8> {
    // No HTTP/2: the node ends the connection.
    shake(&keeping(place, &TLS13, &["h2"]), node.grpc, b"no preface of HTTP/2, but long enough")
        .await
        .certificate
}

fn der(pair: &Pair) -> Vec<u8> {
    CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap().to_vec()
}

const PAGE: &[u8] = b"GET / HTTP/1.1\r\nhost: leasehold.example\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn both_ports_speak_tls_alone_and_resume_nothing() {
    let place = Place::with_tls();
    let node = Node::start(&place).await;

    for address in [node.grpc, node.console] {
        for words in [PAGE, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
            let mut socket = TcpStream::connect(address).await.unwrap();
            socket.write_all(words).await.unwrap();
            let mut answer = Vec::new();
            let _ = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut answer)).await.unwrap();
            assert!(!answer.windows(4).any(|part| part == b"HTTP"), "{address} answers in clear");
        }
    }
    let clear = format!("http://localhost:{}", node.grpc.port());
    let refused = crate::node::run(&place, "status", &[("LEASEHOLD_ADDRESS", &clear)]).await;
    assert_ne!(refused.exit, 0, "{}", refused.stdout);

    for version in [&TLS12, &TLS13] {
        let browser = keeping(&place, version, &["h2", "http/1.1"]);
        assert_eq!(shake(&browser, node.console, b"neither\r\n\r\n").await.protocol, Some(b"h2".to_vec()));
        let old = keeping(&place, version, &["http/1.1"]);
        for _ in 0..2 {
            let page = shake(&old, node.console, PAGE).await;
            assert_eq!((page.kind, page.protocol), (HandshakeKind::Full, Some(b"http/1.1".to_vec())));
            let head = String::from_utf8_lossy(&page.answer).to_lowercase();
            assert!(head.starts_with("http/1.1 ") && head.contains("strict-transport-security: "), "{head}");
        }
        let caller = keeping(&place, version, &["h2"]);
        for _ in 0..2 {
            let call = shake(&caller, node.grpc, b"no preface of HTTP/2, but long enough").await;
            assert_eq!((call.kind, call.protocol), (HandshakeKind::Full, Some(b"h2".to_vec())));
        }
    }
    node.stopped().await;
}

#[tokio::test]
async fn certificates_are_replaced_under_open_connections_and_bad_ones_are_not_taken() {
    let place = Place::with_tls();
    let node = Node::start(&place).await;
    node.found(&place).await;
    let credential = crate::node::credential(&place, "admin");
    let open = Client::connect(Endpoint {
        address: format!("https://localhost:{}", node.grpc.port()),
        ca_pem: Some(place.authority.pem.clone().into_bytes()),
        proof: Proof::Credential(credential.into()),
    })
    .await
    .unwrap();
    let asked = async || open.cluster().who_am_i(WhoAmIRequest {}).await.unwrap().into_inner().name;
    assert_eq!(asked().await, "ada");
    let first = shown(&place, &node).await;

    let next = place.authority.issue(&["localhost", "127.0.0.1"]);
    place.write_pair("node", &next);
    node.signal(Signal::HUP);
    node.logged("new certificates are in force", 2).await;
    assert_ne!(first, der(&next));
    assert_eq!(shown(&place, &node).await, der(&next));
    assert_eq!(asked().await, "ada", "an open connection goes on");

    // A key of another certificate, then a certificate that has expired.
    place.write("node.key", &place.authority.issue(&["localhost"]).key);
    node.signal(Signal::HUP);
    let refused = node.logged("new certificates are refused", 2).await;
    let reason = refused["fields"]["error"].as_str().unwrap();
    assert!(reason.contains("node.pem") && reason.contains("does not fit"), "{reason}");
    place.write_pair(
        "node",
        &place.authority.issue_with(&["localhost"], |params| {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        }),
    );
    node.signal(Signal::HUP);
    let refused = node.logged("new certificates are refused", 4).await;
    assert!(refused["fields"]["error"].as_str().unwrap().contains("expired"), "{refused}");
    assert_eq!(shown(&place, &node).await, der(&next));
    assert_eq!(asked().await, "ada");
    assert!(node.metric("leasehold_grpc_certificates_refused_total").await >= 2);
    assert_eq!(node.metric("leasehold_grpc_certificates_taken_total").await, 1);

    // Nobody says that these are there: they are found.
    let last = place.authority.issue_with(&["localhost"], |params| {
        params.not_after = rcgen::date_time_ymd(2035, 1, 1);
    });
    place.write_pair("node", &last);
    node.logged("new certificates are in force", 4).await;
    assert_eq!(shown(&place, &node).await, der(&last));
    let ends = u64::try_from(rcgen::date_time_ymd(2035, 1, 1).unix_timestamp()).unwrap();
    assert_eq!(node.metric("leasehold_grpc_certificates_expire_at_seconds").await, ends);
    assert_eq!(node.metric("leasehold_console_certificates_expire_at_seconds").await, ends);
    node.stopped().await;
}
