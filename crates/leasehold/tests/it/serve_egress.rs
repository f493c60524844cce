//! A real node behind a forward proxy, with an authority of the organisation's own: an identity provider that only the proxy can reach.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    node::{Node, PATIENCE, run},
    place::{Pair, Place},
};

const HOST: &str = "login.idp.example";

/// Reads a request's head. The other side may go away before it has said it all.
async fn head(socket: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

/// An identity provider's metadata and keys over TLS.
async fn identity_provider(pair: &Pair) -> SocketAddr {
    let chain = vec![CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let mut stream = acceptor.accept(socket).await.unwrap();
            let head = head(&mut stream).await.unwrap();
            assert!(!head.to_ascii_lowercase().contains("proxy-authorization"), "{head}");
            let answer = if head.starts_with("GET /keys ") { json!({ "keys": [] }) } else { metadata() };
            let answer = answer.to_string();
            let length = answer.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{answer}"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    address
}

fn metadata() -> serde_json::Value {
    let at = |path: &str| format!("https://{HOST}/{path}");
    json!({
        "issuer": format!("https://{HOST}"),
        "authorization_endpoint": at("authorize"),
        "token_endpoint": at("token"),
        "jwks_uri": at("keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    })
}

/// A proxy that asks for a password and connects everything to one address; what it was asked for.
async fn proxy(target: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = asked.clone();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let head = head(&mut client).await.unwrap();
            log.lock().unwrap().push(head.lines().next().unwrap().to_owned());
            // The base64 of leasehold:open sesame.
            assert!(head.contains("Basic bGVhc2Vob2xkOm9wZW4gc2VzYW1l"), "{head}");
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
            let mut server = TcpStream::connect(target).await.unwrap();
            // Either side may break off.
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        }
    });
    (address, asked)
}

/// What the pages answer to a browser that asks to sign in.
async fn sign_in(node: &Node) -> String {
    let asking = async {
        let mut socket = TcpStream::connect(node.console).await.unwrap();
        let ask = b"GET /signin HTTP/1.1\r\nhost: leasehold.example\r\nconnection: close\r\n\r\n";
        socket.write_all(ask).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap()
}

#[tokio::test]
async fn an_identity_provider_is_reached_through_the_proxy_and_believed_by_the_own_authority() {
    for (listed, reached) in [("[\"*.idp.example\"]", true), ("[]", false)] {
        let place = Place::bare("");
        let (proxy, asked) = proxy(identity_provider(&place.authority.issue(&[HOST])).await).await;
        place.configure(&format!(
            "egress_ca_file = \"ca.pem\"\negress_proxy = \"http://{proxy}\"\negress_proxy_credentials_file = \"proxy\"\negress_proxy_hosts = {listed}\n"
        ));
        place.write("proxy", "leasehold:open sesame\n");
        place.write("client-secret", "a secret of the client's\n");
        let node = Node::start(&place).await;
        let address = format!("http://{}", node.grpc);
        let environment = [("LEASEHOLD_ADDRESS", address.as_str())];
        for command in [
            "login --bootstrap-file data/bootstrap --name ada".to_owned(),
            format!(
                "idp register company --issuer https://{HOST} --client-id leasehold --client-secret-file client-secret"
            ),
        ] {
            let ran = run(&place, &command, &environment).await;
            assert_eq!(ran.exit, 0, "{command}: {}", ran.stderr);
        }
        let answer = sign_in(&node).await;
        let led = answer.starts_with("HTTP/1.1 303 ")
            && answer.contains(&format!("\r\nlocation: https://{HOST}/authorize?"));
        assert_eq!(led, reached, "{answer}");
        // A name that nobody here can resolve, and that nobody lists, is not even asked for.
        let expected = vec![format!("CONNECT {HOST}:443 HTTP/1.1"); if reached { 2 } else { 0 }];
        assert_eq!(*asked.lock().unwrap(), expected);
        let log: String = node.log_so_far().iter().map(ToString::to_string).collect();
        assert!(log.contains("serving"), "{log}");
        // The password, and what is sent of it (RFC 7617).
        for secret in ["open sesame", "bGVhc2Vob2xkOm9wZW4gc2VzYW1l"] {
            assert!(
                !log.contains(secret) && !answer.contains(secret),
                "the proxy's password stands in clear"
            );
        }
        node.stopped().await;
    }
}
