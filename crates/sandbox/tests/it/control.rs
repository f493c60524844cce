//! The control port, and what starts and stops.

use leasehold_sandbox::{Options, Person, Sandbox, StartError};
use serde_json::{Value, json};

use crate::support::{CLIENT, Reply, Rig, read};

async fn get(rig: &Rig, path: &str) -> Value {
    let request = rig.http.get(format!("{}{path}", rig.sandbox.control_url()));
    read(request.bearer_auth(rig.sandbox.control_secret())).await.unwrap().json()
}

async fn send(rig: &Rig, method: reqwest::Method, path: &str, body: Value) -> Reply {
    let request = rig.http.request(method, format!("{}{path}", rig.sandbox.control_url()));
    let request = request.bearer_auth(rig.sandbox.control_secret());
    read(request.header("content-type", "application/json").body(body.to_string())).await.unwrap()
}

#[tokio::test]
async fn the_control_port_answers_to_its_secret_only() {
    let rig = Rig::start().await;
    let url = format!("{}/control/status", rig.sandbox.control_url());
    assert_eq!(read(rig.http.get(&url)).await.unwrap().status, 401);
    assert_eq!(read(rig.http.get(&url).bearer_auth("a guess")).await.unwrap().status, 401);
    let status = get(&rig, "/control/status").await;
    assert_eq!(status["provider"], rig.sandbox.provider_issuer());
}

#[tokio::test]
async fn the_issuers_do_not_serve_the_control_paths() {
    let rig = Rig::start().await;
    for url in [rig.idp("/control/status"), rig.provider("/control/secrets")] {
        let request = rig.http.get(url).bearer_auth(rig.sandbox.control_secret());
        assert_eq!(read(request).await.unwrap().status, 404);
    }
}

#[tokio::test]
async fn a_listener_refuses_a_host_that_is_not_its_own() {
    let rig = Rig::start().await;
    let url = rig.provider("/.well-known/oauth-authorization-server");
    let rebound = read(rig.http.get(&url).header("host", "attacker.test")).await.unwrap();
    assert_eq!(rebound.status, 421);
}

#[tokio::test]
async fn faults_are_queued_listed_and_cleared_over_http() {
    let rig = Rig::start().await;
    let (_, token) = rig.tokens().await;
    let rule =
        json!({ "fault": { "kind": "throttled", "retry_after_seconds": 3 }, "grant_type": "refresh_token" });
    assert_eq!(send(&rig, reqwest::Method::POST, "/control/faults", rule.clone()).await.status, 201);
    assert_eq!(rig.refresh(&token).await.status, 429);
    send(&rig, reqwest::Method::POST, "/control/faults", rule).await;
    assert_eq!(get(&rig, "/control/faults").await["faults"].as_array().unwrap().len(), 1);
    send(&rig, reqwest::Method::DELETE, "/control/faults", Value::Null).await;
    assert_eq!(rig.refresh(&token).await.status, 200);
    let unknown = json!({ "fault": { "kind": "no such fault" } });
    assert_eq!(send(&rig, reqwest::Method::POST, "/control/faults", unknown).await.status, 422);
}

#[tokio::test]
async fn the_clock_and_a_clients_behaviour_are_steered_over_http() {
    let rig = Rig::start().await;
    let path = format!("/control/behaviour/{CLIENT}");
    let behaviour = json!({ "rotation": { "grace": 30 }, "access_lifetime_seconds": 60 });
    assert_eq!(send(&rig, reqwest::Method::PUT, &path, behaviour).await.status, 204);
    assert_eq!(get(&rig, &path).await["rotation"]["grace"], 30);
    let (access, _) = rig.tokens().await;
    send(&rig, reqwest::Method::POST, "/control/advance", json!({ "seconds": 60 })).await;
    let active = send(&rig, reqwest::Method::POST, "/control/active", json!({ "token": access })).await;
    assert_eq!(active.json()["active"], false);
}

#[tokio::test]
async fn the_record_is_read_in_pages() {
    let rig = Rig::start().await;
    let (_, first) = rig.tokens().await;
    rig.refresh(&first).await;
    rig.refresh(&first).await;
    let issued = get(&rig, "/control/issued?limit=2").await;
    assert_eq!((issued["lines"].as_array().unwrap().len(), &issued["more"]), (2, &json!(true)));
    let rest = get(&rig, "/control/issued?from=2").await;
    assert_eq!((rest["lines"].as_array().unwrap().len(), &rest["more"]), (3, &json!(false)));
    let fingerprint = leasehold_sandbox::fingerprint(&first);
    let shown = get(&rig, &format!("/control/presentations?fingerprint={fingerprint}")).await;
    assert_eq!(shown["lines"][1]["outcome"], "reuse");
    let summary = get(&rig, &format!("/control/summary?client={CLIENT}")).await;
    assert_eq!((&summary["refresh_requests"], &summary["reuse_detected"]), (&json!(2), &json!(1)));
    let secrets = get(&rig, "/control/secrets").await;
    assert!(secrets["secrets"].as_array().unwrap().contains(&json!(first)));
}

#[tokio::test]
async fn clients_and_people_are_added_over_http() {
    let rig = Rig::start().await;
    let client = json!({ "id": "late", "secrets": ["the secret of the late one"], "redirect_uris": ["http://127.0.0.1:9/late"] });
    assert_eq!(send(&rig, reqwest::Method::POST, "/control/clients/provider", client).await.status, 204);
    let person = json!({ "username": "carol", "password": "pw", "email": "c@saas.test", "name": "Carol", "subject": "u_carol" });
    let added = send(&rig, reqwest::Method::POST, "/control/people/provider", person.clone()).await;
    assert_eq!((added.status, added.field("subject").as_str()), (201, "u_carol"));
    assert_eq!(send(&rig, reqwest::Method::POST, "/control/people/provider", person).await.status, 400);
}

#[tokio::test]
async fn only_loopback_is_served() {
    let options = Options { address: "0.0.0.0".parse().unwrap(), ..Options::default() };
    assert!(matches!(Sandbox::start(options).await, Err(StartError::NotLoopback(_))));
}

#[tokio::test]
async fn a_username_can_be_given_once_only() {
    let twice = || Person::new("alice", "pw", "a@example.test", "Alice");
    let options = Options { people: vec![twice(), twice()], ..Options::default() };
    assert!(matches!(Sandbox::start(options).await, Err(StartError::Person { .. })));
}

#[tokio::test]
async fn a_fixed_subject_survives_a_restart() {
    let person = || Person::new("alice", "pw", "a@example.test", "Alice").with_subject("u_fixed");
    for _ in 0..2 {
        let options = Options { people: vec![person()], ..Options::default() };
        let sandbox = Sandbox::start(options).await.unwrap();
        let subject = sandbox.control().subject(leasehold_sandbox::Issuer::Idp, "alice");
        assert_eq!(subject.as_deref(), Some("u_fixed"));
        sandbox.shutdown().await;
    }
}

#[tokio::test]
async fn after_a_shutdown_the_port_is_free() {
    let rig = Rig::start().await;
    let port = url::Url::parse(rig.sandbox.provider_issuer()).unwrap().port().unwrap();
    rig.sandbox.shutdown().await;
    let options = Options { provider_port: port, ..Options::default() };
    assert!(Sandbox::start(options).await.is_ok());
}
