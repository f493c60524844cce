//! A refresh that is cut short at each of its steps, at a provider that honours a refresh token once.

use anyhow::ensure;
use leasehold_crash::{
    Scenario, budget,
    holding::{
        READ, Walk, alive, answered_as_recorded, comes_to, grant, lease, no_orphans, presented_as_intended,
        refresh, settled,
    },
    record::Lines,
    scenario::{ends, run_all},
};
use leasehold_journey::Apart;
use leasehold_proto::v1::GrantPhase;

/// The first row of this family.
pub(crate) const PLACE: usize = 0;
/// The seconds that a second start is ahead: past the end of the access token that the first left.
const AN_HOUR_LATER: &str = "3720";

pub(crate) struct Refresh {
    pub(crate) scenario: Scenario,
    comes_to: ComesTo,
}

/// What a refresh that was cut short comes to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ComesTo {
    /// Nothing was sent, and that is known.
    NotSent,
    /// The answer was kept.
    Refreshed,
    /// It is not known whether it was sent. It was not: the one probe succeeds.
    UnknownAndAlive,
    /// The provider has answered, and the answer is destroyed: the one probe is the reuse that ends the family.
    UnknownAndLost,
}

use ComesTo::{NotSent, Refreshed, UnknownAndAlive, UnknownAndLost};

const fn refresh_that(armed: &'static [&'static str], comes_to: ComesTo) -> Refresh {
    let then = match comes_to {
        NotSent => "generation 1 stays; the next refresh is the first that the provider sees",
        Refreshed => "generation 2 is there, from the one answer; its refresh token works",
        UnknownAndAlive => {
            "unknown: generation 1 is served until it ends, then one probe succeeds; each refresh token was presented once"
        }
        UnknownAndLost => {
            "unknown: generation 1 is served until it ends, then one probe, then a new consent is asked for; no token lives on"
        }
    };
    Refresh { scenario: Scenario { armed, when: "an administrator refreshes a grant", then }, comes_to }
}

