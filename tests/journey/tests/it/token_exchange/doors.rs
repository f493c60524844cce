//! Who is let in, and within which bounds.

use std::{net::SocketAddr, time::Duration};

use leasehold_authserver::{AuthServer, Settings};
use leasehold_journey::World;
use leasehold_proto::v1::{
    AddWorkloadCredentialRequest, RegisterWorkloadRequest, SetPolicyRequest, SetWorkloadEnabledRequest,
    policy_service_client::PolicyServiceClient, workload_service_client::WorkloadServiceClient,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::{
    client::{By, GATEWAY, RESOURCE, exchange, exchange_by, http, parameters, request, send, subject_token},
    consented, ledger_size,
};

/// Another gateway, which the policies permit as much as the first. Answers with its credential.
pub(super) async fn another_workload(world: &World) -> String {
    let mut workloads = WorkloadServiceClient::new(world.admin());
    let register =
        RegisterWorkloadRequest { name: "other-gateway".to_owned(), ..RegisterWorkloadRequest::default() };
    workloads.register(register).await.unwrap();
    let add = AddWorkloadCredentialRequest { workload: "other-gateway".to_owned(), ttl_seconds: 0 };
    let credential = workloads.add_credential(add).await.unwrap().into_inner().secret;
    let text = r#"@id("gateways-lease") permit (
        principal is Leasehold::Workload, action == Leasehold::Action::"lease", resource
    );"#;
    let request = SetPolicyRequest { text: text.to_owned(), ..SetPolicyRequest::default() };
    PolicyServiceClient::new(world.admin()).set(request).await.unwrap();
    credential
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_subject_token_is_of_no_use_to_another_workload() {
    let world = consented().await;
    let other = another_workload(&world).await;
    let token = subject_token(&world, "alice", GATEWAY).await;
    for by in [By::Bearer(&other), By::Basic("other-gateway", &other)] {
        let refused = exchange_by(&world, by, &token).await;
        assert_eq!(refused.refusal(), (400, "invalid_request", "SUBJECT_TOKEN_INVALID"));
    }
    // What is addressed to it, it may exchange: the refusal above is for the token's sake and no other.
    let own = subject_token(&world, "alice", "other-gateway").await;
    assert_eq!(exchange_by(&world, By::Bearer(&other), &own).await.status, 200);
    assert_eq!(exchange(&world, &token, &[]).await.status, 200);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_known_is_told_how_to_authenticate_and_nothing_else() {
    let world = consented().await;
    let other = another_workload(&world).await;
    let token = subject_token(&world, "alice", RESOURCE).await;
    let before = ledger_size(&world).await;
    let (all_but_one, last) = world.gateway_credential.split_at(world.gateway_credential.len() - 1);
    let wrong = format!("{all_but_one}{}", if last == "A" { "E" } else { "A" });
    let mut texts = Vec::new();
    for by in [
        By::Nothing,
        By::Bearer("lh_wk_nonsense"),
        By::Bearer(&token),
        By::Bearer(&wrong),
        By::Basic(GATEWAY, ""),
        By::Basic(GATEWAY, &wrong),
        By::Basic("", &world.gateway_credential),
        By::Basic("nobody", &world.gateway_credential),
        By::Basic("other-gateway", &world.gateway_credential),
        By::Basic(GATEWAY, &other),
        By::Basic("admin", &world.admin_credential),
    ] {
        let refused = exchange_by(&world, by, &token).await;
        assert_eq!(refused.refusal(), (401, "invalid_client", "UNAUTHENTICATED"));
        let challenges = refused.headers.get_all("www-authenticate").iter();
        let challenges: Vec<_> = challenges.map(|line| line.to_str().unwrap()).collect();
        assert!(challenges.iter().any(|line| line.starts_with("Basic ")), "{challenges:?}");
        assert!(challenges.iter().any(|line| line.starts_with("Bearer ")), "{challenges:?}");
        texts.push(refused.text("error_description").to_owned());
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert_eq!(ledger_size(&world).await, before);
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_says_who_it_is_in_one_way_alone() {
    let world = consented().await;
    let token = subject_token(&world, "alice", GATEWAY).await;
    let credential = world.gateway_credential.clone();
    for (name, value) in [
        ("client_secret", credential.as_str()),
        ("client_assertion", token.as_str()),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_id", "other-gateway"),
    ] {
        let refused = exchange(&world, &token, &[(name, value)]).await;
        assert_eq!(refused.refusal(), (401, "invalid_client", "UNAUTHENTICATED"), "{name}");
    }
    let in_body = parameters(&token, &[("client_id", GATEWAY), ("client_secret", &credential)]);
    let refused = send(&world, request(&world, "/oauth2/token", By::Nothing, &in_body)).await;
    assert_eq!(refused.refusal().1, "invalid_client");
    let by = By::Basic(GATEWAY, &credential);
    let twice = request(&world, "/oauth2/token", by, &parameters(&token, &[])).bearer_auth(&credential);
    assert_eq!(send(&world, twice).await.refusal().1, "invalid_client");
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_leases_nothing_and_a_disabled_workload_is_nobody() {
    let world = consented().await;
    let token = subject_token(&world, "alice", RESOURCE).await;
    let refused = exchange_by(&world, By::Bearer(&world.admin_credential), &token).await;
    assert_eq!(refused.refusal(), (400, "unauthorized_client", "WRONG_CALLER"));
    let disable = SetWorkloadEnabledRequest { workload: GATEWAY.to_owned(), ..Default::default() };
    WorkloadServiceClient::new(world.admin()).set_enabled(disable).await.unwrap();
    assert_eq!(exchange(&world, &token, &[]).await.refusal().1, "invalid_client");
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_forms_of_programs_in_bodies_of_16_kib_are_taken() {
    let world = consented().await;
    let token = subject_token(&world, "alice", GATEWAY).await;
    let by = By::Basic(GATEWAY, &world.gateway_credential);
    let good = || request(&world, "/oauth2/token", by, &parameters(&token, &[]));
    let page = good().header("origin", "https://evil.example");
    assert_eq!(send(&world, page).await.refusal(), (403, "invalid_request", "CROSS_SITE"));
    let json = http()
        .post(format!("http://{}/oauth2/token", world.dev.node.exchange))
        .basic_auth(GATEWAY, Some(&world.gateway_credential))
        .json(&serde_json::json!({ "subject_token": token }));
    assert_eq!(send(&world, json).await.refusal(), (415, "invalid_request", "MALFORMED"));
    let in_address = request(&world, &format!("/oauth2/token?subject_token={token}"), by, &[]);
    assert_eq!(send(&world, in_address).await.refusal(), (400, "invalid_request", "MALFORMED"));
    let large = "x".repeat(17_000);
    let large = request(&world, "/oauth2/token", by, &parameters(&token, &[("padding", &large)]));
    assert_eq!(send(&world, large).await.refusal(), (413, "invalid_request", "TOO_LARGE"));
    let get = http().get(format!("http://{}/oauth2/token", world.dev.node.exchange));
    let get = send(&world, get).await;
    assert_eq!((get.refusal().0, get.headers["allow"].to_str().unwrap()), (405, "POST"));
    for path in ["/", "/oauth2/authorize", "/.well-known/oauth-authorization-server"] {
        assert_eq!(send(&world, request(&world, path, by, &[])).await.refusal().0, 404, "{path}");
    }
    assert_eq!(send(&world, good()).await.status, 200);
    // And the pages have no such address.
    let console =
        http().post(format!("http://{}/oauth2/token", world.dev.node.console)).send().await.unwrap();
    assert!(console.status().is_client_error(), "{}", console.status());
    world.stop().await.unwrap();
}

/// The same edge over the same node, with other bounds. Answers with where it listens.
async fn serve(world: &World, settings: Settings) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = AuthServer::new(world.dev.node.control.clone(), &settings).router();
    let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    address
}

/// Sends a head that promises a body, and nothing of the body; what comes back.
async fn head_alone(address: SocketAddr, credential: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /oauth2/token HTTP/1.1\r\nhost: {address}\r\ncontent-length: 100\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\nauthorization: Bearer {credential}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_its_way_is_bounded_in_number_and_in_time() {
    let world = consented().await;
    let none = serve(&world, Settings { in_flight_max: 0, ..Settings::default() }).await;
    let full = head_alone(none, &world.gateway_credential).await;
    assert!(full.starts_with("HTTP/1.1 503 "), "{full}");
    assert!(full.contains("temporarily_unavailable") && full.contains("retry-after: 1"), "{full}");
    let hasty = Settings { answer_within: Duration::from_millis(50), ..Settings::default() };
    let hasty = serve(&world, hasty).await;
    let late = head_alone(hasty, &world.gateway_credential).await;
    assert!(late.starts_with("HTTP/1.1 503 ") && late.contains("DEADLINE_EXCEEDED"), "{late}");
    // A stranger's body is not waited for at all.
    let patient = serve(&world, Settings::default()).await;
    let stranger = head_alone(patient, "lh_wk_nonsense").await;
    assert!(stranger.starts_with("HTTP/1.1 401 ") && stranger.contains("invalid_client"), "{stranger}");
    world.stop().await.unwrap();
}
