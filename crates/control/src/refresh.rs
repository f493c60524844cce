//! Refreshing a grant, exactly once: intent, marker, send, outbox, outcome.
//!
//! The token endpoint is called only under a committed intent, once for each attempt, and its answer is durable before it is read. What it
//! says is then proposed until the cluster has it. Callers share one flight for a grant, and one who goes away does not end it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use leasehold_domain::{
    authorization::TokenFacts,
    command::Command,
    connector,
    grant::{self, Grant, Occasion, Refresh as RefreshState},
    id::{ConnectorId, GrantId},
    machine::Answer,
    provider::ProviderFailure,
    rejection::{Kind, Rejection},
    state::BlobKey,
    time::{Span, Timestamp},
};
use leasehold_failpoint::failpoint;
use leasehold_upstream::{
    call::RawAnswer,
    catalogue::Provider,
    token::{Refresh, TokenSet, parse_token_answer},
};
use leasehold_vault::Keyring;
use tokio::{sync::watch, time::Duration};

use crate::{
    caller::Caller,
    control::Control,
    counterpart::Line,
    outbox::{Attempt, Kept, OutboxError},
    problem::Problem,
    tokens::{self, ClearTokens, Place},
};

/// How often an outcome is proposed again while no leader takes it.
const PROPOSE_PAUSE: Duration = Duration::from_millis(200);
/// After which time another try may help, where nobody says.
const RETRY_AFTER: Span = Span::from_secs(5);
/// How long an access token is taken to live that comes with a refresh token and without a word about its end. Unknown is not for ever.
pub(crate) const LIFE_UNSTATED: Span = Span::from_mins(60);

/// By how much the end of an idle refresh token may be nearer to the refresh that set it than the idle time is long: the answer was on
/// its way, and a consent was being confirmed.
const IDLE_SLACK: Span = Span::from_mins(60);

/// Flights, by grant: at most one for each.
#[derive(Default)]
pub(crate) struct Flights(Mutex<BTreeMap<GrantId, watch::Receiver<Option<Landing>>>>);

/// How a flight ended.
pub(crate) type Landing = Result<(), Problem>;

impl Flights {
    /// Whether a refresh of this grant is in flight on this node.
    pub(crate) fn holds(&self, grant: GrantId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&grant)
    }
}

/// Takes a flight off the list when it ends, however it ends.
struct Boarded {
    control: Control,
    grant: GrantId,
}

impl Drop for Boarded {
    fn drop(&mut self) {
        self.control.0.flights.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.grant);
    }
}

/// An attempt under a committed intent.
#[derive(Debug, Clone, Copy)]
struct Intent {
    grant: GrantId,
    generation: u64,
    attempt: u64,
}

impl Intent {
    fn key(self) -> Attempt {
        Attempt::Refresh(self.grant, self.attempt)
    }
}

/// What becomes of the kept answer once its outcome is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Afterwards {
    /// It has said all that it had to say.
    Forget,
    /// It could not be read, and holds what may be the only copy of a token: a mended entry may read it later.
    Keep,
}

impl Control {
    /// Refreshes a grant of this generation, or joins the flight that does. When it returns well, the grant has moved on: look again.
    pub(crate) async fn refresh(&self, grant: GrantId, generation: u64, occasion: Occasion) -> Landing {
        let mut landing = {
            let mut flights = self.0.flights.0.lock().unwrap_or_else(PoisonError::into_inner);
            match flights.get(&grant) {
                Some(flight) => flight.clone(),
                None => {
                    let (landed, landing) = watch::channel(None);
                    flights.insert(grant, landing.clone());
                    let boarded = Boarded { control: self.clone(), grant };
                    self.carry_through(async move {
                        let end = boarded.control.fly(grant, generation, occasion).await;
                        drop(boarded);
                        landed.send_replace(Some(end));
                    });
                    landing
                }
            }
        };
        let landed = landing.wait_for(Option::is_some).await.map_err(|_| Problem::Stopped)?;
        landed.clone().unwrap_or(Err(Problem::Stopped))
    }

