//! Revocation: one event, whatever it covers; what follows is the worker's.

use leasehold_domain::{
    command::Command,
    grant::{Grant, Phase},
    id::{Name, WorkloadId},
    lease::Lease,
    rejection::Kind,
    revocation::{self, Selector},
    state::State,
    subject,
    time::Timestamp,
};
use leasehold_failpoint::failpoint;
use leasehold_identity::resolve;
use leasehold_policy::AdministratorAction;

use crate::{
    caller::Caller,
    control::Control,
    draw,
    leases::{connector_by, mcp_server_by},
    problem::Problem,
};

/// What a revocation covers at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BlastRadius {
    /// Grants that end.
    pub grants: u64,
    /// Live leases that end.
    pub leases: u64,
    /// Consents on their way that end.
    pub authorizations: u64,
    /// Workloads that lose a lease.
    pub workloads: u64,
    /// Subjects whose access it is.
    pub subjects: u64,
    /// Until when copies of the tokens may still work at the provider, unless it revokes them.
    pub residual_exposure_until: Option<Timestamp>,
}

impl Control {
    /// What a revocation of this selector would cover, and the size of the ledger that this speaks of.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn simulate_revoke(
        &self,
        caller: &Caller,
        selector: Selector,
    ) -> Result<(BlastRadius, u64), Problem> {
        self.authorize_any(caller, &[AdministratorAction::Secure, AdministratorAction::Audit]).await?;
        self.read(|state| (blast_radius(state, selector, self.judging_time(state)), state.clock.next_seq))
            .await
    }

    /// Revokes. Effective when it returns, on every node; answers with the sequence number and what it covered.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn revoke(
        &self,
        caller: &Caller,
        selector: Selector,
        reason: &str,
    ) -> Result<(u64, BlastRadius), Problem> {
        self.authorize_administrator(caller, AdministratorAction::Secure).await?;
        let covered = self.read(|state| blast_radius(state, selector, self.judging_time(state))).await?;
        let note = draw::note(self.entropy(), reason)?;
        let command = Command::Revocation(revocation::Command::Raise { selector, note });
        let applied = self.propose(caller, command).await?;
        failpoint!("revocation.raised");
        self.0.work.notify_one();
        Ok((applied.first_seq, covered))
    }

    /// Disables a subject: everything of it ends, and nothing may be done for it.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn disable_subject(
        &self,
        caller: &Caller,
        subject: &str,
        reason: &str,
    ) -> Result<u64, Problem> {
        self.authorize_administrator(caller, AdministratorAction::Secure).await?;
        let subject = self
            .read(|state| resolve::by_name(state, subject))
            .await?
            .map_err(|_| Problem::Unknown(Kind::Subject))?;
        let note = draw::note(self.entropy(), reason)?;
        let applied =
            self.propose(caller, Command::Subject(subject::Command::Disable { subject, note })).await?;
        self.0.work.notify_one();
        Ok(applied.first_seq)
    }

    /// The selector that a request names by a subject's id or name.
    ///
    /// # Errors
    /// [`Problem::Unknown`] where there is no such thing.
    pub fn selector_subject(&self, text: &str) -> Result<Selector, Problem> {
        self.read_now(|state| resolve::by_name(state, text))
            .map(Selector::Subject)
            .map_err(|_| Problem::Unknown(Kind::Subject))
    }

    /// The selector that a request names by a connector's id or name.
    ///
    /// # Errors
    /// [`Problem::Unknown`] where there is no such thing.
    pub fn selector_connector(&self, text: &str) -> Result<Selector, Problem> {
        self.read_now(|state| connector_by(state, text).map(|known| Selector::Connector(known.id)))
    }

    /// The selector that a request names by an MCP server's id or name.
    ///
    /// # Errors
    /// [`Problem::Unknown`] where there is no such thing.
    pub fn selector_mcp_server(&self, text: &str) -> Result<Selector, Problem> {
        self.read_now(|state| mcp_server_by(state, text).map(|known| Selector::McpServer(known.id)))
    }

    /// The selector that a request names by a workload's id or name.
    ///
    /// # Errors
    /// [`Problem::Unknown`] where there is no such thing.
    pub fn selector_workload(&self, text: &str) -> Result<Selector, Problem> {
        self.read_now(|state| workload_by(state, text).map(Selector::Workload))
    }
}

/// The workload that a request names.
pub(crate) fn workload_by(state: &State, text: &str) -> Result<WorkloadId, Problem> {
    let by_id = text.parse().ok().filter(|id| state.workloads.contains(id));
    by_id
        .or_else(|| Name::new(text).ok().and_then(|name| state.workload_named(&name)).map(|known| known.id))
        .ok_or(Problem::Unknown(Kind::Workload))
}

fn covers_grant(selector: Selector, grant: &Grant) -> bool {
    match selector {
        Selector::Grant(id) => grant.id == id,
        Selector::Subject(id) => grant.key.subject == id,
        Selector::Connector(id) => grant.key.connector == id,
        Selector::McpServer(id) => grant.key.isolation == Some(id),
        Selector::Workload(_) => false,
    }
}

fn covers_lease(selector: Selector, lease: &Lease) -> bool {
    match selector {
        Selector::Grant(id) => lease.key.grant == id,
        Selector::Subject(id) => lease.subject == id,
        Selector::Connector(id) => lease.connector == id,
        Selector::McpServer(id) => lease.key.mcp_server == id,
        Selector::Workload(id) => lease.key.workload == id,
    }
}

/// What a revocation of this selector covers.
pub(crate) fn blast_radius(state: &State, selector: Selector, now: Timestamp) -> BlastRadius {
    use std::collections::BTreeSet;
    let mut subjects = BTreeSet::new();
    let mut workloads = BTreeSet::new();
    let mut residual = None;
    let mut radius = BlastRadius::default();
    let usable =
        |grant: &Grant| !matches!(grant.phase, Phase::Revoked { .. }) && grant.revoked_by(state).is_none();
    for (_, grant) in state.grants.iter().filter(|(_, grant)| covers_grant(selector, grant) && usable(grant))
    {
        radius.grants += 1;
        subjects.insert(grant.key.subject);
        residual = residual.max(grant.tokens.access_expires_at);
    }
    for lease in
        state.recent.leases().filter(|lease| covers_lease(selector, lease) && lease.live(state, now).is_ok())
    {
        radius.leases += 1;
        subjects.insert(lease.subject);
        workloads.insert(lease.key.workload);
        residual = residual.max(lease.token_expires_at);
    }
    let covers_consent = |known: &leasehold_domain::authorization::Authorization| match selector {
        Selector::Subject(id) => known.subject == id,
        Selector::Connector(id) => known.connector == id,
        Selector::McpServer(id) => known.mcp_server == id,
        Selector::Grant(_) | Selector::Workload(_) => false,
    };
    let open = state
        .authorizations
        .iter()
        .filter(|(_, known)| covers_consent(known) && known.is_open(state))
        .count();
    radius.authorizations = open as u64;
    radius.workloads = workloads.len() as u64;
    radius.subjects = subjects.len() as u64;
    radius.residual_exposure_until = residual.filter(|end| *end > now);
    radius
}
