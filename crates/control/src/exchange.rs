//! From the provider's callback to an active grant: the exchange of the code under an intent, the account, and its confirmation.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use leasehold_domain::{
    authorization::{self, Authorization, End, Phase, TokenFacts},
    command::Command,
    connector::Connector,
    id::{AuthorizationId, ConnectorId, GrantId},
    provider::ProviderFailure,
    rejection::Rejection,
    scope::ScopeSet,
    state::BlobKey,
    text::{AccountKey, Digest},
    time::Timestamp,
};
use leasehold_failpoint::failpoint;
use leasehold_upstream::{
    account::{Account, AccountLookup, AccountLookupError, account_in_id_token, parse_account},
    call::RawAnswer,
    callback::{Callback, Expectation, UntrustedCallback},
    catalogue::AccountSource,
    proof::Verifier,
    token::{CodeExchange, TokenSet, parse_token_answer},
};
use leasehold_vault::{Keyring, OutboxOwner, Owner, OwnerBinding, Secret};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Duration;

use crate::{
    caller::Caller,
    consent::{AccountPage, BrowserPerson, unavailable},
    control::Control,
    counterpart::Line,
    draw,
    outbox::{Attempt, Kept, OutboxError},
    presented,
    problem::Problem,
    refresh::LIFE_UNSTATED,
    tokens::{self, ClearTokens, Place},
};

/// How often the account lookup is tried.
const LOOKUPS_MAX: u32 = 3;
/// How long between two tries, and how long until an outcome is proposed again.
const PAUSE: Duration = Duration::from_millis(300);

/// Where a callback led.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallbackEnd {
    /// The account is to be confirmed.
    ConfirmAccount,
    /// The provider gave no code.
    RefusedByProvider,
    /// The consent ended another way.
    Ended(End),
}

/// Exchanges in flight on this node.
#[derive(Default)]
pub(crate) struct Exchanges(Mutex<BTreeSet<AuthorizationId>>);

impl Exchanges {
    fn all(&self) -> MutexGuard<'_, BTreeSet<AuthorizationId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an exchange for this consent is in flight.
    pub(crate) fn holds(&self, id: AuthorizationId) -> bool {
        self.all().contains(&id)
    }
}

/// Takes an exchange off the list when it ends, however it ends.
struct Boarded {
    control: Control,
    authorization: AuthorizationId,
}

impl Boarded {
    fn new(control: Control, authorization: AuthorizationId) -> Self {
        control.0.exchanges.all().insert(authorization);
        Self { control, authorization }
    }
}

impl Drop for Boarded {
    fn drop(&mut self) {
        self.control.0.exchanges.all().remove(&self.authorization);
    }
}

impl Control {
    /// Takes the provider's callback: `query` is what came, `state` what this browser's cookie holds, `connector` the one whose own redirect
    /// URI was called. Exchanges the code and looks the account up.
    ///
    /// # Errors
    /// What keeps the consent from going on. Nothing of the query is in it.
    pub async fn callback(
        &self,
        person: BrowserPerson,
        id: AuthorizationId,
        state: &SecretString,
        connector: ConnectorId,
        query: &str,
    ) -> Result<CallbackEnd, Problem> {
        let (known, its_connector, _) = self.consent_parts(person, id).await?;
        if its_connector.id != connector {
            return Err(Rejection::StateMismatch.into());
        }
        let line = self.line(&its_connector).await.map_err(|_| unavailable())?;
        let believed = UntrustedCallback::read(query)
            .and_then(|callback| callback.judge(&Expectation::new(&line.provider, &line.endpoints, state)))
            .map_err(|error| {
                tracing::warn!(authorization = %id, %error, "a callback was not believed");
                Problem::from(Rejection::StateMismatch)
            })?;
        let digest = draw::digest_of(state.expose_secret().as_bytes());
        let session = person.session;
        match believed {
            Callback::Refused(refusal) => {
                tracing::info!(authorization = %id, ?refusal, "a provider refused a consent");
                let command =
                    authorization::Command::RefuseByProvider { authorization: id, state: digest, session };
                self.propose_as(person.actor, Command::Authorization(command)).await?;
                Ok(CallbackEnd::RefusedByProvider)
            }
            Callback::Code(code) => {
                let verifier = self.verifier(id)?;
                let node = self.settings().node;
                let command = authorization::Command::IntendExchange {
                    authorization: id,
                    state: digest,
                    session,
                    node,
                };
                // The browser may go away at any moment; neither the intent nor the code's tokens may be lost with it.
                let boarded = Boarded::new(self.clone(), id);
                let flight = self.carry_through(async move {
                    let control = &boarded.control;
                    failpoint!("exchange.before-intent");
                    control.propose_as(person.actor, Command::Authorization(command)).await?;
                    failpoint!("exchange.intended");
                    control.exchange(&known, &line, &code, &verifier).await
                });
                flight.await.map_err(|error| Problem::fault("exchange a code", &error))?
            }
        }
    }