    async fn fly(&self, grant: GrantId, generation: u64, occasion: Occasion) -> Landing {
        let known = self.read(|state| state.grants.get(&grant).cloned()).await?;
        let known = known.ok_or(Problem::Unknown(Kind::Grant))?;
        if known.generation != generation {
            return Ok(());
        }
        let connector = self.connector_of(known.key.connector)?;
        // Everything that can fail without the provider noticing comes before the intent.
        let Ok(line) = self.line(&connector).await else {
            return Err(Problem::ProviderUnavailable { retry_after: RETRY_AFTER });
        };
        let place = self.place(&known);
        let blob = self
            .blob(&BlobKey::Tokens(grant, generation))?
            .ok_or_else(|| Problem::fault("refresh a grant", &"its token set is gone"))?;
        let Some(refresh_token) = tokens::unseal_refresh(&self.keyring(), place, &blob)? else {
            return Err(Rejection::NoRefreshToken.into());
        };
        failpoint!("refresh.before-intent");
        let Some(attempt) = self.intend(&known, occasion).await? else { return Ok(()) };
        failpoint!("refresh.intended");
        let intent = Intent { grant, generation, attempt };
        self.send_and_settle(intent, &known, &line, &refresh_token).await
    }

    /// Commits the intent; `None` where somebody else's refresh came first.
    async fn intend(&self, known: &Grant, occasion: Occasion) -> Result<Option<u64>, Problem> {
        let node = self.settings().node;
        let command =
            grant::Command::IntendRefresh { grant: known.id, generation: known.generation, node, occasion };
        match self.propose_as_cluster(Command::Grant(command)).await {
            Ok(applied) => match applied.answer {
                Answer::Attempt(attempt) => Ok(Some(attempt)),
                Answer::Done | Answer::Lease(_) | Answer::Authorization(_) => {
                    Err(Problem::fault("intend a refresh", &"the answer names no attempt"))
                }
            },
            Err(Problem::Rejected(Rejection::Superseded)) => Ok(None),
            Err(Problem::Rejected(Rejection::TooEarly(at))) => {
                Err(Problem::ProviderUnavailable { retry_after: self.now().until(at) })
            }
            Err(Problem::Rejected(Rejection::RefreshInFlight | Rejection::ResendForbidden)) => {
                Err(Problem::ProviderUnavailable { retry_after: Span::from_secs(2) })
            }
            Err(Problem::Rejected(Rejection::Disabled(Kind::Connector))) => Err(Problem::ConnectorSuspended),
            Err(problem) => Err(problem),
        }
    }

    async fn send_and_settle(
        &self,
        intent: Intent,
        grant: &Grant,
        line: &Line,
        refresh_token: &secrecy::SecretString,
    ) -> Landing {
        let mut secret = 0;
        loop {
            let refresh = Refresh {
                counterpart: line.counterpart(secret),
                refresh_token,
                resource: None,
                narrow_to: None,
            };
            let Ok(call) = refresh.call() else {
                return self.fail(intent, line.connector.id, ProviderFailure::RequestFault).await;
            };
            let sent_at = self.now();
            self.outbox().sent(intent.key(), sent_at).await.map_err(|error| self.disk(&error))?;
            failpoint!("refresh.marked");
            let answer = match call.send(self.transport(), sent_at).await {
                Ok(answer) => answer,
                Err(error) => return self.fail(intent, line.connector.id, error.class()).await,
            };
            failpoint!("refresh.answered");
            match self.outbox().keep(self.shared_entropy(), intent.key(), sent_at, &answer).await {
                Ok(()) => {}
                Err(OutboxError::TooLong) => {
                    return self.fail(intent, line.connector.id, ProviderFailure::Malformed).await;
                }
                Err(error) => return Err(self.disk(&error)),
            }
            failpoint!("refresh.kept");
            match parse_token_answer(&line.provider, &answer, &grant.granted, sent_at) {
                Ok(set) => {
                    let set = self.with_true_end(line, secret, set).await;
                    return self.commit(intent, grant, &line.provider, set, sent_at).await;
                }
                // The provider did not look at the refresh token: its client was refused before.
                Err(failure) => match line.client.next_secret(secret, &failure) {
                    Some(next) => secret = next,
                    None => return self.fail(intent, line.connector.id, failure.class).await,
                },
            }
        }
    }

