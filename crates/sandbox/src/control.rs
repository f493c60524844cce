//! The handle that steers a sandbox and reads its record, in process; `http` offers the same over loopback.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::authorize::IssuerParameter;
use crate::behaviour::Behaviour;
use crate::canary::Canaries;
use crate::clock::Clock;
use crate::fault::{FaultRule, Faults};
use crate::front::{Front, Site as _};
use crate::idp::{IdTokenFlaw, Idp, KeyError};
use crate::ledger::{Issued, Ledger, Outcome, Presentation, TokenKind};
use crate::options::{Client, Person};
use crate::people::AddPersonError;
use crate::provider::{Ended, Provider};

pub(crate) mod http;

/// Steers a running sandbox. Clones steer the same one.
#[derive(Clone)]
pub struct Control(Arc<World>);

pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) canaries: Arc<Canaries>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) idp: Arc<Idp>,
    pub(crate) provider: Arc<Provider>,
}

/// One of the two issuers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Issuer {
    /// The identity provider.
    Idp,
    /// The OAuth provider.
    Provider,
}

/// The provider's view of one consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FamilyState {
    /// Its id in the record.
    pub family: String,
    /// `client_id`.
    pub client: String,
    /// Subject of the account.
    pub account: String,
    /// Scopes consented to.
    pub scope: Vec<String>,
    /// `resource` values consented to.
    pub resource: Vec<String>,
    /// Number of token sets issued so far.
    pub generation: u64,
    /// Why it ended, if it has.
    pub ended: Option<Ended>,
    /// Refresh requests that named one of its tokens, whatever came of them.
    pub refresh_requests: u64,
}

/// A client or person that the call named is not there, or there is no room for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// No such client at that issuer.
    #[error("no client of that id is registered there")]
    UnknownClient,
    /// No such person at that issuer.
    #[error("no person of that username is known there")]
    UnknownPerson,
    /// A bound was reached.
    #[error("there is no room for another")]
    Full,
}

impl Control {
    pub(crate) fn new(world: World) -> Self {
        Self(Arc::new(world))
    }

    pub(crate) fn world(&self) -> &World {
        &self.0
    }

    fn front(&self, issuer: Issuer) -> &Front {
        match issuer {
            Issuer::Idp => self.0.idp.front(),
            Issuer::Provider => self.0.provider.front(),
        }
    }

    // Time.

    /// Pushes the sandbox's clock forward.
    pub fn advance(&self, by: Duration) {
        self.0.clock.advance(by);
        self.0.ledger.announce();
    }

    /// The sandbox's clock.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    // Registrations.

    /// Adds or replaces a client.
    pub fn register_client(&self, issuer: Issuer, client: Client) -> Result<(), ControlError> {
        if self.front(issuer).clients.put(client) { Ok(()) } else { Err(ControlError::Full) }
    }

    fn change(
        &self,
        issuer: Issuer,
        client: &str,
        change: impl FnOnce(&mut Client),
    ) -> Result<(), ControlError> {
        let known = self.front(issuer).clients.change(client, change);
        if known { Ok(()) } else { Err(ControlError::UnknownClient) }
    }

    /// Makes another secret valid for a client, beside those it has.
    pub fn add_client_secret(
        &self,
        issuer: Issuer,
        client: &str,
        secret: impl Into<SecretString>,
    ) -> Result<(), ControlError> {
        let secret = secret.into();
        self.change(issuer, client, |client| client.secrets.push(secret))
    }

    /// Makes this the only valid secret of a client.
    pub fn replace_client_secrets(
        &self,
        issuer: Issuer,
        client: &str,
        secret: impl Into<SecretString>,
    ) -> Result<(), ControlError> {
        let secret = secret.into();
        self.change(issuer, client, |client| client.secrets = vec![secret])
    }

    /// Adds a redirect URI to a client.
    pub fn add_redirect_uri(&self, issuer: Issuer, client: &str, uri: &str) -> Result<(), ControlError> {
        self.change(issuer, client, |client| client.redirect_uris.push(uri.to_owned()))
    }

    /// Changes how the provider treats a client's tokens, from the next request on.
    pub fn set_behaviour(&self, client: &str, behaviour: Behaviour) -> Result<(), ControlError> {
        self.change(Issuer::Provider, client, |client| client.behaviour = behaviour)
    }

    /// How the provider treats a client's tokens.
    pub fn behaviour(&self, client: &str) -> Option<Behaviour> {
        self.front(Issuer::Provider).clients.get(client).map(|client| client.behaviour.clone())
    }

    /// Adds someone, and answers with their subject.
    pub fn add_person(&self, issuer: Issuer, person: Person) -> Result<String, AddPersonError> {
        self.front(issuer).people.add(person)
    }

    /// The stable subject behind a username.
    pub fn subject(&self, issuer: Issuer, username: &str) -> Option<String> {
        self.front(issuer).people.named(username).map(|account| account.subject.clone())
    }

    /// Ends every browser session of someone.
    pub fn sign_out(&self, issuer: Issuer, username: &str) -> Result<(), ControlError> {
        let subject = self.subject(issuer, username).ok_or(ControlError::UnknownPerson)?;
        self.front(issuer).visits.sign_out_everywhere(&subject);
        Ok(())
    }

    // What goes wrong.

    /// Queues a fault. Faults are tried in the order they came; the first that matches strikes.
    pub fn push_fault(&self, rule: FaultRule) -> Result<u64, ControlError> {
        self.0.faults.push(rule).ok_or(ControlError::Full)
    }

    /// Faults that still wait, with their ids.
    pub fn pending_faults(&self) -> Vec<(u64, FaultRule)> {
        self.0.faults.pending()
    }

