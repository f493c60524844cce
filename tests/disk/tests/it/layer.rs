//! The layer itself: it sees everything, and what it has seen gives the folder again.

use std::process::Command;

use leasehold_disk::{
    disk::{Disk, Loss},
    folder::{Content, Folder},
    layer::Layer,
    trace::Change,
};

use crate::scene::Scene;

/// What a folder holds, without dates and numbers.
fn contents(folder: &Folder) -> Vec<(&String, &Content)> {
    folder.0.iter().map(|(name, entry)| (name, &entry.content)).collect()
}

#[test]
fn system_calls_of_libc_and_of_rustix_are_seen_alike() {
    let (data, beside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let layer = Layer::over(data.path(), beside.path()).unwrap();
    let environment = layer.next(&[]).unwrap();
    let probe =
        Command::new(env!("CARGO_BIN_EXE_probe")).arg(layer.root()).envs(environment).status().unwrap();
    assert!(probe.success());
    let seen = layer.trace().unwrap();
    for name in ["std", "raw"] {
        let part = format!("{name}.part");
        let count = |wanted: fn(&Change) -> bool| {
            seen.iter()
                .filter(|seen| (seen.name == part || seen.name == name) && wanted(&seen.change))
                .count()
        };
        let writes = if name == "std" { 3 } else { 2 };
        assert_eq!(count(|change| matches!(change, Change::Create)), 1, "{name}");
        assert_eq!(count(|change| matches!(change, Change::Write { .. })), writes, "{name}");
        assert_eq!(count(|change| matches!(change, Change::Truncate { size: 22 })), 1, "{name}");
        assert_eq!(count(|change| matches!(change, Change::SyncEnd { folder: false, .. })), 2, "{name}");
        assert_eq!(count(|change| matches!(change, Change::Rename { .. })), 1, "{name}");
    }
    let folders =
        seen.iter().filter(|seen| matches!(seen.change, Change::SyncEnd { folder: true, .. })).count();
    assert_eq!(folders, 1);
    let mut disk = Disk::default();
    seen.iter().try_for_each(|change| disk.follow(change)).unwrap();
    let now = Folder::read(data.path()).unwrap();
    assert_eq!(contents(&disk.found(Loss::Nothing).unwrap()), contents(&now));
    let owed = disk.found(Loss::Everything).unwrap();
    let names: Vec<_> = owed.files();
    assert_eq!(names, ["std"], "what the folder's one sync made durable: `sub` has none of its own");
    assert_eq!(owed.bytes("std").unwrap().len(), 22);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_layer_has_seen_of_a_node_gives_its_folder_again_byte_for_byte() {
    let mut scene = Scene::stopped().await.unwrap();
    let mut disk = Disk::of(&scene.folder().unwrap());
    scene.start(&[]).await.unwrap();
    scene.load(3, 1).await.unwrap();
    scene.stop_in_order().await.unwrap();
    let seen = scene.layer.trace().unwrap();
    seen.iter().try_for_each(|change| disk.follow(change)).unwrap();
    let (replayed, real) = (disk.found(Loss::Nothing).unwrap(), scene.folder().unwrap());
    assert_eq!(contents(&replayed), contents(&real));
    // And of every kind of file there were writes and syncs, so the comparison is about something.
    for (name, synced) in [
        ("log/00000000000000000001.seg", true),
        ("ledger/epoch-1/db", true),
        ("ledger/epoch-1/floor", true),
        ("ledger/closed.new", true),
        ("outbox/", true),
        ("dev.part", true),
    ] {
        let of = |wanted: fn(&Change) -> bool| {
            seen.iter().any(|seen| seen.name.starts_with(name) && wanted(&seen.change))
        };
        assert!(of(|change| matches!(change, Change::Write { .. })), "no write to {name} was seen");
        assert_eq!(of(|change| matches!(change, Change::SyncEnd { .. })), synced, "{name}");
    }
    scene.end().await.unwrap();
}
