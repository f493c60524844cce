//! `leasehold dev --demo` walks the whole journey and exits 0, and what it prints is the README's tour.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use crate::user::User;

/// Text in which every word that no two runs have in common (an id, a time, a port, a hash, a count) is one sign.
fn outline(text: &str) -> Vec<String> {
    let varies = |word: &str| word.len() > 30 || word.bytes().any(|byte| byte.is_ascii_digit());
    text.lines()
        .map(|line| {
            line.split_whitespace()
                .map(|word| if varies(word) { "#" } else { word })
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
}

#[tokio::test]
async fn the_demo_walks_the_tour_of_the_readme_and_exits_0() {
    let readme = include_str!("../../../../README.md");
    let (_, after) = readme.split_once("<!-- tour -->\n```text\n").unwrap();
    let (tour, _) = after.split_once("\n```\n<!-- /tour -->").unwrap();
    let user = User::of("");
    // Made by somebody who did not think of its mode.
    fs::create_dir(user.path("kept")).unwrap();
    fs::set_permissions(user.path("kept"), fs::Permissions::from_mode(0o755)).unwrap();

    let demo = user.run_with_profiles("dev --demo --data-dir kept").await;

    assert_eq!(demo.exit, 0, "{}\n{}", demo.stdout, demo.stderr);
    let (walked, kept) = demo.stdout.split_once("\n\nEverything is kept in ").unwrap();
    assert_eq!(outline(walked), outline(tour), "{walked}");
    assert_eq!(kept, "kept: ledger.jsonl and checkpoint among it.\n");
    assert!(user.path("kept/ledger.jsonl").is_file() && user.path("kept/checkpoint").is_file());
    for folder in ["ledger", "log", "outbox", "snapshots"] {
        let open_to_others = others_may_enter(&user.path("kept").join(folder));
        assert_eq!(open_to_others, Vec::<PathBuf>::new(), "what the node keeps is its user's alone");
    }
}

/// What in a folder, itself included, has a mode for anybody but its user.
fn others_may_enter(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if fs::metadata(folder).unwrap().permissions().mode() & 0o077 != 0 {
        found.push(folder.to_owned());
    }
    if folder.is_dir() {
        found
            .extend(fs::read_dir(folder).unwrap().flat_map(|entry| others_may_enter(&entry.unwrap().path())));
    }
    found
}
