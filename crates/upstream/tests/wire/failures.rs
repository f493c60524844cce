//! Every way in which an exchange can go wrong, and on which side of the line it falls.

use std::net::SocketAddr;

use axum::response::Response;
use http::Method;
use leasehold_upstream::transport::{
    Answer, Completeness, Egress, Exchange, NotSent, Request, Settings, Transport, TransportError, Trust,
    Unanswered,
};
use tokio::net::TcpListener;
use url::Url;

use crate::server::{Scripted, Server, Then, raw, response, settings, tls, transport};

const LIMIT: usize = 1024;

async fn get(transport: &Transport, url: Url) -> Exchange {
    transport.send(Request::new(Method::GET, url, LIMIT)).await
}

async fn get_raw(bytes: &'static [u8], then: Then) -> Exchange {
    let address = raw(bytes, then).await;
    get(&transport(), at(address)).await
}

fn at(address: SocketAddr) -> Url {
    Url::parse(&format!("http://{address}/token")).unwrap()
}

fn answered(exchange: Exchange) -> Answer {
    match exchange {
        Exchange::Answered(answer) => answer,
        other @ (Exchange::NotSent(_) | Exchange::Ambiguous(_)) => panic!("not answered: {other:?}"),
    }
}

fn not_sent(exchange: Exchange) -> NotSent {
    match exchange {
        Exchange::NotSent(reason) => reason,
        other @ (Exchange::Answered(_) | Exchange::Ambiguous(_)) => panic!("perhaps sent: {other:?}"),
    }
}

fn unanswered(exchange: Exchange) -> Unanswered {
    match exchange {
        Exchange::Ambiguous(reason) => reason,
        other @ (Exchange::Answered(_) | Exchange::NotSent(_)) => panic!("not ambiguous: {other:?}"),
    }
}

#[tokio::test]
async fn an_answer_comes_back_as_it_was_sent() {
    let server = Server::new(|_| {
        let mut answer = response(418, "text/html; charset=utf-8", "<html>");
        answer.headers_mut().insert("retry-after", "7".parse().unwrap());
        answer
    })
    .await;
    let answer = answered(get(&transport(), server.url("/token")).await);
    assert_eq!((answer.status, answer.body.as_slice()), (418, b"<html>".as_slice()));
    assert_eq!(answer.content_type.as_deref(), Some("text/html; charset=utf-8"));
    assert_eq!(answer.retry_after.as_deref(), Some("7"));
    assert_eq!(answer.completeness, Completeness::Whole);
}

#[tokio::test]
async fn headers_that_are_doubled_or_long_count_as_absent() {
    let server = Server::new(|_| {
        let mut answer = response(200, &"x".repeat(300), "");
        answer.headers_mut().append("retry-after", "1".parse().unwrap());
        answer.headers_mut().append("retry-after", "2".parse().unwrap());
        answer
    })
    .await;
    let answer = answered(get(&transport(), server.url("/")).await);
    assert_eq!((answer.content_type, answer.retry_after), (None, None));
}

#[tokio::test]
async fn nothing_listens_means_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    assert_eq!(not_sent(get(&transport(), at(address)).await), NotSent::Connect);
}

#[tokio::test]
async fn a_name_that_is_not_found_means_not_sent() {
    let transport = Transport::new(Settings { lookup: Scripted::failing(), ..settings() }).unwrap();
    let exchange = get(&transport, Url::parse("https://as.example/token").unwrap()).await;
    assert_eq!(not_sent(exchange), NotSent::Dns);
}

#[tokio::test]
async fn a_handshake_that_hangs_means_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("https://{}/", listener.local_addr().unwrap())).unwrap();
    assert_eq!(not_sent(get(&transport(), url).await), NotSent::ConnectTimeout);
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_means_not_sent() {
    let (address, pem) = tls().await;
    let url = Url::parse(&format!("https://as.example:{}/", address.port())).unwrap();
    let trusting = |trust| {
        let egress = Egress { allowed: vec!["127.0.0.0/8".parse().unwrap()], ..Egress::default() };
        let lookup = Scripted::new(&[&["127.0.0.1"]]);
        Transport::new(Settings { egress, trust, lookup, ..settings() }).unwrap()
    };
    assert_eq!(not_sent(get(&trusting(settings().trust), url.clone()).await), NotSent::Tls);
    for trust in [Trust::Only(pem.clone()), Trust::PlatformAnd(pem.clone())] {
        let answer = answered(get(&trusting(trust), url.clone()).await);
        assert_eq!(answer.body.as_slice(), b"{}");
    }
    let another = Url::parse(&format!("https://other.example:{}/", address.port())).unwrap();
    assert_eq!(not_sent(get(&trusting(Trust::Only(pem)), another).await), NotSent::Tls);
}

