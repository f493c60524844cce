//! A real node whose root key is replaced as its configuration says: with the one before, and with a recovery copy. Nothing of a key is printed.

use std::fs;

use leasehold_vault::{OsEntropy, RootKey};

use crate::{
    node::{Node, run},
    place::Place,
};

/// Puts a new root key into its file, and the one before under another name.
fn exchange_root_key(place: &Place, before: &str) {
    fs::rename(place.path("root.key"), place.path(before)).unwrap();
    RootKey::create_file(&place.path("root.key"), &OsEntropy).unwrap();
}

/// What a key's file holds, without the word before it.
fn key(place: &Place, name: &str) -> String {
    let text = fs::read_to_string(place.path(name)).unwrap();
    text.trim().rsplit(':').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_root_key_is_replaced_by_the_configuration_and_no_key_is_printed() {
    let place = Place::bare("");
    Node::start(&place).await.stopped().await;
    exchange_root_key(&place, "before");
    let refused = run(&place, "serve --config leasehold.toml", &[]).await;
    assert_eq!(refused.exit, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("root key"), "{}", refused.stderr);

    place.configure("previous_root_key.file = \"before\"\n");
    let checked = run(&place, "serve --config leasehold.toml --check", &[]).await;
    assert_eq!(checked.exit, 0, "{}{}", checked.stdout, checked.stderr);
    let node = Node::start(&place).await;
    node.logged("the root key was replaced", 1).await;
    let said = format!("{:?}", node.log_so_far());
    node.stopped().await;
    let node = Node::start(&place).await;
    node.logged("is not needed any more", 1).await;
    let said = format!("{said}{:?}{}{}", node.log_so_far(), refused.stderr, checked.stdout);
    node.stopped().await;
    assert!(said.len() > 200, "{said}");
    for name in ["before", "root.key"] {
        assert!(!said.contains(&key(&place, name)), "{name} is printed");
    }
    place.configure("");
    Node::start(&place).await.stopped().await;
    fs::rename(place.path("before"), place.path("root.key")).unwrap();
    let former = run(&place, "serve --config leasehold.toml", &[]).await;
    assert_eq!(former.exit, 1, "the former key opens nothing any more: {}", former.stderr);
}

#[tokio::test]
async fn a_recovery_copy_brings_a_node_back_and_its_key_is_not_printed() {
    let place = Place::with_tls();
    let tls = fs::read_to_string(place.path("leasehold.toml")).unwrap();
    let node = Node::start(&place).await;
    node.found(&place).await;
    for folder in ["copies", "keys"] {
        fs::create_dir(place.path(folder)).unwrap();
    }
    // Where the root key comes from, the configuration says.
    node.done(
        &place,
        "keys recovery-copy --config leasehold.toml --out copies/copy --key-out keys/recovery.key",
    )
    .await;
    node.done(&place, "keys recovery-check copies/copy --key-file keys/recovery.key").await;
    node.stopped().await;

    exchange_root_key(&place, "lost");
    let with =
        |copy: &str, key: &str| format!("{tls}[recovery]\ncopy_file = \"{copy}\"\nkey_file = \"{key}\"\n");
    place.write("leasehold.toml", &with("copies/copy", "lost"));
    let wrong = run(&place, "serve --config leasehold.toml --check", &[]).await;
    assert_eq!(wrong.exit, 1, "{}", wrong.stdout);
    assert!(wrong.stdout.starts_with("recovery: "), "{}", wrong.stdout);
    place.write("leasehold.toml", &with("copies/copy", "keys/recovery.key"));
    let node = Node::start(&place).await;
    node.logged("the root key was replaced", 1).await;
    node.done(&place, "keys status").await;
    let said = format!("{:?}{}", node.log_so_far(), wrong.stdout);
    for name in ["keys/recovery.key", "root.key", "lost"] {
        assert!(!said.contains(&key(&place, name)), "{name} is printed");
    }
    node.stopped().await;
    place.write("leasehold.toml", &tls);
    Node::start(&place).await.stopped().await;
}
