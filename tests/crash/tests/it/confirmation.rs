//! The confirmation of an account that is cut short.

use anyhow::ensure;
use leasehold_crash::{
    Scenario, budget,
    holding::{Walk, alive, settled},
    record::Lines,
    scenario::{ends, run_all},
};
use leasehold_journey::Apart;

/// The first row of this family.
pub(crate) const PLACE: usize = 200;

pub(crate) struct Confirmation {
    pub(crate) scenario: Scenario,
    committed: bool,
}

const fn confirmation_that(armed: &'static [&'static str], committed: bool) -> Confirmation {
    let then = if committed {
        "the grant is active, though the browser was not told"
    } else {
        "nothing was confirmed; the same browser confirms the same account"
    };
    Confirmation { scenario: Scenario { armed, when: "Alice confirms the account", then }, committed }
}

pub(crate) const SCENARIOS: &[Confirmation] = &[
    confirmation_that(&["confirm.before-propose=return"], false),
    confirmation_that(&["confirm.before-propose=return(wal.group-written)"], true),
    confirmation_that(&["confirm.before-propose=return(wal.group-synced)"], true),
    confirmation_that(&["confirm.before-propose=return(consensus.committed)"], true),
    confirmation_that(&["confirm.before-propose=return(consensus.applied)"], true),
    confirmation_that(&["confirm.committed=return"], true),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmation_that_is_cut_short_is_either_made_or_can_be_made() {
    let _budget = budget();
    run_all(PLACE, SCENARIOS, 2, |confirmation| &confirmation.scenario, run).await.unwrap();
}

async fn run(confirmation: &'static Confirmation) -> anyhow::Result<()> {
    let Confirmation { scenario, committed } = confirmation;
    let [armed] = scenario.armed else { anyhow::bail!("one point is to be armed") };
    let mut node = Apart::start_with(&[("FAILPOINTS", armed)]).await?;
    let mut walk = Walk::begin(&node).await?;
    walk.to_account(&node).await?;
    let before = Lines::exported(&node).await?;
    ensure!(walk.confirm().await.is_err(), "the confirmation was acknowledged");
    ends(&mut node, armed).await?;

    node.start_again(&[]).await?;

    if !committed {
        settled("the account page", async || walk.back_to_account().await).await?;
        walk.confirm().await?;
    }
    alive(&node, 1).await?;
    ensure!(node.script().families().len() == 1, "the provider issued tokens twice");
    Lines::exported(&node).await?.continue_from(&before)?;
    node.look_in_logs()?;
    node.stop().await
}
