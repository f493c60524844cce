//! Deciding for authorizations.

use super::{Authorization, Binding, Command, End, Event, OPEN_TTL, Phase, STATE_TTL, TokenFacts};
use crate::{
    actor::Principal,
    connector::{self, Isolation},
    event::Event as AnyEvent,
    grant::{self, UpstreamTarget},
    id::{AuthorizationId, GrantId, McpServerId},
    machine::{Answer, Context, Decided, Write},
    mcp_server,
    rejection::{Kind, Rejection},
    revocation::Selector,
    scope::ScopeSet,
    state::{BlobKey, State},
    subject,
    text::{Digest, Sealed},
};

/// Decides.
///
/// # Errors
/// The [`Rejection`] that says why nothing may happen.
pub fn decide(state: &State, context: Context, command: Command) -> Result<Decided, Rejection> {
    match command {
        Command::Start { authorization, subject, connector, mcp_server, scopes, grant } => {
            let start = Start { authorization, subject, connector, mcp_server, scopes, grant };
            self::start(state, context, start)
        }
        Command::Approve { authorization, state: digest, session, verifier } => {
            let known = person_step(state, context, authorization)?;
            let (Phase::Open | Phase::Approved) = known.phase else { return Err(Rejection::WrongPhase) };
            let event =
                Event::Approved { authorization, subject: known.subject, scopes: known.scopes.clone() };
            Ok(decided(event)
                .with(Write::Binding(authorization, Binding { state: digest, session }))
                .with(Write::Blob(BlobKey::Verifier(authorization), Some(verifier))))
        }
        Command::Decline { authorization } => {
            let known = person_step(state, context, authorization)?;
            let (Phase::Open | Phase::Approved) = known.phase else { return Err(Rejection::WrongPhase) };
            let event = Event::Declined { authorization, subject: known.subject };
            Ok(decided(event).with(Write::Blob(BlobKey::Verifier(authorization), None)))
        }
        Command::RefuseByProvider { authorization, state: digest, session } => {
            let known = callback_step(state, context, authorization, digest, session)?;
            let event = Event::RefusedByProvider { authorization, subject: known.subject };
            Ok(decided(event).with(Write::Blob(BlobKey::Verifier(authorization), None)))
        }
        Command::IntendExchange { authorization, state: digest, session, node } => {
            callback_step(state, context, authorization, digest, session)?;
            Ok(decided(Event::ExchangeIntended { authorization, node }))
        }
        Command::FailExchange { authorization, failure } => {
            exchanging(state, authorization)?;
            let event = Event::ExchangeFailed { authorization, failure };
            Ok(decided(event).with(Write::Blob(BlobKey::Verifier(authorization), None)))
        }
        Command::DiscardExchange { authorization, failure, tokens, facts } => {
            exchanged(state, authorization)?;
            let event = Event::UnclaimedTokensDiscarded { authorization, failure, tokens: facts };
            Ok(decided(event)
                .with(Write::Blob(BlobKey::Verifier(authorization), None))
                .with(Write::Blob(BlobKey::PendingTokens(authorization), Some(tokens))))
        }
        Command::CompleteExchange { authorization, account, account_label, granted, tokens, facts } => {
            let exchange = Exchange { account, account_label, granted, tokens, facts };
            complete(state, authorization, exchange)
        }
        Command::ConfirmAccount {
            authorization,
            session,
            grant,
            generation,
            tokens,
            account_label,
            facts,
        } => {
            let confirmation = Confirmation { session, grant, generation, tokens, account_label, facts };
            confirm(state, context, authorization, confirmation)
        }
        Command::RejectAccount { authorization, session } => {
            let known = person_step(state, context, authorization)?;
            same_session(state, authorization, session)?;
            let Phase::Exchanged { account, .. } = known.phase else { return Err(Rejection::WrongPhase) };
            Ok(decided(Event::AccountMismatched { authorization, account, expected: None }))
        }
    }
}

fn decided(event: Event) -> Decided {
    Decided::event(AnyEvent::Authorization(event))
}

struct Start {
    authorization: AuthorizationId,
    subject: crate::id::SubjectId,
    connector: crate::id::ConnectorId,
    mcp_server: McpServerId,
    scopes: ScopeSet,
    grant: Option<GrantId>,
}

