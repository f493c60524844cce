//! Leases: acquiring, renewing, releasing, listing, and reports that a provider refused a token.
//!
//! `acquire` reads linearizably, judges the policies on what is needed and on what the token carries, and either repeats a live lease, or
//! proposes a new one whose decision rests on named revisions, or says which consent is missing, or refreshes first. The token is unsealed
//! last, after the lease is committed and still live.

use std::collections::BTreeMap;

use leasehold_domain::{
    actor::Proof,
    command::{Command, Fact},
    connector::Connector,
    grant::{Grant, Occasion},
    id::{ConnectorId, GrantId, LeaseId, McpServerId, Name, SubjectId},
    lease::{self, Basis, Lease},
    machine::Answer,
    mcp_server::McpServer,
    rejection::{Kind, Rejection},
    scope::ScopeSet,
    state::{BlobKey, State},
    time::{Span, Timestamp},
};
use leasehold_identity::subject_token::Declared;
use leasehold_policy::{Engine, LeaseQuestion, LeaseSubject};
use secrecy::SecretString;

use crate::{
    caller::Caller,
    consent::StartedAuthorization,
    control::Control,
    decisions::{Denial, lease_facts, lease_resource, may_lease},
    plan::{Plan, Request},
    problem::Problem,
    propose::Retry,
    tokens,
};

/// The longest validity that a caller may ask for.
pub const MIN_VALIDITY_MAX: Span = Span::from_mins(30);
/// How often a plan is made again because the state moved on beneath it.
const ROUNDS_MAX: usize = 6;

/// How a caller names the subject.
#[derive(Debug, Clone)]
pub enum SubjectClaim {
    /// By id, user name or email: the caller vouches.
    Vouched(String),
    /// By a token of the subject, addressed to the caller or its MCP server, and what the caller says that it is.
    Token(SecretString, Declared),
}

/// What a workload asks for.
#[derive(Debug, Clone)]
pub struct Acquire {
    /// On behalf of which MCP server: its name or id.
    pub mcp_server: String,
    /// From which connector: its name or id.
    pub connector: String,
    /// For whom.
    pub subject: SubjectClaim,
    /// The scopes that the token must carry; none means what the MCP server is registered as needing.
    pub scopes: Option<ScopeSet>,
    /// Which of several accounts: a grant's id.
    pub account: Option<GrantId>,
    /// How long the token must still live. At most [`MIN_VALIDITY_MAX`].
    pub min_validity: Span,
    /// How long the lease may live; [`lease::TTL_DEFAULT`] where nobody says.
    pub ttl: Option<Span>,
}

/// What a workload gets.
pub enum Acquired {
    /// A token.
    Lease(Box<LeaseAnswer>),
    /// The subject has to consent first.
    ConsentRequired {
        /// Why.
        reason: ConsentReason,
        /// Exactly the scopes that are missing.
        missing: ScopeSet,
        /// Where to send the subject.
        started: StartedAuthorization,
    },
}

/// Why a consent is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsentReason {
    /// There is no grant.
    NoGrant,
    /// The grant lacks scopes.
    ScopesMissing,
    /// The grant is dead at the provider.
    Reauthentication,
}

/// A lease with its token. It never prints.
pub struct LeaseAnswer {
    /// The lease.
    pub lease: LeaseView,
    /// The token.
    pub access_token: SecretString,
    /// Its type, `Bearer` for all that matters today.
    pub token_type: String,
    /// The scopes that it really carries.
    pub scopes: ScopeSet,
    /// What the provider says beside it.
    pub metadata: BTreeMap<String, String>,
    /// What the holder should know.
    pub warnings: Vec<String>,
    /// The moment by which remaining times are counted.
    pub now: Timestamp,
}

/// A lease without its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseView {
    /// Its id.
    pub lease: LeaseId,
    /// Of which grant.
    pub grant: GrantId,
    /// Of which generation.
    pub generation: u64,
    /// On behalf of which MCP server.
    pub mcp_server: McpServerId,
    /// From which connector.
    pub connector: ConnectorId,
    /// Whose access it is.
    pub subject: SubjectId,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When the token ends, where that is known.
    pub token_expires_at: Option<Timestamp>,
}

impl From<&Lease> for LeaseView {
    fn from(lease: &Lease) -> Self {
        Self {
            lease: lease.id,
            grant: lease.key.grant,
            generation: lease.key.generation,
            mcp_server: lease.key.mcp_server,
            connector: lease.connector,
            subject: lease.subject,
            expires_at: lease.expires_at,
            token_expires_at: lease.token_expires_at,
        }
    }
}

/// The connector that a request names.
pub(crate) fn connector_by<'a>(state: &'a State, text: &str) -> Result<&'a Connector, Problem> {
    let by_id = text.parse().ok().and_then(|id| state.connectors.get(&id));
    by_id
        .or_else(|| Name::new(text).ok().and_then(|name| state.connector_named(&name)))
        .ok_or(Problem::Unknown(Kind::Connector))
}

