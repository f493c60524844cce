//! Damage to what is on disk: refused at open with the file's name, found when it is read, or provably harmless. Never another answer.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use leasehold::node::{EXIT_DISK, fatal::NEXT};
use leasehold_disk::{
    damage::{self, Damage},
    folder::Folder,
    layer::{Call, Errno, How, Rule},
    opened::{Everything, Opened, Outcome, judged},
    seed::{self, Numbers},
};

use crate::scene::{Scene, TABLE};

/// A stopped node's folder, the same at an earlier stop, and what it holds.
struct Stopped {
    folder: Folder,
    older: Folder,
    expected: Everything,
}

impl Stopped {
    async fn new(orderly: bool) -> anyhow::Result<Self> {
        let mut scene = Scene::stopped().await?;
        let older = scene.folder()?;
        scene.start(&[]).await?;
        scene.load(4, 1).await?;
        if orderly {
            scene.stop_in_order().await?;
        } else {
            scene.apart.kill().await?;
        }
        let folder = scene.folder()?;
        scene.end().await?;
        let beside = tempfile::tempdir()?;
        folder.put(beside.path())?;
        let opened = Opened::at(beside.path()).await?;
        let expected = opened.everything().await?;
        opened.close().await;
        Ok(Self { folder, older, expected })
    }
}

/// Files that the node itself reads; the others are of `dev` and its sandbox.
fn is_the_nodes(name: &str) -> bool {
    name.contains('/') || name == "node.toml" || name == "root.key"
}

/// A refusal names the file, or the store that it is a part of.
fn names(words: &str, name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    // Of the log's segments it is known that they must be there, not how many.
    words.contains(file)
        || (name.ends_with(".seg") && words.contains("log/*.seg is missing"))
        || (name.starts_with("ledger/") && words.contains("/ledger"))
        || name == "root.key"
}

async fn every_damage(orderly: bool) -> anyhow::Result<()> {
    let seed = seed::of_run();
    let purpose = if orderly { "damage after a stop" } else { "damage after a kill" };
    let mut numbers = Numbers::new(seed, purpose);
    let stopped = Stopped::new(orderly).await?;
    let mut tally: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    for name in stopped.folder.files().into_iter().filter(|name| is_the_nodes(name)) {
        let bytes = stopped.folder.bytes(&name).context("a file without bytes")?;
        let more = if bytes.len() > 1024 { seed::rounds(40, 800) } else { seed::rounds(4, 60) };
        for damage in damage::all(bytes, &mut numbers, more) {
            let said = || format!("seed {seed}, {purpose}: {name}, {damage}");
            let Some(folder) = damage.of(&stopped.folder, &stopped.older, &name)? else { continue };
            let outcome = outcome(&folder, &stopped.expected, &name).await.with_context(said)?;
            let counts = tally.entry(name.clone()).or_default();
            match outcome {
                Outcome::Refused(_) => counts[0] += 1,
                Outcome::Found(_) => counts[1] += 1,
                Outcome::Same => counts[2] += 1,
            }
        }
    }
    let refused: usize = tally.values().map(|counts| counts[0]).sum();
    ensure!(refused > 20, "damage that is hardly ever noticed is no damage");
    for (at, (name, [refused, found, same])) in tally.iter().enumerate() {
        let outcome =
            format!("{refused} refused at open, {found} found on read, {same} harmless, no other answer");
        let place = if orderly { 800 } else { 900 } + at;
        let when = if orderly { "after an orderly stop" } else { "after a kill" };
        let what = "bits flipped, 4 KiB zeroed, cut, older, missing";
        TABLE.row(place, &[what, name, when, &outcome])?;
    }
    Ok(())
}