#[tokio::test]
async fn silence_after_the_request_is_ambiguous() {
    assert_eq!(unanswered(get_raw(b"", Then::Hang).await), Unanswered::Timeout);
}

#[tokio::test]
async fn a_connection_closed_after_the_request_is_ambiguous() {
    assert_eq!(unanswered(get_raw(b"", Then::Close).await), Unanswered::Lost);
}

#[tokio::test]
async fn half_a_head_is_ambiguous() {
    assert_eq!(unanswered(get_raw(b"HTTP/1.1 200 OK\r\ncontent-le", Then::Close).await), Unanswered::Lost);
    assert_eq!(unanswered(get_raw(b"HTTP/1.1 200 OK\r\ncontent-le", Then::Hang).await), Unanswered::Timeout);
}

#[tokio::test]
async fn what_is_no_http_is_ambiguous() {
    assert_eq!(unanswered(get_raw(b"220 mail.example ESMTP\r\n\r\n", Then::Close).await), Unanswered::Lost);
}

#[tokio::test]
async fn of_a_body_that_breaks_off_the_part_that_came_is_kept() {
    for then in [Then::Close, Then::Hang] {
        let answer = answered(get_raw(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{\"access", then).await);
        assert_eq!((answer.status, answer.body.as_slice()), (200, b"{\"access".as_slice()));
        assert_eq!(answer.completeness, Completeness::BrokenOff);
    }
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n";
    let answer = answered(get_raw(chunked, Then::Close).await);
    assert_eq!((answer.body.as_slice(), answer.completeness), (b"{}".as_slice(), Completeness::BrokenOff));
}

#[tokio::test]
async fn a_body_is_read_to_the_limit_and_no_further() {
    for (len, completeness) in [
        (LIMIT - 1, Completeness::Whole),
        (LIMIT, Completeness::Whole),
        (LIMIT + 1, Completeness::CutAtLimit),
    ] {
        let server = Server::new(move |_| response(200, "application/json", "x".repeat(len))).await;
        let answer = answered(get(&transport(), server.url("/")).await);
        assert_eq!((answer.body.len(), answer.completeness), (len.min(LIMIT), completeness));
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let inside = Server::new(|_| response(200, "application/json", "{}")).await;
    let target = inside.url("/metadata").to_string();
    for status in [301, 302, 303, 307, 308] {
        let location = target.clone();
        let outside = Server::new(move |_| {
            Response::builder().status(status).header("location", &location).body("".into()).unwrap()
        })
        .await;
        assert_eq!(answered(get(&transport(), outside.url("/token")).await).status, status);
        assert_eq!(outside.seen().len(), 1);
    }
    assert!(inside.seen().is_empty());
}

#[tokio::test]
async fn a_server_error_is_not_tried_again() {
    for status in [408, 425, 429, 500, 503] {
        let server = Server::new(move |_| response(status, "text/plain", "")).await;
        assert_eq!(answered(get(&transport(), server.url("/token")).await).status, status);
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_cookie_is_not_kept() {
    let server = Server::new(|_| {
        Response::builder().header("set-cookie", "session=1; Path=/").body("".into()).unwrap()
    })
    .await;
    let transport = transport();
    answered(get(&transport, server.url("/")).await);
    answered(get(&transport, server.url("/")).await);
    assert!(server.seen().iter().all(|seen| !seen.headers.contains_key("cookie")));
}

#[tokio::test]
async fn a_compressed_body_is_not_asked_for_and_not_opened() {
    let server = Server::new(|_| {
        Response::builder().header("content-encoding", "gzip").body("not gzip".into()).unwrap()
    })
    .await;
    let answer = answered(get(&transport(), server.url("/")).await);
    assert_eq!(answer.body.as_slice(), b"not gzip");
    assert!(!server.seen()[0].headers.contains_key("accept-encoding"));
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    let timeouts = Settings { connect_timeout: settings().total_timeout, ..settings() };
    assert!(matches!(Transport::new(timeouts), Err(TransportError::Timeouts)));
    for pem in [b"".as_slice(), b"not pem"] {
        let trust = Settings { trust: Trust::Only(pem.to_vec()), ..settings() };
        assert!(matches!(Transport::new(trust), Err(TransportError::Certificates)));
    }
}
