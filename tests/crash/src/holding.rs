//! Alice's grant, as the node and the sandbox each see it, and the comparison of the two.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, bail, ensure};
use leasehold_journey::Apart;
use leasehold_proto::v1::{
    Grant, GrantPhase, Lease, ListGrantsRequest, RefreshGrantRequest, RevokeRequest, Selector,
    grant_service_client::GrantServiceClient, selector,
};
use leasehold_sandbox::{
    Endpoint, Issued, Outcome, TokenKind,
    browser::{Browser, Form},
    fingerprint,
};
use tokio::time::{Instant, sleep};
use tonic::Status;

use crate::record::Lines;

/// What Alice consents to.
pub const READ: [&str; 1] = ["files.read"];
/// Within which time a node that has started again must have put everything right.
const SETTLED_MAX: Duration = Duration::from_secs(20);

/// Tries until it goes well, for at most `SETTLED_MAX`.
///
/// # Errors
/// The last error.
pub async fn settled<T>(
    what: &str,
    mut attempt: impl AsyncFnMut() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + SETTLED_MAX;
    loop {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) if Instant::now() > deadline => {
                return Err(error.context(format!("{what}: not within {SETTLED_MAX:?}")));
            }
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Alice's only grant, if there is one.
///
/// # Errors
/// Where there are several, or the node does not answer.
pub async fn grant(node: &Apart) -> anyhow::Result<Option<Grant>> {
    let request = ListGrantsRequest { subject: "alice".to_owned(), ..ListGrantsRequest::default() };
    let mut grants = GrantServiceClient::new(node.admin()).list(request).await?.into_inner().grants;
    ensure!(grants.len() <= 1, "Alice has {} grants", grants.len());
    Ok(grants.pop())
}

/// The grant's phase and generation must come to be these.
///
/// # Errors
/// Where they do not.
pub async fn comes_to(node: &Apart, phase: GrantPhase, generation: u64) -> anyhow::Result<()> {
    settled("the grant's phase and generation", async || {
        let known = grant(node).await?.context("there is no grant")?;
        ensure!(
            known.phase() == phase && known.generation == generation,
            "the grant is {:?} in generation {} ({})",
            known.phase(),
            known.generation,
            known.trouble
        );
        Ok(())
    })
    .await
}

/// Asks the node to refresh Alice's grant now.
///
/// # Errors
/// What it answers.
pub async fn refresh(node: &Apart) -> anyhow::Result<Grant> {
    let known = grant(node).await?.context("there is no grant to refresh")?;
    let answer =
        GrantServiceClient::new(node.admin()).refresh(RefreshGrantRequest { grant: known.id }).await?;
    answer.into_inner().grant.context("an answer without a grant")
}

/// Revokes everything of a subject.
///
/// # Errors
/// What the node answers.
pub async fn revoke(node: &Apart, subject: &str) -> Result<u64, Status> {
    let request = RevokeRequest {
        selector: Some(Selector { selector: Some(selector::Selector::Subject(subject.to_owned())) }),
        reason: "left the company".to_owned(),
        ..RevokeRequest::default()
    };
    Ok(GrantServiceClient::new(node.admin()).revoke(request).await?.into_inner().seq)
}

/// A lease on Alice's token, which the provider honours.
///
/// # Errors
/// Where there is none, or the provider does not honour its token.
pub async fn lease(node: &Apart) -> anyhow::Result<Lease> {
    let answer = node.acquire(&READ).await?;
    let leasehold_journey::Acquired::Lease(lease) = answer else { bail!("a consent is required") };
    ensure!(node.script().is_active(&lease.access_token), "the provider does not honour the leased token");
    Ok(lease)
}

/// Every token that the sandbox would accept now.
fn active(node: &Apart) -> Vec<Issued> {
    let secrets = node.script().all_secrets();
    let living: Vec<String> = secrets
        .iter()
        .filter(|secret| node.script().is_active(secret))
        .map(|secret| fingerprint(secret))
        .collect();
    node.script().issued(|issued| living.contains(&issued.fingerprint))
}

/// Every active token at the sandbox is one of the family that is leased, of a generation that the node has; where nothing is leased, none is
/// active. Within the bound.
///
/// # Errors
/// Where a live token stays that the node does not know.
pub async fn no_orphans(node: &Apart, leased: Option<&Lease>) -> anyhow::Result<()> {
    let known = match leased {
        Some(lease) => {
            let print = fingerprint(&lease.access_token);
            let issued = node.script().issued(|issued| issued.fingerprint == print).pop();
            Some(issued.context("the leased token was never issued")?)
        }
        None => None,
    };
    settled("no live token that the node does not know", async || {
        let is_known = |token: &Issued| {
            known
                .as_ref()
                .is_some_and(|known| token.family == known.family && token.generation <= known.generation)
        };
        let orphans: Vec<Issued> = active(node).into_iter().filter(|token| !is_known(token)).collect();
        ensure!(orphans.is_empty(), "orphaned at the provider: {orphans:?}");
        Ok(())
    })
    .await
}

/// No refresh token of Alice's first consent was presented more often than its refresh was intended. Answers how often each generation's was.
///
/// # Errors
/// Where one was.
pub fn presented_as_intended(node: &Apart, lines: &Lines) -> anyhow::Result<BTreeMap<u64, usize>> {
    let mut presented: BTreeMap<(String, u64), usize> = BTreeMap::new();
    for shown in node
        .script()
        .presentations_where(|shown| shown.endpoint == Endpoint::Token && shown.kind == TokenKind::Refresh)
    {
        *presented.entry((shown.fingerprint, shown.generation.unwrap_or(0))).or_default() += 1;
    }
    let mut by_generation = BTreeMap::new();
    for ((_, generation), times) in presented {
        let intents = lines.intents(generation)?;
        ensure!(times <= intents, "generation {generation}: presented {times} times under {intents} intents");
        by_generation.insert(generation, times);
    }
    Ok(by_generation)
}

/// Every refresh that the sandbox answered with tokens is one of which the ledger says that it brought them, but for `lost`.
///
/// # Errors
/// Where the two counts differ.
pub fn answered_as_recorded(node: &Apart, lines: &Lines, lost: usize) -> anyhow::Result<()> {
    let answered = node
        .script()
        .presentations_where(|shown| shown.kind == TokenKind::Refresh && shown.outcome == Outcome::Accepted)
        .into_iter()
        .filter(|shown| shown.endpoint == Endpoint::Token)
        .count();
    let recorded = lines.of_kind("TokenRefreshed")?.len();
    ensure!(answered == recorded + lost, "{answered} refreshes were answered, and {recorded} recorded");
    Ok(())
}

/// The grant is alive and whole: it is leased, it can be refreshed once more, and the sandbox saw neither a reuse nor a token that the node lost.
///
/// # Errors
/// What is not so.
pub async fn alive(node: &Apart, generation: u64) -> anyhow::Result<()> {
    let leased = settled("a lease", async || lease(node).await).await?;
    ensure!(leased.generation == generation, "the lease is of generation {}", leased.generation);
    no_orphans(node, Some(&leased)).await?;
    let refreshed = settled("another refresh", async || refresh(node).await).await?;
    // The worker may have been first, where an attempt had failed and its pause was over.
    ensure!(refreshed.generation > generation, "refreshing came to generation {}", refreshed.generation);
    let leased = settled("a lease after it", async || lease(node).await).await?;
    no_orphans(node, Some(&leased)).await?;
    ensure!(node.script().reuse_detected() == 0, "the sandbox saw a refresh token twice");
    ensure!(node.script().families_revoked_by_reuse().is_empty(), "the sandbox ended a family for reuse");
    Ok(())
}

/// Alice's browser, on her way through a consent.
pub struct Walk {
    browser: Browser,
    connect_url: String,
}

impl Walk {
    /// Begins a consent: up to our consent page.
    ///
    /// # Errors
    /// Where a page is not the one that should come.
    pub async fn begin(node: &Apart) -> anyhow::Result<Self> {
        let answer = node.acquire(&READ).await?;
        let leasehold_journey::Acquired::ConsentRequired(needed) = answer else {
            bail!("no consent is required")
        };
        let mut browser = Browser::new()?;
        let page = node.people().open(&mut browser, &needed.connect_url, "alice").await?;
        ensure!(page.has_form("consent"), "no consent page came, but {}: {}", page.status, page.text);
        Ok(Self { browser, connect_url: needed.connect_url })
    }

    /// Approves, consents at the provider, and comes back to the page that shows the account.
    ///
    /// # Errors
    /// Where a page is not the one that should come.
    pub async fn to_account(&mut self, node: &Apart) -> anyhow::Result<()> {
        let at = leasehold_journey::people::AtProvider { account: "alice", refused: &[] };
        let page = node.people().to_account(&mut self.browser, at).await?;
        ensure!(page.has_form("account"), "the account was not shown, but {}: {}", page.status, page.text);
        Ok(())
    }

    /// Opens the page that shows the account again, as a person does whose browser lost the node.
    ///
    /// # Errors
    /// Where another page comes.
    pub async fn back_to_account(&mut self) -> anyhow::Result<()> {
        let page = self.browser.goto(&format!("{}/account", self.connect_url)).await?;
        ensure!(page.has_form("account"), "the account was not shown, but {}: {}", page.status, page.text);
        Ok(())
    }

    /// Confirms the account.
    ///
    /// # Errors
    /// Where the confirmation does not end well.
    pub async fn confirm(&mut self) -> anyhow::Result<()> {
        let page = self.browser.submit(&Form::with_id("account").press("confirm")).await?;
        ensure!(page.status == 200, "the confirmation ended with {}: {}", page.status, page.text);
        Ok(())
    }

    /// A whole consent.
    ///
    /// # Errors
    /// Where a page is not the one that should come.
    pub async fn whole(node: &Apart) -> anyhow::Result<()> {
        let mut walk = Self::begin(node).await?;
        walk.to_account(node).await?;
        walk.confirm().await
    }
}
