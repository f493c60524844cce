//! A call that fails: each kind of file, each call, EIO and ENOSPC. The node ends with its exit code, its last words name the file and what to do,
//! and on a healthy disk it goes on with everything that it had acknowledged.

use std::process::ExitStatus;

use anyhow::{Context, ensure};
use leasehold::node::EXIT_DISK;
use leasehold_disk::{
    folder::Folder,
    layer::{Call, Errno, How, Rule},
    story::Node,
};

use crate::scene::{Scene, TABLE};

/// When the call is made that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// When the node starts for the first time.
    First,
    /// When it starts again after an orderly stop.
    Start,
    /// While it serves calls.
    Serving,
    /// While somebody consents.
    Consent,
    /// When it stops in order.
    Stop,
}

impl When {
    const fn words(self) -> &'static str {
        match self {
            Self::First => "at the first start",
            Self::Start => "at a start",
            Self::Serving => "while serving",
            Self::Consent => "while a code is exchanged",
            Self::Stop => "while stopping",
        }
    }
}

/// A kind of file, a call on it, and when that is made.
struct Case {
    place: usize,
    /// What the file is, in the table.
    what: &'static str,
    pattern: &'static str,
    call: Call,
    when: When,
    /// What the last words name.
    named: &'static str,
}

const fn case(
    place: usize,
    what: &'static str,
    pattern: &'static str,
    call: Call,
    when: When,
    named: &'static str,
) -> Case {
    Case { place, what, pattern, call, when, named }
}

const LOG: &str = "log/00000000000000000001.seg";
const DB: &str = "ledger/epoch-1/db";

/// What is touched again and again.
const SERVING: [Case; 7] = [
    case(100, "log segment", LOG, Call::Write, When::Serving, LOG),
    case(102, "log segment", LOG, Call::Sync, When::Serving, LOG),
    case(110, "ledger, data", DB, Call::Write, When::Serving, DB),
    case(112, "ledger, data", DB, Call::Sync, When::Serving, DB),
    case(114, "ledger, data", DB, Call::Range, When::Serving, DB),
    case(
        120,
        "ledger, flush note",
        "ledger/epoch-1/floor",
        Call::Write,
        When::Serving,
        "ledger/epoch-1/floor",
    ),
    case(
        122,
        "ledger, flush note",
        "ledger/epoch-1/floor",
        Call::Sync,
        When::Serving,
        "ledger/epoch-1/floor",
    ),
];

/// What one exchange of a code touches.
const CONSENT: [Case; 7] = [
    case(200, "outbox, marker", "outbox/*.sent.part", Call::Create, When::Consent, "outbox/"),
    case(202, "outbox, marker", "outbox/*.sent.part", Call::Write, When::Consent, "outbox/"),
    case(204, "outbox, marker", "outbox/*.sent.part", Call::Sync, When::Consent, "outbox/"),
    case(206, "outbox, answer", "outbox/*.answer.part", Call::Write, When::Consent, "outbox/"),
    case(208, "outbox, answer", "outbox/*.answer", Call::Rename, When::Consent, "outbox/"),
    case(210, "outbox, folder", "outbox", Call::Sync, When::Consent, "outbox"),
    case(212, "outbox, answer", "outbox/*.answer", Call::Unlink, When::Consent, "outbox/"),
];

/// What a start reads, opens and writes again.
const START: [Case; 15] = [
    case(300, "node.toml", "node.toml", Call::Read, When::Start, "node.toml"),
    case(302, "log identity", "log/identity", Call::Read, When::Start, "log/identity"),
    case(304, "log segment", LOG, Call::Open, When::Start, LOG),
    case(306, "log segment", LOG, Call::Read, When::Start, LOG),
    case(308, "log segment", LOG, Call::Write, When::Start, LOG),
    case(310, "log segment", LOG, Call::Sync, When::Start, LOG),
    case(312, "log folder", "log", Call::Sync, When::Start, "/log"),
    case(314, "ledger, data", DB, Call::Open, When::Start, "ledger/epoch-1"),
    case(316, "ledger, data", DB, Call::Read, When::Start, "ledger"),
    case(318, "ledger, configuration", "ledger/epoch-1/conf", Call::Read, When::Start, "ledger/epoch-1"),
    case(320, "ledger, flush note", "ledger/epoch-1/floor", Call::Read, When::Start, "ledger/epoch-1/floor"),
    case(322, "ledger, pointer", "ledger/current", Call::Read, When::Start, "ledger/current"),
    case(324, "ledger, note of the close", "ledger/closed", Call::Read, When::Start, "ledger/closed"),
    case(326, "ledger, note of the close", "ledger/closed", Call::Unlink, When::Start, "ledger/closed"),
    case(328, "ledger, lock", "ledger/lock", Call::Open, When::Start, "ledger/lock"),
];

