use std::sync::Arc;

use leasehold_proto::v1::{TailRequest, audit_service_client::AuditServiceClient};
use tokio::io::{AsyncReadExt as _, DuplexStream, duplex};
use tonic::{Code, Request, transport::Endpoint};

use super::*;
use crate::testing::{Known, edge, workload};

/// A connection that is served, its other end, and whom it knows. Its port is 64, so that its age has no addition.
async fn served(stop: &CancellationToken) -> (tokio::task::JoinHandle<()>, DuplexStream, Arc<Known>) {
    let known = Arc::new(Known::default());
    let (edge, _) = edge(known.clone()).await;
    let (ours, theirs) = duplex(1 << 20);
    let stop = stop.clone();
    let serving = tokio::spawn(async move {
        let peer = Peer::new("192.0.2.7:64".parse().unwrap(), None, stop.child_token());
        serve(ours, peer, edge, &stop).await;
    });
    (serving, theirs, known)
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_never_used_is_ended() {
    let (serving, mut theirs, _) = served(&CancellationToken::new()).await;
    let begun = Instant::now();
    let mut read = Vec::new();
    theirs.read_to_end(&mut read).await.unwrap();
    serving.await.unwrap();
    assert!(begun.elapsed() >= FIRST_CALL_WAIT && begun.elapsed() <= FIRST_CALL_WAIT + 2 * END_WAIT);
}

#[tokio::test(start_paused = true)]
async fn a_connection_of_age_ends_its_streams_and_then_itself() {
    let (serving, theirs, known) = served(&CancellationToken::new()).await;
    let mut theirs = Some(TokioIo::new(theirs));
    let connector = tower::service_fn(move |_| {
        let socket = theirs.take().ok_or_else(|| std::io::Error::other("one connection"));
        async move { socket }
    });
    let endpoint = Endpoint::from_static("http://localhost");
    let mut client = AuditServiceClient::new(endpoint.connect_with_connector(connector).await.unwrap());
    let mut request = Request::new(TailRequest { from: 7 });
    let credential = format!("Bearer {}", *known.credential(workload(1)));
    request.metadata_mut().insert("authorization", credential.parse().unwrap());

    let begun = Instant::now();
    let mut lines = client.tail(request).await.unwrap().into_inner();
    assert_eq!(lines.message().await.unwrap().unwrap().seq, 7);
    let ended = lines.message().await.unwrap_err();
    assert_eq!(ended.code(), Code::Unavailable);
    assert!(ended.message().contains("open the stream again"), "{}", ended.message());
    let lived = begun.elapsed();
    assert!(lived >= AGE_MAX + AGE_GRACE && lived < AGE_MAX + AGE_GRACE + END_WAIT, "{lived:?}");
    serving.await.unwrap();
}
