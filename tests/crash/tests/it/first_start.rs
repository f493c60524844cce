//! A node that is ended while it starts for the first time, before its organisation is founded or just after.

use anyhow::ensure;
use leasehold_crash::{
    Scenario, budget,
    holding::{Walk, alive},
    record::Lines,
    scenario::{ends, run_all},
};
use leasehold_journey::Apart;

/// The first row of this family.
pub(crate) const PLACE: usize = 700;

const fn first_start_that(armed: &'static [&'static str]) -> Scenario {
    Scenario {
        armed,
        when: "a node starts on an empty data directory",
        then: "the next start founds the organisation, once; a consent and a refresh work",
    }
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    first_start_that(&["ledger.file-written=return"]),
    first_start_that(&["ledger.file-synced=return"]),
    first_start_that(&["ledger.file-renamed=return"]),
    first_start_that(&["ledger.file-renamed=1*off->return"]),
    first_start_that(&["ledger.sled-flushed=return"]),
    first_start_that(&["wal.file-created=return"]),
    first_start_that(&["wal.file-written=return"]),
    first_start_that(&["wal.file-renamed=return"]),
    first_start_that(&["wal.file-renamed=1*off->return"]),
    first_start_that(&["wal.file-renamed=2*off->return"]),
    first_start_that(&["consensus.before-vote=return"]),
    first_start_that(&["consensus.before-vote=return(wal.group-written)"]),
    first_start_that(&["consensus.before-vote=return(wal.group-synced)"]),
    first_start_that(&["consensus.vote-saved=return"]),
    first_start_that(&["consensus.committed=return"]),
    first_start_that(&["consensus.applied=return"]),
    first_start_that(&["consensus.committed=1*off->return"]),
    first_start_that(&["consensus.committed=2*off->return"]),
    first_start_that(&["consensus.applied=2*off->return"]),
    first_start_that(&[
        "ledger.file-written=return",
        "ledger.file-renamed=return",
        "wal.file-renamed=return",
    ]),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_that_is_cut_short_is_made_by_the_next() {
    let _budget = budget();
    run_all(PLACE, SCENARIOS, 2, |scenario| scenario, run).await.unwrap();
}

async fn run(scenario: &'static Scenario) -> anyhow::Result<()> {
    let mut node = Apart::begin().await?;
    for armed in scenario.armed {
        node.spawn(&[("FAILPOINTS", armed)])?;
        ends(&mut node, armed).await?;
    }
    node.start_first(&[]).await?;
    Walk::whole(&node).await?;
    alive(&node, 1).await?;
    let founded = Lines::exported(&node).await?.of_kind("OrganisationFounded")?.len();
    ensure!(founded == 1, "the organisation was founded {founded} times");
    node.look_in_logs()?;
    node.stop().await
}
