//! What is to be done about a request for a lease: a pure look at the state and the policies.

use leasehold_domain::{
    command::{FACTS_MAX, Fact},
    connector::Connector,
    grant::{Grant, Phase},
    id::{GrantId, LeaseId, SubjectId},
    lease::{self, Basis},
    mcp_server::McpServer,
    policy::{Action, Decision, DenialReason, Resource},
    rejection::{Kind, Rejection},
    scope::ScopeSet,
    state::State,
    subject::Subject,
    time::{Span, Timestamp},
    workload::{self, Workload},
};
use leasehold_identity::resolve;
use leasehold_policy::{Engine, LeaseQuestion, LeaseSubject};

use crate::{
    caller::Caller,
    consent::ConsentOrder,
    control::Control,
    decisions::{Denial, is_current, lease_facts, lease_resource, may_lease},
    draw,
    leases::{Acquire, ConsentReason, SubjectClaim, connector_by, mcp_server_by},
    problem::Problem,
};

/// How long a token must live at the least for a lease to be worth anything.
const VALIDITY_FLOOR: Span = Span::from_secs(2);

/// A request, with what was found out about it before the state is looked at.
pub(crate) struct Request<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) ask: &'a Acquire,
    /// Whom a subject token names, and when that token ends.
    pub(crate) shown: Option<(SubjectId, Timestamp)>,
    /// How a refresh for this request ended.
    pub(crate) refreshed: Option<Result<(), Problem>>,
}

/// What is to be done.
pub(crate) enum Plan {
    Deny(Denial),
    Consent {
        reason: ConsentReason,
        missing: ScopeSet,
        order: ConsentOrder,
    },
    Refresh {
        grant: GrantId,
        generation: u64,
    },
    Repeat(LeaseId),
    Issue {
        facts: Vec<Fact>,
        command: lease::Command,
    },
    /// The policies were replaced meanwhile: look again with those.
    Again,
}

/// Whether a grant's present token will do.
enum Token {
    WillDo,
    NeedsRefresh,
    NeedsConsent,
}

/// Who and what a request is about.
struct Parties<'a> {
    workload: &'a Workload,
    server: &'a McpServer,
    connector: &'a Connector,
    subject: &'a Subject,
    basis: Basis,
}

impl Parties<'_> {
    fn order(&self, grant: Option<GrantId>, scopes: ScopeSet) -> ConsentOrder {
        ConsentOrder {
            subject: self.subject.id,
            connector: self.connector.id,
            mcp_server: self.server.id,
            scopes,
            grant,
        }
    }
}

