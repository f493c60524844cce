//! Deciding for leases.

use super::{Basis, Command, Event, Key, Lease, RETENTION, TTL_MAX};
use crate::{
    actor::Principal,
    connector::{self, Exposure},
    event::Event as AnyEvent,
    grant::{self, Grant},
    id::{GrantId, LeaseId, McpServerId},
    machine::{Answer, Context, Decided},
    mcp_server,
    policy::Decision,
    rejection::{Kind, Rejection},
    revocation::Selector,
    scope::ScopeSet,
    state::State,
    subject,
    time::{Span, Timestamp},
    workload,
};

/// Decides.
///
/// # Errors
/// The [`Rejection`] that says why nothing may happen.
pub fn decide(state: &State, context: Context, command: Command) -> Result<Decided, Rejection> {
    match command {
        Command::Issue {
            lease,
            mcp_server,
            grant,
            generation,
            needed,
            basis,
            ttl,
            vouched_max,
            decision,
        } => {
            let issue =
                Issue { lease, mcp_server, grant, generation, needed, basis, ttl, vouched_max, decision };
            self::issue(state, context, issue)
        }
        Command::Renew { lease, ttl, decision } => renew(state, context, lease, ttl, decision),
        Command::Release { lease } => {
            held(state, context, lease)?;
            Ok(decided(Event::Released { lease }))
        }
        Command::End { lease, reason } => {
            if context.actor.principal != Principal::Cluster {
                return Err(Rejection::WrongPrincipal);
            }
            let known = state.recent.lease(&lease).ok_or(Rejection::Unknown(Kind::Lease))?;
            known.live(state, context.at)?;
            Ok(decided(Event::Ended { lease, reason }))
        }
        Command::ReportRejected { lease, status } => {
            let known = held(state, context, lease)?;
            if known.reported {
                return Ok(Decided::already(Answer::Lease(lease)));
            }
            Ok(decided(Event::RejectionReported { lease, grant: known.key.grant, status }))
        }
    }
}

fn decided(event: Event) -> Decided {
    Decided::event(AnyEvent::Lease(event))
}

/// The live lease, if the actor is the workload it was issued to. To anybody else it does not exist.
fn held(state: &State, context: Context, lease: LeaseId) -> Result<&Lease, Rejection> {
    let workload = context.actor.principal.workload()?;
    let known = state
        .recent
        .lease(&lease)
        .filter(|known| known.key.workload == workload)
        .ok_or(Rejection::Unknown(Kind::Lease))?;
    known.live(state, context.at)?;
    Ok(known)
}

struct Issue {
    lease: LeaseId,
    mcp_server: McpServerId,
    grant: GrantId,
    generation: u64,
    needed: ScopeSet,
    basis: Basis,
    ttl: Span,
    vouched_max: u64,
    decision: Decision,
}

fn issue(state: &State, context: Context, issue: Issue) -> Result<Decided, Rejection> {
    let Issue { lease, mcp_server, grant, generation, needed, basis, ttl, vouched_max, decision } = issue;
    let workload = workload::decide::enabled(state, context.actor.principal.workload()?)?;
    match workload.kind {
        workload::Kind::McpServer(own) if own != mcp_server => return Err(Rejection::WrongPrincipal),
        workload::Kind::McpServer(_) | workload::Kind::Gateway => {}
    }
    let known = leasable(state, mcp_server, grant, generation)?;
    let connector = connector::decide::usable(state, known.key.connector)?;
    if connector.registration.exposure == Exposure::InjectOnly && workload.kind != workload::Kind::Gateway {
        return Err(Rejection::InjectOnly);
    }
    if !known.granted.covers(&needed) {
        return Err(Rejection::ScopesMissing(needed.missing_from(&known.granted)));
    }
    let expires_at =
        lease_end(context.at, context.at + ttl.min(TTL_MAX), basis, known.tokens.access_expires_at)?;

    let key = Key {
        workload: workload.id,
        proof: context.actor.proof,
        address: context.actor.origin.address,
        mcp_server,
        grant,
        generation,
    };
    if let Some(same) = state.recent.lease_keyed(&key)
        && same.basis == basis
        && same.live(state, context.at).is_ok()
    {
        return Ok(Decided::already(Answer::Lease(same.id)));
    }
    let others = state.recent.vouched_besides(&workload.id, known.key.subject, context.at);
    if basis == Basis::Vouched && others as u64 >= vouched_max {
        return Err(Rejection::SubjectCapReached);
    }
    // By time and not by memory: a node that restarted knows ended leases that others have let go.
    if state.recent.lease(&lease).is_some_and(|known| known.expires_at + RETENTION >= context.at) {
        return Err(Rejection::Exists(Kind::Lease));
    }
    Ok(decided(Event::Issued {
        lease,
        workload: workload.id,
        mcp_server,
        connector: connector.id,
        subject: known.key.subject,
        grant,
        generation,
        token: known.tokens.access,
        needed,
        carried: known.granted.clone(),
        basis,
        expires_at,
        token_expires_at: known.tokens.access_expires_at,
        decision: decision.bounded(),
    }))
}

