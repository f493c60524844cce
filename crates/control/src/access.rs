//! Who has access to what: grants as edges, with the MCP servers and workloads that they can reach and what was leased.
//!
//! Every answer says of which size of the ledger it speaks and whether it is complete. What workloads could do is expanded under the policies
//! as they are now.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use leasehold_codec::touches::Topic;
use leasehold_domain::{
    connector::Connector,
    grant::{Grant, Phase},
    id::{GrantId, McpServerId, WorkloadId},
    mcp_server::McpServer,
    rejection::Kind,
    scope::{Scope, ScopeSet},
    state::State,
    time::Timestamp,
    workload::Workload,
};
use leasehold_policy::{AdministratorAction, Engine, LeaseQuestion, LeaseSubject};

use crate::{
    caller::Caller,
    control::Control,
    leases::{connector_by, mcp_server_by},
    people::subject_by,
    problem::Problem,
    revoke::workload_by,
};

/// The most edges on one page.
pub const PAGE_MAX: usize = 500;
/// The most grants that one page looks at.
const SCANNED_MAX: usize = 5000;

/// A grant as those may see it who administer or audit.
#[derive(Debug, Clone)]
pub struct GrantView {
    /// The grant. Its key is a pseudonym of the account.
    pub grant: Grant,
    /// The subject's user name, where the directory still has it.
    pub subject_name: String,
    /// The connector's name.
    pub connector_name: String,
    /// The MCP server's name whose alone it is, where the connector isolates them.
    pub mcp_server_name: String,
    /// What the provider calls the account; empty where it does not say.
    pub account: String,
    /// Whether the same account also belongs to another subject.
    pub account_shared: bool,
    /// The revocation that covers it, said or not yet said.
    pub revoked_by: Option<u64>,
}

/// One way in which a subject's account can be reached.
#[derive(Debug, Clone)]
pub struct AccessEdge {
    /// Through this grant.
    pub grant: GrantView,
    /// On behalf of these MCP servers.
    pub mcp_servers: Vec<String>,
    /// By these workloads, as the policies are now.
    pub workloads: Vec<String>,
    /// Of which these hold a live lease.
    pub holders: Vec<String>,
    /// How many live leases there are.
    pub live_leases: u64,
    /// When it was last leased, where the recent past says.
    pub last_leased_at: Option<Timestamp>,
}

/// A page of edges.
#[derive(Debug, Clone)]
pub struct AccessPage {
    /// The edges.
    pub edges: Vec<AccessEdge>,
    /// The size of the ledger that the answer speaks of.
    pub size: u64,
    /// Where the next page begins; none where this is the last.
    pub next: Option<GrantId>,
}

/// Which subjects are looked for.
#[derive(Debug, Clone, Default)]
pub struct SubjectFilter {
    /// With a grant at this connector.
    pub connector: Option<String>,
    /// Reachable on behalf of this MCP server.
    pub mcp_server: Option<String>,
    /// With a token that can do this.
    pub scope: Option<Scope>,
    /// Reachable by this workload.
    pub workload: Option<String>,
}

