//! A revocation that is cut short, from its acknowledgement to the provider's word that the tokens are dead.

use anyhow::{Context as _, ensure};
use leasehold_crash::{
    Scenario, budget,
    holding::{Walk, comes_to, lease, no_orphans, revoke, settled},
    record::Lines,
    scenario::{ends, run_all},
};
use leasehold_journey::Apart;
use leasehold_proto::v1::GrantPhase;

/// The first row of this family.
pub(crate) const PLACE: usize = 300;

const fn revocation_that(armed: &'static [&'static str]) -> Scenario {
    let then =
        "no lease is given any more; the provider revokes all that it had issued; the ledger says so once";
    Scenario { armed, when: "an administrator revokes everything of Alice", then }
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    revocation_that(&["revocation.raised=return"]),
    revocation_that(&["revocation.before-close=return"]),
    revocation_that(&["revocation.before-close=return(wal.group-written)"]),
    revocation_that(&["revocation.closed=return"]),
    revocation_that(&["revocation.before-send=return"]),
    revocation_that(&["revocation.before-send=return(upstream.answer-begins)"]),
    revocation_that(&["revocation.answered=return"]),
    revocation_that(&["revocation.answered=1*off->return"]),
    revocation_that(&["revocation.before-outcome=return"]),
    revocation_that(&["revocation.before-outcome=return(wal.group-written)"]),
    revocation_that(&["revocation.before-outcome=return(consensus.committed)"]),
    revocation_that(&["revocation.recorded=return"]),
    revocation_that(&["revocation.before-send=return", "revocation.answered=return"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_that_is_cut_short_reaches_the_provider_all_the_same() {
    let _budget = budget();
    run_all(PLACE, SCENARIOS, 2, |scenario| scenario, run).await.unwrap();
}

async fn run(scenario: &'static Scenario) -> anyhow::Result<()> {
    let [first, more @ ..] = scenario.armed else { anyhow::bail!("nothing is armed") };
    let mut node = Apart::start_with(&[("FAILPOINTS", first)]).await?;
    Walk::whole(&node).await?;
    let leased = lease(&node).await?;
    let before = Lines::exported(&node).await?;
    // Whether it is acknowledged depends on where it ends; it holds in either case, for it was committed before the first of these points.
    drop(revoke(&node, "alice").await);
    ends(&mut node, first).await?;
    for armed in more {
        node.spawn(&[("FAILPOINTS", armed)])?;
        ends(&mut node, armed).await?;
    }

    node.start_again(&[]).await?;

    ensure!(lease(&node).await.is_err(), "a lease was given after the revocation");
    no_orphans(&node, None).await?;
    ensure!(!node.script().is_active(&leased.access_token), "the leased token lives on");
    comes_to(&node, GrantPhase::Revoked, 1).await?;
    let after = settled("the provider's word in the ledger", async || {
        let lines = Lines::exported(&node).await?;
        let said = lines.of_kind("UpstreamRevoked")?.len();
        ensure!(said == 1, "the ledger says {said} times that the provider revoked");
        Ok(lines)
    })
    .await?;
    after.continue_from(&before)?;
    ensure!(
        after.of_kind("GrantRevoked")?.len() == 1,
        "the ledger does not say once that the grant was revoked"
    );
    Walk::whole(&node).await.context("a new consent after the revocation")?;
    let leased = settled("a lease after the new consent", async || lease(&node).await).await?;
    no_orphans(&node, Some(&leased)).await?;
    node.look_in_logs()?;
    node.stop().await
}