fn start(state: &State, context: Context, start: Start) -> Result<Decided, Rejection> {
    let Start { authorization, subject, connector, mcp_server, scopes, grant } = start;
    subject::decide::enabled(state, subject)?;
    connector::decide::usable(state, connector)?;
    let server = mcp_server::decide::usable(state, mcp_server)?;
    let needed = server.needs.get(&connector).cloned().unwrap_or_default();
    if scopes.is_empty() || !needed.covers(&scopes) {
        return Err(Rejection::ScopesNotRegistered(scopes.missing_from(&needed)));
    }
    if state.authorizations.contains(&authorization) {
        return Err(Rejection::Exists(Kind::Authorization));
    }
    if let Some(id) = grant {
        let known = state.grants.get(&id).ok_or(Rejection::Unknown(Kind::Grant))?;
        let elsewhere = known.key.isolation.is_some_and(|own| own != mcp_server);
        if known.key.subject != subject || known.key.connector != connector || elsewhere {
            return Err(Rejection::Unknown(Kind::Grant));
        }
    }
    let open = state.authorization_open(subject, connector, mcp_server);
    let scopes = match open {
        Some(open) if open.scopes.covers(&scopes) && open.grant == grant => {
            return Ok(Decided::already(Answer::Authorization(open.id)));
        }
        // What the MCP server has ceased to need is not asked for again, so the union stays within the bounds of a set.
        Some(open) => {
            let ceased = open.scopes.missing_from(&needed);
            open.scopes.missing_from(&ceased).union(&scopes).unwrap_or(scopes)
        }
        None => scopes,
    };
    let expires_at = context.at + OPEN_TTL;
    let started = Event::Started { authorization, subject, connector, mcp_server, scopes, grant, expires_at };
    let superseded = open.map(|open| Event::Superseded { authorization: open.id });
    Ok(Decided::events([Some(started), superseded].into_iter().flatten().map(AnyEvent::Authorization)))
}

/// The authorization, if the person for whom it was started takes a step that is still in time and covered by no revocation.
fn person_step(state: &State, context: Context, id: AuthorizationId) -> Result<&Authorization, Rejection> {
    let known = state.authorizations.get(&id).ok_or(Rejection::Unknown(Kind::Authorization))?;
    if context.actor.principal != Principal::Person(known.subject) {
        return Err(Rejection::SubjectMismatch);
    }
    if matches!(known.phase, Phase::Ended(_)) {
        return Err(Rejection::WrongPhase);
    }
    if known.expires_at <= context.at {
        return Err(Rejection::AuthorizationExpired);
    }
    if known.is_revoked(state) {
        return Err(Rejection::GrantRevoked);
    }
    Ok(known)
}

fn callback_step(
    state: &State,
    context: Context,
    id: AuthorizationId,
    digest: Digest,
    session: Digest,
) -> Result<&Authorization, Rejection> {
    let known = person_step(state, context, id)?;
    let Phase::Approved = known.phase else { return Err(Rejection::WrongPhase) };
    same_session(state, id, session)?;
    if state.bindings.get(&id).is_none_or(|binding| binding.state != digest) {
        return Err(Rejection::StateMismatch);
    }
    Ok(known)
}

fn same_session(state: &State, id: AuthorizationId, session: Digest) -> Result<(), Rejection> {
    match state.bindings.get(&id) {
        Some(binding) if binding.session == session => Ok(()),
        Some(_) | None => Err(Rejection::SessionMismatch),
    }
}

fn exchanging(state: &State, id: AuthorizationId) -> Result<&Authorization, Rejection> {
    let known = state.authorizations.get(&id).ok_or(Rejection::Unknown(Kind::Authorization))?;
    if matches!(known.phase, Phase::Exchanging { .. }) { Ok(known) } else { Err(Rejection::Superseded) }
}

struct Exchange {
    account: crate::text::AccountKey,
    account_label: Sealed,
    granted: ScopeSet,
    tokens: Sealed,
    facts: TokenFacts,
}

