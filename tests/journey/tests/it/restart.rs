//! Restarts: nothing acknowledged is lost, and a lease is what it was.

use std::sync::Arc;

use leasehold::node::{Dev, DevOptions, DevProcess, profiles_file};
use leasehold_domain::time::Span;
use leasehold_journey::{Apart, World, calls::for_alice, world::install_crypto};
use leasehold_proto::v1::lease_service_client::LeaseServiceClient;
use leasehold_sandbox::{Fault, FaultRule};
use tonic::transport::Channel;

const READ: [&str; 1] = ["files.read"];

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_again_has_every_line_and_every_live_lease() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let lease = world.acquire(&READ).await.unwrap().lease();
    let (before, _) = world.export().await.unwrap();
    let options = DevOptions { data_dir: Some(world.data().to_owned()), ..DevOptions::default() };
    let (clock, gateway, data) = (world.clock.clone(), world.gateway_credential.clone(), world.keep_data());
    world.stop().await.unwrap();
    let dev = Dev::start_at(&options, Arc::new(clock)).await.unwrap();
    let channel = Channel::from_shared(format!("http://{}", dev.node.grpc)).unwrap().connect().await.unwrap();
    let mut request = tonic::Request::new(for_alice(&READ));
    request.metadata_mut().insert("authorization", format!("Bearer {gateway}").parse().unwrap());
    let again = LeaseServiceClient::new(channel).acquire(request).await.unwrap().into_inner();
    let Some(leasehold_proto::v1::acquire_response::Outcome::Lease(again)) = again.outcome else {
        panic!("no lease")
    };
    assert_eq!(again.lease_id, lease.lease_id);
    assert_eq!(again.access_token, lease.access_token);
    let lines = dev.node.control.export_lines(0, before.len() as u64).unwrap();
    assert!(lines.lines.iter().zip(&before).all(|(now, then)| now.as_ref() == then.as_slice()));
    dev.stop().await.unwrap();
    drop(data);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_root_key_is_a_clear_refusal_and_nothing_is_overwritten() {
    let world = World::start().await.unwrap();
    let data = world.keep_data();
    world.stop().await.unwrap();
    let key = data.path().join("root.key");
    let right = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    let other = tempfile::tempdir().unwrap();
    leasehold_vault::RootKey::create_file(&other.path().join("k"), &leasehold_vault::OsEntropy).unwrap();
    std::fs::copy(other.path().join("k"), &key).unwrap();
    let before = digest_of(data.path());
    let options = DevOptions { data_dir: Some(data.path().to_owned()), ..DevOptions::default() };
    let refused = format!("{:#}", Dev::start(&options).await.err().unwrap());
    assert!(refused.contains("root key"), "{refused}");
    assert_eq!(digest_of(data.path()), before, "something was changed");
    // Without any key it is refused too, and no new one is made.
    std::fs::remove_file(&key).unwrap();
    assert!(Dev::start(&options).await.is_err());
    assert!(!key.exists());
    std::fs::write(&key, right).unwrap();
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// The log's files with their contents: what a refused start must not touch.
fn digest_of(data: &std::path::Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(data.join("log"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| (path.clone(), std::fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_has_lost_nothing_that_it_acknowledged() {
    install_crypto();
    let data = tempfile::tempdir().unwrap();
    let binary = leasehold_journey::world::binary();
    let dev = DevProcess::start(&binary, data.path()).await.unwrap();
    let profiles = profiles_file(data.path());
    let list = ["subject", "list", "--output", "jsonl"];
    for n in 0..5 {
        let name = format!("person-{n}");
        let ran = binary.run(&profiles, &["subject", "register", &name]).await.unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }
    let before = binary.run(&profiles, &list).await.unwrap();
    let port = dev.grpc_port().unwrap();
    dev.kill().await.unwrap();
    let dev = DevProcess::start_after(&binary, data.path(), port).await.unwrap();
    let after = binary.run(&profiles, &list).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&after.stdout), String::from_utf8_lossy(&before.stdout));
    assert!(String::from_utf8_lossy(&after.stdout).contains("person-4"));
    dev.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_on_its_way_when_the_node_stops_is_committed_before_it_ends() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    world.sandbox().push_fault(FaultRule::once(Fault::Hang).on_refresh()).unwrap();
    world.advance(Span::from_mins(58));
    world.sandbox().wait_until(|control| control.hanging() == 1).await;
    let options = DevOptions { data_dir: Some(world.data().to_owned()), ..DevOptions::default() };
    let (clock, data, sandbox) = (world.clock.clone(), world.keep_data(), world.sandbox().clone());

    let (stopped, ()) = tokio::join!(world.stop(), async {
        // Long enough for a node that does not wait to have closed its ledger.
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        sandbox.release_hanging();
    });

    stopped.unwrap();
    assert_eq!(sandbox.refresh_requests("leasehold"), 1);
    let dev = Dev::start_at(&options, Arc::new(clock)).await.unwrap();
    let generations: Vec<u64> =
        dev.node.control.read_now(|state| state.grants.iter().map(|(_, grant)| grant.generation).collect());
    assert_eq!(generations, [2]);
    dev.stop().await.unwrap();
    drop(data);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_outlives_the_process_that_issued_it_and_the_sandbox_saw_one_grant() {
    let mut apart = Apart::start().await.unwrap();
    apart.alice_consents(&READ).await.unwrap();
    let lease = apart.acquire(&READ).await.unwrap().lease();
    apart.kill().await.unwrap();

    apart.start_again(&[]).await.unwrap();

    let again = apart.acquire(&READ).await.unwrap().lease();
    assert_eq!(again.lease_id, lease.lease_id);
    assert!(apart.script().is_active(&again.access_token));
    assert_eq!(apart.script().families().len(), 1);
    apart.look_in_logs().unwrap();
    apart.stop().await.unwrap();
}
