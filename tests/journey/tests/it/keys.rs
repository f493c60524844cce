//! Keys: rotated and emptied under load, retired, the root key replaced, and a recovery copy that is checked before it is needed.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use leasehold::node::{Dev, DevOptions, DevProcess, profiles_file};
use leasehold_control::FormerKey;
use leasehold_journey::{
    World,
    calls::{acquire, for_alice},
    reason,
    world::{Speaking, binary, install_crypto},
};
use leasehold_proto::v1::{
    EraseSubjectRequest, GetCheckpointRequest, GetWrappedKeysRequest, KeyPurpose, KeyStatusRequest,
    KeyVersion, RefreshGrantRequest, RegisterAdministratorRequest, RetireKeyRequest, RewrapRequest,
    RotateKeyRequest, administrator_service_client::AdministratorServiceClient,
    audit_service_client::AuditServiceClient, grant_service_client::GrantServiceClient,
    key_service_client::KeyServiceClient, subject_service_client::SubjectServiceClient,
};
use leasehold_sandbox::{Fault, FaultRule};
use leasehold_vault::{OsEntropy, RecoveryCopy, RootKey, RootKeySource, VerifierKey, verify_note};
use tonic::Status;

const READ: [&str; 1] = ["files.read"];
const BOTH: [&str; 2] = ["files.read", "files.write"];
const TOKENS: [KeyPurpose; 2] = [KeyPurpose::AccessTokens, KeyPurpose::RefreshTokens];

async fn rotate(channel: Speaking, purpose: KeyPurpose) -> u32 {
    let request = RotateKeyRequest { purpose: purpose.into(), request_id: String::new() };
    KeyServiceClient::new(channel).rotate(request).await.unwrap().into_inner().version
}

/// Rewraps from beginning to end; answers how much was moved.
async fn rewrap(channel: Speaking) -> u64 {
    let mut keys = KeyServiceClient::new(channel);
    let (mut from, mut moved) = (0, 0);
    loop {
        let slice = keys.rewrap(RewrapRequest { from }).await.unwrap().into_inner();
        moved += slice.moved;
        if slice.done {
            return moved;
        }
        from = slice.next;
    }
}

async fn retire(channel: Speaking, purpose: KeyPurpose, version: u32) -> Result<u64, Status> {
    let request = RetireKeyRequest { purpose: purpose.into(), version, request_id: String::new() };
    KeyServiceClient::new(channel).retire(request).await.map(|answer| answer.into_inner().seq)
}

async fn status(channel: Speaking) -> BTreeMap<(KeyPurpose, u32), KeyVersion> {
    let state = KeyServiceClient::new(channel).status(KeyStatusRequest {}).await.unwrap().into_inner();
    state.keys.into_iter().map(|key| ((key.purpose(), key.version), key)).collect()
}

fn under(key: &KeyVersion) -> u64 {
    key.token_sets + key.secrets + key.answers
}

