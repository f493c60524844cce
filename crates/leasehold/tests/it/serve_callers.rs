//! Callers with client certificates, at a real node: who they are taken for, and who is nobody.

use leasehold_client::{Client, Endpoint, Proof, v1::WhoAmIRequest};
use rustix::process::Signal;

use crate::{
    node::{Node, run},
    place::{Authority, Pair, Place},
};

const SPIFFE: &str = "spiffe://prod.example/ns/mcp/sa/gateway";

/// Stores a profile with a certificate; answers with whom the cluster took it for, or why it did not.
async fn login(place: &Place, node: &Node, name: &str, pair: &Pair) -> Result<String, (i32, String)> {
    place.write_pair(name, pair);
    let command =
        format!("--as {name} login --certificate-file {name}.pem --key-file {name}.key --output json");
    let ran = node.user(place, &command).await;
    if ran.exit != 0 {
        return Err((ran.exit, ran.stderr));
    }
    let said: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((said["kind"].as_str(), said["proof"].as_str()), (Some("workload"), Some("certificate")));
    Ok(said["name"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_workload_is_known_by_its_spiffe_id_or_dns_name_and_by_nothing_less() {
    let place = Place::with_tls();
    let node = Node::start(&place).await;
    node.found(&place).await;
    for (workload, name) in [("gateway", SPIFFE), ("reports", "reports.prod.example")] {
        node.done(&place, &format!("workload register {workload}")).await;
        node.done(&place, &format!("workload bind-certificate {workload} --name {name}")).await;
    }
    let callers = &place.callers;
    assert_eq!(login(&place, &node, "spiffe", &callers.issue(&[SPIFFE])).await.as_deref(), Ok("gateway"));
    let dns = callers.issue(&["reports.prod.example"]);
    assert_eq!(login(&place, &node, "dns", &dns).await.as_deref(), Ok("reports"));
    let refused = node.user(&place, "--as dns administrator list").await;
    assert_eq!(refused.exit, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("(WRONG_CALLER)"), "{}", refused.stderr);
    node.stopped().await;
}

#[tokio::test]
async fn certificates_that_stand_for_nobody_open_nothing() {
    let place = Place::with_tls();
    let node = Node::start(&place).await;
    node.found(&place).await;
    node.done(&place, "workload register gateway").await;
    node.done(&place, &format!("workload bind-certificate gateway --name {SPIFFE}")).await;
    let callers = &place.callers;
    let common_name = callers.issue_with(&[], |params| {
        params.distinguished_name.push(rcgen::DnType::CommonName, SPIFFE);
    });
    let two = callers.issue(&[SPIFFE, "spiffe://prod.example/another"]);
    for (name, pair) in [("nameless", common_name), ("two", two), ("unbound", callers.issue(&["x.example"]))]
    {
        let (exit, why) = login(&place, &node, name, &pair).await.unwrap_err();
        assert!(exit == 1 && why.contains("(UNAUTHENTICATED)"), "{name}: {why}");
    }
    let stranger = Authority::new("callers").issue(&[SPIFFE]);
    let expired = callers.issue_with(&[SPIFFE], |params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    });
    for (name, pair) in [("stranger", stranger), ("expired", expired)] {
        let (exit, why) = login(&place, &node, name, &pair).await.unwrap_err();
        // The handshake ends it: no call is answered.
        assert!(exit != 0 && !why.contains("UNAUTHENTICATED"), "{name}: {exit} {why}");
    }
    assert!(!std::fs::read_to_string(place.path("profiles.toml")).unwrap().contains("certificate_file"));

    // A node that the user's authorities do not vouch for is not believed, and the reason is said.
    let address = format!("https://localhost:{}", node.grpc.port());
    let environment = [("LEASEHOLD_ADDRESS", address.as_str()), ("LEASEHOLD_CA_FILE", "clients-ca.pem")];
    let unbelieved = run(&place, "status", &environment).await;
    assert_eq!(unbelieved.exit, 3, "{}", unbelieved.stderr);
    assert!(
        unbelieved.stderr.contains("(TLS)\n  next: check the profile's ca_file"),
        "{}",
        unbelieved.stderr
    );

    // Without TLS there is no certificate to show.
    let clear = format!("--address http://localhost:{} --as clear login", node.grpc.port());
    place.write_pair("clear", &callers.issue(&[SPIFFE]));
    let refused =
        node.user(&place, &format!("{clear} --certificate-file clear.pem --key-file clear.key")).await;
    assert_eq!(refused.exit, 2, "{}", refused.stderr);
    let afar = node
        .user(&place, "--address http://leasehold.example:7400 --credential-file ca.pem --as x login")
        .await;
    assert_eq!(afar.exit, 2, "{}", afar.stderr);
    let both = node
        .user(
            &place,
            "--credential-file ca.pem --as x login --certificate-file clear.pem --key-file clear.key",
        )
        .await;
    assert_eq!(both.exit, 2, "{}", both.stderr);
    node.stopped().await;
}

#[tokio::test]
async fn an_authority_that_is_taken_out_takes_the_open_connections_of_its_clients_with_it() {
    let place = Place::with_tls();
    let node = Node::start(&place).await;
    node.found(&place).await;
    node.done(&place, "workload register gateway").await;
    node.done(&place, &format!("workload bind-certificate gateway --name {SPIFFE}")).await;
    let connect = async |pair: Pair| {
        Client::connect(Endpoint {
            address: format!("https://localhost:{}", node.grpc.port()),
            ca_pem: Some(place.authority.pem.clone().into_bytes()),
            proof: Proof::Certificate {
                chain_pem: pair.certificate.into_bytes(),
                key_pem: pair.key.into_bytes().into(),
            },
        })
        .await
    };
    let open = connect(place.callers.issue(&[SPIFFE])).await.unwrap();
    let asked = open.cluster().who_am_i(WhoAmIRequest {}).await.unwrap().into_inner();
    assert_eq!(asked.name, "gateway");

    let after = Authority::new("callers after");
    place.write("clients-ca.pem", &after.pem);
    node.signal(Signal::HUP);
    node.logged("nobody vouches for its certificate any more", 1).await;
    assert!(open.cluster().who_am_i(WhoAmIRequest {}).await.is_err());
    assert_eq!(node.metric("leasehold_grpc_connections_withdrawn_total").await, 1);
    let renewed = connect(after.issue(&[SPIFFE])).await.unwrap();
    let asked = renewed.cluster().who_am_i(WhoAmIRequest {}).await.unwrap().into_inner();
    assert_eq!(asked.name, "gateway");
    // Administrators' connections show no certificate: nothing ends for them.
    node.done(&place, "workload list").await;
    node.stopped().await;
}
