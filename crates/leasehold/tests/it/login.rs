//! Profiles: made by `login`, used by everything else, and readable by nobody else.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::{canned, user::User};

#[tokio::test]
async fn a_bootstrap_credential_becomes_a_profile_that_works() {
    let user = User::of(&canned::cluster().await);
    user.write_secret("bootstrap", "lh_bs_1.bootstrap\n");
    let login = user.run("login --bootstrap-file bootstrap --name ada").await;
    assert_eq!(login.exit, 0, "{}", login.stderr);
    assert!(!login.stdout.contains("s3cret"), "{}", login.stdout);
    let profiles = fs::metadata(user.path("profiles.toml")).unwrap();
    assert_eq!(profiles.permissions().mode() & 0o777, 0o600);
    let listed = user.run_with_profiles("administrator list --field name").await;
    assert_eq!((listed.exit, listed.stdout.as_str()), (0, "ada\n"), "{}", listed.stderr);
    let again = user.run("login --bootstrap-file bootstrap --name ada").await;
    assert_eq!(again.exit, 1);
    assert!(again.stderr.contains("(PROFILE_EXISTS)"), "{}", again.stderr);
}

#[tokio::test]
async fn a_refused_bootstrap_credential_leaves_no_profile() {
    let user = User::of(&canned::cluster().await);
    user.write_secret("bootstrap", "lh_bs_1.wrong");
    let refused = user.run("login --bootstrap-file bootstrap --name ada").await;
    assert_eq!(refused.exit, 1);
    assert!(refused.stderr.contains("(UNAUTHENTICATED)"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("lh_bs_1"), "{}", refused.stderr);
    let unknown = user.run_with_profiles("administrator list").await;
    assert!(unknown.stderr.contains("(PROFILE_UNKNOWN)"), "{}", unknown.stderr);
}

#[tokio::test]
async fn profiles_that_others_can_read_are_refused() {
    let user = User::of(&canned::cluster().await);
    user.write_secret("credential", "lh_ad_1.s3cret");
    let stored = user.run("login --as ops --credential-file credential").await;
    assert_eq!(stored.exit, 0, "{}", stored.stderr);
    assert_eq!(user.run_with_profiles("--as ops administrator list").await.exit, 0);
    fs::set_permissions(user.path("profiles.toml"), fs::Permissions::from_mode(0o644)).unwrap();
    let refused = user.run_with_profiles("--as ops administrator list").await;
    assert_eq!(refused.exit, 1);
    assert!(
        refused.stderr.contains("(PROFILE_READABLE)\n  next: take the others' permission away"),
        "{}",
        refused.stderr
    );
}
