//! Power that goes away: at seeded moments of a node's life, with disks that hold what is owed and any mix of what is not.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Context, ensure};
use leasehold_disk::{
    disk::{Disk, Loss},
    opened::{Opened, Stand},
    seed::{self, Numbers},
    story::{Node, export},
    trace::{Change, Traced},
};

use crate::scene::{Scene, TABLE};

/// Where the node has stood, entry by entry: its log is applied again from the first entry, to a ledger that is not there.
struct Truth {
    lines: Vec<Vec<u8>>,
    stands: BTreeSet<Stand>,
}

async fn truth(scene: &Scene) -> anyhow::Result<Truth> {
    let beside = tempfile::tempdir()?;
    let mut folder = scene.folder()?;
    folder.0.retain(|name, _| name != "ledger" && !name.starts_with("ledger/"));
    folder.put(beside.path())?;
    let opened = Opened::at(beside.path()).await.context("the log alone")?;
    let (everything, stands) = (opened.everything().await?, opened.stands()?);
    opened.close().await;
    Ok(Truth { lines: everything.lines, stands })
}

/// Puts what the power has left somewhere, and tries something on it. Where that fails, a copy of what was left stays, to be looked at.
async fn tried<T>(
    disk: &Disk,
    loss: Loss,
    what: impl AsyncFnOnce(&Path) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let beside = tempfile::tempdir()?;
    disk.put(loss, beside.path())?;
    match what(beside.path()).await {
        Ok(done) => Ok(done),
        Err(error) => {
            disk.put(loss, beside.path())?;
            Err(error.context(format!("the image is in {}", beside.keep().display())))
        }
    }
}

/// Opens what the power has left, and holds it against what was promised by then.
async fn survived(scene: &Scene, truth: &Truth, path: &Path, traced: u64) -> anyhow::Result<usize> {
    let opened = Opened::at(path).await?;
    let found = opened.everything().await?;
    opened.close().await;
    ensure!(truth.lines.starts_with(&found.lines), "lines that never were");
    ensure!(truth.stands.contains(&found.stand), "a state that never was: {:?}", found.stand);
    scene.story.is_kept(&found.lines, traced, false)?;
    Ok(found.lines.len())
}

