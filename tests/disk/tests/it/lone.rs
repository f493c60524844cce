//! The honest limit: one node alone, without a copy of its data.

use leasehold::node::{EXIT_DISK, fatal::NEXT};

use leasehold_disk::{
    damage::written,
    story::{Node, export},
};

use crate::scene::{Scene, TABLE};

/// What the documents say too.
const LIMIT: &str = "Damage to anything else, the log above all, a lone node cannot mend: put back a copy of the whole data directory that was \
     made while the node was stopped, or start anew; without such a copy what was in it is lost";

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_node_whose_log_is_damaged_refuses_says_so_and_is_whole_again_from_a_copy() {
    assert!(NEXT.contains(LIMIT), "the node says something else: {NEXT}");
    let mut scene = Scene::stopped().await.unwrap();
    let copy = scene.folder().unwrap();
    let log = "log/00000000000000000001.seg";
    let mut bytes = copy.bytes(log).unwrap().to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let damaged = copy.with(log, bytes).unwrap();
    damaged.put(&scene.apart.data()).unwrap();
    for _ in 0..2 {
        let ended = scene.start_in_vain(&[]).await.unwrap();
        assert_eq!(ended.code(), Some(EXIT_DISK));
        let said = scene.apart.log();
        assert!(said.contains(log) && said.contains("is damaged at offset"), "{said}");
        assert!(said.contains(LIMIT), "{said}");
    }
    let after = scene.folder().unwrap();
    assert_eq!(after.bytes(log), damaged.bytes(log), "nothing is mended, and nothing is cut");
    copy.put(&scene.apart.data()).unwrap();
    scene.mended().await.unwrap();
    TABLE
        .row(
            1000,
            &[
                "damage to the log, no other node, no copy",
                "log segment",
                "at a start",
                "refuses with 70 each time, changes nothing, and says that a lone node cannot mend it",
            ],
        )
        .unwrap();
    scene.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_ledger_that_is_moved_away_is_made_again_from_the_log() {
    let mut scene = Scene::stopped().await.unwrap();
    scene.start(&[]).await.unwrap();
    assert_eq!(scene.load(3, 1).await.unwrap(), Node::Answers);
    let before = export(&scene.apart).await.unwrap();
    scene.stop_in_order().await.unwrap();
    let db = "ledger/epoch-1/db";
    let whole = scene.folder().unwrap();
    // sled fills the rest of its segment.
    let half = written(whole.bytes(db).unwrap()) / 2;
    let damaged = whole.with(db, whole.bytes(db).unwrap()[..half].to_vec()).unwrap();
    damaged.put(&scene.apart.data()).unwrap();
    let ended = scene.start_in_vain(&[]).await.unwrap();
    assert_eq!(ended.code(), Some(EXIT_DISK));
    assert!(scene.apart.log().contains("/ledger"), "{}", scene.apart.log());
    std::fs::rename(scene.apart.data().join("ledger"), scene.apart.folder().join("ledger.damaged")).unwrap();
    scene.mended().await.unwrap();
    let after = export(&scene.apart).await.unwrap();
    assert!(after.starts_with(&before), "every line is the one that it was");
    TABLE
        .row(
            1002,
            &[
                "damage to the ledger, no other node, no copy",
                "the folder `ledger`",
                "at a start",
                "refuses with 70; moved away, it is made again from the log, line for line",
            ],
        )
        .unwrap();
    scene.end().await.unwrap();
}
