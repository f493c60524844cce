//! Exit codes, formats, and what needs no cluster.

use crate::{canned, user::User};

#[tokio::test]
async fn where_nothing_listens_the_cluster_is_unreachable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let ran = User::of(&address).run("status").await;
    assert_eq!(ran.exit, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("(UNREACHABLE)\n  next: "), "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
}

#[tokio::test]
async fn wrong_usage_is_told_apart_from_failure() {
    let user = User::of("http://127.0.0.1:1");
    assert_eq!(user.run("revoke").await.exit, 2);
    assert_eq!(user.run("--address http://leasehold.example:1 status").await.exit, 2);
    assert_eq!(user.run("audit verify nothing-here.jsonl").await.exit, 1);
    assert_eq!(user.run("--help").await.exit, 0);
}

#[tokio::test]
async fn an_answer_is_printed_in_the_form_that_was_asked_for() {
    let user = User::of(&canned::cluster().await);
    let table = user.run("status").await;
    assert_eq!(table.exit, 0, "{}", table.stderr);
    assert!(table.stdout.contains("\nleader         1\n"), "{}", table.stdout);
    assert_eq!(user.run("status --field leader").await.stdout, "1\n");
    let json: serde_json::Value =
        serde_json::from_str(&user.run("status --output json").await.stdout).unwrap();
    assert_eq!(json["organisation"], "org_1");
    let unknown = user.run("status --field nothing").await;
    assert_eq!((unknown.exit, unknown.stdout.as_str()), (2, ""));
}

#[tokio::test]
async fn manual_pages_and_completions_need_no_cluster() {
    let user = User::of("http://127.0.0.1:1");
    assert!(user.run("man").await.stdout.starts_with(".ie"));
    assert_eq!(user.run("man --out pages").await.exit, 0);
    assert!(user.path("pages/leasehold-lease-acquire.1").exists());
    assert!(user.run("completions fish").await.stdout.contains("leasehold"));
}
