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
    grant::{self, Grant, Occasion},
    id::{ConnectorId, GrantId},
    machine::Answer,
    provider::ProviderFailure,
    rejection::{Kind, Rejection},
    state::BlobKey,
    time::Span,
};
use leasehold_upstream::{
    call::RawAnswer,
    failure::Failure,
    token::{Refresh, TokenSet, parse_token_answer},
};
use tokio::{sync::watch, time::Duration};

use crate::{
    control::Control,
    counterpart::Line,
    outbox::{Attempt, Kept},
    problem::Problem,
    tokens::{self, ClearTokens, Place},
};

/// How often an outcome is proposed again while no leader takes it.
const PROPOSE_PAUSE: Duration = Duration::from_millis(200);

/// Flights, by grant: at most one for each.
#[derive(Default)]
pub(crate) struct Flights(Mutex<BTreeMap<GrantId, watch::Receiver<Option<Landing>>>>);

/// How a flight ended.
pub(crate) type Landing = Result<(), Problem>;

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
                    let control = self.clone();
                    tokio::spawn(async move {
                        let end = control.fly(grant, generation, occasion).await;
                        control.0.flights.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&grant);
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
            return Err(Problem::ProviderUnavailable { retry_after: Span::from_secs(5) });
        };
        let place = self.place(&known);
        let blob = self
            .blob(&BlobKey::Tokens(grant, generation))?
            .ok_or_else(|| Problem::fault("refresh a grant", &"its token set is gone"))?;
        let Some(refresh_token) = tokens::unseal_refresh(self.keyring(), place, &blob)? else {
            return Err(Rejection::NoRefreshToken.into());
        };

        let node = self.settings().node;
        let command = grant::Command::IntendRefresh { grant, generation, node, occasion };
        let attempt = match self.propose_as_cluster(Command::Grant(command)).await {
            Ok(applied) => match applied.answer {
                Answer::Attempt(attempt) => attempt,
                Answer::Done | Answer::Lease(_) | Answer::Authorization(_) => {
                    return Err(Problem::fault("intend a refresh", &"the answer names no attempt"));
                }
            },
            Err(Problem::Rejected(Rejection::Superseded)) => return Ok(()),
            Err(Problem::Rejected(Rejection::TooEarly(at))) => {
                return Err(Problem::ProviderUnavailable { retry_after: self.now().until(at) });
            }
            Err(Problem::Rejected(Rejection::RefreshInFlight | Rejection::ResendForbidden)) => {
                return Err(Problem::ProviderUnavailable { retry_after: Span::from_secs(2) });
            }
            Err(problem) => return Err(problem),
        };
        let intent = Intent { grant, generation, attempt };
        self.send_and_settle(intent, &known, &line, &refresh_token, place).await
    }

    async fn send_and_settle(
        &self,
        intent: Intent,
        grant: &Grant,
        line: &Line,
        refresh_token: &secrecy::SecretString,
        place: Place,
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
                return self.fail(intent, line, ProviderFailure::RequestFault).await;
            };
            let sent_at = self.now();
            self.outbox().sent(intent.key(), sent_at).map_err(|error| self.disk(&error))?;
            let answer = match call.send(self.transport(), sent_at).await {
                Ok(answer) => answer,
                Err(error) => return self.fail(intent, line, error.class()).await,
            };
            self.outbox()
                .keep(self.entropy(), intent.key(), sent_at, &answer)
                .map_err(|error| self.disk(&error))?;
            match parse_token_answer(&line.provider, &answer, &grant.granted, sent_at) {
                Ok(set) => return self.commit(intent, place, set).await,
                // The provider did not look at the refresh token: its client was refused before.
                Err(failure) => match line.client.next_secret(secret, &failure) {
                    Some(next) => secret = next,
                    None => return self.fail(intent, line, class_of(&failure)).await,
                },
            }
        }
    }

    async fn commit(&self, intent: Intent, place: Place, set: TokenSet) -> Landing {
        let granted = set.scopes.scopes().clone();
        let mut facts = tokens::facts(self.keyring(), &set)?;
        let mut clear = ClearTokens::from(set);
        // No refresh token in the answer means that the one before stays.
        if clear.refresh_token.is_none() {
            clear.refresh_token = self.present_refresh_token(place)?;
            facts = self.keep_refresh_facts(intent.grant, facts);
        }
        let next = Place { generation: intent.generation + 1, ..place };
        let tokens = tokens::seal(self.keyring(), self.entropy(), next, &clear)?;
        let Intent { grant, generation, attempt } = intent;
        let command = grant::Command::CommitRefresh { grant, generation, attempt, granted, tokens, facts };
        self.settle(intent, command).await
    }

    fn present_refresh_token(&self, place: Place) -> Result<Option<secrecy::SecretString>, Problem> {
        match self.blob(&BlobKey::Tokens(place.grant, place.generation))? {
            Some(blob) => tokens::unseal_refresh(self.keyring(), place, &blob),
            None => Ok(None),
        }
    }

    fn keep_refresh_facts(&self, grant: GrantId, facts: TokenFacts) -> TokenFacts {
        let before = self.read_now(|state| state.grants.get(&grant).map(|known| known.tokens.clone()));
        match before {
            Some(before) => TokenFacts {
                refresh: before.refresh,
                refresh_expires_at: facts.refresh_expires_at.or(before.refresh_expires_at),
                ..facts
            },
            None => facts,
        }
    }

    async fn fail(&self, intent: Intent, line: &Line, failure: ProviderFailure) -> Landing {
        let Intent { grant, generation, attempt } = intent;
        let command = match failure {
            ProviderFailure::Ambiguous => grant::Command::LoseRefresh { grant, generation, attempt },
            ProviderFailure::GrantDead
            | ProviderFailure::ClientFault
            | ProviderFailure::RequestFault
            | ProviderFailure::Transient
            | ProviderFailure::Throttled(_)
            | ProviderFailure::Malformed
            | ProviderFailure::TooEarly => {
                grant::Command::FailRefresh { grant, generation, attempt, failure }
            }
        };
        self.settle(intent, command).await?;
        if matches!(failure, ProviderFailure::ClientFault | ProviderFailure::RequestFault) {
            self.suspend(line.connector.id, failure).await;
            return Err(Problem::ConnectorSuspended);
        }
        let retry_after = match failure {
            ProviderFailure::Throttled(Some(asked)) => asked,
            ProviderFailure::GrantDead => return Ok(()),
            ProviderFailure::Throttled(None)
            | ProviderFailure::ClientFault
            | ProviderFailure::RequestFault
            | ProviderFailure::Transient
            | ProviderFailure::Ambiguous
            | ProviderFailure::Malformed
            | ProviderFailure::TooEarly => Span::from_secs(5),
        };
        Err(Problem::ProviderUnavailable { retry_after })
    }

    /// One alarm for the connector, and no harm to its grants.
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

    /// Proposes an outcome until the cluster has it, or says that it is superseded; then the outbox forgets.
    async fn settle(&self, intent: Intent, command: grant::Command) -> Landing {
        loop {
            match self.propose_as_cluster(Command::Grant(command.clone())).await {
                Ok(_) | Err(Problem::Rejected(Rejection::Superseded | Rejection::Unchanged(_))) => break,
                Err(Problem::NoLeader { .. } | Problem::Overloaded | Problem::OutcomeUnknown) => {
                    tokio::time::sleep(PROPOSE_PAUSE).await;
                }
                Err(problem) => return Err(problem),
            }
        }
        self.outbox().forget(intent.key()).map_err(|error| self.disk(&error))
    }

    /// Settles an attempt that was intended on this node and is not in flight: offers what the outbox holds, else says what is known.
    pub(crate) async fn settle_left_over(&self, grant: GrantId, generation: u64, attempt: u64) -> Landing {
        if self.0.flights.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&grant) {
            return Ok(());
        }
        let intent = Intent { grant, generation, attempt };
        let known =
            self.read_now(|state| state.grants.get(&grant).cloned()).ok_or(Problem::Unknown(Kind::Grant))?;
        match self.outbox().find(intent.key()).map_err(|error| self.disk(&error))? {
            Kept::Answer(answer, sent_at) => self.settle_answer(intent, &known, &answer, sent_at).await,
            Kept::Sent => {
                self.settle(intent, grant::Command::LoseRefresh { grant, generation, attempt }).await
            }
            Kept::Nothing => {
                let failure = ProviderFailure::Transient;
                self.settle(intent, grant::Command::FailRefresh { grant, generation, attempt, failure }).await
            }
        }
    }

    async fn settle_answer(
        &self,
        intent: Intent,
        known: &Grant,
        answer: &RawAnswer,
        sent_at: leasehold_domain::time::Timestamp,
    ) -> Landing {
        let connector = self.connector_of(known.key.connector)?;
        let provider = self
            .catalogue()
            .get(&connector.registration.provider)
            .cloned()
            .ok_or_else(|| Problem::fault("settle a refresh", &"the provider's entry is gone"))?;
        match parse_token_answer(&provider, answer, &known.granted, sent_at) {
            Ok(set) => self.commit(intent, self.place(known), set).await,
            Err(failure) => {
                let Intent { grant, generation, attempt } = intent;
                let failure = class_of(&failure);
                self.settle(intent, grant::Command::FailRefresh { grant, generation, attempt, failure }).await
            }
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
    pub(crate) fn disk(&self, error: &crate::outbox::OutboxError) -> Problem {
        self.stop(error)
    }
}

/// What a failure means for the grant. An answer that cannot be read is worth keeping, and says nothing about the grant.
fn class_of(failure: &Failure) -> ProviderFailure {
    failure.class
}