    fn verifier(&self, id: AuthorizationId) -> Result<Verifier, Problem> {
        let blob = self.blob(&BlobKey::Verifier(id))?.ok_or(Problem::Rejected(Rejection::WrongPhase))?;
        let binding = OwnerBinding { organisation: self.organisation(), owner: Owner::Verifier(id) };
        let secret = tokens::unseal_owned(&self.keyring(), &binding, &blob)?;
        let text = secret.expose_str().ok_or_else(|| Problem::fault("open a verifier", &"it is no text"))?;
        Verifier::from_stored(SecretString::from(text.to_owned()))
            .map_err(|error| Problem::fault("open a verifier", &error))
    }

    async fn exchange(
        &self,
        known: &Authorization,
        line: &Line,
        code: &SecretString,
        verifier: &Verifier,
    ) -> Result<CallbackEnd, Problem> {
        let attempt = Attempt::Exchange(known.id);
        let redirect_uri = self.redirect_uri(&line.connector);
        let Some(marker) = presented::to_secret(code, verifier) else {
            return self.fail_exchange(known.id, line.connector.id, ProviderFailure::RequestFault).await;
        };
        let marker = Arc::new(marker);
        let (mut secret, mut repeated) = (0, false);
        loop {
            let exchange = CodeExchange {
                counterpart: line.counterpart(secret),
                code,
                verifier,
                redirect_uri: &redirect_uri,
                resource: None,
            };
            let Ok(call) = exchange.call() else {
                return self.fail_exchange(known.id, line.connector.id, ProviderFailure::RequestFault).await;
            };
            let sent_at = self.now();
            let marked =
                self.outbox().sent_with(self.shared_entropy(), attempt, sent_at, marker.clone()).await;
            marked.map_err(|error| self.disk(&error))?;
            failpoint!("exchange.marked");
            let failure = match call.send(self.transport(), sent_at).await {
                Ok(answer) => {
                    failpoint!("exchange.answered");
                    match self.outbox().keep(self.shared_entropy(), attempt, sent_at, &answer).await {
                        Ok(()) => {
                            failpoint!("exchange.kept");
                            match parse_token_answer(&line.provider, &answer, &known.scopes, sent_at) {
                                Ok(set) => {
                                    let set = self.with_true_end(line, secret, set).await;
                                    return self.complete_exchange(known, line, set, sent_at).await;
                                }
                                Err(failure) => match line.client.next_secret(secret, &failure) {
                                    Some(next) => {
                                        secret = next;
                                        continue;
                                    }
                                    None => failure.class,
                                },
                            }
                        }
                        Err(OutboxError::TooLong) => ProviderFailure::Malformed,
                        Err(error) => return Err(self.disk(&error)),
                    }
                }
                Err(error) => error.class(),
            };
            let lost = matches!(failure, ProviderFailure::Ambiguous | ProviderFailure::Malformed);
            if repeated || !lost {
                return self.fail_exchange(known.id, line.connector.id, failure).await;
            }
            // Tokens may live at the provider that nobody holds. RFC 6749 section 4.1.2 has a client present a code once, and a server end what it
            // issued from one that comes again: here that end is what is wanted. One that never arrived is exchanged now.
            tracing::warn!(authorization = %known.id, ?failure, "the answer to an exchange was lost; the code is presented once more");
            repeated = true;
        }
    }

    async fn fail_exchange(
        &self,
        id: AuthorizationId,
        connector: ConnectorId,
        failure: ProviderFailure,
    ) -> Result<CallbackEnd, Problem> {
        tracing::warn!(authorization = %id, ?failure, "a code could not be exchanged");
        self.settle_exchange(id, authorization::Command::FailExchange { authorization: id, failure }).await?;
        if failure == ProviderFailure::ClientFault {
            self.suspend(connector, failure).await;
        }
        Ok(CallbackEnd::Ended(End::ExchangeFailed(failure)))
    }

