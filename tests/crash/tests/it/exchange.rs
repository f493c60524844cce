//! An exchange of a code that is cut short at each of its steps.

use anyhow::ensure;
use leasehold_crash::{
    Scenario, budget,
    holding::{Walk, alive, answered_as_recorded, presented_as_intended, settled},
    record::Lines,
    scenario::{ends, run_all},
};
use leasehold_journey::Apart;
use leasehold_sandbox::Ended;

/// The first row of this family.
pub(crate) const PLACE: usize = 100;

pub(crate) struct Exchange {
    pub(crate) scenario: Scenario,
    comes_to: ComesTo,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ComesTo {
    /// The provider never saw the code.
    Again,
    /// The tokens are there: the person goes on to confirm the account.
    GoesOn,
    /// The provider issued tokens, and its answer is destroyed.
    Lost,
}

use ComesTo::{Again, GoesOn, Lost};

const fn exchange_that(armed: &'static [&'static str], comes_to: ComesTo) -> Exchange {
    let then = match comes_to {
        Again => "no tokens were issued; the consent is walked again",
        GoesOn => {
            "the tokens of the one exchange wait for the account to be confirmed; the same browser confirms it"
        }
        Lost => {
            "the code is presented once more, at which the provider ends what it had issued; the consent is walked again"
        }
    };
    Exchange { scenario: Scenario { armed, when: "Alice comes back from the provider", then }, comes_to }
}

pub(crate) const SCENARIOS: &[Exchange] = &[
    exchange_that(&["exchange.before-intent=return"], Again),
    exchange_that(&["exchange.before-intent=return(wal.group-written)"], Again),
    exchange_that(&["exchange.before-intent=return(consensus.committed)"], Again),
    exchange_that(&["exchange.intended=return"], Again),
    exchange_that(&["exchange.intended=return(outbox.file-written)"], Again),
    exchange_that(&["exchange.intended=return(outbox.file-synced)"], Again),
    exchange_that(&["exchange.intended=return(outbox.file-renamed)"], GoesOn),
    exchange_that(&["exchange.marked=return"], GoesOn),
    exchange_that(&["exchange.marked=return(upstream.answer-begins)"], Lost),
    exchange_that(&["exchange.answered=return"], Lost),
    exchange_that(&["exchange.answered=return(outbox.file-written)"], GoesOn),
    exchange_that(&["exchange.answered=return(outbox.file-synced)"], GoesOn),
    exchange_that(&["exchange.kept=return"], GoesOn),
    exchange_that(&["exchange.looked-up=return"], GoesOn),
    exchange_that(&["exchange.before-outcome=return"], GoesOn),
    exchange_that(&["exchange.before-outcome=return(wal.group-written)"], GoesOn),
    exchange_that(&["exchange.before-outcome=return(consensus.committed)"], GoesOn),
    exchange_that(&["exchange.before-cleanup=return"], GoesOn),
    exchange_that(&["exchange.intended=return", "exchange.found-nothing=return"], Again),
    exchange_that(&["exchange.marked=return", "exchange.found-marker=return"], GoesOn),
    exchange_that(
        &["exchange.answered=return", "exchange.found-marker=return(upstream.answer-begins)"],
        Lost,
    ),
    exchange_that(&["exchange.kept=return", "exchange.found-answer=return"], GoesOn),
    exchange_that(&["exchange.kept=return", "exchange.before-outcome=return(wal.group-synced)"], GoesOn),
];

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_that_is_cut_short_anywhere_leaves_no_token_behind() {
    let _budget = budget();
    run_all(PLACE, SCENARIOS, 2, |exchange| &exchange.scenario, run).await.unwrap();
}

async fn run(exchange: &'static Exchange) -> anyhow::Result<()> {
    let Exchange { scenario, comes_to } = exchange;
    let [first, more @ ..] = scenario.armed else { anyhow::bail!("nothing is armed") };
    let mut node = Apart::start_with(&[("FAILPOINTS", first)]).await?;
    let mut walk = Walk::begin(&node).await?;
    let before = Lines::exported(&node).await?;
    ensure!(walk.to_account(&node).await.is_err(), "the account page came");
    ends(&mut node, first).await?;
    for armed in more {
        node.spawn(&[("FAILPOINTS", armed)])?;
        ends(&mut node, armed).await?;
    }

    node.start_again(&[]).await?;

    match comes_to {
        Again => {
            settled("a whole consent", async || Walk::whole(&node).await).await?;
            ensure!(node.script().families().len() == 1, "the provider issued tokens twice");
        }
        GoesOn => {
            settled("the account page", async || walk.back_to_account().await).await?;
            walk.confirm().await?;
            ensure!(node.script().families().len() == 1, "the provider issued tokens twice");
        }
        Lost => {
            settled("the end of what was issued", async || {
                let ended: Vec<_> = node.script().families().into_iter().map(|family| family.ended).collect();
                ensure!(ended == [Some(Ended::CodeReuse)], "the provider's families ended as {ended:?}");
                Ok(())
            })
            .await?;
            settled("a whole consent", async || Walk::whole(&node).await).await?;
        }
    }
    alive(&node, 1).await?;
    let after = Lines::exported(&node).await?;
    after.continue_from(&before)?;
    presented_as_intended(&node, &after)?;
    answered_as_recorded(&node, &after, 0)?;
    node.look_in_logs()?;
    node.stop().await
}
