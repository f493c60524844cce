//! Who has access to what: grants as edges, with the MCP servers and workloads that they can reach and what was leased.
//!
//! Every answer says of which size of the ledger it speaks and whether it is complete. What workloads could do is expanded under the policies
//! as they are now.

use std::collections::BTreeSet;

use bytes::Bytes;
use leasehold_codec::touches::Topic;
use leasehold_domain::{
    connector::Connector,
    grant::{Grant, Phase},
    id::{GrantId, McpServerId, WorkloadId},
    lease::Lease,
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
        self.read(|state| {
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
            self.page(state, &engine, after, limit, fits, reaches)
        })
        .await?
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
        self.read(|state| {
            let subject = subject_by(state, subject)?;
            let fits = |grant: &Grant| {
                grant.key.subject == subject
                    && (ended
                        || (grant.revoked_by(state).is_none()
                            && !matches!(grant.phase, Phase::Revoked { .. })))
            };
            self.page(state, &engine, after, limit, fits, |_| true)
        })
        .await?
    }

    fn page(
        &self,
        state: &State,
        engine: &Engine,
        after: Option<GrantId>,
        limit: usize,
        fits: impl Fn(&Grant) -> bool,
        reaches: impl Fn(&Reach) -> bool,
    ) -> Result<AccessPage, Problem> {
        let limit = limit.clamp(1, PAGE_MAX);
        let now = self.judging_time(state);
        let mut edges = Vec::new();
        let mut next = None;
        for (id, grant) in state.grants.iter() {
            if after.is_some_and(|after| *id <= after) || !fits(grant) {
                continue;
            }
            let reach = Reach::of(state, engine, grant, now, self.development());
            if !reaches(&reach) {
                continue;
            }
            if edges.len() == limit {
                next = edges.last().map(|edge: &AccessEdge| edge.grant.grant.id);
                break;
            }
            edges.push(reach.edge(state, self.grant_view(state, grant)?));
        }
        Ok(AccessPage { edges, size: state.clock.next_seq, next })
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
        self.read(|state| {
            let subject = subject.map(|text| subject_by(state, text)).transpose()?;
            let connector =
                connector.map(|text| connector_by(state, text).map(|known| known.id)).transpose()?;
            let fits = |grant: &&Grant| {
                after.is_none_or(|after| grant.id > after)
                    && subject.is_none_or(|subject| grant.key.subject == subject)
                    && connector.is_none_or(|connector| grant.key.connector == connector)
            };
            let limit = limit.clamp(1, PAGE_MAX);
            let mut found: Vec<&Grant> =
                state.grants.iter().map(|(_, grant)| grant).filter(fits).take(limit + 1).collect();
            let more = found.len() > limit;
            found.truncate(limit);
            let next = found.last().filter(|_| more).map(|grant| grant.id);
            let views =
                found.into_iter().map(|grant| self.grant_view(state, grant)).collect::<Result<_, _>>()?;
            Ok((views, state.clock.next_seq, next))
        })
        .await?
    }

    /// One grant.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn grant(&self, caller: &Caller, id: GrantId) -> Result<GrantView, Problem> {
        self.authorize_any(caller, &[AdministratorAction::Audit, AdministratorAction::Operate]).await?;
        self.read(|state| {
            let grant = state.grants.get(&id).ok_or(Problem::Unknown(Kind::Grant))?;
            self.grant_view(state, grant)
        })
        .await?
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
        self.refresh(id, generation, leasehold_domain::grant::Occasion::Recheck).await?;
        self.grant(caller, id).await
    }

    fn grant_view(&self, state: &State, grant: &Grant) -> Result<GrantView, Problem> {
        let subject_name = state.directory.get(&grant.key.subject).map(|entry| entry.user_name.to_string());
        let connector = state.connectors.get(&grant.key.connector);
        let server = grant.key.isolation.and_then(|id| state.mcp_servers.get(&id));
        let account_shared = state.account_has_others(&grant.key);
        Ok(GrantView {
            subject_name: subject_name.unwrap_or_default(),
            connector_name: connector.map(|known| known.registration.name.to_string()).unwrap_or_default(),
            mcp_server_name: server.map(|known| known.name.to_string()).unwrap_or_default(),
            account: self.account_label(grant.id)?,
            account_shared,
            revoked_by: grant.revoked_by(state),
            grant: grant.clone(),
        })
    }
}

/// What a grant can be reached through.
struct Reach {
    servers: BTreeSet<McpServerId>,
    workloads: BTreeSet<WorkloadId>,
    holders: BTreeSet<WorkloadId>,
    live_leases: u64,
    last_leased_at: Option<Timestamp>,
}

impl Reach {
    fn of(state: &State, engine: &Engine, grant: &Grant, now: Timestamp, development: bool) -> Self {
        let mut reach = Self {
            servers: BTreeSet::new(),
            workloads: BTreeSet::new(),
            holders: BTreeSet::new(),
            live_leases: 0,
            last_leased_at: None,
        };
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
        for lease in state.recent.leases().filter(|lease: &&Lease| lease.key.grant == grant.id) {
            reach.last_leased_at = reach.last_leased_at.max(Some(lease.issued_at));
            if lease.live(state, now).is_ok() {
                reach.live_leases += 1;
                reach.holders.insert(lease.key.workload);
            }
        }
        reach
    }

    fn edge(self, state: &State, grant: GrantView) -> AccessEdge {
        let workload = |id: &WorkloadId| state.workloads.get(id).map(|known| known.name.to_string());
        let server = |id: &McpServerId| state.mcp_servers.get(id).map(|known| known.name.to_string());
        AccessEdge {
            grant,
            mcp_servers: self.servers.iter().filter_map(server).collect(),
            workloads: self.workloads.iter().filter_map(workload).collect(),
            holders: self.holders.iter().filter_map(workload).collect(),
            live_leases: self.live_leases,
            last_leased_at: self.last_leased_at,
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