    async fn commit(
        &self,
        intent: Intent,
        grant: &Grant,
        provider: &Provider,
        set: TokenSet,
        sent_at: Timestamp,
    ) -> Landing {
        let place = self.place(grant);
        let granted = set.scopes.scopes().clone();
        let mut facts = tokens::facts(&self.keyring(), &set)?;
        let mut clear = ClearTokens::from(set);
        // No refresh token in the answer means that the one before stays.
        if clear.refresh_token.is_none() {
            clear.refresh_token = self.present_refresh_token(place)?;
            facts.refresh = grant.tokens.refresh;
        }
        for (name, value) in self.present_metadata(place, &provider.entry.token.metadata, &clear)? {
            clear.metadata.entry(name).or_insert(value);
        }
        let idle = provider.entry.lifetimes.refresh_token_idle_secs.map(Span::from_secs);
        let facts = with_known_ends(facts, grant, sent_at, idle);
        let next = Place { generation: intent.generation + 1, ..place };
        let Intent { grant, generation, attempt } = intent;
        let seal = |keyring: &Keyring| {
            let tokens = tokens::seal(keyring, self.entropy(), next, &clear)?;
            let (granted, facts) = (granted.clone(), facts.clone());
            Ok(grant::Command::CommitRefresh { grant, generation, attempt, granted, tokens, facts })
        };
        self.settle_sealed(intent, seal, Afterwards::Forget).await
    }

    fn present_refresh_token(&self, place: Place) -> Result<Option<secrecy::SecretString>, Problem> {
        match self.blob(&BlobKey::Tokens(place.grant, place.generation))? {
            Some(blob) => tokens::unseal_refresh(&self.keyring(), place, &blob),
            None => Ok(None),
        }
    }

    /// What the provider said beside the tokens before, of the fields that its entry keeps; nothing where it has said all of them again.
    fn present_metadata(
        &self,
        place: Place,
        kept: &[String],
        said: &ClearTokens,
    ) -> Result<BTreeMap<String, String>, Problem> {
        if kept.iter().all(|name| said.metadata.contains_key(name)) {
            return Ok(BTreeMap::new());
        }
        let Some(blob) = self.blob(&BlobKey::Tokens(place.grant, place.generation))? else {
            return Ok(BTreeMap::new());
        };
        let mut before = tokens::unseal_access(&self.keyring(), place, &blob)?.metadata;
        before.retain(|name, _| kept.contains(name));
        Ok(before)
    }

    async fn fail(&self, intent: Intent, connector: ConnectorId, failure: ProviderFailure) -> Landing {
        let Intent { grant, generation, attempt } = intent;
        let (command, afterwards) = match failure {
            ProviderFailure::Ambiguous | ProviderFailure::Malformed => {
                tracing::error!(%grant, attempt, ?failure, "an answer of a token endpoint was lost or cannot be read");
                (grant::Command::LoseRefresh { grant, generation, attempt }, Afterwards::Keep)
            }
            ProviderFailure::GrantDead
            | ProviderFailure::ClientFault
            | ProviderFailure::RequestFault
            | ProviderFailure::Transient
            | ProviderFailure::Throttled(_)
            | ProviderFailure::TooEarly => {
                (grant::Command::FailRefresh { grant, generation, attempt, failure }, Afterwards::Forget)
            }
        };
        self.settle(intent, command, afterwards).await?;
        match failure {
            // One alarm for the connector, and no harm to its grants.
            ProviderFailure::ClientFault => {
                self.suspend(connector, failure).await;
                Err(Problem::ConnectorSuspended)
            }
            ProviderFailure::GrantDead => Ok(()),
            ProviderFailure::Throttled(Some(asked)) => {
                Err(Problem::ProviderUnavailable { retry_after: asked })
            }
            ProviderFailure::Throttled(None)
            | ProviderFailure::RequestFault
            | ProviderFailure::Transient
            | ProviderFailure::Ambiguous
            | ProviderFailure::Malformed
            | ProviderFailure::TooEarly => Err(Problem::ProviderUnavailable { retry_after: RETRY_AFTER }),
        }
    }

