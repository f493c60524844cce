//! Small servers: one out of axum that counts, one that says exactly the bytes it is told to, and one that speaks TLS.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, Once},
    time::Duration,
};

use axum::{Router, body::Bytes, extract::Request, http::HeaderMap, response::Response};
use leasehold_upstream::transport::{Egress, Looking, Lookup, Settings, Transport, Trust};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

/// What arrived.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A server and all that arrived at it.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// A server that answers every request with what `answer` makes of its path and query.
    pub(crate) async fn new(answer: impl Fn(&str) -> Response + Clone + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let router = Router::new().fallback(async move |request: Request| {
            let target = request.uri().to_string();
            let method = request.method().to_string();
            let headers = request.headers().clone();
            let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
            log.lock().unwrap().push(Seen { method, target: target.clone(), headers, body });
            answer(&target)
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, seen }
    }

    pub(crate) fn url(&self, path: &str) -> url::Url {
        url::Url::parse(&format!("http://{}{path}", self.address)).unwrap()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn targets(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.target).collect()
    }
}

pub(crate) fn response(status: u16, content_type: &str, body: impl Into<axum::body::Body>) -> Response {
    Response::builder().status(status).header("content-type", content_type).body(body.into()).unwrap()
}

/// What a [`raw`] server does after it has said its bytes.
#[derive(Clone, Copy)]
pub(crate) enum Then {
    Close,
    Hang,
}

/// A server that reads one request, says `bytes`, and then closes or hangs.
pub(crate) async fn raw(bytes: &'static [u8], then: Then) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                read_head(&mut stream).await;
                stream.write_all(bytes).await.unwrap();
                match then {
                    Then::Close => {}
                    Then::Hang => std::future::pending().await,
                }
            });
        }
    });
    address
}

async fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
}

/// A server that speaks TLS as `as.example` and answers every request with `{}`; with it, the certificate to trust.
pub(crate) async fn tls() -> (SocketAddr, Vec<u8>) {
    install_crypto();
    let certified = rcgen::generate_simple_self_signed(vec!["as.example".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that does not trust the certificate ends the handshake.
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
                stream.shutdown().await.unwrap();
            });
        }
    });
    (address, certified.cert.pem().into_bytes())
}

/// A resolver that answers each lookup with the next of its answers, and the last one for ever.
pub(crate) struct Scripted(Mutex<Vec<std::io::Result<Vec<IpAddr>>>>);

impl Scripted {
    pub(crate) fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |answer: &&[&str]| Ok(answer.iter().map(|text| text.parse().unwrap()).collect());
        Arc::new(Self(Mutex::new(answers.iter().rev().map(parse).collect())))
    }

    pub(crate) fn failing() -> Arc<Self> {
        Arc::new(Self(Mutex::new(vec![Err(std::io::Error::other("no such name"))])))
    }
}

impl Lookup for Scripted {
    fn lookup(&self, _name: &str) -> Looking {
        let answer = self.0.lock().unwrap().pop().expect("a lookup that the test foresees");
        Box::pin(async move { answer })
    }
}

pub(crate) fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| rustls::crypto::aws_lc_rs::default_provider().install_default().unwrap());
}

/// Settings for tests: loopback allowed, short timeouts, no certificate authority.
pub(crate) fn settings() -> Settings {
    install_crypto();
    Settings {
        egress: Egress { allow_loopback: true, ..Egress::default() },
        connect_timeout: Duration::from_millis(1500),
        read_timeout: Duration::from_millis(2000),
        total_timeout: Duration::from_millis(3000),
        trust: Trust::Nobody,
        ..Settings::default()
    }
}

pub(crate) fn transport() -> Transport {
    Transport::new(settings()).unwrap()
}