impl Control {
    /// Looks what is to be done. Policies are asked before anything about grants is told.
    pub(crate) fn plan(
        &self,
        state: &State,
        engine: &Engine,
        request: &Request<'_>,
    ) -> Result<Plan, Problem> {
        if !is_current(engine, state) {
            return Ok(Plan::Again);
        }
        if let Some(known) = &request.caller.request
            && let Some(outcome) =
                state.recent.outcome(request.caller.actor.principal, &known.id, state.clock.time)
            && outcome.body != known.body
        {
            return Err(Rejection::RequestIdReused.into());
        }
        if let Some(denial) = self.early_denial(state, engine, request)? {
            return Ok(Plan::Deny(denial));
        }
        let parties = parties(state, request)?;
        let Parties { workload, server, connector, subject, basis } = parties;
        let now = self.judging_time(state);
        let registered = server.needs.get(&connector.id).cloned().unwrap_or_default();
        let asked = request.ask.scopes.clone().filter(|scopes| !scopes.is_empty());
        let needed = asked.unwrap_or_else(|| registered.clone());
        let question = LeaseQuestion {
            workload,
            mcp_server: server,
            connector,
            subject: LeaseSubject { subject, vouched: basis == Basis::Vouched },
            scopes: &needed,
            certificate: request.caller.certificate(),
            development: self.development(),
        };
        if let Some(denial) = self.denial(state, engine, &question, now) {
            return Ok(Plan::Deny(denial));
        }
        if needed.is_empty() {
            return Err(Problem::invalid("connector", "one that the MCP server is registered as needing"));
        }
        if !registered.covers(&needed) {
            return Err(Rejection::ScopesNotRegistered(needed.missing_from(&registered)).into());
        }
        if !subject.enabled {
            return Err(Rejection::Disabled(Kind::Subject).into());
        }
        let Some(grant) = grant_for(state, subject.id, connector, server, request.ask.account)? else {
            let order = parties.order(None, needed.clone());
            return Ok(Plan::Consent { reason: ConsentReason::NoGrant, missing: needed, order });
        };
        let missing = needed.missing_from(&grant.granted);
        if matches!(grant.phase, Phase::NeedsConsent(_)) {
            let order = parties.order(Some(grant.id), needed.clone());
            return Ok(Plan::Consent { reason: ConsentReason::Reauthentication, missing, order });
        }
        if !missing.is_empty() {
            // Asking for the missing ones alone would lose what is granted at providers that do not add up.
            let order = parties.order(Some(grant.id), kept_and_needed(&registered, &grant.granted, &needed));
            return Ok(Plan::Consent { reason: ConsentReason::ScopesMissing, missing, order });
        }
        let carried = LeaseQuestion { scopes: &grant.granted, ..question };
        let decision = match may_lease(engine, &carried) {
            Ok(decision) => decision,
            Err((_, action, decision)) => {
                let reason = DenialReason::TokenTooBroad;
                return Ok(Plan::Deny(Denial {
                    action,
                    resource: lease_resource(&question),
                    reason,
                    decision,
                }));
            }
        };
        match token(grant, now, request)? {
            Token::WillDo => {}
            Token::NeedsRefresh => {
                return Ok(Plan::Refresh { grant: grant.id, generation: grant.generation });
            }
            Token::NeedsConsent => {
                let order = parties.order(Some(grant.id), needed.clone());
                return Ok(Plan::Consent { reason: ConsentReason::Reauthentication, missing, order });
            }
        }
        if let Some(same) = same_lease(state, request.caller, &parties, grant, now) {
            return Ok(Plan::Repeat(same));
        }
        let mut facts = lease_facts(state, engine, &carried);
        facts.truncate(FACTS_MAX);
        let command = lease::Command::Issue {
            lease: LeaseId::from_bytes(draw::sixteen(self.entropy())),
            mcp_server: server.id,
            grant: grant.id,
            generation: grant.generation,
            needed,
            basis,
            ttl: request.ask.ttl.unwrap_or(lease::TTL_DEFAULT).min(lease::TTL_MAX),
            vouched_max: self.settings().vouched_subjects_max as u64,
            decision,
        };
        Ok(Plan::Issue { facts, command })
    }

    /// What can be denied before anybody is looked up, so that a caller learns nothing about who there is.
    fn early_denial(
        &self,
        state: &State,
        engine: &Engine,
        request: &Request<'_>,
    ) -> Result<Option<Denial>, Problem> {
        let workload =
            state.workloads.get(&request.caller.workload()?).ok_or(Problem::Unknown(Kind::Workload))?;
        let server = mcp_server_by(state, &request.ask.mcp_server)?;
        let resource = Resource { mcp_server: Some(server.id), ..Resource::default() };
        let decision = Decision { version: engine.version(), determining: Vec::new() };
        let other = matches!(workload.kind, workload::Kind::McpServer(own) if own != server.id);
        if other {
            let reason = DenialReason::NotItsOwn;
            return Ok(Some(Denial { action: Action::Lease, resource, reason, decision }));
        }
        let vouched = matches!(request.ask.subject, SubjectClaim::Vouched(_));
        if vouched && !request.caller.certificate() && !self.development() {
            let reason = DenialReason::WeakCredential;
            return Ok(Some(Denial { action: Action::ActAs, resource, reason, decision }));
        }
        Ok(None)
    }

    fn denial(
        &self,
        state: &State,
        engine: &Engine,
        question: &LeaseQuestion<'_>,
        now: Timestamp,
    ) -> Option<Denial> {
        let resource = lease_resource(question);
        let unasked = || Decision { version: engine.version(), determining: Vec::new() };
        if let Err((reason, action, decision)) = may_lease(engine, question) {
            return Some(Denial { action, resource, reason, decision });
        }
        let LeaseSubject { subject, vouched } = question.subject;
        let others = state.recent.vouched_besides(&question.workload.id, subject.id, now);
        if vouched && others >= self.settings().vouched_subjects_max {
            let reason = DenialReason::SubjectCap;
            return Some(Denial { action: Action::ActAs, resource, reason, decision: unasked() });
        }
        None
    }
}