#[tokio::test(flavor = "multi_thread")]
async fn rotating_and_rewrapping_while_leases_and_refreshes_go_on_loses_nothing() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let grant = world.acquire(&READ).await.unwrap().lease().grant;
    let stop = Arc::new(AtomicBool::new(false));
    let refreshing = {
        let (stop, admin, grant) = (stop.clone(), world.admin(), grant.clone());
        tokio::spawn(async move {
            let (mut grants, mut generation) = (GrantServiceClient::new(admin), 1);
            while !stop.load(Ordering::SeqCst) {
                let answer = grants.refresh(RefreshGrantRequest { grant: grant.clone() }).await.unwrap();
                generation += 1;
                assert_eq!(answer.into_inner().grant.unwrap().generation, generation);
            }
            generation
        })
    };
    let leasing: Vec<_> = (0..3)
        .map(|_| {
            let (stop, gateway) = (stop.clone(), world.gateway());
            tokio::spawn(async move {
                let mut count = 0_u64;
                while !stop.load(Ordering::SeqCst) {
                    // A lease of a generation that is gone is asked for again, as ever; nothing else may come.
                    match acquire(gateway.clone(), for_alice(&READ)).await {
                        Ok(acquired) => {
                            acquired.lease();
                            count += 1;
                        }
                        Err(refused) => assert_eq!(reason(&refused), "LEASE_ENDED", "{refused:?}"),
                    }
                }
                count
            })
        })
        .collect();

    for round in 2..5 {
        for purpose in TOKENS {
            assert_eq!(rotate(world.admin(), purpose).await, round);
        }
        assert!(rewrap(world.admin()).await > 0, "round {round}");
        // What waits in the outbox was sealed before the rotation at the latest: it is committed by now, or moved.
        let state = status(world.admin()).await;
        for purpose in TOKENS {
            assert_eq!(under(&state[&(purpose, round - 1)]), 0, "{purpose:?} {round}");
            assert!(under(&state[&(purpose, round)]) > 0, "{purpose:?} {round}");
            retire(world.admin(), purpose, round - 1).await.unwrap();
        }
    }

    stop.store(true, Ordering::SeqCst);
    let generation = refreshing.await.unwrap();
    assert!(generation > 2, "{generation}");
    for leasing in leasing {
        assert!(leasing.await.unwrap() > 0);
    }
    let lease = world.acquire(&READ).await.unwrap().lease();
    assert_eq!((lease.grant.as_str(), lease.generation), (grant.as_str(), generation));
    assert!(world.sandbox().is_active(&lease.access_token));
    assert_eq!(world.sandbox().reuse_detected(), 0);
    world.look_for_canaries().unwrap();
    world.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_in_use_is_not_retired_and_an_empty_one_is_and_everything_opens_after_a_restart() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let before = world.acquire(&READ).await.unwrap().lease();
    for purpose in TOKENS {
        let refused = retire(world.admin(), purpose, 1).await.unwrap_err();
        assert_eq!(reason(&refused), "KEY_CURRENT", "{refused:?}");
        rotate(world.admin(), purpose).await;
        let refused = retire(world.admin(), purpose, 1).await.unwrap_err();
        assert_eq!(reason(&refused), "KEY_IN_USE", "{refused:?}");
        let used = under(&status(world.admin()).await[&(purpose, 1)]);
        assert!(used > 0 && refused.message().contains(&format!("{used} things")), "{refused:?}");
        assert!(refused.message().contains("rewrap"), "{refused:?}");
        let refused = retire(world.admin(), purpose, 9).await.unwrap_err();
        assert_eq!(reason(&refused), "UNKNOWN", "{refused:?}");
    }
    // Both purposes were under the first versions: a token set moves with both of its parts at once.
    let moved = rewrap(world.admin()).await;
    assert!(moved >= 4, "a token set, the name of its account and two client secrets, but {moved}");
    assert_eq!(rewrap(world.admin()).await, 0, "it was moved already");
    for purpose in TOKENS {
        assert!(retire(world.admin(), purpose, 1).await.unwrap() > 0);
        assert!(!status(world.admin()).await.contains_key(&(purpose, 1)));
    }
    let (lines, _) = world.export().await.unwrap();
    let lines = String::from_utf8(lines.join(&b'\n')).unwrap();
    for event in ["KeyVersionAdded", "SecretsRewrapped", "KeyVersionRetired"] {
        assert!(lines.contains(event), "{event}");
    }
    assert_eq!(world.acquire(&READ).await.unwrap().lease().access_token, before.access_token);

    let options = DevOptions { data_dir: Some(world.data().to_owned()), ..DevOptions::default() };
    let data = world.keep_data();
    restarted(world, &options, None).await.stop().await.unwrap();
    drop(data);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_waits_in_the_outbox_moves_and_opens_after_a_restart() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let grant = world.acquire(&READ).await.unwrap().lease().grant;
    // What cannot be read is kept: it may be the only copy of a token.
    let unreadable = FaultRule::once(Fault::Html { status: 200 }).on_refresh();
    world.sandbox().push_fault(unreadable).unwrap();
    let refused = GrantServiceClient::new(world.admin()).refresh(RefreshGrantRequest { grant }).await;
    assert_eq!(reason(&refused.unwrap_err()), "PROVIDER_UNAVAILABLE");
    let purpose = KeyPurpose::RefreshTokens;
    assert_eq!(status(world.admin()).await[&(purpose, 1)].answers, 1);
    rotate(world.admin(), purpose).await;
    rewrap(world.admin()).await;
    let state = status(world.admin()).await;
    assert_eq!((state[&(purpose, 1)].answers, state[&(purpose, 2)].answers), (0, 1));
    retire(world.admin(), purpose, 1).await.unwrap();
    let options = DevOptions { data_dir: Some(world.data().to_owned()), ..DevOptions::default() };
    let data = world.keep_data();
    // It is looked at when the node starts: one that did not open would end it.
    restarted(world, &options, None).await.stop().await.unwrap();
    drop(data);
}