    async fn complete_exchange(
        &self,
        known: &Authorization,
        line: &Line,
        set: TokenSet,
        sent_at: Timestamp,
    ) -> Result<CallbackEnd, Problem> {
        if set.unkept > 0 {
            let (connector, unkept) = (line.connector.id, set.unkept);
            tracing::error!(%connector, unkept, "a provider gave a further token, which is not kept: it lives on there");
        }
        let account = self.look_up(line, &set).await;
        failpoint!("exchange.looked-up");
        let mut facts = tokens::facts(&self.keyring(), &set)?;
        if facts.refresh.is_some() && facts.access_expires_at.is_none() {
            facts.access_expires_at = Some(sent_at + LIFE_UNSTATED);
        }
        let granted = set.scopes.scopes().clone();
        let clear = ClearTokens::from(set);
        let seal = |keyring: &Keyring| {
            let (id, facts) = (known.id, facts.clone());
            let tokens = tokens::seal_pending(keyring, self.entropy(), self.organisation(), id, &clear)?;
            Ok(match &account {
                Ok(account) => {
                    let owner = OutboxOwner::Authorization(id);
                    authorization::Command::CompleteExchange {
                        authorization: id,
                        account: self.account_key(keyring, line.connector.id, account)?,
                        account_label: self.seal_label(keyring, owner, account.label.as_deref())?,
                        granted: granted.clone(),
                        tokens,
                        facts,
                    }
                }
                // Nobody can say whose tokens these are: they are revoked, and never become a grant.
                Err(failure) => authorization::Command::DiscardExchange {
                    authorization: id,
                    failure: *failure,
                    tokens,
                    facts,
                },
            })
        };
        self.settle_exchange_sealed(known.id, seal).await?;
        let phase =
            self.read_now(|state| state.authorizations.get(&known.id).map(|known| known.phase.clone()));
        Ok(match phase {
            Some(Phase::Exchanged { .. }) => CallbackEnd::ConfirmAccount,
            Some(Phase::Ended(end)) => CallbackEnd::Ended(end),
            Some(Phase::Open | Phase::Approved | Phase::Exchanging { .. }) | None => {
                CallbackEnd::Ended(End::Expired)
            }
        })
    }

    async fn look_up(&self, line: &Line, set: &TokenSet) -> Result<Account, ProviderFailure> {
        if line.provider.entry.account.source == AccountSource::IdToken {
            let client_id = line.client.id();
            let named =
                account_in_id_token(&line.provider, &line.endpoints, client_id, set.id_token.as_ref());
            return named.map_err(|failure| failure.class);
        }
        let inputs = BTreeMap::new();
        let mut last = ProviderFailure::Transient;
        for round in 0..LOOKUPS_MAX {
            let lookup = AccountLookup {
                provider: &line.provider,
                endpoints: &line.endpoints,
                inputs: &inputs,
                access_token: &set.access_token,
            };
            let call = match lookup.call() {
                Ok(call) => call,
                Err(AccountLookupError::Unsupported) => {
                    return Ok(Account { id: "unnamed".to_owned(), label: None });
                }
                Err(_) => return Err(ProviderFailure::RequestFault),
            };
            last = match call.send(self.transport(), self.now()).await {
                Ok(answer) => match parse_account(&line.provider, &answer) {
                    Ok(account) => return Ok(account),
                    Err(failure) => failure.class,
                },
                Err(error) => error.class(),
            };
            tracing::warn!(connector = %line.connector.id, failure = ?last, round, "an account lookup failed");
            tokio::time::sleep(PAUSE).await;
        }
        Err(last)
    }

    /// Names an account of a connector, equal for equal accounts, without giving it away. An account keeps the name that it has, made under a
    /// former key or not, for as long as any grant is of it.
    fn account_key(
        &self,
        keyring: &Keyring,
        connector: ConnectorId,
        account: &Account,
    ) -> Result<AccountKey, Problem> {
        let named = Secret::copy_of(format!("account\0{connector}\0{}", account.id).as_bytes())
            .map_err(|error| Problem::fault("name an account", &error))?;
        let names =
            keyring.fingerprints(&named).into_iter().map(|name| AccountKey::from_bytes(name.to_bytes()));
        let names: Vec<AccountKey> = names.collect();
        let known = self.read_now(|state| {
            let in_use = |name: &&AccountKey| !state.subjects_of_account(connector, **name).is_empty();
            names.iter().find(in_use).copied()
        });
        known
            .or(names.first().copied())
            .ok_or_else(|| Problem::fault("name an account", &"there is no key for it"))
    }

