//! What stands in a cluster as files, and a cluster from those files.

use std::{collections::BTreeMap, fs, path::Path};

use leasehold::node::{Dev, DevOptions};

use crate::{
    apply::{apply, example},
    site::Site,
    user::User,
};

fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let exported =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|ext| ext != "secret"));
    exported.map(|path| (name(&path), fs::read_to_string(&path).unwrap())).collect()
}

#[tokio::test]
async fn what_was_exported_is_nothing_to_apply_and_builds_the_same_elsewhere() {
    let site = Site::start().await;
    example(&site).await;
    assert_eq!(apply(&site, "-f cluster --yes").await.exit, 0);
    site.done("workload disable code-server").await;
    let exported = site.done("export -o exported --field file").await;
    assert_eq!(exported.lines().count(), 5, "{exported}");
    let same = apply(&site, "-f exported --dry-run --exit-code --prune").await;
    assert_eq!(same.exit, 0, "{}\n{}", same.stdout, same.stderr);
    site.done("export -o again").await;
    let first = files(&site.user.path("exported"));
    assert_eq!(first, files(&site.user.path("again")));
    assert!(first["connectors.toml"].contains("\n# client_secret_file = \"crm.secret\"\n"), "{first:?}");

    // Elsewhere, nothing is made without its secret by mistake.
    let other = Site::start().await;
    fs::create_dir(other.user.path("exported")).unwrap();
    for (name, text) in &first {
        fs::write(other.user.path("exported").join(name), text).unwrap();
    }
    let without = apply(&other, "-f exported --yes").await;
    assert!(
        without.stderr.contains("connector github: a new connector needs client_secret_file"),
        "{}",
        without.stderr
    );
    assert_eq!(other.done("idp list --field name").await, "");
    for (name, text) in &first {
        fs::write(
            other.user.path("exported").join(name),
            text.replace("# client_secret_file", "client_secret_file"),
        )
        .unwrap();
    }
    for name in ["crm", "github", "entra", "partners"] {
        other.user.write_secret(&format!("exported/{name}.secret"), "s3cret");
    }
    let built = apply(&other, "-f exported --yes").await;
    assert_eq!(built.exit, 0, "{}\n{}", built.stdout, built.stderr);
    other.done("export -o again").await;
    assert_eq!(files(&other.user.path("again")), first);
    site.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn what_dev_is_furnished_with_is_nothing_to_apply() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let dev = Dev::start(&DevOptions::default()).await.unwrap();
    let user = User::of(&format!("http://{}", dev.node.grpc));
    user.write_secret("credential", &dev.furnished.as_ref().unwrap().admin);
    for arguments in ["export -o out", "apply -f out --dry-run --exit-code"] {
        let ran = user.run(&format!("{arguments} --credential-file credential")).await;
        assert_eq!(ran.exit, 0, "{arguments}\n{}\n{}", ran.stdout, ran.stderr);
    }
    let connectors = fs::read_to_string(user.path("out/connectors.toml")).unwrap();
    assert!(connectors.contains(dev.sandbox.as_ref().unwrap().provider_issuer()), "{connectors}");
    dev.stop().await.unwrap();
}

#[tokio::test]
async fn a_folder_that_is_not_empty_is_left_alone() {
    let site = Site::start().await;
    example(&site).await;
    assert_eq!(apply(&site, "-f cluster --yes").await.exit, 0);
    site.done("export -o out").await;
    let refused = site.run("export -o out").await;
    assert_eq!(refused.exit, 1);
    assert!(refused.stderr.contains("(FOLDER_NOT_EMPTY)"), "{}", refused.stderr);
    fs::write(site.user.path("out/connectors.toml"), "# older\n").unwrap();
    fs::write(site.user.path("out/notes.txt"), "mine\n").unwrap();
    site.done("export -o out --force").await;
    let replaced = fs::read_to_string(site.user.path("out/connectors.toml")).unwrap();
    assert!(replaced.contains("[[connector]]") && !replaced.contains("# older"), "{replaced}");
    assert_eq!(fs::read_to_string(site.user.path("out/notes.txt")).unwrap(), "mine\n");
    // A file that `apply` would take too would make another cluster of it.
    fs::write(site.user.path("out/more.toml"), "").unwrap();
    let mixed = site.run("export -o out --force").await;
    assert!(mixed.stderr.contains("more.toml is not of an export"), "{}", mixed.stderr);
    site.stop().await;
}

#[tokio::test]
async fn what_is_gone_leaves_no_file_behind_and_an_empty_cluster_gives_none() {
    let site = Site::start().await;
    fs::create_dir(site.user.path("out")).unwrap();
    fs::write(site.user.path("out/workloads.toml"), "# of another cluster\n").unwrap();
    assert_eq!(site.done("export -o out --force --field file").await, "");
    assert_eq!(files(&site.user.path("out")), BTreeMap::new());
    site.stop().await;
}

#[tokio::test]
async fn an_export_is_whole_or_refused() {
    let site = Site::start().await;
    site.administrator("otto", "operator").await;
    let operator = site.run("export -o out --as otto").await;
    assert_eq!(operator.exit, 1);
    assert!(operator.stderr.contains("could not read the policy set"), "{}", operator.stderr);
    assert!(!site.user.path("out").exists(), "a part of it would pass for the whole");
    site.administrator("olga", "auditor").await;
    let auditor = site.run("export -o out --as olga").await;
    assert_eq!(auditor.exit, 0, "{}", auditor.stderr);
    site.stop().await;
}