async fn outcome(folder: &Folder, expected: &Everything, name: &str) -> anyhow::Result<Outcome> {
    let beside = tempfile::tempdir()?;
    folder.put(beside.path())?;
    let outcome = judged(beside.path(), expected).await?;
    if let Outcome::Refused(words) | Outcome::Found(words) = &outcome {
        ensure!(names(words, name), "it is not said where: {words}");
    }
    Ok(outcome)
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_after_an_orderly_stop_is_refused_found_or_harmless() {
    every_damage(true).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_after_a_kill_is_refused_found_or_harmless() {
    every_damage(false).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_judge_takes_an_untouched_folder_for_the_same_and_another_line_for_another_answer() {
    let stopped = Stopped::new(true).await.unwrap();
    let beside = tempfile::tempdir().unwrap();
    stopped.folder.put(beside.path()).unwrap();
    assert_eq!(judged(beside.path(), &stopped.expected).await.unwrap(), Outcome::Same);
    let mut other = stopped.expected.clone();
    other.lines.pop();
    stopped.folder.put(beside.path()).unwrap();
    assert!(judged(beside.path(), &other).await.is_err());
}

/// Damage that the process itself meets at its start, and what its last words name.
const AT_A_START: [(&str, Damage, &str); 9] = [
    ("log/00000000000000000001.seg", Damage::Flip { at: 700, bit: 3 }, "log/00000000000000000001.seg"),
    ("log/00000000000000000001.seg", Damage::Missing, "log/*.seg is missing"),
    ("log/identity", Damage::Flip { at: 20, bit: 0 }, "log/identity"),
    ("log/identity", Damage::Missing, "log/identity is missing"),
    ("ledger/epoch-1/db", Damage::Missing, "ledger/epoch-1"),
    ("ledger/epoch-1/conf", Damage::Flip { at: 9, bit: 1 }, "ledger/epoch-1"),
    ("ledger/epoch-1/floor", Damage::Missing, "ledger"),
    ("ledger/current", Damage::Flip { at: 0, bit: 6 }, "ledger"),
    ("ledger/current", Damage::Missing, "ledger"),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_process_ends_with_its_code_and_names_what_is_damaged() {
    let mut scene = Scene::stopped().await.unwrap();
    scene.start(&[]).await.unwrap();
    scene.load(2, 0).await.unwrap();
    scene.stop_in_order().await.unwrap();
    let whole = scene.folder().unwrap();
    for (name, damage, named) in AT_A_START {
        damage.of(&whole, &whole, name).unwrap().unwrap().put(&scene.apart.data()).unwrap();
        let ended = scene.start_in_vain(&[]).await.unwrap();
        let said = scene.apart.log();
        assert_eq!(ended.code(), Some(EXIT_DISK), "{name}, {damage}:\n{said}");
        assert!(said.contains(named) && said.contains(NEXT), "{name}, {damage}:\n{said}");
    }
    // What says whose data these are is no matter of the disk's, but it is refused and named too.
    for (name, damage) in [
        ("node.toml", Damage::CutByHalf),
        ("node.toml", Damage::Flip { at: 24, bit: 0 }),
        ("node.toml", Damage::Missing),
        ("root.key", Damage::CutByHalf),
        ("root.key", Damage::Missing),
    ] {
        damage.of(&whole, &whole, name).unwrap().unwrap().put(&scene.apart.data()).unwrap();
        let ended = scene.start_in_vain(&[]).await.unwrap();
        let said = scene.apart.log();
        assert!(!ended.success() && said.contains(name), "{name}, {damage}:\n{said}");
    }
    whole.put(&scene.apart.data()).unwrap();
    scene.mended().await.unwrap();
    scene.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_answer_of_a_provider_ends_the_node_and_moved_away_counts_as_none() {
    let mut scene = Scene::stopped().await.unwrap();
    scene.start(&[]).await.unwrap();
    // The marker's sync, and then the answer's, whose name stands already.
    let second = [Rule { call: Call::Sync, pattern: "outbox", nth: 2, how: How::Once, errno: Errno::Io }];
    scene.layer.set(&second).unwrap();
    scene.load(0, 1).await.unwrap();
    assert_eq!(scene.apart.ended().await.unwrap().code(), Some(EXIT_DISK));
    let whole = scene.folder().unwrap();
    let answer = whole.files().into_iter().find(|name| name.ends_with(".answer")).unwrap();
    let len = whole.bytes(&answer).unwrap().len() as u64;
    for at in [0, len / 2, len - 1] {
        Damage::Flip { at, bit: 2 }
            .of(&whole, &whole, &answer)
            .unwrap()
            .unwrap()
            .put(&scene.apart.data())
            .unwrap();
        let ended = scene.start_in_vain(&[]).await.unwrap();
        let said = scene.apart.log();
        assert_eq!(ended.code(), Some(EXIT_DISK), "{said}");
        assert!(said.contains(&format!("{answer} is damaged")) && said.contains(NEXT), "{said}");
    }
    std::fs::remove_file(scene.apart.data().join(&answer)).unwrap();
    scene.mended().await.unwrap();
    TABLE
        .row(
            1004,
            &[
                "a bit flipped",
                "outbox, answer",
                "at a start",
                "ends with 70 and names it; moved away, it counts as an answer that never came",
            ],
        )
        .unwrap();
    scene.end().await.unwrap();
}
