//! Nothing that is not public is dialled, however it is written and whatever it resolves to.

use http::Method;
use leasehold_upstream::transport::{
    Egress, EgressRefusal, Exchange, ForwardProxy, NotSent, Request, Settings, Transport, Trust,
};
use tokio::net::TcpListener;
use url::Url;

use crate::server::{Scripted, settings, tls};

async fn get(transport: &Transport, url: &str) -> Exchange {
    transport.send(Request::new(Method::GET, Url::parse(url).unwrap(), 1024)).await
}

fn refused(exchange: &Exchange) -> bool {
    matches!(exchange, Exchange::NotSent(NotSent::Refused(EgressRefusal::Address)))
}

fn strict(lookup: std::sync::Arc<Scripted>) -> Transport {
    Transport::new(Settings { egress: Egress::default(), lookup, ..settings() }).unwrap()
}

#[tokio::test]
async fn no_literal_reaches_this_machine_or_its_network() {
    // Something listens, so that a dial would be seen.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let transport = strict(Scripted::new(&[]));
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b::8.8.8.8]",
        "[fd00::1]",
        "[fe80::1]",
        "localhost",
        "localhost.",
        "as.localhost",
    ] {
        let exchange = get(&transport, &format!("https://{host}:{port}/")).await;
        assert!(refused(&exchange), "{host}: {exchange:?}");
    }
}

#[tokio::test]
async fn no_name_reaches_what_its_address_may_not() {
    for address in [
        "127.0.0.1",
        "10.0.0.1",
        "172.31.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "fd00:ec2::254",
        "fe80::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
    ] {
        let exchange = get(&strict(Scripted::new(&[&[address]])), "https://as.example/").await;
        assert!(refused(&exchange), "{address}: {exchange:?}");
    }
}

#[tokio::test]
async fn one_forbidden_address_among_public_ones_is_enough() {
    let transport = strict(Scripted::new(&[&["203.0.114.1", "127.0.0.1"]]));
    assert!(refused(&get(&transport, "https://as.example/").await));
}

#[tokio::test]
async fn even_in_development_only_localhost_may_mean_loopback() {
    let lookup = Scripted::new(&[&["127.0.0.1"], &["203.0.114.1"]]);
    let transport = Transport::new(Settings { lookup, ..settings() }).unwrap();
    assert!(refused(&get(&transport, "https://rebound.example/").await));
    assert!(refused(&get(&transport, "http://localhost/").await));
    assert!(refused(&get(&transport, "https://10.0.0.1/").await));
}

#[tokio::test]
async fn plain_http_leaves_this_machine_never() {
    let transport = Transport::new(Settings { lookup: Scripted::new(&[]), ..settings() }).unwrap();
    for url in ["http://as.example/", "http://203.0.114.1/"] {
        let exchange = get(&transport, url).await;
        assert!(
            matches!(exchange, Exchange::NotSent(NotSent::Refused(EgressRefusal::Scheme))),
            "{exchange:?}"
        );
    }
}

#[tokio::test]
async fn the_address_that_was_judged_is_the_one_that_is_dialled() {
    let (address, pem) = tls().await;
    let url = format!("https://as.example:{}/", address.port());
    // One lookup a request: a second one within the first request would consume the second answer.
    let lookup = Scripted::new(&[&["127.0.0.1"], &["10.0.0.1"]]);
    let egress = Egress { allowed: vec!["127.0.0.1/32".parse().unwrap()], ..Egress::default() };
    let transport =
        Transport::new(Settings { egress, lookup, trust: Trust::Only(pem), ..settings() }).unwrap();
    assert!(matches!(get(&transport, &url).await, Exchange::Answered(answer) if answer.status == 200));
    assert!(refused(&get(&transport, &url).await));
}

#[tokio::test]
async fn no_request_may_name_the_proxy() {
    let url = Url::parse("http://proxy.internal:3128").unwrap();
    let proxy = Some(ForwardProxy { url, credentials: None, unresolved: Vec::new() });
    let transport = Transport::new(Settings { proxy, lookup: Scripted::new(&[]), ..settings() }).unwrap();
    assert!(refused(&get(&transport, "https://proxy.internal/").await));
    assert!(refused(&get(&transport, "https://10.0.0.1/").await));
}