impl Control {
    /// Who has access: the edges that fit a filter, of grants that can be used.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn lookup_subjects(
        &self,
        caller: &Caller,
        filter: &SubjectFilter,
        after: Option<GrantId>,
        limit: usize,
    ) -> Result<AccessPage, Problem> {
        self.authorize_administrator(caller, AdministratorAction::Audit).await?;
        self.record_access_read(caller).await?;
        let engine = self.engine()?;
        let page = self.read(|state| -> Result<AccessPage, Problem> {
            let connector = filter.connector.as_deref().map(|text| connector_by(state, text)).transpose()?;
            let server = filter.mcp_server.as_deref().map(|text| mcp_server_by(state, text)).transpose()?;
            let workload = filter.workload.as_deref().map(|text| workload_by(state, text)).transpose()?;
            let fits = |grant: &Grant| {
                connector.is_none_or(|known| known.id == grant.key.connector)
                    && filter.scope.as_ref().is_none_or(|scope| grant.granted.contains(scope))
                    && grant.phase == Phase::Active
                    && grant.revoked_by(state).is_none()
            };
            let reaches = |edge: &Reach| {
                server.is_none_or(|known| edge.servers.contains(&known.id))
                    && workload.is_none_or(|known| edge.workloads.contains(&known))
            };
            Ok(self.page(state, &engine, after, limit, fits, reaches))
        });
        self.named(page.await??)
    }

    /// What a subject has given access to; ended grants too where `ended` says so.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn lookup_resources(
        &self,
        caller: &Caller,
        subject: &str,
        ended: bool,
        after: Option<GrantId>,
        limit: usize,
    ) -> Result<AccessPage, Problem> {
        self.authorize_administrator(caller, AdministratorAction::Audit).await?;
        self.record_access_read(caller).await?;
        let engine = self.engine()?;
        let page = self.read(|state| -> Result<AccessPage, Problem> {
            let subject = subject_by(state, subject)?;
            let fits = |grant: &Grant| {
                grant.key.subject == subject
                    && (ended
                        || (grant.revoked_by(state).is_none()
                            && !matches!(grant.phase, Phase::Revoked { .. })))
            };
            Ok(self.page(state, &engine, after, limit, fits, |_| true))
        });
        self.named(page.await??)
    }

    /// Looks at grants in the order of their ids, and at no more than a bounded number: a page may be short and still not be the last.
    fn page(
        &self,
        state: &State,
        engine: &Engine,
        after: Option<GrantId>,
        limit: usize,
        fits: impl Fn(&Grant) -> bool,
        reaches: impl Fn(&Reach) -> bool,
    ) -> AccessPage {
        let limit = limit.clamp(1, PAGE_MAX);
        let mut chosen: Vec<(&Grant, Reach)> = Vec::new();
        let mut next = None;
        let mut last = None;
        for (scanned, (id, grant)) in state.grants.iter_after(after.as_ref()).enumerate() {
            if chosen.len() == limit || scanned == SCANNED_MAX {
                next = last;
                break;
            }
            last = Some(*id);
            if fits(grant) {
                let reach = Reach::of(state, engine, grant, self.development());
                if reaches(&reach) {
                    chosen.push((grant, reach));
                }
            }
        }
        let now = self.judging_time(state);
        let mut held = Held::of(state, chosen.iter().map(|(grant, _)| grant.id), now);
        let edges = chosen
            .into_iter()
            .map(|(grant, reach)| reach.edge(state, grant_view(state, grant), held.take(grant.id)))
            .collect();
        AccessPage { edges, size: state.clock.next_seq, next }
    }

    /// Adds what the providers call the accounts: sealed rows, opened only after the state was let go of.
    fn name_accounts<'a>(&self, views: impl Iterator<Item = &'a mut GrantView>) -> Result<(), Problem> {
        for view in views {
            view.account = self.account_label(view.grant.id)?;
        }
        Ok(())
    }

    fn named(&self, mut page: AccessPage) -> Result<AccessPage, Problem> {
        self.name_accounts(page.edges.iter_mut().map(|edge| &mut edge.grant))?;
        Ok(page)
    }

    /// Why: the event lines about a grant, the newest first, and the size of the ledger that they speak of.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn explain(
        &self,
        caller: &Caller,
        grant: GrantId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<(Vec<(u64, Bytes)>, u64), Problem> {
        self.authorize_administrator(caller, AdministratorAction::Audit).await?;
        self.record_access_read(caller).await?;
        let size = self
            .read(|state| state.grants.contains(&grant).then_some(state.clock.next_seq))
            .await?
            .ok_or(Problem::Unknown(Kind::Grant))?;
        let seqs = self
            .ledger()
            .postings(Topic::Grant(grant), before, limit.clamp(1, PAGE_MAX))
            .map_err(|error| Problem::fault("look an index up", &error))?;
        let mut lines = Vec::with_capacity(seqs.len());
        for seq in seqs {
            let line = self.ledger().line(seq).map_err(|error| Problem::fault("read a line", &error))?;
            let line =
                line.ok_or_else(|| Problem::fault("read a line", &"an index names one that is not there"))?;
            lines.push((seq, line.bytes));
        }
        Ok((lines, size))
    }

    /// Grants, narrowed by subject and connector, after `after`, at most `limit`.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn grants(
        &self,
        caller: &Caller,
        subject: Option<&str>,
        connector: Option<&str>,
        after: Option<GrantId>,
        limit: usize,
    ) -> Result<(Vec<GrantView>, u64, Option<GrantId>), Problem> {
        self.authorize_any(caller, &[AdministratorAction::Audit, AdministratorAction::Operate]).await?;
        let found = self.read(|state| -> Result<_, Problem> {
            let subject = subject.map(|text| subject_by(state, text)).transpose()?;
            let connector =
                connector.map(|text| connector_by(state, text).map(|known| known.id)).transpose()?;
            let fits = |grant: &&Grant| {
                subject.is_none_or(|subject| grant.key.subject == subject)
                    && connector.is_none_or(|connector| grant.key.connector == connector)
            };
            let limit = limit.clamp(1, PAGE_MAX);
            let after = state.grants.iter_after(after.as_ref()).map(|(_, grant)| grant);
            let mut found: Vec<&Grant> = after.filter(fits).take(limit + 1).collect();
            let more = found.len() > limit;
            found.truncate(limit);
            let next = found.last().filter(|_| more).map(|grant| grant.id);
            let views: Vec<GrantView> = found.into_iter().map(|grant| grant_view(state, grant)).collect();
            Ok((views, state.clock.next_seq, next))
        });
        let (mut views, size, next) = found.await??;
        self.name_accounts(views.iter_mut())?;
        Ok((views, size, next))
    }

    /// One grant.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn grant(&self, caller: &Caller, id: GrantId) -> Result<GrantView, Problem> {
        self.authorize_any(caller, &[AdministratorAction::Audit, AdministratorAction::Operate]).await?;
        let found = self.read(|state| state.grants.get(&id).map(|grant| grant_view(state, grant)));
        let mut view = found.await?.ok_or(Problem::Unknown(Kind::Grant))?;
        self.name_accounts(std::iter::once(&mut view))?;
        Ok(view)
    }

    /// Refreshes a grant now, and answers with it as it is then.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn refresh_grant(&self, caller: &Caller, id: GrantId) -> Result<GrantView, Problem> {
        self.authorize_administrator(caller, AdministratorAction::Operate).await?;
        let generation = self
            .read(|state| state.grants.get(&id).map(|grant| grant.generation))
            .await?
            .ok_or(Problem::Unknown(Kind::Grant))?;
        self.refresh(id, generation, leasehold_domain::grant::Occasion::Ordered).await?;
        self.grant(caller, id).await
    }
}

