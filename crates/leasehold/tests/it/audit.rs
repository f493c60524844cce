//! From a served ledger to a file, and from the file to a verdict.

use std::{
    fs,
    sync::{Arc, Mutex},
};

use crate::{
    canned::{Shared, serve},
    ledger::Ledger,
    user::User,
};

async fn serving(size: u64) -> (User, Shared) {
    let shared = Shared(Arc::new(Mutex::new((Ledger::of(size), None))));
    (User::of(&serve(shared.clone()).await), shared)
}

#[tokio::test]
async fn an_export_verifies_offline_with_the_key_that_was_named() {
    let (user, shared) = serving(11).await;
    let exported = user.run("audit export --out ledger.jsonl --output json").await;
    assert_eq!(exported.exit, 0, "{}", exported.stderr);
    assert!(exported.stderr.is_empty(), "no progress in a pipe: {}", exported.stderr);
    assert!(!user.path("ledger.jsonl.part").exists());
    let lines: Vec<u8> =
        shared.0.lock().unwrap().0.lines.iter().flat_map(|line| [line, &b"\n"[..]].concat()).collect();
    assert_eq!(fs::read(user.path("ledger.jsonl")).unwrap(), lines);
    let verifier = shared.0.lock().unwrap().0.verifier();
    let verified = user
        .run_with_profiles(&format!("audit verify ledger.jsonl --verifier {verifier} --output json"))
        .await;
    assert_eq!(verified.exit, 0, "{}", verified.stderr);
    let verdict: serde_json::Value = serde_json::from_str(&verified.stdout).unwrap();
    assert_eq!((&verdict["verified"], &verdict["lines"]), (&true.into(), &11.into()));
    assert_eq!(
        (&verdict["origin"], &verdict["verifier_from"]),
        (&"ledger.example/org".into(), &"--verifier".into())
    );
}

#[tokio::test]
async fn without_a_named_key_the_ledgers_own_is_used_and_said_to_be() {
    let (user, shared) = serving(3).await;
    user.run("audit export --out ledger.jsonl").await;
    let verified = user.run_with_profiles("audit verify ledger.jsonl").await;
    assert_eq!(verified.exit, 0, "{}", verified.stderr);
    assert!(verified.stdout.contains(&shared.0.lock().unwrap().0.verifier()));
    assert!(
        verified.stderr.contains("compare it with one that you have from elsewhere"),
        "{}",
        verified.stderr
    );
}

#[tokio::test]
async fn another_ledgers_key_and_a_damaged_file_are_refused() {
    let (user, _) = serving(5).await;
    user.run("audit export --out ledger.jsonl").await;
    let other = Ledger::of(1).verifier();
    let wrong_key = user.run_with_profiles(&format!("audit verify ledger.jsonl --verifier {other}")).await;
    assert_eq!(wrong_key.exit, 1);
    assert!(wrong_key.stderr.contains("not signed by this key (VERIFY)"), "{}", wrong_key.stderr);

    let whole = fs::read_to_string(user.path("ledger.jsonl")).unwrap();
    let without_fourth: String =
        whole.lines().enumerate().filter(|(at, _)| *at != 3).map(|(_, l)| format!("{l}\n")).collect();
    fs::write(user.path("ledger.jsonl"), without_fourth).unwrap();
    let missing = user.run_with_profiles("audit verify ledger.jsonl").await;
    assert_eq!((missing.exit, missing.stdout.as_str()), (1, ""));
    assert!(missing.stderr.contains("line 4 has sequence number 4 where 3 belongs"), "{}", missing.stderr);

    fs::write(user.path("ledger.jsonl"), whole.replacen("12:00:00.000Z", "12:00:00.001Z", 2)).unwrap();
    let changed = user.run_with_profiles("audit verify ledger.jsonl").await;
    assert_eq!(changed.exit, 1);
    assert!(changed.stderr.contains("at least one of them was changed (VERIFY)"), "{}", changed.stderr);
}

#[tokio::test]
async fn an_export_goes_on_where_the_last_one_ended() {
    let (user, shared) = serving(6).await;
    user.run("audit export --out ledger.jsonl").await;
    shared.0.lock().unwrap().0.grow(7);
    let elsewhere = user.run("audit export --out ledger.jsonl --from 4").await;
    assert_eq!(elsewhere.exit, 2, "{}", elsewhere.stderr);
    let more = user.run("audit export --out ledger.jsonl --from 6 --field lines").await;
    assert_eq!((more.exit, more.stdout.as_str()), (0, "7\n"), "{}", more.stderr);
    let verified = user.run_with_profiles("audit verify ledger.jsonl --field lines").await;
    assert_eq!((verified.exit, verified.stdout.as_str()), (0, "13\n"), "{}", verified.stderr);
}

#[tokio::test]
async fn an_export_that_breaks_leaves_no_file_that_looks_whole_and_goes_on_later() {
    let (user, shared) = serving(10).await;
    shared.0.lock().unwrap().1 = Some(6);
    let broken = user.run("audit export --out ledger.jsonl").await;
    assert_eq!(broken.exit, 3, "{}", broken.stderr);
    assert!(
        broken.stderr.contains("go on with `leasehold audit export --out ledger.jsonl --from 6`"),
        "{}",
        broken.stderr
    );
    assert!(!user.path("ledger.jsonl").exists());
    shared.0.lock().unwrap().1 = None;
    let more = user.run("audit export --out ledger.jsonl --from 6").await;
    assert_eq!(more.exit, 0, "{}", more.stderr);
    assert_eq!(user.run_with_profiles("audit verify ledger.jsonl").await.exit, 0);
}

#[tokio::test]
async fn a_tail_prints_the_lines_as_they_stand_in_the_ledger() {
    let (user, shared) = serving(3).await;
    let tail = user.run("audit tail --from 1 --output jsonl").await;
    let expected: Vec<_> = shared.0.lock().unwrap().0.lines[1..].to_vec();
    let expected: String = expected.into_iter().map(|line| String::from_utf8(line).unwrap() + "\n").collect();
    assert_eq!(tail.stdout, expected);
    assert_eq!(tail.exit, 1, "a stream that ends is not what was asked for");
    assert!(tail.stderr.contains("go on with `leasehold audit tail --from 3`"), "{}", tail.stderr);
}

#[tokio::test]
async fn a_checkpoint_is_shown_with_its_key_and_written_as_it_was_signed() {
    let (user, shared) = serving(3).await;
    let ran = user.run("audit checkpoint --out head --field size").await;
    assert_eq!((ran.exit, ran.stdout.as_str()), (0, "3\n"), "{}", ran.stderr);
    assert_eq!(fs::read_to_string(user.path("head")).unwrap(), shared.0.lock().unwrap().0.checkpoint());
    let verifier = user.run("audit checkpoint --field verifier").await.stdout;
    assert_eq!(verifier.trim_end(), shared.0.lock().unwrap().0.verifier());
}