const STOP: [Case; 5] = [
    case(400, "ledger, note of the close", "ledger/closed.new", Call::Create, When::Stop, "ledger"),
    case(402, "ledger, note of the close", "ledger/closed.new", Call::Write, When::Stop, "ledger"),
    case(404, "ledger, note of the close", "ledger/closed.new", Call::Sync, When::Stop, "ledger"),
    case(406, "ledger, note of the close", "ledger/closed", Call::Rename, When::Stop, "ledger"),
    case(408, "log segment", LOG, Call::Sync, When::Stop, LOG),
];

/// What only a first start makes.
const FIRST: [Case; 18] = [
    case(500, "node.toml", "node.part", Call::Create, When::First, "node.toml"),
    case(502, "node.toml", "node.part", Call::Write, When::First, "node.toml"),
    case(504, "node.toml", "node.part", Call::Sync, When::First, "node.toml"),
    case(506, "node.toml", "node.toml", Call::Rename, When::First, "node.toml"),
    case(510, "ledger, pointer", "ledger/current.new", Call::Create, When::First, "ledger/current"),
    case(512, "ledger, pointer", "ledger/current.new", Call::Sync, When::First, "ledger/current"),
    case(514, "ledger, folder", "ledger/epoch-1", Call::Mkdir, When::First, "ledger/epoch-1"),
    case(516, "ledger, configuration", "ledger/epoch-1/conf", Call::Write, When::First, "ledger/epoch-1"),
    case(518, "ledger, data", DB, Call::Create, When::First, "ledger/epoch-1"),
    case(
        520,
        "ledger, flush note",
        "ledger/epoch-1/floor",
        Call::Create,
        When::First,
        "ledger/epoch-1/floor",
    ),
    case(530, "log folder", "log", Call::Mkdir, When::First, "/log"),
    case(532, "log identity", "log/identity.tmp", Call::Create, When::First, "log/identity"),
    case(534, "log identity", "log/identity.tmp", Call::Write, When::First, "log/identity"),
    case(536, "log identity", "log/identity", Call::Rename, When::First, "log/identity"),
    case(538, "log segment", "log/*.seg.tmp", Call::Sync, When::First, "log/0000"),
    case(540, "snapshots, folder", "snapshots", Call::Mkdir, When::First, "snapshots"),
    case(550, "bootstrap credential", "bootstrap.part", Call::Write, When::First, "bootstrap"),
    case(552, "bootstrap credential", "bootstrap", Call::Rename, When::First, "bootstrap"),
];

/// Whether a full disk can refuse this call.
fn takes_room(call: Call) -> bool {
    matches!(call, Call::Write | Call::Sync | Call::Create | Call::Mkdir | Call::Rename)
}

/// That it ended as it must.
fn ended_rightly(scene: &Scene, ended: ExitStatus, named: &str, errno: Errno) -> anyhow::Result<()> {
    let log = scene.apart.log();
    ensure!(ended.code() == Some(EXIT_DISK), "it ended with {ended}:\n{log}");
    let last: Vec<&str> = log.lines().rev().take(12).collect();
    ensure!(last.iter().any(|line| line.contains(named)), "its last words do not name {named}:\n{log}");
    ensure!(last.iter().any(|line| line.contains(errno.words())), "its last words do not say why:\n{log}");
    ensure!(
        last.iter().any(|line| line.contains("make room or mend the disk")),
        "it does not say what to do:\n{log}"
    );
    Ok(())
}