/// The MCP server that a request names.
pub(crate) fn mcp_server_by<'a>(state: &'a State, text: &str) -> Result<&'a McpServer, Problem> {
    let by_id = text.parse().ok().and_then(|id| state.mcp_servers.get(&id));
    by_id
        .or_else(|| Name::new(text).ok().and_then(|name| state.mcp_server_named(&name)))
        .ok_or(Problem::Unknown(Kind::McpServer))
}

impl Control {
    /// Asks for a grant's access token.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say. Needing a consent is an answer and no error.
    pub async fn acquire(&self, caller: &Caller, ask: &Acquire) -> Result<Acquired, Problem> {
        caller.workload()?;
        if ask.min_validity > MIN_VALIDITY_MAX {
            return Err(Problem::invalid("min_validity_seconds", "at most 30 minutes"));
        }
        let shown = match &ask.subject {
            SubjectClaim::Vouched(_) => None,
            SubjectClaim::Token(token, declared) => {
                Some(self.verify_subject_token(caller, &ask.mcp_server, token, *declared).await?)
            }
        };
        let mut refreshed = None;
        for _ in 0..ROUNDS_MAX {
            let engine = self.engine()?;
            let request = Request { caller, ask, shown, refreshed: refreshed.clone() };
            match self.read(|state| self.plan(state, &engine, &request)).await?? {
                Plan::Deny(denial) => return Err(self.denied(caller, denial).await),
                Plan::Consent { reason, missing, order } => {
                    let started = self.start_consent(caller, order).await?;
                    return Ok(Acquired::ConsentRequired { reason, missing, started });
                }
                Plan::Again => {}
                Plan::Refresh { grant, generation } => {
                    refreshed = Some(self.refresh(grant, generation, Occasion::Demand).await);
                }
                Plan::Repeat(lease) => match self.hand_out(lease) {
                    Err(Problem::Rejected(Rejection::LeaseEnded)) => {}
                    handed => return handed.map(|answer| Acquired::Lease(Box::new(answer))),
                },
                Plan::Issue { facts, command } => match self.issue(caller, facts, command).await {
                    Ok(lease) => return self.hand_out(lease).map(|answer| Acquired::Lease(Box::new(answer))),
                    Err(Retry::Stale | Retry::Problem(Problem::Rejected(Rejection::Superseded))) => {}
                    Err(Retry::Problem(problem)) => return Err(problem),
                },
            }
        }
        Err(Problem::Overloaded)
    }

    async fn issue(
        &self,
        caller: &Caller,
        facts: Vec<Fact>,
        command: lease::Command,
    ) -> Result<LeaseId, Retry> {
        let applied = self.propose_on(caller, facts, Command::Lease(command)).await?;
        match applied.answer {
            Answer::Lease(lease) => Ok(lease),
            Answer::Done | Answer::Authorization(_) | Answer::Attempt(_) => {
                Err(Problem::fault("issue a lease", &"the answer names none").into())
            }
        }
    }

    /// Unseals the token of a live lease. The last step: what is not live now is not handed out.
    fn hand_out(&self, id: LeaseId) -> Result<LeaseAnswer, Problem> {
        let (lease, grant, now) = self.read_now(|state| {
            let now = self.judging_time(state);
            let lease = state.recent.lease(&id).cloned().ok_or(Problem::Unknown(Kind::Lease))?;
            lease.live(state, now)?;
            let grant = state.grants.get(&lease.key.grant).cloned().ok_or(Problem::Unknown(Kind::Grant))?;
            Ok::<_, Problem>((lease, grant, now))
        })?;
        let generation = lease.key.generation;
        // A generation that is gone was replaced twice since: the caller asks again.
        let blob = self
            .blob(&BlobKey::Tokens(grant.id, generation))?
            .ok_or(Problem::Rejected(Rejection::LeaseEnded))?;
        let place = tokens::Place { generation, ..self.place(&grant) };
        let clear = tokens::unseal_access(&self.keyring(), place, &blob)?;
        let mut warnings = Vec::new();
        if let Some(trouble) = grant.trouble {
            warnings.push(format!(
                "refreshing this grant has failed {} times in a row; its token works until it ends",
                trouble.failures
            ));
        }
        Ok(LeaseAnswer {
            lease: LeaseView::from(&lease),
            access_token: clear.access_token,
            token_type: clear.token_type,
            scopes: grant.granted,
            metadata: clear.metadata,
            warnings,
            now,
        })
    }

