//! An attacker who can write to the data folder of a node that is stopped.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use leasehold_proto::v1::{
    ProveConsistencyRequest, RegisterSubjectRequest, SubjectKind, audit_service_client::AuditServiceClient,
    subject_service_client::SubjectServiceClient,
};
use leasehold_secrets::{
    furnish::Furnished,
    process,
    production::{KeyBy, Production, private},
};

use crate::scene::with_a_lease;

async fn command(production: &Production, arguments: &[&str]) -> (bool, String) {
    let output = production.command(arguments).stdin(Stdio::null()).output().await.unwrap();
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

async fn login(production: &Production, furnished: &Furnished) {
    let file = production.folder().join("admin.credential");
    private(&file, &furnished.admin).unwrap();
    let (file, ca) = (file.display().to_string(), production.folder().join("ca.pem").display().to_string());
    let arguments = ["login", "--credential-file", &file, "--address", &production.grpc(), "--ca-file", &ca];
    let (done, said) = command(production, &arguments).await;
    assert!(done, "{said}");
}

async fn export(production: &Production, name: &str) -> String {
    let file = production.folder().join(name).display().to_string();
    let (done, said) = command(production, &["audit", "export", "--out", &file]).await;
    assert!(done, "{said}");
    file
}

async fn register(production: &Production, furnished: &Furnished, names: &[&str]) {
    for name in names {
        let request = RegisterSubjectRequest {
            user_name: (*name).to_owned(),
            kind: SubjectKind::Person.into(),
            ..RegisterSubjectRequest::default()
        };
        SubjectServiceClient::new(production.speaking(&furnished.admin).unwrap())
            .register(request)
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_that_was_put_back_is_shown_by_a_checkpoint_that_was_exported_before() {
    let (mut production, furnished, _) = with_a_lease().await;
    login(&production, &furnished).await;
    assert!(production.end_by("-TERM").await.unwrap().success());
    let older = production.folder().join("older");
    process::copy_folder(&production.data(), &older).unwrap();
    production.start_again(KeyBy::File).await.unwrap();
    register(&production, &furnished, &["carol", "dave", "erin"]).await;
    let exported = export(&production, "exported.jsonl").await;
    let (verified, said) = command(&production, &["audit", "verify", &exported]).await;
    assert!(verified, "{said}");
    let size = fs::read_to_string(&exported).unwrap().lines().count() as u64;

    // The attack: the folder as it was, and a node that goes on from there.
    assert!(production.end_by("-TERM").await.unwrap().success());
    fs::remove_dir_all(production.data()).unwrap();
    fs::rename(&older, production.data()).unwrap();
    production.start_again(KeyBy::File).await.expect("not stopped, as the model says");
    let mut audit = AuditServiceClient::new(production.speaking(&furnished.admin).unwrap());
    let consistency = |new_size| ProveConsistencyRequest { old_size: size, new_size };
    audit.prove_consistency(consistency(0)).await.expect_err("a smaller ledger cannot prove that it grew");
    // Even once it has grown beyond: what the checkpoint covered is not there.
    register(&production, &furnished, &["mallory", "mallory-too", "mallory-three", "mallory-four"]).await;
    let forged = export(&production, "forged.jsonl").await;
    let (_, said) = command(&production, &["audit", "verify", &forged]).await;
    let checkpoint = format!("{exported}.checkpoint");
    let lines: Vec<String> = fs::read_to_string(&forged)
        .unwrap()
        .lines()
        .take(size as usize)
        .map(|line| format!("{line}\n"))
        .collect();
    let prefix = production.folder().join("prefix.jsonl").display().to_string();
    fs::write(&prefix, lines.concat()).unwrap();
    let (verified, told) =
        command(&production, &["audit", "verify", &prefix, "--checkpoint", &checkpoint]).await;
    assert!(!verified, "the older checkpoint fits the other history: {told} after {said}");
    production.stop().await.unwrap();
}

/// Whether a start on this folder is refused.
async fn refused(production: &mut Production) -> bool {
    match production.start_again(KeyBy::File).await {
        Err(_) => true,
        Ok(()) => {
            production.end_by("-TERM").await.unwrap();
            false
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_the_log_the_ledger_or_the_identity_is_refused_or_changes_nothing() {
    let (mut production, furnished, _) = with_a_lease().await;
    login(&production, &furnished).await;
    register(&production, &furnished, &["carol", "dave"]).await;
    let honest = fs::read(export(&production, "honest.jsonl").await).unwrap();
    assert!(production.end_by("-TERM").await.unwrap().success());
    let whole = production.folder().join("whole");
    process::copy_folder(&production.data(), &whole).unwrap();

    let mut refusals = 0;
    for (path, at) in targets(&whole) {
        restore(&production, &whole);
        let damaged = production.data().join(path.strip_prefix(&whole).unwrap());
        let mut bytes = fs::read(&damaged).unwrap();
        bytes[at] ^= 0x10;
        fs::write(&damaged, bytes).unwrap();
        if refused(&mut production).await {
            refusals += 1;
            continue;
        }
        // Where nothing was refused, nothing that is answered may differ.
        production.start_again(KeyBy::File).await.unwrap();
        let now = fs::read(export(&production, "after.jsonl").await).unwrap();
        assert!(now.starts_with(&honest), "a flip of byte {at} of {} changed the ledger", path.display());
        production.end_by("-TERM").await.unwrap();
    }
    assert!(refusals > 0, "no flip was refused");
    restore(&production, &whole);
    production.start_again(KeyBy::File).await.unwrap();
    production.stop().await.unwrap();
}

/// One byte in the middle of what is written of each file.
fn targets(folder: &Path) -> Vec<(PathBuf, usize)> {
    let all = process::files(folder).unwrap().into_iter();
    let written = all.filter_map(|(path, bytes)| {
        let last = bytes.iter().rposition(|byte| *byte != 0)?;
        Some((path, last / 2))
    });
    written.filter(|(path, _)| fs::metadata(path).unwrap().size() > 0).take(12).collect()
}

fn restore(production: &Production, whole: &Path) {
    fs::remove_dir_all(production.data()).unwrap();
    process::copy_folder(whole, &production.data()).unwrap();
}
