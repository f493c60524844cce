//! A node whose ledger is older than its newest snapshot, and which is ended while it takes that snapshot over.

use anyhow::ensure;
use leasehold_crash::{
    Scenario, budget,
    busy::{Acknowledged, SMALL},
    folder::copy,
    holding::{Walk, alive, lease},
    record::Lines,
    scenario::ends,
};
use leasehold_journey::Apart;

/// The first row of this family.
pub(crate) const PLACE: usize = 600;

const fn install_that(armed: &'static [&'static str]) -> Scenario {
    Scenario {
        armed,
        when: "an older copy of the ledger is put back, and the node starts on it",
        then: "every acknowledged subject is there, and the lines; the grant is whole and can be refreshed",
    }
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    install_that(&["install.begun=return"]),
    install_that(&["install.frame-read=return"]),
    install_that(&["install.frame-read=2*off->return"]),
    install_that(&["install.filled=return"]),
    install_that(&["install.before-pointer=return"]),
    install_that(&["install.before-pointer=return(ledger.file-written)"]),
    install_that(&["install.before-pointer=return(ledger.file-synced)"]),
    install_that(&["install.before-pointer=return(ledger.file-renamed)"]),
    install_that(&["install.pointed=return"]),
    install_that(&["install.switched=return"]),
    install_that(&["install.done=return"]),
    install_that(&["install.done=return(snapshot.moment-taken)"]),
    install_that(&["install.filled=return", "install.filled=return"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_taken_over_leaves_the_old_ledger_or_the_new_one() {
    let _budget = budget();
    let mut node = Apart::start_with(&SMALL).await.unwrap();
    Walk::whole(&node).await.unwrap();
    lease(&node).await.unwrap();
    let before = Lines::exported(&node).await.unwrap();
    let mut acknowledged = Acknowledged::default();
    acknowledged.register(&node).await.unwrap();
    node.kill().await.unwrap();
    let (older, prepared) = (node.folder().join("older"), node.folder().join("prepared"));
    copy(&node.data().join("ledger"), &older).unwrap();
    node.start_again(&SMALL).await.unwrap();
    // Until the first segment is purged: what it held is in a snapshot alone then.
    let first_segment = node.data().join("log").join(format!("{:020}.seg", 1));
    acknowledged.register_until(&node, || !first_segment.exists()).await.unwrap();
    assert!(!first_segment.exists(), "the log was never purged:\n{}", node.log());
    node.kill().await.unwrap();
    copy(&older, &node.data().join("ledger")).unwrap();
    copy(&node.data(), &prepared).unwrap();

    let mut failures = Vec::new();
    for (number, scenario) in SCENARIOS.iter().enumerate() {
        let ran = match run(scenario, &mut node, &prepared, &acknowledged, &before).await {
            Ok(()) => scenario.passed(PLACE + number),
            failed => failed,
        };
        if let Err(error) = ran {
            failures.push(format!("{}: {error:#}", scenario.armed.join(", then ")));
        }
        if node.pid().is_ok() {
            node.kill().await.unwrap();
        }
    }
    assert!(failures.is_empty(), "{} scenarios failed\n\n{}", failures.len(), failures.join("\n\n"));

    // The last ledger goes on like any other: against what the sandbox knows, which the copies had stood still beside.
    copy(&prepared, &node.data()).unwrap();
    node.start_again(&SMALL).await.unwrap();
    alive(&node, 1).await.unwrap();
    node.stop().await.unwrap();
}

async fn run(
    scenario: &Scenario,
    node: &mut Apart,
    prepared: &std::path::Path,
    acknowledged: &Acknowledged,
    before: &Lines,
) -> anyhow::Result<()> {
    copy(prepared, &node.data())?;
    for &armed in scenario.armed {
        node.spawn(&[("FAILPOINTS", armed)].into_iter().chain(SMALL).collect::<Vec<_>>())?;
        ends(node, armed).await?;
    }
    node.start_again(&SMALL).await?;
    acknowledged.all_there(node).await?;
    Lines::exported(node).await?.continue_from(before)?;
    let leased = lease(node).await?;
    ensure!(leased.generation == 1, "the lease is of generation {}", leased.generation);
    Ok(())
}