async fn fails(scene: &mut Scene, case: &Case, errno: Errno, how: How, fresh: &Folder) -> anyhow::Result<()> {
    let rule = [Rule { call: case.call, pattern: case.pattern, nth: 1, how, errno }];
    let ended = match case.when {
        When::First => {
            fresh.put(&scene.apart.data())?;
            scene.start_in_vain(&rule).await?
        }
        When::Start => scene.start_in_vain(&rule).await?,
        When::Serving | When::Consent | When::Stop => {
            scene.start(&[]).await?;
            ensure!(scene.load(1, 0).await? == Node::Answers, "it did not serve:\n{}", scene.apart.log());
            scene.layer.set(&rule)?;
            match case.when {
                When::Stop => scene.apart.terminate().await?,
                When::Consent => {
                    // The consent itself may be answered before what follows it fails.
                    scene.load(0, 1).await?;
                    scene.apart.ended().await?
                }
                When::Serving | When::First | When::Start => {
                    // The ledger is written behind: what fails there fails after the answer.
                    scene.load(2, 0).await?;
                    scene.apart.ended().await?
                }
            }
        }
    };
    ended_rightly(scene, ended, case.named, errno)?;
    if case.when == When::First {
        scene.apart.start_again(&[]).await.context("on a healthy disk")?;
        let status = scene.apart.command(&["status"]).output().await?;
        ensure!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    } else {
        scene.mended().await?;
    }
    scene.stop_in_order().await
}

async fn all(cases: &[Case]) -> anyhow::Result<()> {
    let mut scene = Scene::stopped().await?;
    // What a development node finds before its first start: its own secrets, and nothing of the node's.
    let mut fresh = scene.folder()?;
    fresh.0.retain(|name, _| name == "root.key" || name == "sandbox.toml");
    for case in cases {
        for errno in [Errno::Io, Errno::NoSpace] {
            if errno == Errno::NoSpace && !takes_room(case.call) {
                continue;
            }
            // A device with an error is met once, and must not be asked again; a full one stays full.
            let how = match (errno, case.call) {
                (Errno::Io, _) => How::Once,
                (Errno::NoSpace, Call::Write) => How::Half,
                (Errno::NoSpace, _) => How::On,
            };
            let said =
                format!("{} of {} {} with {}", case.call.name(), case.what, case.when.words(), errno.name());
            fails(&mut scene, case, errno, how, &fresh).await.with_context(|| said.clone())?;
        }
        let errors = if takes_room(case.call) { "EIO and ENOSPC" } else { "EIO" };
        let what = format!("{errors} in {}", case.call.name());
        let outcome = if case.when == When::First {
            "ends with 70 and names it; the next start on a healthy disk finishes what was begun"
        } else {
            "ends with 70 and names it; on a healthy disk everything acknowledged is there"
        };
        TABLE.row(case.place, &[&what, case.what, case.when.words(), outcome])?;
    }
    scene.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_while_serving_ends_the_node_and_loses_nothing() {
    all(&SERVING).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_in_the_outbox_ends_the_node_and_loses_no_answer_of_a_provider() {
    all(&CONSENT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_at_a_start_is_a_refusal_that_names_the_file() {
    all(&START).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_while_stopping_is_said_and_loses_nothing() {
    all(&STOP).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_at_the_first_start_leaves_nothing_that_a_second_cannot_finish() {
    all(&FIRST).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_the_node_and_with_room_it_goes_on() {
    let mut scene = Scene::stopped().await.unwrap();
    let full = [Rule { call: Call::Grow, pattern: "*", nth: 1, how: How::On, errno: Errno::NoSpace }];
    scene.start(&[]).await.unwrap();
    assert_eq!(scene.load(2, 0).await.unwrap(), Node::Answers);
    scene.layer.set(&full).unwrap();
    assert_eq!(scene.load(2, 0).await.unwrap(), Node::Gone);
    let ended = scene.apart.ended().await.unwrap();
    ended_rightly(&scene, ended, "log/", Errno::NoSpace).unwrap();
    for _ in 0..2 {
        // Still full: it says so again, and makes nothing worse.
        let ended = scene.start_in_vain(&full).await.unwrap();
        ended_rightly(&scene, ended, "", Errno::NoSpace).unwrap();
    }
    scene.mended().await.unwrap();
    TABLE
        .row(
            600,
            &[
                "ENOSPC in whatever takes room",
                "the whole folder",
                "while serving, and at the starts after it",
                "ends with 70 each time; with room again everything acknowledged is there and it goes on",
            ],
        )
        .unwrap();
    scene.end().await.unwrap();
}
