use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, Empty, StreamBody};
use hyper::body::Frame;
use tokio::{
    io::{AsyncReadExt as _, DuplexStream, duplex},
    task::JoinHandle,
};

use super::*;
use crate::listen::Door;

/// A connection that is served, and its other end. Its port is 64, so that its age has no addition.
fn served(protocol: Protocol, stop: &CancellationToken) -> (JoinHandle<()>, DuplexStream) {
    let (ours, theirs) = duplex(1 << 20);
    let stop = stop.clone();
    let serving = tokio::spawn(async move {
        let settings = Settings {
            protocol,
            door: Door::Loopback,
            connections_max: 1,
            handshakes_max: 1,
            streams_max: 8,
            counts: Arc::default(),
        };
        let arrival = Arrival::new("192.0.2.7:64".parse().unwrap(), None, stop.child_token());
        let ending = arrival.ending().clone();
        let service = service_fn(move |_| {
            let ended = ending.clone().cancelled_owned();
            // Says nothing, and ends when the streams are to end.
            let said = stream::once(ended).filter_map(async |()| None::<Result<Frame<Bytes>, Infallible>>);
            async move { Ok::<_, Infallible>(Response::new(StreamBody::new(said.boxed()))) }
        });
        serve(ours, &settings, arrival, None, service, &stop).await;
    });
    (serving, theirs)
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_never_used_is_ended() {
    for protocol in [Protocol::Grpc, Protocol::Pages] {
        let (serving, mut theirs) = served(protocol, &CancellationToken::new());
        let begun = Instant::now();
        let mut read = Vec::new();
        theirs.read_to_end(&mut read).await.unwrap();
        serving.await.unwrap();
        let lived = begun.elapsed();
        assert!(lived >= FIRST_REQUEST_WAIT && lived <= FIRST_REQUEST_WAIT + 2 * END_WAIT, "{lived:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_of_age_ends_its_streams_and_then_itself() {
    for (protocol, age_max) in [(Protocol::Grpc, GRPC_AGE_MAX), (Protocol::Pages, PAGES_AGE_MAX)] {
        let (serving, theirs) = served(protocol, &CancellationToken::new());
        let (mut client, driving) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(theirs)).await.unwrap();
        let driving = tokio::spawn(driving);
        let begun = Instant::now();
        let request = Request::get("http://localhost/").body(Empty::<Bytes>::new()).unwrap();
        let answer = client.send_request(request).await.unwrap();
        assert!(answer.into_body().collect().await.unwrap().to_bytes().is_empty());
        let lived = begun.elapsed();
        assert!(lived >= age_max + AGE_GRACE && lived < age_max + AGE_GRACE + END_WAIT, "{lived:?}");
        serving.await.unwrap();
        driving.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn pages_are_spoken_in_http_1_too_and_grpc_is_not() {
    for (protocol, understood) in [(Protocol::Pages, true), (Protocol::Grpc, false)] {
        let stop = CancellationToken::new();
        let (serving, theirs) = served(protocol, &stop);
        let (mut client, driving) =
            hyper::client::conn::http1::handshake(TokioIo::new(theirs)).await.unwrap();
        let driving = tokio::spawn(driving);
        let request = Request::get("/").header("host", "localhost").body(Empty::<Bytes>::new()).unwrap();
        let answer = client.send_request(request).await;
        assert_eq!(answer.is_ok(), understood, "{protocol:?}");
        drop((answer, client));
        stop.cancel();
        serving.await.unwrap();
        drop(driving.await.unwrap());
    }
}