/// The authorization whose exchange this ends, and whether it ended meanwhile: its tokens live at the provider all the same.
fn exchanged(state: &State, id: AuthorizationId) -> Result<(&Authorization, bool), Rejection> {
    let known = state.authorizations.get(&id).ok_or(Rejection::Unknown(Kind::Authorization))?;
    match known.phase {
        _ if state.is_erased(known.subject) => Err(Rejection::Superseded),
        Phase::Exchanging { .. } => Ok((known, known.is_revoked(state))),
        Phase::Ended(End::Superseded | End::Revoked | End::Expired)
            if !state.upstream_tasks.contains(&UpstreamTarget::Authorization(id)) =>
        {
            Ok((known, true))
        }
        Phase::Open | Phase::Approved | Phase::Exchanged { .. } | Phase::Ended(_) => {
            Err(Rejection::Superseded)
        }
    }
}

fn complete(state: &State, authorization: AuthorizationId, exchange: Exchange) -> Result<Decided, Rejection> {
    let Exchange { account, account_label, granted, tokens, facts } = exchange;
    let (known, late) = exchanged(state, authorization)?;
    let expected = known.grant.and_then(|id| state.grants.get(&id)).map(|grant| grant.key.account);
    let event = if late {
        Event::LateTokensDiscarded { authorization, tokens: facts }
    } else if expected.is_some_and(|expected| expected != account) {
        Event::AccountMismatched { authorization, account, expected }
    } else {
        Event::Exchanged { authorization, account, requested: known.scopes.clone(), granted, tokens: facts }
    };
    Ok(decided(event)
        .with(Write::Blob(BlobKey::Verifier(authorization), None))
        .with(Write::Blob(BlobKey::PendingTokens(authorization), Some(tokens)))
        .with(Write::Blob(BlobKey::PendingAccount(authorization), Some(account_label))))
}

struct Confirmation {
    session: Digest,
    grant: GrantId,
    generation: u64,
    tokens: Sealed,
    account_label: Sealed,
    facts: TokenFacts,
}

fn confirm(
    state: &State,
    context: Context,
    authorization: AuthorizationId,
    confirmation: Confirmation,
) -> Result<Decided, Rejection> {
    let Confirmation { session, grant, generation, tokens, account_label, facts } = confirmation;
    let known = person_step(state, context, authorization)?;
    same_session(state, authorization, session)?;
    let Phase::Exchanged { account, granted, .. } = &known.phase else { return Err(Rejection::WrongPhase) };
    let key = known.grant_key(state, *account)?;
    let current = state.grant_keyed(&key);
    match current {
        Some(current) if current.id == grant && current.generation + 1 == generation => {}
        Some(_) => return Err(Rejection::Superseded),
        None if generation == 1 && !state.grants.contains(&grant) => {}
        None => return Err(Rejection::Superseded),
    }
    // The tokens of the consent before stay until they are revoked; those of the oldest make room.
    let oldest = current.filter(|current| current.earlier.len() >= grant::EARLIER_MAX);
    let oldest = oldest.and_then(|current| current.earlier.first().copied());
    let before_last = generation.saturating_sub(2);
    let before_last =
        Some(before_last).filter(|spent| current.is_none_or(|known| !known.earlier.contains(spent)));
    let confirmed = AnyEvent::Authorization(Event::AccountConfirmed {
        authorization,
        subject: known.subject,
        account: *account,
    });
    let activated = AnyEvent::Grant(grant::Event::Activated {
        grant,
        authorization,
        subject: key.subject,
        connector: key.connector,
        isolation: key.isolation,
        account: key.account,
        generation,
        requested: known.scopes.clone(),
        granted: granted.clone(),
        tokens: facts,
    });
    let decided = Decided::events([confirmed, activated])
        .with(Write::Blob(BlobKey::Tokens(grant, generation), Some(tokens)))
        .with(Write::Blob(BlobKey::Account(grant), Some(account_label)))
        .with(Write::Blob(BlobKey::PendingTokens(authorization), None))
        .with(Write::Blob(BlobKey::PendingAccount(authorization), None));
    let gone = [oldest, before_last].into_iter().flatten();
    Ok(gone.fold(decided, |decided, spent| decided.with(Write::Blob(BlobKey::Tokens(grant, spent), None))))
}