fn parties<'a>(state: &'a State, request: &Request<'_>) -> Result<Parties<'a>, Problem> {
    let workload =
        state.workloads.get(&request.caller.workload()?).ok_or(Problem::Unknown(Kind::Workload))?;
    let server = mcp_server_by(state, &request.ask.mcp_server)?;
    let connector = connector_by(state, &request.ask.connector)?;
    let (subject, basis) = match (&request.ask.subject, request.shown) {
        (SubjectClaim::Token(..), Some((subject, expires_at))) => {
            (subject, Basis::SubjectToken { expires_at })
        }
        (SubjectClaim::Token(..), None) => return Err(Problem::SubjectTokenInvalid),
        (SubjectClaim::Vouched(text), _) => {
            let subject = resolve::by_name(state, text).map_err(|_| Problem::Unknown(Kind::Subject))?;
            (subject, Basis::Vouched)
        }
    };
    let subject = state.subjects.get(&subject).ok_or(Problem::Unknown(Kind::Subject))?;
    Ok(Parties { workload, server, connector, subject, basis })
}

fn same_lease(
    state: &State,
    caller: &Caller,
    parties: &Parties<'_>,
    grant: &Grant,
    now: Timestamp,
) -> Option<LeaseId> {
    let key = lease::Key {
        workload: parties.workload.id,
        proof: caller.actor.proof,
        address: caller.actor.origin.address,
        mcp_server: parties.server.id,
        grant: grant.id,
        generation: grant.generation,
    };
    let same = state.recent.lease_keyed(&key)?;
    (same.basis == parties.basis && same.live(state, now).is_ok()).then_some(same.id)
}

/// What is granted and still needed by the MCP server, and what is needed now.
fn kept_and_needed(registered: &ScopeSet, granted: &ScopeSet, needed: &ScopeSet) -> ScopeSet {
    let kept = registered.iter().filter(|scope| granted.contains(scope)).cloned();
    // Both are parts of what the MCP server needs, so the union stays within the bounds of a set.
    ScopeSet::new(kept.chain(needed.iter().cloned())).unwrap_or_else(|_| needed.clone())
}

/// The grant that serves a request.
fn grant_for<'a>(
    state: &'a State,
    subject: SubjectId,
    connector: &Connector,
    server: &McpServer,
    account: Option<GrantId>,
) -> Result<Option<&'a Grant>, Problem> {
    let fits = |grant: &&Grant| {
        grant.key.connector == connector.id
            && grant.key.isolation.is_none_or(|own| own == server.id)
            && account.is_none_or(|account| account == grant.id)
            && grant.revoked_by(state).is_none()
    };
    let all: Vec<&Grant> = state.grants_of(subject).filter(fits).collect();
    let active: Vec<&Grant> = all.iter().copied().filter(|grant| grant.phase == Phase::Active).collect();
    match (active.as_slice(), all.as_slice()) {
        ([one], _) | ([], [one]) => Ok(Some(one)),
        ([], []) => Ok(None),
        (active, all) => {
            let several = if active.is_empty() { all } else { active };
            Err(Problem::AccountAmbiguous {
                accounts: several.iter().map(|grant| grant.id.to_string()).collect(),
            })
        }
    }
}

fn token(grant: &Grant, now: Timestamp, request: &Request<'_>) -> Result<Token, Problem> {
    let Some(end) = grant.tokens.access_expires_at else { return Ok(Token::WillDo) };
    let remaining = now.until(end);
    // Nobody gets more than the provider gives: a wish beyond four fifths of a token's whole life is that.
    let life = grant.refreshed_at.until(end);
    let wish = request.ask.min_validity.min(Span::from_millis(life.as_millis() / 5 * 4));
    if remaining >= wish.max(VALIDITY_FLOOR) {
        return Ok(Token::WillDo);
    }
    if grant.tokens.refresh.is_none() {
        // Nothing will ever live longer than what there is.
        return Ok(if remaining >= VALIDITY_FLOOR { Token::WillDo } else { Token::NeedsConsent });
    }
    match &request.refreshed {
        None => Ok(Token::NeedsRefresh),
        // Refreshed for this very request, and what came is as short as the provider makes them.
        Some(Ok(())) if remaining >= VALIDITY_FLOOR => Ok(Token::WillDo),
        Some(Ok(())) => Ok(Token::NeedsRefresh),
        Some(Err(_)) if request.ask.min_validity == Span::ZERO && remaining >= VALIDITY_FLOOR => {
            Ok(Token::WillDo)
        }
        Some(Err(problem)) => Err(problem.clone()),
    }
}
