//! The thin clients in other languages against a whole node: each scenario once for each language.

#![expect(clippy::indexing_slicing, reason = "a member that JSON does not have is null")]

mod driver;

use std::{process::Stdio, sync::Arc, time::Duration};

use leasehold_interop::require;
use leasehold_journey::{World, world::none_in};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    process::Command,
    sync::watch,
    time::Instant,
};

use driver::Driver;

const READ: [&str; 1] = ["files.read"];

/// How a scenario gets at its language.
struct Language {
    command: Command,
    program: &'static str,
    example: &'static str,
}

impl Language {
    async fn start(self, world: &World, address: &str) -> Driver {
        Driver::start(self.command, self.program, address, &world.gateway_credential).await
    }
}

macro_rules! in_every_language {
    ($($scenario:ident;)+) => {
        mod python {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $scenario() {
                let command = driver::python(&require!(Python, Pip)).await;
                super::$scenario(Language { command, program: "tests/driver.py", example: "example.py" }).await;
            })+
        }
        mod typescript {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $scenario() {
                let command = driver::typescript(&require!(Node, Npm)).await;
                super::$scenario(Language { command, program: "tests/driver.js", example: "example.js" }).await;
            })+
        }
    };
}

in_every_language! {
    a_consent_is_an_outcome_a_lease_works_and_a_repeat_is_served_from_memory;
    a_lease_in_use_is_renewed_and_stays_the_same;
    a_revocation_ends_the_lease_at_once;
    a_stream_that_has_gone_silent_ends_the_use_of_every_lease;
    a_refusal_carries_its_reason_and_nothing_prints_a_secret;
    the_example_takes_a_lease_and_gives_it_back;
}

fn want(scopes: &[&str], ttl: u32) -> Value {
    let want = json!({
        "mcp_server": "files", "connector": "sandbox", "subject": "alice", "scopes": scopes, "ttl": ttl,
    });
    json!({ "do": "lease", "want": want })
}

fn on(order: &str, lease: &Value) -> Value {
    json!({ "do": order, "lease": lease["lease"] })
}

async fn consented() -> (World, String) {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let address = format!("http://{}", world.dev.node.grpc);
    (world, address)
}