/// The disk at each of some moments, in the order of the trace.
fn moments(
    disk: &mut Disk,
    seen: &[Traced],
    numbers: &mut Numbers,
    count: usize,
) -> anyhow::Result<Vec<(u64, Disk)>> {
    let mut wanted: BTreeSet<usize> = (1..count).map(|_| numbers.below(seen.len() as u64) as usize).collect();
    wanted.insert(seen.len().saturating_sub(1));
    let mut moments = Vec::new();
    for (at, change) in seen.iter().enumerate() {
        disk.follow(change)?;
        if wanted.contains(&at) {
            moments.push((change.end, disk.clone()));
        }
    }
    Ok(moments)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_power_goes_whatever_the_disk_held_back() {
    let seed = seed::of_run();
    let mut numbers = Numbers::new(seed, "power");
    let (lives, cuts, images) = (seed::rounds(2, 8), seed::rounds(12, 60), seed::rounds(4, 12));
    let mut scene = Scene::stopped().await.unwrap();
    let (mut images_tried, mut unowed) = (0, 0);
    for life in 0..lives {
        let mut disk = Disk::of(&scene.folder().unwrap());
        scene.start(&[]).await.unwrap();
        let rounds = 3 + numbers.below(5) as usize;
        assert_eq!(scene.load(rounds, 1).await.unwrap(), Node::Answers, "{}", scene.apart.log());
        scene.apart.kill().await.unwrap();
        let seen = scene.layer.trace().unwrap();
        let truth = truth(&scene).await.unwrap();
        let moments = moments(&mut disk, &seen, &mut numbers, cuts).unwrap();
        for (traced, disk) in &moments {
            unowed += disk.unowed();
            let mixed = (0..images).map(|_| Loss::Some(numbers.draw()));
            for loss in [Loss::Everything, Loss::Nothing].into_iter().chain(mixed) {
                tried(disk, loss, async |path| survived(&scene, &truth, path, *traced).await)
                    .await
                    .with_context(|| format!("seed {seed}, life {life}, at {traced}, {loss:?}"))
                    .unwrap();
                images_tried += 1;
            }
        }
        // The real process, on one of the disks that the power may have left when the node was killed.
        let (_, last) = moments.last().unwrap();
        last.put(Loss::Some(numbers.draw()), &scene.apart.data()).unwrap();
        scene.apart.start_again(&[]).await.with_context(|| format!("seed {seed}, life {life}")).unwrap();
        let lines = export(&scene.apart).await.unwrap();
        scene
            .story
            .is_kept(&lines, u64::MAX, true)
            .with_context(|| format!("seed {seed}, life {life}"))
            .unwrap();
        scene.stop_in_order().await.unwrap();
        // What was promised up to here is held by the folder that the next life begins with.
        scene.story.promises.iter_mut().for_each(|promise| promise.traced = 0);
    }
    assert!(unowed > 0, "there was always nothing to lose: the moments are not what they should be");
    let outcome =
        format!("in {images_tried} images each start has every acknowledged line, and a state that was");
    let when = "under leases, revocations, registrations, consents";
    TABLE
        .row(
            700,
            &["power loss, unsynced bytes and names lost, kept or torn", "the whole folder", when, &outcome],
        )
        .unwrap();
    scene.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_lies_about_its_syncs_is_found_out() {
    // The suite itself: were the log's syncs left out of the node, acknowledged events would be lost, and it would say so.
    let mut scene = Scene::stopped().await.unwrap();
    let mut disk = Disk::of(&scene.folder().unwrap());
    scene.start(&[]).await.unwrap();
    assert_eq!(scene.load(3, 0).await.unwrap(), Node::Answers);
    scene.apart.kill().await.unwrap();
    let truth = truth(&scene).await.unwrap();
    let seen = scene.layer.trace().unwrap();
    let lies =
        |change: &Traced| change.name.starts_with("log/") && matches!(change.change, Change::SyncEnd { .. });
    seen.iter().filter(|change| !lies(change)).try_for_each(|change| disk.follow(change)).unwrap();
    let beside = tempfile::tempdir().unwrap();
    disk.put(Loss::Everything, beside.path()).unwrap();
    let lost = survived(&scene, &truth, beside.path(), u64::MAX).await;
    assert!(lost.is_err(), "nobody noticed");
    scene.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn power_that_goes_during_the_first_start_leaves_what_a_second_start_finishes() {
    let seed = seed::of_run();
    let mut numbers = Numbers::new(seed, "first");
    let mut scene = Scene::stopped().await.unwrap();
    let mut fresh = scene.folder().unwrap();
    fresh.0.retain(|name, _| name == "root.key" || name == "sandbox.toml");
    fresh.put(&scene.apart.data()).unwrap();
    let mut disk = Disk::of(&scene.folder().unwrap());
    scene.start(&[]).await.unwrap();
    scene.apart.kill().await.unwrap();
    let seen = scene.layer.trace().unwrap();
    for (traced, disk) in moments(&mut disk, &seen, &mut numbers, seed::rounds(25, 300)).unwrap() {
        for loss in [Loss::Everything, Loss::Nothing, Loss::Some(numbers.draw()), Loss::Some(numbers.draw())]
        {
            let finished = tried(&disk, loss, async |path| {
                let opened = Opened::at(path).await?;
                opened.everything().await?;
                opened.close().await;
                Ok(())
            });
            finished.await.with_context(|| format!("seed {seed}, at {traced}, {loss:?}")).unwrap();
        }
    }
    TABLE
        .row(
            702,
            &[
                "power loss",
                "the whole folder",
                "at the first start",
                "the next start finishes what was begun",
            ],
        )
        .unwrap();
    scene.end().await.unwrap();
}