    fn seal_label(
        &self,
        keyring: &Keyring,
        owner: OutboxOwner,
        label: Option<&str>,
    ) -> Result<leasehold_domain::text::Sealed, Problem> {
        let binding = tokens::account_label_of(self.organisation(), owner);
        let secret = Secret::copy_of(label.unwrap_or_default().as_bytes())
            .map_err(|error| Problem::fault("seal an account's name", &error))?;
        tokens::seal_owned(keyring, self.entropy(), &binding, &secret)
    }

    fn open_label(&self, key: &BlobKey, owner: OutboxOwner) -> Result<String, Problem> {
        let Some(blob) = self.blob(key)? else { return Ok(String::new()) };
        let binding = tokens::account_label_of(self.organisation(), owner);
        let secret = tokens::unseal_owned(&self.keyring(), &binding, &blob)?;
        Ok(secret.expose_str().unwrap_or_default().to_owned())
    }

    /// What the provider calls the account of a grant; empty where it does not say.
    pub(crate) fn account_label(&self, grant: GrantId) -> Result<String, Problem> {
        self.open_label(&BlobKey::Account(grant), OutboxOwner::Grant(grant))
    }

    /// Proposes an outcome until the cluster has it, or says that it is superseded; then the outbox forgets.
    async fn settle_exchange(
        &self,
        id: AuthorizationId,
        command: authorization::Command,
    ) -> Result<(), Problem> {
        self.settle_exchange_sealed(id, |_| Ok(command.clone())).await
    }

    /// The same for an outcome with tokens, which are sealed for each try.
    async fn settle_exchange_sealed(
        &self,
        id: AuthorizationId,
        seal: impl Fn(&Keyring) -> Result<authorization::Command, Problem>,
    ) -> Result<(), Problem> {
        let cluster = Caller { actor: self.cluster(), request: None };
        failpoint!("exchange.before-outcome");
        loop {
            match self.propose_sealed(&cluster, |keyring| seal(keyring).map(Command::Authorization)).await {
                Ok(_) | Err(Problem::Rejected(Rejection::Superseded | Rejection::Unknown(_))) => break,
                Err(Problem::NoLeader { .. } | Problem::Overloaded | Problem::OutcomeUnknown) => {
                    tokio::time::sleep(PAUSE).await;
                }
                Err(problem) => return Err(problem),
            }
        }
        failpoint!("exchange.before-cleanup");
        self.outbox().forget(Attempt::Exchange(id)).await.map_err(|error| self.disk(&error))
    }

    /// Settles an exchange of which the outbox or the state knows and that is not in flight.
    pub(crate) async fn settle_left_over_exchange(&self, id: AuthorizationId) -> Result<(), Problem> {
        if self.0.exchanges.holds(id) {
            return Ok(());
        }
        let _boarded = Boarded::new(self.clone(), id);
        let Some(known) = self.read_now(|state| state.authorizations.get(&id).cloned()) else {
            return self.outbox().forget(Attempt::Exchange(id)).await.map_err(|error| self.disk(&error));
        };
        let connector: Connector = self.connector_of(known.connector)?;
        let kept = self.outbox().find(Attempt::Exchange(id)).map_err(|error| self.disk(&error))?;
        let open = matches!(known.phase, Phase::Exchanging { .. });
        let failure = match kept {
            Kept::Answer(answer, sent_at) => {
                failpoint!("exchange.found-answer");
                return self.settle_exchange_answer(&known, &connector, &answer, sent_at).await;
            }
            Kept::Sent(Some(marker)) if open => {
                failpoint!("exchange.found-marker");
                let (code, verifier) = presented::of_secret(&marker)
                    .ok_or_else(|| Problem::fault("settle an exchange", &"its marker cannot be read"))?;
                let line = self.line(&connector).await.map_err(|_| unavailable())?;
                return self.exchange(&known, &line, &code, &verifier).await.map(drop);
            }
            Kept::Sent(_) => ProviderFailure::Ambiguous,
            Kept::Nothing => {
                failpoint!("exchange.found-nothing");
                ProviderFailure::Transient
            }
        };
        self.settle_exchange(id, authorization::Command::FailExchange { authorization: id, failure }).await
    }

    async fn settle_exchange_answer(
        &self,
        known: &Authorization,
        connector: &Connector,
        answer: &RawAnswer,
        sent_at: Timestamp,
    ) -> Result<(), Problem> {
        let line = self.line(connector).await.map_err(|_| unavailable())?;
        match parse_token_answer(&line.provider, answer, &known.scopes, sent_at) {
            Ok(set) => {
                let set = self.with_true_end(&line, 0, set).await;
                self.complete_exchange(known, &line, set, sent_at).await.map(drop)
            }
            Err(failure) => self.fail_exchange(known.id, connector.id, failure.class).await.map(drop),
        }
    }