/// How often `Acquire` was answered.
async fn acquired(world: &World) -> String {
    let metrics = reqwest::get(format!("http://{}/metrics", world.dev.node.operations)).await.unwrap();
    let metrics = metrics.text().await.unwrap();
    let mut lines = metrics.lines().filter(|line| line.contains(r#"method="Acquire""#));
    lines.next().unwrap_or_default().to_owned()
}

async fn a_consent_is_an_outcome_a_lease_works_and_a_repeat_is_served_from_memory(language: Language) {
    let world = World::start().await.unwrap();
    let mut client = language.start(&world, &format!("http://{}", world.dev.node.grpc)).await;
    let needed = client.ask(&want(&READ, 0)).await;
    assert_eq!(needed["consent"], "NO_GRANT", "{needed}");
    assert_eq!(needed["missing_scopes"], json!(READ));
    world.consent(needed["connect_url"].as_str().unwrap(), "alice", &[]).await.unwrap();
    let lease = client.ask(&want(&READ, 0)).await;
    assert!(world.sandbox().is_active(lease["token"].as_str().unwrap()));
    assert_eq!(lease["scopes"], json!(READ));
    let before = acquired(&world).await;
    for _ in 0..20 {
        assert_eq!(client.ask(&want(&READ, 0)).await["lease"], lease["lease"]);
    }
    assert_eq!(acquired(&world).await, before, "a repeat asked the cluster");
    client.ask(&on("release", &lease)).await;
    assert_eq!(client.ask(&on("live", &lease)).await["live"], false);
    assert_ne!(client.ask(&want(&READ, 0)).await["lease"], lease["lease"]);
    drop(client);
    world.stop().await.unwrap();
}

async fn a_lease_in_use_is_renewed_and_stays_the_same(language: Language) {
    let (world, address) = consented().await;
    let mut client = language.start(&world, &address).await;
    let lease = client.ask(&want(&READ, 6)).await;
    // Asked for since it was issued: it is in use.
    client.ask(&want(&READ, 6)).await;
    client.ask(&on("renewed", &lease)).await;
    assert_eq!(client.ask(&on("live", &lease)).await["live"], true);
    assert_eq!(client.ask(&want(&READ, 6)).await["lease"], lease["lease"]);
    let (lines, _) = world.export().await.unwrap();
    let renewals = lines.iter().filter(|line| String::from_utf8_lossy(line).contains("\"LeaseRenewed\""));
    assert_eq!(renewals.count(), 1);
    drop(client);
    world.stop().await.unwrap();
}

async fn a_revocation_ends_the_lease_at_once(language: Language) {
    let (world, address) = consented().await;
    let mut client = language.start(&world, &address).await;
    let lease = client.ask(&want(&READ, 0)).await;
    client.tell(&on("ended", &lease)).await;
    world.revoke_subject("alice").await;
    let revoked = Instant::now();
    assert_eq!(client.answer().await["live"], false);
    let took = revoked.elapsed();
    assert!(took < Duration::from_secs(2), "it took {took:?}");
    assert_eq!(client.ask(&want(&READ, 0)).await["consent"], "NO_GRANT");
    drop(client);
    world.stop().await.unwrap();
}

async fn a_stream_that_has_gone_silent_ends_the_use_of_every_lease(language: Language) {
    let (world, _) = consented().await;
    let (address, silence) = wire(world.dev.node.grpc).await;
    let mut client = language.start(&world, &address).await;
    let lease = client.ask(&want(&READ, 0)).await;
    let pending = on("ended", &lease);
    assert_eq!(client.ask(&on("live", &lease)).await["live"], true);
    silence.send(true).unwrap();
    let silent = Instant::now();
    client.tell(&pending).await;
    assert_eq!(client.answer().await["live"], false);
    let took = silent.elapsed();
    // The grace is ten seconds from the last that was heard; keepalives come more often than once in two.
    assert!((Duration::from_secs(7)..Duration::from_secs(13)).contains(&took), "it took {took:?}");
    silence.send(false).unwrap();
    client.ask(&json!({ "do": "watching" })).await;
    let again = client.ask(&want(&READ, 0)).await;
    assert_eq!(again["lease"], lease["lease"], "the cluster never ended it");
    drop(client);
    world.stop().await.unwrap();
}

async fn a_refusal_carries_its_reason_and_nothing_prints_a_secret(language: Language) {
    let (world, address) = consented().await;
    let mut client = language.start(&world, &address).await;
    let refused = client.ask(&want(&["files.admin"], 0)).await;
    assert_eq!(
        (&refused["error"], &refused["retryable"]),
        (&json!("POLICY_DENIED"), &json!(false)),
        "{refused}"
    );
    let lease = client.ask(&want(&READ, 0)).await;
    let shown = client.ask(&on("shown", &lease)).await;
    assert!(shown["shown"].as_str().unwrap().contains(lease["lease"].as_str().unwrap()), "{shown}");
    for said in [refused, shown] {
        none_in(&world.canaries(), said.to_string().as_bytes()).unwrap();
    }
    drop(client);
    world.stop().await.unwrap();
}

async fn the_example_takes_a_lease_and_gives_it_back(language: Language) {
    let (world, address) = consented().await;
    let Language { mut command, example, .. } = language;
    command.args([example, &address, "alice"]).env("LEASEHOLD_CREDENTIAL", &world.gateway_credential);
    passes(command, " carries files.read").await;
    let (lines, _) = world.export().await.unwrap();
    for event in ["\"LeaseIssued\"", "\"LeaseReleased\""] {
        assert!(lines.iter().any(|line| String::from_utf8_lossy(line).contains(event)), "no {event}");
    }
    world.stop().await.unwrap();
}

/// The clients' own tests of what they hold by, which need no cluster.
#[tokio::test(flavor = "multi_thread")]
async fn the_rules_of_the_python_holder_hold() {
    let mut command = driver::python(&require!(Python, Pip)).await;
    command.args(["-m", "unittest", "discover", "-s", "tests"]);
    passes(command, "Ran 9 tests").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_of_the_typescript_holder_hold() {
    let mut command = driver::typescript(&require!(Node, Npm)).await;
    command.args(["--test", "--test-reporter=tap", "tests/table.test.js"]);
    passes(command, "# pass 9").await;
}

async fn passes(mut command: Command, mark: &str) {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_secs(60), output).await.unwrap().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.contains(mark), "{said}");
}

/// A wire to the node that goes silent, both ways, while it is told to: nothing is lost on it, and nobody hangs up. Answers with its address.
async fn wire(node: std::net::SocketAddr) -> (String, Arc<watch::Sender<bool>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (silence, silent) = watch::channel(false);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let node = TcpStream::connect(node).await.unwrap();
            let ((from_client, to_client), (from_node, to_node)) = (client.into_split(), node.into_split());
            tokio::spawn(carry(from_client, to_node, silent.clone()));
            tokio::spawn(carry(from_node, to_client, silent.clone()));
        }
    });
    (address, Arc::new(silence))
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut silent: watch::Receiver<bool>,
) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let spoken = silent.wait_for(|silent| !silent).await.is_ok();
        if !spoken || to.write_all(buffer.get(..count).unwrap_or_default()).await.is_err() {
            return;
        }
    }
}