impl Authorization {
    /// Whether a revocation, or a disabling, that came after its start covers it.
    pub fn is_revoked(&self, state: &State) -> bool {
        [
            Some(Selector::Subject(self.subject)),
            Some(Selector::Connector(self.connector)),
            Some(Selector::McpServer(self.mcp_server)),
            self.grant.map(Selector::Grant),
        ]
        .into_iter()
        .flatten()
        .any(|selector| state.epoch(selector).leases > self.started_seq)
    }

    /// Whether it is on its way: not ended, in time, and covered by no revocation.
    pub fn is_open(&self, state: &State) -> bool {
        !matches!(self.phase, Phase::Ended(_))
            && self.expires_at > state.clock.time
            && !self.is_revoked(state)
    }

    /// The key of the grant that it leads to, for this account.
    ///
    /// # Errors
    /// [`Rejection::Unknown`] where the connector is gone.
    pub fn grant_key(
        &self,
        state: &State,
        account: crate::text::AccountKey,
    ) -> Result<grant::Key, Rejection> {
        let connector = state.connectors.get(&self.connector).ok_or(Rejection::Unknown(Kind::Connector))?;
        let isolation = match connector.registration.isolation {
            Isolation::Shared => None,
            Isolation::PerMcpServer => Some(self.mcp_server),
        };
        Ok(grant::Key { subject: self.subject, connector: self.connector, isolation, account })
    }
}

/// Folds.
pub fn evolve(state: &mut State, context: Context, event: &Event) {
    match event {
        Event::Started { authorization, subject, connector, mcp_server, scopes, grant, expires_at } => {
            state.put_authorization(Authorization {
                id: *authorization,
                subject: *subject,
                connector: *connector,
                mcp_server: *mcp_server,
                scopes: scopes.clone(),
                grant: *grant,
                started_by: context.actor.principal,
                started_at: context.at,
                started_seq: context.seq,
                expires_at: *expires_at,
                phase: Phase::Open,
            });
        }
        Event::Approved { authorization, .. } => step(state, context, *authorization, Phase::Approved),
        Event::ExchangeIntended { authorization, node } => {
            step(state, context, *authorization, Phase::Exchanging { node: *node });
        }
        Event::Exchanged { authorization, account, granted, tokens, requested: _ } => {
            let phase =
                Phase::Exchanged { account: *account, granted: granted.clone(), tokens: tokens.clone() };
            step(state, context, *authorization, phase);
        }
        Event::Superseded { authorization } => {
            let holds_tokens = state
                .authorizations
                .get(authorization)
                .is_some_and(|known| matches!(known.phase, Phase::Exchanged { .. }));
            end(state, context, *authorization, End::Superseded);
            if holds_tokens {
                state.discard_tokens(*authorization, context.at);
            }
        }
        Event::Declined { authorization, .. } => end(state, context, *authorization, End::Declined),
        Event::RefusedByProvider { authorization, .. } => {
            end(state, context, *authorization, End::RefusedByProvider)
        }
        Event::ExchangeFailed { authorization, failure } => {
            end(state, context, *authorization, End::ExchangeFailed(*failure));
        }
        Event::UnclaimedTokensDiscarded { authorization, failure, .. } => {
            end(state, context, *authorization, End::ExchangeFailed(*failure));
            state.discard_tokens(*authorization, context.at);
        }
        Event::AccountMismatched { authorization, .. } => {
            end(state, context, *authorization, End::AccountMismatch);
            state.discard_tokens(*authorization, context.at);
        }
        Event::LateTokensDiscarded { authorization, .. } => {
            end(state, context, *authorization, End::Revoked);
            state.discard_tokens(*authorization, context.at);
        }
        // What follows it, the grant's activation, ends the authorization.
        Event::AccountConfirmed { .. } => {}
    }
}

fn step(state: &mut State, context: Context, id: AuthorizationId, phase: Phase) {
    if let Some(known) = state.authorizations.get(&id) {
        let row = Authorization { phase, expires_at: context.at + STATE_TTL, ..known.clone() };
        state.put_authorization(row);
    }
}

/// Ends an authorization. It is remembered for as long as a state lives, so that a late browser is told what happened.
pub(crate) fn end(state: &mut State, context: Context, id: AuthorizationId, end: End) {
    step(state, context, id, Phase::Ended(end));
    state.bindings.remove(&id);
}
