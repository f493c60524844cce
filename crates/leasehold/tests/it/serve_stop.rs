//! How a real node ends: in order at the first signal, at once at the second, and not at all at SIGHUP.

use leasehold_client::{Client, Endpoint, Proof, v1::TailRequest};
use rustix::process::Signal;
use tokio::net::TcpStream;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{
    node::{Node, run},
    place::Place,
};

/// A node in clear on loopback, and an administrator's connection to it.
async fn started(lines: &str) -> (Place, Node, Client) {
    let place = Place::bare(lines);
    let node = Node::start(&place).await;
    let address = format!("http://{}", node.grpc);
    let environment = [("LEASEHOLD_ADDRESS", address.as_str())];
    let ran = run(&place, "login --bootstrap-file data/bootstrap --name ada", &environment).await;
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    let credential = crate::node::credential(&place, "admin");
    let proof = Proof::Credential(credential.into());
    let client = Client::connect(Endpoint { address, ca_pem: None, proof }).await.unwrap();
    (place, node, client)
}

#[tokio::test]
async fn a_node_that_is_told_to_end_says_so_ends_its_streams_and_exits_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let (_place, node, client) = started("").await;
        let address = format!("http://{}", node.grpc);
        let channel = tonic::transport::Endpoint::from_shared(address).unwrap().connect().await.unwrap();
        let mut health = HealthClient::new(channel);
        let ask = HealthCheckRequest { service: "leasehold.v1.LeaseService".to_owned() };
        let mut watched = health.watch(ask).await.unwrap().into_inner();
        assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
        let mut lines = client.audit().tail(TailRequest { from: 0 }).await.unwrap().into_inner();
        assert!(lines.message().await.unwrap().is_some());
        assert!(node.operations("/readyz").await.starts_with("HTTP/1.1 200 "));

        node.signal(signal);
        assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
        // Then the stream ends with a status that says to open it elsewhere.
        let ended = loop {
            match lines.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the stream ended as if it were complete"),
                Err(status) => break status,
            }
        };
        assert_eq!(ended.code(), tonic::Code::Unavailable, "{ended:?}");
        let (grpc, stopped) = (node.grpc, node.ended().await);
        assert_eq!(stopped.code(), Some(0), "{stopped:?}");
        assert!(TcpStream::connect(grpc).await.is_err());
    }
}

#[tokio::test]
async fn a_second_signal_ends_a_node_at_once() {
    let (_place, node, client) = started("").await;
    // What is open holds the first one up, besides the delay.
    let _lines = client.audit().tail(TailRequest { from: 0 }).await.unwrap().into_inner();
    node.signal(Signal::TERM);
    node.logged("stopping", 1).await;
    assert!(node.operations("/readyz").await.starts_with("HTTP/1.1 503 "));
    node.signal(Signal::INT);
    assert_eq!(node.ended().await.code(), Some(130));
}

#[tokio::test]
async fn a_hangup_without_certificates_ends_nothing() {
    let (_place, node, client) = started("").await;
    node.signal(Signal::HUP);
    node.logged("there are no certificates to read again", 1).await;
    assert!(client.audit().tail(TailRequest { from: 0 }).await.is_ok());
    node.stopped().await;
}
