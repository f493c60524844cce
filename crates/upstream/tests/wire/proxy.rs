//! Requests through a forward proxy: what it is asked for, what it is told, and what is refused before it is asked at all.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use http::Method;
use leasehold_upstream::transport::{
    Egress, EgressRefusal, Exchange, ForwardProxy, HostPattern, NotSent, ProxyCredentials, Request, Settings,
    Transport, Trust,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use url::Url;

use crate::server::{Scripted, settings, tls};

/// An address that may be reached, and that nothing of these tests ever dials.
const PUBLIC: &str = "203.0.114.1";

/// A proxy that speaks CONNECT, asks for a password, and connects every name to one address.
struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(tunnel(client, target, Arc::clone(&log)));
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn at(&self, host: &str, password: &str) -> ForwardProxy {
        ForwardProxy {
            url: Url::parse(&format!("http://{host}:{}", self.address.port())).unwrap(),
            credentials: Some(ProxyCredentials::parse(&format!("leasehold:{password}")).unwrap()),
            unresolved: vec![HostPattern::new("*.listed.example").unwrap()],
        }
    }
}

async fn tunnel(mut client: TcpStream, target: SocketAddr, asked: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    asked.lock().unwrap().push(head.lines().next().unwrap().to_owned());
    // The base64 of leasehold:right.
    if !head.to_ascii_lowercase().contains("proxy-authorization: basic bgvhc2vob2xkonjpz2h0") {
        client
            .write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
            .await
            .unwrap();
        return;
    }
    let mut server = TcpStream::connect(target).await.unwrap();
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
    // Either side may break off: that is what some tests are about.
    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
}

fn through(proxy: ForwardProxy, lookup: Arc<Scripted>, trust: Vec<u8>) -> Transport {
    Transport::new(Settings {
        egress: Egress::default(),
        proxy: Some(proxy),
        lookup,
        trust: Trust::Only(trust),
        ..settings()
    })
    .unwrap()
}

async fn get(transport: &Transport, url: &str) -> Exchange {
    transport.send(Request::new(Method::GET, Url::parse(url).unwrap(), 1024)).await
}

fn answered(exchange: &Exchange) -> bool {
    matches!(exchange, Exchange::Answered(answer) if answer.status == 200)
}

fn not_sent(exchange: &Exchange, why: NotSent) -> bool {
    matches!(exchange, Exchange::NotSent(given) if *given == why)
}

#[tokio::test]
async fn a_provider_is_reached_by_its_name_with_the_proxys_credentials() {
    let (server, pem) = tls().await;
    let proxy = Proxy::to(server).await;
    let transport = through(proxy.at("127.0.0.1", "right"), Scripted::new(&[&[PUBLIC]]), pem);
    let exchange = get(&transport, "https://as.example/").await;
    assert!(answered(&exchange), "{exchange:?}");
    assert_eq!(proxy.asked(), ["CONNECT as.example:443 HTTP/1.1"]);
}

#[tokio::test]
async fn the_proxys_own_name_may_mean_an_address_inside() {
    let (server, pem) = tls().await;
    let proxy = Proxy::to(server).await;
    // The provider's name is looked up first, then the proxy's.
    let lookup = Scripted::new(&[&[PUBLIC], &["127.0.0.1"]]);
    let transport = through(proxy.at("proxy.internal", "right"), lookup, pem);
    let exchange = get(&transport, "https://as.example/").await;
    assert!(answered(&exchange), "{exchange:?}");
}

#[tokio::test]
async fn the_proxy_is_not_asked_for_what_may_not_be_reached() {
    let (server, pem) = tls().await;
    let proxy = Proxy::to(server).await;
    for (url, address) in [
        ("https://as.example/", "10.0.0.1"),
        ("https://as.example/", "127.0.0.1"),
        ("https://as.example/", "169.254.169.254"),
        ("https://as.example/", "fd00:ec2::254"),
        ("https://10.0.0.1/", PUBLIC),
        ("https://[::ffff:169.254.169.254]/", PUBLIC),
        ("https://localhost/", PUBLIC),
    ] {
        let transport = through(proxy.at("127.0.0.1", "right"), Scripted::new(&[&[address]]), pem.clone());
        let exchange = get(&transport, url).await;
        assert!(
            not_sent(&exchange, NotSent::Refused(EgressRefusal::Address)),
            "{url} {address}: {exchange:?}"
        );
    }
    let mixed = Scripted::new(&[&[PUBLIC, "127.0.0.1"]]);
    let exchange =
        get(&through(proxy.at("127.0.0.1", "right"), mixed, pem.clone()), "https://as.example/").await;
    assert!(not_sent(&exchange, NotSent::Refused(EgressRefusal::Address)), "{exchange:?}");
    let unknown = through(proxy.at("127.0.0.1", "right"), Scripted::failing(), pem.clone());
    let exchange = get(&unknown, "https://as.example/").await;
    assert!(not_sent(&exchange, NotSent::Dns), "{exchange:?}");
    let exchange = get(&unknown, "http://login.listed.example/").await;
    assert!(not_sent(&exchange, NotSent::Refused(EgressRefusal::Scheme)), "{exchange:?}");
    assert!(proxy.asked().is_empty(), "{:?}", proxy.asked());
}

#[tokio::test]
async fn a_listed_host_is_handed_over_unresolved_and_still_has_to_show_its_certificate() {
    let (server, pem) = tls().await;
    let proxy = Proxy::to(server).await;
    // A lookup would have no answer left.
    let transport = through(proxy.at("127.0.0.1", "right"), Scripted::new(&[]), pem);
    let exchange = get(&transport, "https://login.listed.example/").await;
    // The server is as.example: that is what stops a proxy, or a name that changed, from leading a request elsewhere.
    assert!(not_sent(&exchange, NotSent::Tls), "{exchange:?}");
    assert_eq!(proxy.asked(), ["CONNECT login.listed.example:443 HTTP/1.1"]);
}

#[tokio::test]
async fn a_proxy_that_refuses_leaves_the_request_unsent() {
    let (server, pem) = tls().await;
    let proxy = Proxy::to(server).await;
    let transport = through(proxy.at("127.0.0.1", "wrong"), Scripted::new(&[&[PUBLIC]]), pem);
    let exchange = get(&transport, "https://as.example/").await;
    assert!(not_sent(&exchange, NotSent::Proxy), "{exchange:?}");
}

#[tokio::test]
async fn a_proxys_url_has_no_credentials_in_it() {
    let url = Url::parse("http://user:secret@proxy.example:3128").unwrap();
    let proxy = Some(ForwardProxy { url, credentials: None, unresolved: Vec::new() });
    assert!(Transport::new(Settings { proxy, ..settings() }).is_err());
}
