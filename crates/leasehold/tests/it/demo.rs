//! `leasehold dev --demo` walks the whole journey and exits 0, and what it prints is the README's tour.

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

    let demo = User::of("").run_with_profiles("dev --demo").await;

    assert_eq!(demo.exit, 0, "{}\n{}", demo.stdout, demo.stderr);
    assert_eq!(outline(demo.stdout.trim_end()), outline(tour), "{}", demo.stdout);
}