    pub(crate) async fn suspend(&self, connector: ConnectorId, failure: ProviderFailure) {
        let command = Command::Connector(connector::Command::Suspend { connector, failure });
        match self.propose_as_cluster(command).await {
            Ok(_) => {
                tracing::error!(%connector, ?failure, "a connector was suspended: give it a working client secret")
            }
            Err(Problem::Rejected(Rejection::Unchanged(_))) => {}
            Err(problem) => {
                tracing::warn!(%connector, code = problem.code(), "a connector could not be suspended")
            }
        }
    }

    /// Proposes an outcome until the cluster has it, or says that it is superseded; then the outbox forgets, or keeps what may be needed.
    async fn settle(&self, intent: Intent, command: grant::Command, afterwards: Afterwards) -> Landing {
        self.settle_sealed(intent, |_| Ok(command.clone()), afterwards).await
    }

    /// The same for an outcome with tokens, which are sealed for each try.
    async fn settle_sealed(
        &self,
        intent: Intent,
        seal: impl Fn(&Keyring) -> Result<grant::Command, Problem>,
        afterwards: Afterwards,
    ) -> Landing {
        let cluster = Caller { actor: self.cluster(), request: None };
        failpoint!("refresh.before-outcome");
        let superseded = loop {
            match self.propose_sealed(&cluster, |keyring| seal(keyring).map(Command::Grant)).await {
                Ok(_) | Err(Problem::Rejected(Rejection::Unchanged(_))) => break false,
                Err(Problem::Rejected(Rejection::Superseded | Rejection::Unknown(_))) => break true,
                Err(Problem::NoLeader { .. } | Problem::Overloaded | Problem::OutcomeUnknown) => {
                    tokio::time::sleep(PROPOSE_PAUSE).await;
                }
                Err(problem) => return Err(problem),
            }
        };
        failpoint!("refresh.before-cleanup");
        if afterwards == Afterwards::Keep && !superseded {
            return Ok(());
        }
        self.outbox().forget(intent.key()).await.map_err(|error| self.disk(&error))
    }

    /// Settles an attempt of which the outbox or the state knows and that is not in flight: offers what the outbox holds, else says what is
    /// known.
    pub(crate) async fn settle_left_over(&self, grant: GrantId, attempt: u64) -> Landing {
        if self.0.flights.holds(grant) {
            return Ok(());
        }
        let Some(known) = self.read_now(|state| state.grants.get(&grant).cloned()) else {
            return self
                .outbox()
                .forget(Attempt::Refresh(grant, attempt))
                .await
                .map_err(|error| self.disk(&error));
        };
        let intent = Intent { grant, generation: known.generation, attempt };
        let open = match known.refresh {
            RefreshState::Intended { attempt: open, .. } | RefreshState::Unknown { attempt: open, .. } => {
                Some(open)
            }
            RefreshState::Idle => None,
        };
        if open != Some(attempt) {
            // Its outcome is committed: what was to be cleaned up after that.
            return self.outbox().forget(intent.key()).await.map_err(|error| self.disk(&error));
        }
        let unknown = matches!(known.refresh, RefreshState::Unknown { .. });
        let Intent { generation, .. } = intent;
        match self.outbox().find(intent.key()).map_err(|error| self.disk(&error))? {
            Kept::Answer(answer, sent_at) => {
                failpoint!("refresh.found-answer");
                self.settle_answer(intent, &known, &answer, sent_at, unknown).await
            }
            Kept::Sent(_) | Kept::Nothing if unknown => Ok(()),
            Kept::Sent(_) => {
                failpoint!("refresh.found-marker");
                let command = grant::Command::LoseRefresh { grant, generation, attempt };
                self.settle(intent, command, Afterwards::Keep).await
            }
            Kept::Nothing => {
                failpoint!("refresh.found-nothing");
                let failure = ProviderFailure::Transient;
                let command = grant::Command::FailRefresh { grant, generation, attempt, failure };
                self.settle(intent, command, Afterwards::Forget).await
            }
        }
    }