/// The node of a world, started again; it gives Alice's lease as before.
async fn restarted(world: World, options: &DevOptions, former: Option<FormerKey>) -> Dev {
    let (clock, gateway) = (world.clock.clone(), world.gateway_credential.clone());
    let token = world.acquire(&READ).await.unwrap().lease().access_token;
    world.stop().await.unwrap();
    let dev = Dev::start_with(options, Arc::new(clock), former).await.unwrap();
    assert_eq!(token_of(&dev, &gateway).await, token);
    dev
}

/// What a lease of Alice's hands out.
async fn token_of(dev: &Dev, gateway: &str) -> String {
    let channel = tonic::transport::Channel::from_shared(format!("http://{}", dev.node.grpc)).unwrap();
    let mut request = tonic::Request::new(for_alice(&READ));
    request.metadata_mut().insert("authorization", format!("Bearer {gateway}").parse().unwrap());
    let mut leases =
        leasehold_proto::v1::lease_service_client::LeaseServiceClient::new(channel.connect().await.unwrap());
    let answer = leases.acquire(request).await.unwrap().into_inner();
    let Some(leasehold_proto::v1::acquire_response::Outcome::Lease(lease)) = answer.outcome else {
        unreachable!("no lease")
    };
    lease.access_token
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_that_seals_the_signing_key_is_rotated_and_the_verifier_stays() {
    let world = World::start().await.unwrap();
    let checkpoint = async |world: &World| {
        let mut audit = AuditServiceClient::new(world.admin());
        audit.get_checkpoint(GetCheckpointRequest {}).await.unwrap().into_inner()
    };
    let before = checkpoint(&world).await;
    rotate(world.admin(), KeyPurpose::Signing).await;
    assert_eq!(reason(&retire(world.admin(), KeyPurpose::Signing, 1).await.unwrap_err()), "KEY_IN_USE");
    rewrap(world.admin()).await;
    retire(world.admin(), KeyPurpose::Signing, 1).await.unwrap();
    let after = checkpoint(&world).await;
    assert_eq!(after.verifier, before.verifier);
    let key: VerifierKey = after.verifier.parse().unwrap();
    for note in [&before.checkpoint, &after.checkpoint] {
        assert!(verify_note(note, &key).is_ok());
    }
    let options = DevOptions { data_dir: Some(world.data().to_owned()), ..DevOptions::default() };
    let (clock, data) = (world.clock.clone(), world.keep_data());
    world.stop().await.unwrap();
    // It opens its signing key, or it would not start.
    Dev::start_at(&options, Arc::new(clock)).await.unwrap().stop().await.unwrap();
    drop(data);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_known_again_after_the_key_that_names_it_was_rotated() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    let before = world.acquire(&READ).await.unwrap().lease();
    assert_eq!(rotate(world.admin(), KeyPurpose::Pseudonyms).await, 2);
    world.alice_consents(&BOTH, &[]).await.unwrap();
    let after = world.acquire(&BOTH).await.unwrap().lease();
    assert_eq!(after.grant, before.grant, "the same account, and so the same grant");
    let state = status(world.admin()).await;
    assert_eq!(state[&(KeyPurpose::Pseudonyms, 1)].accounts, 1);
    assert_eq!(state[&(KeyPurpose::Pseudonyms, 2)].accounts, 0);
    assert_eq!(reason(&retire(world.admin(), KeyPurpose::Pseudonyms, 1).await.unwrap_err()), "KEY_IN_USE");
    world.stop().await.unwrap();
}

/// Puts another root key into a data directory; answers the one that was there.
fn exchange_root_key(data: &Path) -> RootKey {
    let file = data.join("root.key");
    let before = RootKeySource::File(file.clone()).load().unwrap();
    std::fs::rename(&file, data.join("root.key.before")).unwrap();
    RootKey::create_file(&file, &OsEntropy).unwrap();
    before
}

fn put_root_key_back(data: &Path) {
    std::fs::rename(data.join("root.key.before"), data.join("root.key")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_root_key_opens_everything_and_the_former_one_nothing() {
    let world = World::start().await.unwrap();
    world.alice_consents(&READ, &[]).await.unwrap();
    rotate(world.admin(), KeyPurpose::RefreshTokens).await;
    let options = DevOptions { data_dir: Some(world.data().to_owned()), ..DevOptions::default() };
    let (clock, gateway, data) = (world.clock.clone(), world.gateway_credential.clone(), world.keep_data());
    let former = exchange_root_key(data.path());
    let dev = restarted(world, &options, Some(FormerKey::RootKey(former))).await;
    let lines = dev.node.control.read_now(|state| state.clock.next_seq);
    let last = dev.node.control.export_lines(0, lines).unwrap();
    let replaced = last.lines.iter().filter(|line| String::from_utf8_lossy(line).contains("RootKeyReplaced"));
    assert_eq!(replaced.count(), 1);
    dev.stop().await.unwrap();

    // With the new one alone, and again with both: nothing is left to do then.
    let dev = Dev::start_at(&options, Arc::new(clock.clone())).await.unwrap();
    token_of(&dev, &gateway).await;
    dev.stop().await.unwrap();
    let former = RootKeySource::File(data.path().join("root.key.before")).load().unwrap();
    let again = Some(FormerKey::RootKey(former));
    let dev = Dev::start_with(&options, Arc::new(clock.clone()), again).await.unwrap();
    token_of(&dev, &gateway).await;
    dev.stop().await.unwrap();

    put_root_key_back(data.path());
    let refused = Dev::start_at(&options, Arc::new(clock)).await.err().unwrap();
    assert!(format!("{refused:#}").contains("root key"), "{refused:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_copy_is_checked_is_too_old_after_a_rotation_and_brings_a_cluster_back() {
    install_crypto();
    let data = tempfile::tempdir().unwrap();
    let (copies, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let binary = binary();
    let dev = DevProcess::start(&binary, data.path()).await.unwrap();
    let profiles = profiles_file(data.path());
    let run = async |arguments: &[&str]| {
        let ran = binary.run(&profiles, arguments).await.unwrap();
        (
            ran.status.code(),
            String::from_utf8_lossy(&ran.stdout).into_owned(),
            String::from_utf8_lossy(&ran.stderr).into_owned(),
        )
    };
    let path = |folder: &Path, name: &str| folder.join(name).to_str().unwrap().to_owned();
    let root_key = path(data.path(), "root.key");
    let (first, first_key) = (path(copies.path(), "first"), path(keys.path(), "first"));
    let (second, second_key) = (path(copies.path(), "second"), path(keys.path(), "second"));

    for bad in [path(copies.path(), "key"), path(data.path(), "key")] {
        let refused =
            run(&["keys", "recovery-copy", "--root-key-file", &root_key, "--out", &first, "--key-out", &bad])
                .await;
        assert_eq!(refused.0, Some(2), "{refused:?}");
        assert!(!Path::new(&bad).exists());
    }
    let copy =
        ["keys", "recovery-copy", "--root-key-file", &root_key, "--out", &first, "--key-out", &first_key];
    assert_eq!(run(&copy).await.0, Some(0));
    {
        use std::os::unix::fs::PermissionsExt;
        for file in [&first, &first_key] {
            assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
        }
    }
    let check = ["keys", "recovery-check", &first, "--key-file", &first_key];
    let checked = run(&check).await;
    assert_eq!(checked.0, Some(0), "{checked:?}");
    // The root key is not the key of the copy.
    let wrong = run(&["keys", "recovery-check", &first, "--key-file", &root_key]).await;
    assert_eq!(wrong.0, Some(1), "{wrong:?}");

    assert_eq!(run(&["keys", "rotate"]).await.0, Some(0));
    let old = run(&check).await;
    assert_eq!(old.0, Some(1), "{old:?}");
    assert!(old.2.contains("RECOVERY_COPY_OLD") && old.2.contains("refresh-tokens version 2"), "{old:?}");
    let copy =
        ["keys", "recovery-copy", "--root-key-file", &root_key, "--out", &second, "--key-out", &second_key];
    assert_eq!(run(&copy).await.0, Some(0));
    assert_eq!(run(&["keys", "recovery-check", &second, "--key-file", &second_key]).await.0, Some(0));
    let moved = run(&["keys", "rewrap", "--output", "json"]).await;
    assert_eq!((moved.0, moved.2.as_str()), (Some(0), ""), "progress is for terminals: {moved:?}");
    assert!(moved.1.contains(r#""left":0"#) || moved.1.contains(r#""left": 0"#), "{moved:?}");
    dev.stop().await.unwrap();

    // The root key is lost.
    exchange_root_key(data.path());
    std::fs::remove_file(data.path().join("root.key.before")).unwrap();
    let options = DevOptions { data_dir: Some(data.path().to_owned()), ..DevOptions::default() };
    let recovery = |copy: &str, key: &str| {
        let copy = RecoveryCopy::parse(&std::fs::read_to_string(copy).unwrap()).unwrap();
        Some(FormerKey::Recovery(copy, RootKeySource::File(key.into()).load().unwrap()))
    };
    let clock = || Arc::new(leasehold_control::SystemClock);
    assert!(Dev::start_at(&options, clock()).await.is_err());
    let refused = Dev::start_with(&options, clock(), recovery(&first, &first_key)).await.err().unwrap();
    assert!(format!("{refused:#}").contains("this one is older"), "{refused:#}");
    Dev::start_with(&options, clock(), recovery(&second, &second_key)).await.unwrap().stop().await.unwrap();
    Dev::start_at(&options, clock()).await.unwrap().stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_administrator_with_the_security_role_has_anything_to_do_with_keys() {
    let world = World::start().await.unwrap();
    let register =
        RegisterAdministratorRequest { name: "operator".to_owned(), roles: vec!["operator".to_owned()] };
    let mut administrators = AdministratorServiceClient::new(world.admin());
    let operator = administrators.register(register).await.unwrap().into_inner().secret;
    let before = status(world.admin()).await;
    for (channel, expected) in
        [(world.speaking(&operator), "ROLE_MISSING"), (world.gateway(), "WRONG_CALLER")]
    {
        let mut keys = KeyServiceClient::new(channel.clone());
        let purpose = KeyPurpose::RefreshTokens.into();
        let rotated = keys.rotate(RotateKeyRequest { purpose, request_id: String::new() }).await;
        let retired = keys.retire(RetireKeyRequest { purpose, version: 1, request_id: String::new() }).await;
        let erased = SubjectServiceClient::new(channel)
            .erase(EraseSubjectRequest { subject: "alice".to_owned(), request_id: String::new() })
            .await;
        for refused in [
            keys.status(KeyStatusRequest {}).await.unwrap_err(),
            rotated.unwrap_err(),
            keys.rewrap(RewrapRequest { from: 0 }).await.unwrap_err(),
            retired.unwrap_err(),
            keys.get_wrapped(GetWrappedKeysRequest {}).await.unwrap_err(),
            erased.unwrap_err(),
        ] {
            assert_eq!(reason(&refused), expected, "{refused:?}");
        }
    }
    let kept: Vec<_> = before.keys().collect();
    assert_eq!(status(world.admin()).await.keys().collect::<Vec<_>>(), kept);
    world.stop().await.unwrap();
}