pub(crate) const SCENARIOS: &[Refresh] = &[
    refresh_that(&["refresh.before-intent=return"], NotSent),
    refresh_that(&["refresh.before-intent=return(wal.group-written)"], NotSent),
    refresh_that(&["refresh.before-intent=return(wal.group-synced)"], NotSent),
    refresh_that(&["refresh.before-intent=return(consensus.committed)"], NotSent),
    refresh_that(&["refresh.before-intent=return(consensus.applied)"], NotSent),
    refresh_that(&["refresh.intended=return"], NotSent),
    refresh_that(&["refresh.intended=return(outbox.file-written)"], NotSent),
    refresh_that(&["refresh.intended=return(outbox.file-synced)"], NotSent),
    refresh_that(&["refresh.intended=return(outbox.file-renamed)"], UnknownAndAlive),
    refresh_that(&["refresh.marked=return"], UnknownAndAlive),
    refresh_that(&["refresh.marked=return(upstream.answer-begins)"], UnknownAndLost),
    refresh_that(&["refresh.answered=return"], UnknownAndLost),
    refresh_that(&["refresh.answered=return(outbox.file-written)"], Refreshed),
    refresh_that(&["refresh.answered=return(outbox.file-synced)"], Refreshed),
    refresh_that(&["refresh.answered=return(outbox.file-renamed)"], Refreshed),
    refresh_that(&["refresh.kept=return"], Refreshed),
    refresh_that(&["refresh.before-outcome=return"], Refreshed),
    refresh_that(&["refresh.before-outcome=return(wal.group-written)"], Refreshed),
    refresh_that(&["refresh.before-outcome=return(consensus.committed)"], Refreshed),
    refresh_that(&["refresh.before-outcome=return(consensus.applied)"], Refreshed),
    refresh_that(&["refresh.before-cleanup=return"], Refreshed),
    refresh_that(&["refresh.before-cleanup=return(outbox.answer-removed)"], Refreshed),
    refresh_that(&["refresh.intended=return", "refresh.found-nothing=return"], NotSent),
    refresh_that(&["refresh.marked=return", "refresh.found-marker=return"], UnknownAndAlive),
    refresh_that(
        &["refresh.answered=return", "refresh.before-outcome=return(wal.group-written)"],
        UnknownAndLost,
    ),
    refresh_that(&["refresh.kept=return", "refresh.found-answer=return"], Refreshed),
    refresh_that(&["refresh.kept=return", "refresh.before-outcome=return"], Refreshed),
    refresh_that(&["refresh.kept=return", "refresh.before-outcome=return(wal.group-synced)"], Refreshed),
    refresh_that(&["refresh.kept=return", "refresh.before-cleanup=return"], Refreshed),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_is_cut_short_anywhere_loses_no_grant_that_need_not_be_lost() {
    let _budget = budget();
    run_all(PLACE, SCENARIOS, 2, |refresh| &refresh.scenario, run).await.unwrap();
}

async fn run(cut_short: &'static Refresh) -> anyhow::Result<()> {
    let Refresh { scenario, comes_to: end } = cut_short;
    let [first, more @ ..] = scenario.armed else { anyhow::bail!("nothing is armed") };
    let mut node = Apart::start_with(&[("FAILPOINTS", first)]).await?;
    Walk::whole(&node).await?;
    lease(&node).await?;
    let before = Lines::exported(&node).await?;
    let refused = refresh(&node).await;
    ensure!(refused.is_err(), "the refresh was acknowledged");
    ends(&mut node, first).await?;
    for armed in more {
        node.spawn(&[("FAILPOINTS", armed)])?;
        ends(&mut node, armed).await?;
    }

    node.start_again(&[]).await?;

    match end {
        NotSent => {
            comes_back(&node, 1).await?;
            alive(&node, 1).await?;
        }
        Refreshed => {
            comes_back(&node, 2).await?;
            alive(&node, 2).await?;
        }
        UnknownAndAlive => {
            unknown_and_served(&node).await?;
            an_hour_later(&mut node).await?;
            comes_to(&node, GrantPhase::Active, 2).await?;
            alive(&node, 2).await?;
        }
        UnknownAndLost => {
            unknown_and_served(&node).await?;
            an_hour_later(&mut node).await?;
            comes_to(&node, GrantPhase::NeedsConsent, 1).await?;
            no_orphans(&node, None).await?;
            ensure!(node.script().families_revoked_by_reuse().len() == 1, "the probe ended no family");
        }
    }
    let after = Lines::exported(&node).await?;
    after.continue_from(&before)?;
    let presented = presented_as_intended(&node, &after)?;
    answered_as_recorded(&node, &after, usize::from(*end == UnknownAndLost))?;
    match end {
        UnknownAndLost => {
            ensure!(
                presented.get(&1) == Some(&2),
                "presented {presented:?}: one refresh and one probe were due"
            );
            let needed = after.of_kind("ConsentNeeded")?;
            ensure!(needed.len() == 1, "the ledger says of {} grants that a consent is needed", needed.len());
            Walk::whole(&node).await?;
            let leased = settled("a lease after the new consent", async || lease(&node).await).await?;
            no_orphans(&node, Some(&leased)).await?;
        }
        NotSent | Refreshed | UnknownAndAlive => {
            ensure!(
                presented.values().all(|times| *times == 1),
                "presented {presented:?}: once each was due"
            );
        }
    }
    node.look_in_logs()?;
    node.stop().await
}

/// The generation is there, and nothing of the attempt is left in the outbox.
async fn comes_back(node: &Apart, generation: u64) -> anyhow::Result<()> {
    settled("the generation", async || {
        let known = grant(node).await?;
        let found = known.map(|known| known.generation);
        ensure!(found == Some(generation), "the grant is of generation {found:?}");
        Ok(())
    })
    .await?;
    settled("an empty outbox", async || {
        let left: Vec<_> =
            std::fs::read_dir(node.data().join("outbox"))?.flatten().map(|entry| entry.path()).collect();
        ensure!(left.is_empty(), "the outbox still holds {left:?}");
        Ok(())
    })
    .await
}

async fn unknown_and_served(node: &Apart) -> anyhow::Result<()> {
    comes_to(node, GrantPhase::Degraded, 1).await?;
    let leased = lease(node).await?;
    ensure!(leased.generation == 1, "the lease is of generation {}", leased.generation);
    Ok(())
}

async fn an_hour_later(node: &mut Apart) -> anyhow::Result<()> {
    let seconds: u64 = AN_HOUR_LATER.parse()?;
    node.kill().await?;
    node.script().advance(std::time::Duration::from_secs(seconds));
    node.start_again(&[("LEASEHOLD_TEST_SECONDS_AHEAD", AN_HOUR_LATER)]).await?;
    // Whoever asks then asks for what only a new token has.
    drop(node.acquire(&READ).await);
    Ok(())
}