    async fn settle_answer(
        &self,
        intent: Intent,
        known: &Grant,
        answer: &RawAnswer,
        sent_at: Timestamp,
        unknown: bool,
    ) -> Landing {
        let connector = self.connector_of(known.key.connector)?;
        let provider = self
            .catalogue()
            .get(&connector.registration.provider)
            .cloned()
            .ok_or_else(|| Problem::fault("settle a refresh", &"the provider's entry is gone"))?;
        match parse_token_answer(&provider, answer, &known.granted, sent_at) {
            Ok(set) => self.commit(intent, known, &provider, set, sent_at).await,
            // It is as unreadable as it was when it came.
            Err(_) if unknown => Ok(()),
            Err(failure) => match self.fail(intent, connector.id, failure.class).await {
                Ok(()) | Err(Problem::ProviderUnavailable { .. } | Problem::ConnectorSuspended) => Ok(()),
                Err(problem) => Err(problem),
            },
        }
    }

    /// Another node's attempt that has had no outcome for so long that none is on its way.
    pub(crate) async fn lose_for(&self, grant: GrantId, generation: u64, attempt: u64) -> Landing {
        let command = grant::Command::LoseRefresh { grant, generation, attempt };
        match self.propose_as_cluster(Command::Grant(command)).await {
            Ok(_) | Err(Problem::Rejected(_)) => Ok(()),
            Err(problem) => Err(problem),
        }
    }

    pub(crate) fn connector_of(&self, id: ConnectorId) -> Result<connector::Connector, Problem> {
        self.read_now(|state| state.connectors.get(&id).cloned()).ok_or(Problem::Unknown(Kind::Connector))
    }

    pub(crate) fn place(&self, grant: &Grant) -> Place {
        Place {
            organisation: self.organisation(),
            subject: grant.key.subject,
            connector: grant.key.connector,
            grant: grant.id,
            generation: grant.generation,
        }
    }

    /// A disk that does not keep the outbox ends the node: nothing may be sent whose answer cannot be kept.
    pub(crate) fn disk(&self, error: &OutboxError) -> Problem {
        self.stop(error)
    }
}

/// An answer that omits a lifetime never erases a known one. An end that came from `idle`, the time for which a refresh token may lie
/// unused, begins again with this use.
fn with_known_ends(facts: TokenFacts, before: &Grant, sent_at: Timestamp, idle: Option<Span>) -> TokenFacts {
    let known_life = before.tokens.access_expires_at.map(|end| before.refreshed_at.until(end));
    let unstated = || sent_at + known_life.unwrap_or(LIFE_UNSTATED);
    TokenFacts {
        access_expires_at: facts.access_expires_at.or_else(|| facts.refresh.is_some().then(unstated)),
        refresh_expires_at: facts.refresh_expires_at.or(before
            .tokens
            .refresh_expires_at
            .map(|end| end_after_use(before.refreshed_at, end, sent_at, idle))),
        ..facts
    }
}

/// When a refresh token ends that is used and stays: as before, or, if its end came from `idle`, that long after this use.
fn end_after_use(set_at: Timestamp, end: Timestamp, used_at: Timestamp, idle: Option<Span>) -> Timestamp {
    let from_idle = idle.filter(|idle| set_at.until(end + IDLE_SLACK) >= *idle);
    from_idle.map_or(end, |idle| used_at + idle)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET_AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const IDLE: Span = Span::from_mins(180 * 24 * 60);

    fn after(end: Span, idle: Option<Span>) -> Span {
        let used_at = SET_AT + Span::from_mins(60);
        used_at.until(end_after_use(SET_AT, SET_AT + end, used_at, idle))
    }

    #[test]
    fn the_time_for_which_a_refresh_token_may_lie_unused_begins_again_with_each_use() {
        assert_eq!(after(IDLE, Some(IDLE)), IDLE);
        let late = Span::from_millis(IDLE.as_millis() - 600_000);
        assert_eq!(after(late, Some(IDLE)), IDLE, "the consent took ten minutes to confirm");
    }

    #[test]
    fn an_end_that_was_stated_stands_whatever_use_is_made_of_it() {
        let week = Span::from_mins(7 * 24 * 60);
        let left = Span::from_mins(7 * 24 * 60 - 60);
        assert_eq!(after(week, Some(IDLE)), left);
        assert_eq!(after(week, None), left);
    }
}