/// The grant, if its present token may be leased on behalf of this MCP server.
fn leasable(
    state: &State,
    server: McpServerId,
    grant: GrantId,
    generation: u64,
) -> Result<&Grant, Rejection> {
    mcp_server::decide::usable(state, server)?;
    let known = grant::decide::usable(state, grant)?;
    if known.key.isolation.is_some_and(|own| own != server) {
        return Err(Rejection::Unknown(Kind::Grant));
    }
    subject::decide::enabled(state, known.key.subject)?;
    if known.generation != generation {
        return Err(Rejection::Superseded);
    }
    Ok(known)
}

/// A lease ends no later than was asked, than the token, and than the token by which the subject was named.
fn lease_end(
    now: Timestamp,
    asked: Timestamp,
    basis: Basis,
    token: Option<Timestamp>,
) -> Result<Timestamp, Rejection> {
    let subject_token = match basis {
        Basis::Vouched => None,
        Basis::SubjectToken { expires_at } => Some(expires_at),
    };
    let end = [token, subject_token].into_iter().flatten().fold(asked, Timestamp::min);
    if end > now { Ok(end) } else { Err(Rejection::TokenExpired) }
}

fn renew(
    state: &State,
    context: Context,
    lease: LeaseId,
    ttl: Span,
    decision: Decision,
) -> Result<Decided, Rejection> {
    let known = held(state, context, lease)?;
    let grant = leasable(state, known.key.mcp_server, known.key.grant, known.key.generation)?;
    // Renewals never reach beyond the longest life of a lease, so a lease's issue is always among the recent lines.
    let asked = (context.at + ttl).min(known.issued_at + TTL_MAX);
    let expires_at = lease_end(context.at, asked, known.basis, grant.tokens.access_expires_at)?;
    if expires_at <= known.expires_at {
        return Ok(Decided::already(Answer::Lease(lease)));
    }
    Ok(decided(Event::Renewed { lease, expires_at, decision: decision.bounded() }))
}

impl Lease {
    /// Whether it may be used at `now`: in time, not ended, and younger than every revocation that covers it.
    ///
    /// # Errors
    /// [`Rejection::LeaseEnded`] where it may not.
    pub fn live(&self, state: &State, now: Timestamp) -> Result<(), Rejection> {
        let covered = [
            Selector::Grant(self.key.grant),
            Selector::Subject(self.subject),
            Selector::Workload(self.key.workload),
            Selector::Connector(self.connector),
            Selector::McpServer(self.key.mcp_server),
        ]
        .into_iter()
        .any(|selector| state.epoch(selector).leases > self.confirmed_seq);
        if self.ended || covered || self.expires_at <= now { Err(Rejection::LeaseEnded) } else { Ok(()) }
    }
}

/// Folds. Also what the ledger's last lines are folded with at start, so it reads nothing but the lease itself.
pub fn evolve(state: &mut State, context: Context, event: &Event) {
    match event {
        Event::Issued {
            lease,
            workload,
            mcp_server,
            connector,
            subject,
            grant,
            generation,
            basis,
            expires_at,
            token_expires_at,
            token: _,
            needed: _,
            carried: _,
            decision: _,
        } => state.recent.put_lease(Lease {
            id: *lease,
            key: Key {
                workload: *workload,
                proof: context.actor.proof,
                address: context.actor.origin.address,
                mcp_server: *mcp_server,
                grant: *grant,
                generation: *generation,
            },
            subject: *subject,
            connector: *connector,
            basis: *basis,
            issued_at: context.at,
            confirmed_seq: context.seq,
            expires_at: *expires_at,
            token_expires_at: *token_expires_at,
            ended: false,
            reported: false,
        }),
        Event::Renewed { lease, expires_at, decision: _ } => change(state, *lease, |row| {
            row.expires_at = *expires_at;
            row.confirmed_seq = context.seq;
        }),
        Event::Released { lease } | Event::Ended { lease, reason: _ } => {
            change(state, *lease, |row| row.ended = true)
        }
        Event::RejectionReported { lease, .. } => change(state, *lease, |row| row.reported = true),
    }
}

fn change(state: &mut State, lease: LeaseId, change: impl FnOnce(&mut Lease)) {
    if let Some(known) = state.recent.lease(&lease) {
        let mut row = known.clone();
        change(&mut row);
        state.recent.put_lease(row);
    }
}