    /// Lets a lease live longer.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say; [`Rejection::LeaseEnded`] once it has ended.
    pub async fn renew(
        &self,
        caller: &Caller,
        id: LeaseId,
        ttl: Option<Span>,
    ) -> Result<(LeaseView, Timestamp), Problem> {
        caller.workload()?;
        let ttl = ttl.unwrap_or(lease::TTL_DEFAULT).min(lease::TTL_MAX);
        for _ in 0..ROUNDS_MAX {
            let engine = self.engine()?;
            let judged = self.read(|state| self.judge_renewal(state, &engine, caller, id)).await??;
            let (facts, decision) = match judged {
                Ok(allowed) => allowed,
                Err(denial) => return Err(self.denied(caller, denial).await),
            };
            let command = Command::Lease(lease::Command::Renew { lease: id, ttl, decision });
            match self.propose_on(caller, facts, command).await {
                Ok(_) => {
                    return self.read_now(|state| {
                        let lease = state.recent.lease(&id).ok_or(Problem::Unknown(Kind::Lease))?;
                        let now = self.judging_time(state);
                        lease.live(state, now)?;
                        Ok((LeaseView::from(lease), now))
                    });
                }
                Err(Retry::Stale) => {}
                Err(Retry::Problem(problem)) => return Err(problem),
            }
        }
        Err(Problem::Overloaded)
    }

    fn judge_renewal(
        &self,
        state: &State,
        engine: &Engine,
        caller: &Caller,
        id: LeaseId,
    ) -> Result<Result<(Vec<Fact>, leasehold_domain::policy::Decision), Denial>, Problem> {
        let workload = caller.workload()?;
        let lease = state
            .recent
            .lease(&id)
            .filter(|lease| lease.key.workload == workload)
            .ok_or(Problem::Unknown(Kind::Lease))?;
        lease.live(state, self.judging_time(state))?;
        let question = lease_question(state, lease, caller.certificate(), self.development())
            .ok_or(Problem::Unknown(Kind::Grant))?;
        Ok(match may_lease(engine, &question) {
            Ok(decision) => Ok((lease_facts(state, engine, &question), decision)),
            Err((reason, action, decision)) => {
                Err(Denial { action, resource: lease_resource(&question), reason, decision })
            }
        })
    }

    /// Gives a lease back.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn release(&self, caller: &Caller, lease: LeaseId) -> Result<(), Problem> {
        caller.workload()?;
        self.propose(caller, Command::Lease(lease::Command::Release { lease })).await.map(drop)
    }

    /// Takes a holder's word that the provider refused the token, and looks whether it is so. It ends nothing by itself.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn report_rejected(&self, caller: &Caller, lease: LeaseId, status: u16) -> Result<(), Problem> {
        caller.workload()?;
        let applied =
            self.propose(caller, Command::Lease(lease::Command::ReportRejected { lease, status })).await?;
        // Once for each lease; and never against the provider's own pause.
        if applied.events.is_empty() {
            return Ok(());
        }
        let grant = self.read_now(|state| {
            let lease = state.recent.lease(&lease)?;
            let grant = state.grants.get(&lease.key.grant)?;
            (grant.generation == lease.key.generation).then_some((grant.id, grant.generation))
        });
        if let Some((grant, generation)) = grant {
            let control = self.clone();
            self.carry_through(async move {
                if let Err(problem) = control.refresh(grant, generation, Occasion::Recheck).await {
                    tracing::info!(%grant, code = problem.code(), "a recheck did not end well");
                }
            });
        }
        Ok(())
    }

    /// The caller's live leases, and the size of the ledger that they speak of.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn own_leases(&self, caller: &Caller) -> Result<(Vec<LeaseView>, u64), Problem> {
        let workload = caller.workload()?;
        self.read(|state| {
            let now = self.judging_time(state);
            let live = |lease: &&Lease| lease.live(state, now).is_ok();
            (
                state.recent.leases_of(&workload).filter(live).map(LeaseView::from).collect(),
                state.clock.next_seq,
            )
        })
        .await
    }

    /// Live leases that the policies no longer permit; at most `limit`.
    pub(crate) fn leases_forbidden(&self, limit: usize) -> Result<Vec<LeaseId>, Problem> {
        let engine = self.engine()?;
        Ok(self.read_now(|state| {
            let now = self.judging_time(state);
            let permitted = |lease: &Lease| {
                let certificate = matches!(lease.key.proof, Proof::Certificate(_));
                let question = lease_question(state, lease, certificate, self.development());
                question.is_some_and(|question| may_lease(&engine, &question).is_ok())
            };
            state
                .recent
                .leases()
                .filter(|lease| lease.live(state, now).is_ok() && !permitted(lease))
                .map(|lease| lease.id)
                .take(limit)
                .collect()
        }))
    }
}

/// The question that a lease answers, asked again about what its token carries.
fn lease_question<'a>(
    state: &'a State,
    lease: &Lease,
    certificate: bool,
    development: bool,
) -> Option<LeaseQuestion<'a>> {
    let grant: &Grant = state.grants.get(&lease.key.grant)?;
    Some(LeaseQuestion {
        workload: state.workloads.get(&lease.key.workload)?,
        mcp_server: state.mcp_servers.get(&lease.key.mcp_server)?,
        connector: state.connectors.get(&lease.connector)?,
        subject: LeaseSubject {
            subject: state.subjects.get(&lease.subject)?,
            vouched: lease.basis == Basis::Vouched,
        },
        scopes: &grant.granted,
        certificate,
        development,
    })
}
