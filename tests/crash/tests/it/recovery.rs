//! A node that is ended again while it recovers from an end.

use std::{fs, path::Path};

use anyhow::Context as _;
use leasehold_crash::{
    Scenario, budget,
    busy::Acknowledged,
    holding::{Walk, alive, lease},
    record::Lines,
    scenario::{ends, run_all},
};
use leasehold_journey::Apart;

/// The first row of this family.
pub(crate) const PLACE: usize = 500;

const fn recovery_that(armed: &'static [&'static str]) -> Scenario {
    Scenario {
        armed,
        when: "subjects are registered, and the node starts again after its end",
        then: "every acknowledged subject is there, and the lines; the grant is whole and can be refreshed",
    }
}

/// A write that nobody was told of is torn, as a power cut may tear it.
const fn torn_that(armed: &'static [&'static str]) -> Scenario {
    Scenario {
        when: "the last write, not yet synced, is torn, and the node starts again",
        ..recovery_that(armed)
    }
}

const TORN: &str = "refresh.before-intent=return(wal.group-written)";

pub(crate) const SCENARIOS: &[Scenario] = &[
    recovery_that(&["refresh.before-intent=return", "wal.mend-begun=return"]),
    recovery_that(&["refresh.before-intent=return", "wal.mend-rewritten=return"]),
    recovery_that(&["refresh.before-intent=return", "ledger.opened=return"]),
    recovery_that(&["refresh.before-intent=return", "consensus.before-vote=return"]),
    recovery_that(&["refresh.before-intent=return", "consensus.before-vote=return(wal.group-written)"]),
    recovery_that(&["refresh.before-intent=return", "consensus.before-vote=return(wal.group-synced)"]),
    recovery_that(&["refresh.before-intent=return", "consensus.vote-saved=return"]),
    recovery_that(&["refresh.before-intent=return", "consensus.committed=return"]),
    recovery_that(&["refresh.before-intent=return", "consensus.applied=1*off->return"]),
    recovery_that(&["refresh.before-intent=return", "ledger.group-written=return"]),
    recovery_that(&[
        "refresh.before-intent=return",
        "consensus.vote-saved=return",
        "consensus.committed=return",
    ]),
    torn_that(&[TORN, "wal.mend-tail-kept=return"]),
    torn_that(&[TORN, "wal.mend-cut=return"]),
    torn_that(&[TORN, "wal.mend-cut=return", "wal.mend-rewritten=return"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_ends_while_it_recovers_recovers_all_the_same() {
    let _budget = budget();
    run_all(PLACE, SCENARIOS, 2, |scenario| scenario, run).await.unwrap();
}

async fn run(scenario: &'static Scenario) -> anyhow::Result<()> {
    let [first, more @ ..] = scenario.armed else { anyhow::bail!("nothing is armed") };
    let mut node = Apart::start_with(&[("FAILPOINTS", first)]).await?;
    Walk::whole(&node).await?;
    lease(&node).await?;
    let before = Lines::exported(&node).await?;
    let mut acknowledged = Acknowledged::default();
    for _ in 0..20 {
        acknowledged.register(&node).await?;
    }
    drop(leasehold_crash::holding::refresh(&node).await);
    ends(&mut node, first).await?;
    if *first == TORN {
        tear_last_write(&node.data().join("log"))?;
    }
    for armed in more {
        node.spawn(&[("FAILPOINTS", armed)])?;
        ends(&mut node, armed).await?;
    }

    node.start_again(&[]).await?;

    acknowledged.all_there(&node).await?;
    Lines::exported(&node).await?.continue_from(&before)?;
    alive(&node, 1).await?;
    node.look_in_logs()?;
    node.stop().await
}

/// Cuts some bytes off the newest segment: the end of a group that was written and not synced.
fn tear_last_write(log: &Path) -> anyhow::Result<()> {
    let mut segments: Vec<_> = fs::read_dir(log)?.flatten().map(|entry| entry.path()).collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    segments.sort();
    let newest = segments.pop().context("no segment")?;
    let file = fs::File::options().write(true).open(newest)?;
    let length = file.metadata()?.len();
    Ok(file.set_len(length.saturating_sub(24))?)
}
