//! A node that is ended while it flushes its ledger, cuts its log, takes a snapshot or purges.

use leasehold_crash::{
    Scenario, budget,
    busy::{Acknowledged, SMALL},
    holding::{Walk, alive, lease, revoke},
    record::Lines,
    scenario::{ends, run_all},
};
use leasehold_journey::Apart;

/// The first row of this family.
pub(crate) const PLACE: usize = 400;

const fn growth_that(armed: &'static [&'static str], when: &'static str) -> Scenario {
    Scenario {
        armed,
        when,
        then: "every acknowledged subject is there, and the lines; the grant is whole and can be refreshed",
    }
}

const FLUSH: &str = "subjects are registered, the ledger is flushed";
const ROTATION: &str = "subjects are registered, the log goes on in another segment";
const SNAPSHOT: &str = "subjects are registered, a snapshot is taken";
const PURGE: &str = "subjects are registered, the log is purged below a snapshot";

pub(crate) const SCENARIOS: &[Scenario] = &[
    growth_that(&["revocation.raised=return(ledger.group-written)"], FLUSH),
    growth_that(&["revocation.raised=return(ledger.before-flush)"], FLUSH),
    growth_that(&["revocation.raised=return(ledger.sled-flushed)"], FLUSH),
    growth_that(&["revocation.raised=return(ledger.synced)"], FLUSH),
    growth_that(&["revocation.raised=return(ledger.flush-noted)"], FLUSH),
    growth_that(&["revocation.raised=return(wal.rotation-begun)"], ROTATION),
    growth_that(&["revocation.raised=return(wal.file-created)"], ROTATION),
    growth_that(&["revocation.raised=return(wal.file-written)"], ROTATION),
    growth_that(&["revocation.raised=return(wal.file-synced)"], ROTATION),
    growth_that(&["revocation.raised=return(wal.file-renamed)"], ROTATION),
    growth_that(&["revocation.raised=return(wal.segment-made)"], ROTATION),
    growth_that(&["revocation.raised=return(wal.seal-written)"], ROTATION),
    growth_that(&["revocation.raised=return(wal.seal-synced)"], ROTATION),
    growth_that(
        &["revocation.raised=return(wal.segment-made)", "wal.mend-before-unfinished=return"],
        ROTATION,
    ),
    growth_that(&["revocation.raised=return(snapshot.begun)"], SNAPSHOT),
    growth_that(&["revocation.raised=return(snapshot.moment-taken)"], SNAPSHOT),
    growth_that(&["snapshot.frame-written=return"], SNAPSHOT),
    growth_that(&["snapshot.frame-written=1*off->return"], SNAPSHOT),
    growth_that(&["snapshot.frame-written=2*off->return"], SNAPSHOT),
    growth_that(&["snapshot.moment-taken=return(ledger.file-written)"], SNAPSHOT),
    growth_that(&["snapshot.moment-taken=return(ledger.file-synced)"], SNAPSHOT),
    growth_that(&["snapshot.moment-taken=return(ledger.file-renamed)"], SNAPSHOT),
    growth_that(&["revocation.raised=return(snapshot.named)"], SNAPSHOT),
    growth_that(&["revocation.raised=return(snapshot.older-removed)"], SNAPSHOT),
    growth_that(&["revocation.raised=return(snapshot.built)"], SNAPSHOT),
    growth_that(&["revocation.raised=return(consensus.before-purge)"], PURGE),
    growth_that(&["revocation.raised=return(wal.before-removal)"], PURGE),
    growth_that(&["revocation.raised=return(wal.segment-removed)"], PURGE),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_ends_while_it_writes_has_all_that_it_acknowledged() {
    let _budget = budget();
    run_all(PLACE, SCENARIOS, 2, |scenario| scenario, run).await.unwrap();
}

async fn run(scenario: &'static Scenario) -> anyhow::Result<()> {
    let [first, more @ ..] = scenario.armed else { anyhow::bail!("nothing is armed") };
    let armed = |armed: &'static str| [("FAILPOINTS", armed)].into_iter().chain(SMALL).collect::<Vec<_>>();
    let mut node = Apart::start_with(&armed(first)).await?;
    Walk::whole(&node).await?;
    lease(&node).await?;
    let before = Lines::exported(&node).await?;
    let mut acknowledged = Acknowledged::default();
    acknowledged.register(&node).await?;
    // It arms the points that it names, once the node is past its start.
    drop(revoke(&node, "person-0").await);
    acknowledged.register_until(&node, || false).await?;
    ends(&mut node, first).await?;
    for point in more {
        node.spawn(&armed(point))?;
        ends(&mut node, point).await?;
    }

    node.start_again(&SMALL).await?;

    acknowledged.all_there(&node).await?;
    Lines::exported(&node).await?.continue_from(&before)?;
    alive(&node, 1).await?;
    acknowledged.register(&node).await?;
    acknowledged.all_there(&node).await?;
    node.look_in_logs()?;
    node.stop().await
}