    /// The page that shows the account, for the person and the browser session that approved.
    ///
    /// # Errors
    /// What keeps the consent from going on.
    pub async fn account_page(
        &self,
        person: BrowserPerson,
        id: AuthorizationId,
    ) -> Result<AccountPage, Problem> {
        let (known, connector, server) = self.consent_parts(person, id).await?;
        self.same_browser(person.session, id)?;
        let Phase::Exchanged { granted, .. } = &known.phase else { return Err(Rejection::WrongPhase.into()) };
        let words = |scopes: &ScopeSet| scopes.iter().map(ToString::to_string).collect();
        Ok(AccountPage {
            authorization: id,
            account: self.open_label(&BlobKey::PendingAccount(id), OutboxOwner::Authorization(id))?,
            connector: connector.registration.name.to_string(),
            mcp_server: server.name.to_string(),
            granted: words(granted),
            refused: words(&known.scopes.missing_from(granted)),
        })
    }

    fn same_browser(&self, session: Digest, id: AuthorizationId) -> Result<(), Problem> {
        let bound = self.read_now(|state| state.bindings.get(&id).map(|binding| binding.session));
        if bound == Some(session) { Ok(()) } else { Err(Rejection::SessionMismatch.into()) }
    }

    /// The person confirms the account: seals the tokens for their grant, which becomes active.
    ///
    /// # Errors
    /// What keeps the consent from going on.
    pub async fn confirm_account(
        &self,
        person: BrowserPerson,
        id: AuthorizationId,
    ) -> Result<GrantId, Problem> {
        // A refresh of the same grant may come between; then the tokens are sealed for the generation after it.
        for _ in 0..3 {
            let (known, _, _) = self.consent_parts(person, id).await?;
            let Phase::Exchanged { account, tokens: facts, .. } = &known.phase else {
                return Err(Rejection::WrongPhase.into());
            };
            match self.confirm_once(person, &known, *account, facts).await {
                Err(Problem::Rejected(Rejection::Superseded)) => {}
                other => return other,
            }
        }
        Err(Problem::Overloaded)
    }

    async fn confirm_once(
        &self,
        person: BrowserPerson,
        known: &Authorization,
        account: AccountKey,
        facts: &TokenFacts,
    ) -> Result<GrantId, Problem> {
        let id = known.id;
        let (grant, generation) = self.read_now(|state| -> Result<(GrantId, u64), Problem> {
            let key = known.grant_key(state, account)?;
            Ok(match state.grant_keyed(&key) {
                Some(current) => (current.id, current.generation + 1),
                None => (GrantId::from_bytes(draw::sixteen(self.entropy())), 1),
            })
        })?;
        let pending =
            self.blob(&BlobKey::PendingTokens(id))?.ok_or(Problem::Rejected(Rejection::WrongPhase))?;
        let clear = tokens::unseal_pending(&self.keyring(), self.organisation(), id, &pending)?;
        let place = Place {
            organisation: self.organisation(),
            subject: known.subject,
            connector: known.connector,
            grant,
            generation,
        };
        let label = self.open_label(&BlobKey::PendingAccount(id), OutboxOwner::Authorization(id))?;
        let seal = |keyring: &Keyring| {
            Ok(Command::Authorization(authorization::Command::ConfirmAccount {
                authorization: id,
                session: person.session,
                grant,
                generation,
                tokens: tokens::seal(keyring, self.entropy(), place, &clear)?,
                account_label: self.seal_label(keyring, OutboxOwner::Grant(grant), Some(&label))?,
                facts: facts.clone(),
            }))
        };
        failpoint!("confirm.before-propose");
        self.propose_sealed(&Caller { actor: person.actor, request: None }, seal).await?;
        failpoint!("confirm.committed");
        self.0.work.notify_one();
        Ok(grant)
    }

    /// The person says that it is the wrong account. Its tokens are revoked at the provider.
    ///
    /// # Errors
    /// What keeps the consent from going on.
    pub async fn reject_account(&self, person: BrowserPerson, id: AuthorizationId) -> Result<(), Problem> {
        let command = authorization::Command::RejectAccount { authorization: id, session: person.session };
        self.propose_as(person.actor, Command::Authorization(command)).await?;
        self.0.work.notify_one();
        Ok(())
    }
}
