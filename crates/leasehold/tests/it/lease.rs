//! Leases on the command line: where the token goes, and what a needed consent does.

use crate::{canned, user::User};

const ACQUIRE: &str = "lease acquire --mcp-server files --connector sandbox --subject";

#[tokio::test]
async fn a_token_is_printed_only_where_it_is_asked_for() {
    let user = User::of(&canned::cluster().await);
    let table = user.run(&format!("{ACQUIRE} alice")).await;
    assert_eq!(table.exit, 0, "{}", table.stderr);
    assert!(table.stdout.contains("lse_1") && !table.stdout.contains("s3cret-token"), "{}", table.stdout);
    assert_eq!(user.run(&format!("{ACQUIRE} alice --field access_token")).await.stdout, "s3cret-token\n");
    let json = user.run(&format!("{ACQUIRE} alice --output json")).await.stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["outcome"], &json["access_token"]), (&"lease".into(), &"s3cret-token".into()));
}

#[tokio::test]
async fn a_needed_consent_is_an_answer_but_no_success() {
    let user = User::of(&canned::cluster().await);
    let needed = user.run(&format!("{ACQUIRE} bob --output json")).await;
    assert_eq!(needed.exit, 1);
    let json: serde_json::Value = serde_json::from_str(&needed.stdout).unwrap();
    assert_eq!((&json["outcome"], &json["reason"]), (&"consent_required".into(), &"no_grant".into()));
    assert!(
        needed.stderr.contains("next: send the subject to https://leasehold.example/connect/1"),
        "{}",
        needed.stderr
    );
    let token = user.run(&format!("{ACQUIRE} bob --field access_token")).await;
    assert_eq!((token.exit, token.stdout.as_str()), (1, ""), "a script gets no token and no other text");
}

#[tokio::test]
async fn a_watch_prints_each_change_as_one_line() {
    let user = User::of(&canned::cluster().await);
    let watch = user.run("lease watch --output jsonl").await;
    let changes: Vec<serde_json::Value> =
        watch.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(changes.len(), 2, "{}", watch.stdout);
    assert_eq!((&changes[0]["change"], &changes[0]["seq"]), (&"resync".into(), &4.into()));
    assert_eq!((&changes[1]["lease_id"], &changes[1]["reason"]), (&"lse_1".into(), &"revoked".into()));
}

#[tokio::test]
async fn what_has_no_answer_prints_none() {
    let user = User::of(&canned::cluster().await);
    let released = user.run("lease release lse_1").await;
    assert_eq!((released.exit, released.stdout.as_str(), released.stderr.as_str()), (0, "", ""));
}