    /// Forgets all faults that wait. Requests that hang go on hanging.
    pub fn clear_faults(&self) {
        self.0.faults.clear();
    }

    /// Requests that hang at this moment.
    pub fn hanging(&self) -> u64 {
        self.0.faults.hanging()
    }

    /// Lets every hanging request go on.
    pub fn release_hanging(&self) {
        self.0.faults.release();
    }

    /// Makes the next ID token wrong; several calls queue up.
    pub fn flaw_next_id_token(&self, flaw: IdTokenFlaw) -> Result<(), ControlError> {
        if self.0.idp.flaws.push(flaw) { Ok(()) } else { Err(ControlError::Full) }
    }

    /// What authorization responses say of their issuer from now on.
    pub fn set_issuer_parameter(&self, issuer: Issuer, parameter: IssuerParameter) {
        *self.front(issuer).issuer_parameter.lock().unwrap_or_else(PoisonError::into_inner) = parameter;
    }

    /// Replaces a field of an issuer's metadata; null removes it.
    pub fn edit_metadata(&self, issuer: Issuer, field: &str, value: Value) {
        let mut edits = self.front(issuer).metadata_edits.lock().unwrap_or_else(PoisonError::into_inner);
        edits.insert(field.to_owned(), value);
    }

    /// Undoes every edit of an issuer's metadata.
    pub fn restore_metadata(&self, issuer: Issuer) {
        self.front(issuer).metadata_edits.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Signs ID tokens with a new key from now on; the old one stays published unless `forget_old`.
    pub fn rotate_signing_key(&self, forget_old: bool) -> Result<(), KeyError> {
        self.0.idp.keys.rotate(forget_old)
    }

    /// Ends all consents of an account, as its owner would in the provider's own settings. Answers how many there were.
    pub fn withdraw(&self, username: &str) -> Result<u64, ControlError> {
        let subject = self.subject(Issuer::Provider, username).ok_or(ControlError::UnknownPerson)?;
        Ok(self.0.provider.grants().withdraw(&subject))
    }

    // The record.

    /// Every token issued that fits, oldest first.
    pub fn issued(&self, wanted: impl Fn(&Issued) -> bool) -> Vec<Issued> {
        self.0.ledger.issued(wanted)
    }

    /// Every presentation that fits, oldest first.
    pub fn presentations_where(&self, wanted: impl Fn(&Presentation) -> bool) -> Vec<Presentation> {
        self.0.ledger.presentations(wanted)
    }

    /// Every presentation of one token, named by `fingerprint`, at whatever endpoint.
    pub fn presentations(&self, fingerprint: &str) -> Vec<Presentation> {
        self.0.ledger.presentations(|line| line.fingerprint == fingerprint)
    }

    /// Requests with `grant_type=refresh_token` that named this client, whatever came of them.
    pub fn refresh_requests(&self, client: &str) -> u64 {
        self.0.ledger.refresh_requests(client)
    }

    /// Presentations of a used refresh token that were refused as reuse. A replay that the class allows is none.
    pub fn reuse_detected(&self) -> u64 {
        self.0
            .ledger
            .count_presentations(|line| line.kind == TokenKind::Refresh && line.outcome == Outcome::Reuse)
    }

    /// Presentations of a used code.
    pub fn code_reuse_detected(&self) -> u64 {
        self.0
            .ledger
            .count_presentations(|line| line.kind == TokenKind::Code && line.outcome == Outcome::Reuse)
    }

    /// Presentations of a used refresh token that were accepted again, as the class allows.
    pub fn replays(&self) -> u64 {
        self.0.ledger.count_presentations(|line| line.outcome == Outcome::Replayed)
    }

    /// Families that reuse of a refresh token ended.
    pub fn families_revoked_by_reuse(&self) -> Vec<String> {
        self.0.ledger.ended_by_reuse()
    }

    /// One family, as the provider sees it now.
    pub fn family(&self, family: &str) -> Option<FamilyState> {
        self.families().into_iter().find(|state| state.family == family)
    }

    /// All families, as the provider sees them now.
    pub fn families(&self) -> Vec<FamilyState> {
        let grants = self.0.provider.grants();
        grants
            .families()
            .map(|(id, family)| FamilyState {
                family: id.clone(),
                client: family.client.clone(),
                account: family.subject.clone(),
                scope: family.scope.clone(),
                resource: family.resource.clone(),
                generation: family.generation,
                ended: family.ended,
                refresh_requests: self.0.ledger.refresh_requests_of_family(id),
            })
            .collect()
    }

    /// Whether the provider would accept this access or refresh token now.
    pub fn is_active(&self, token: &str) -> bool {
        let now = self.0.clock.now();
        let mut grants = self.0.provider.grants();
        if grants.live_access(token, now, false).is_some() {
            return true;
        }
        let client = grants
            .refresh_token(token)
            .and_then(|refresh| grants.family(&refresh.family))
            .and_then(|family| self.front(Issuer::Provider).clients.get(&family.client));
        client.is_some_and(|client| grants.live_refresh(token, &client.behaviour, now).is_some())
    }

    /// Every token, code, verifier and client secret that the sandbox issued, was configured with or was shown, in
    /// clear, if it has at least 16 characters: canaries that must never turn up in a log or a file.
    pub fn all_secrets(&self) -> Vec<String> {
        self.0.canaries.all()
    }

    /// Waits until the record, the clock or the hanging requests satisfy a condition.
    pub async fn wait_until(&self, condition: impl Fn(&Self) -> bool) {
        let mut changes = self.0.ledger.changes();
        while !condition(self) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}