fn grant_view(state: &State, grant: &Grant) -> GrantView {
    let subject_name = state.directory.get(&grant.key.subject).map(|entry| entry.user_name.to_string());
    let connector = state.connectors.get(&grant.key.connector);
    let server = grant.key.isolation.and_then(|id| state.mcp_servers.get(&id));
    GrantView {
        subject_name: subject_name.unwrap_or_default(),
        connector_name: connector.map(|known| known.registration.name.to_string()).unwrap_or_default(),
        mcp_server_name: server.map(|known| known.name.to_string()).unwrap_or_default(),
        account: String::new(),
        account_shared: state.account_has_others(&grant.key),
        revoked_by: grant.revoked_by(state),
        grant: grant.clone(),
    }
}

/// The recent leases of some grants, counted in one pass.
struct Held(BTreeMap<GrantId, HeldOne>);

#[derive(Default)]
struct HeldOne {
    holders: BTreeSet<WorkloadId>,
    live_leases: u64,
    last_leased_at: Option<Timestamp>,
}

impl Held {
    fn of(state: &State, grants: impl Iterator<Item = GrantId>, now: Timestamp) -> Self {
        let mut all: BTreeMap<GrantId, HeldOne> = grants.map(|id| (id, HeldOne::default())).collect();
        for lease in state.recent.leases() {
            let Some(one) = all.get_mut(&lease.key.grant) else { continue };
            one.last_leased_at = one.last_leased_at.max(Some(lease.issued_at));
            if lease.live(state, now).is_ok() {
                one.live_leases += 1;
                one.holders.insert(lease.key.workload);
            }
        }
        Self(all)
    }

    fn take(&mut self, grant: GrantId) -> HeldOne {
        self.0.remove(&grant).unwrap_or_default()
    }
}

/// What a grant can be reached through.
struct Reach {
    servers: BTreeSet<McpServerId>,
    workloads: BTreeSet<WorkloadId>,
}

impl Reach {
    fn of(state: &State, engine: &Engine, grant: &Grant, development: bool) -> Self {
        let mut reach = Self { servers: BTreeSet::new(), workloads: BTreeSet::new() };
        let usable = grant.phase == Phase::Active && grant.revoked_by(state).is_none();
        if let (Some(connector), Some(subject), true) =
            (state.connectors.get(&grant.key.connector), state.subjects.get(&grant.key.subject), usable)
        {
            for (_, server) in state.mcp_servers.iter().filter(|(_, server)| serves(grant, server, connector))
            {
                reach.servers.insert(server.id);
                let workloads = state.workloads.iter().filter(|(_, workload)| may_ask(workload, server));
                for (_, workload) in workloads {
                    let question = LeaseQuestion {
                        workload,
                        mcp_server: server,
                        connector,
                        subject: LeaseSubject { subject, vouched: false },
                        scopes: &grant.granted,
                        certificate: true,
                        development,
                    };
                    if engine.lease(&question).permitted {
                        reach.workloads.insert(workload.id);
                    }
                }
            }
        }
        reach
    }

    fn edge(self, state: &State, grant: GrantView, held: HeldOne) -> AccessEdge {
        let workload = |id: &WorkloadId| state.workloads.get(id).map(|known| known.name.to_string());
        let server = |id: &McpServerId| state.mcp_servers.get(id).map(|known| known.name.to_string());
        AccessEdge {
            grant,
            mcp_servers: self.servers.iter().filter_map(server).collect(),
            workloads: self.workloads.iter().filter_map(workload).collect(),
            holders: held.holders.iter().filter_map(workload).collect(),
            live_leases: held.live_leases,
            last_leased_at: held.last_leased_at,
        }
    }
}

fn serves(grant: &Grant, server: &McpServer, connector: &Connector) -> bool {
    let needs: Option<&ScopeSet> = server.needs.get(&connector.id);
    server.enabled && needs.is_some() && grant.key.isolation.is_none_or(|own| own == server.id)
}

fn may_ask(workload: &Workload, server: &McpServer) -> bool {
    workload.enabled
        && match workload.kind {
            leasehold_domain::workload::Kind::Gateway => true,
            leasehold_domain::workload::Kind::McpServer(own) => own == server.id,
        }
}
