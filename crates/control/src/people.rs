//! Subjects, identity providers, and how people and subject tokens come in through them.

use leasehold_domain::{
    actor::Actor,
    command::Command,
    event::Event,
    id::{IdentityProviderId, SecretId, SubjectId},
    identity_provider::{self, IdentityProvider, JoinClaim},
    rejection::Kind,
    state::{BlobKey, State},
    subject::{self, DirectoryEntry, Subject},
    text::{Label, TraceId, Uri},
    time::Timestamp,
};
use leasehold_identity::{
    resolve,
    session::{LocalPath, Session, Standing},
    sign_in::{PendingSignIn, SignIn},
    subject_token::{Declared, Presented},
};
use leasehold_policy::AdministratorAction;
use leasehold_vault::{Keyring, Owner, OwnerBinding, Secret};
use secrecy::{ExposeSecret, SecretString};
use std::net::IpAddr;

use crate::{
    caller::Caller, consent::BrowserPerson, control::Control, draw, leases::mcp_server_by, problem::Problem,
    tokens,
};

/// Our client secret at an identity provider is one; its place in the vault still needs a name.
const ONLY_SECRET: SecretId = SecretId::from_bytes([0; 16]);

/// A subject to register.
#[derive(Clone)]
pub struct NewSubject {
    /// The name people type.
    pub user_name: String,
    /// An email address, which may resolve the subject before its first sign-in.
    pub email: Option<String>,
    /// What to call the subject on a page.
    pub display_name: Option<String>,
    /// Which kind it is.
    pub kind: subject::Kind,
}

/// An identity provider to register.
pub struct NewIdentityProvider {
    /// Its name.
    pub name: String,
    /// Its issuer.
    pub issuer: String,
    /// Our client identifier there.
    pub client_id: String,
    /// Our client secret there.
    pub client_secret: SecretString,
    /// Which claim names a person.
    pub join_claim: JoinClaim,
    /// The email domains for which it is authoritative.
    pub email_domains: Vec<String>,
}

/// The subject that an administrator names, disabled or not.
pub(crate) fn subject_by(state: &State, text: &str) -> Result<SubjectId, Problem> {
    let by_id = text.parse().ok().filter(|id| state.subjects.contains(id));
    let by_email = || {
        let all = state.subjects_with_email(text);
        all.first().copied().filter(|_| all.len() == 1)
    };
    by_id
        .or_else(|| state.subject_named(text).map(|subject| subject.id))
        .or_else(by_email)
        .ok_or(Problem::Unknown(Kind::Subject))
}

fn identity_provider_by<'a>(state: &'a State, text: &str) -> Result<&'a IdentityProvider, Problem> {
    let by_id = text.parse().ok().and_then(|id| state.identity_providers.get(&id));
    let named = |known: &&IdentityProvider| known.registration.name.as_str() == text;
    by_id
        .or_else(|| state.identity_providers.iter().map(|(_, known)| known).find(named))
        .ok_or(Problem::Unknown(Kind::IdentityProvider))
}

impl Control {
    /// Registers a subject.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn register_subject(&self, caller: &Caller, new: NewSubject) -> Result<SubjectId, Problem> {
        self.authorize_administrator(caller, AdministratorAction::Secure).await?;
        let salt = draw::sixteen(self.entropy());
        let email = new.email.as_deref().filter(|text| !text.is_empty());
        let email = email.map(email_address).transpose()?;
        let display_name = new.display_name.as_deref().filter(|text| !text.is_empty());
        let entry = DirectoryEntry {
            user_name: Label::new(&new.user_name).map_err(|error| Problem::invalid("user_name", error))?,
            email,
            display_name: display_name
                .map(Label::new)
                .transpose()
                .map_err(|error| Problem::invalid("display_name", error))?,
            identifiers: Vec::new(),
            salt,
        };
        let text = |label: Option<&str>| label.unwrap_or_default().to_owned();
        let commitment = draw::commit(
            &[
                entry.user_name.as_str(),
                &text(entry.email.as_ref().map(Label::as_str)),
                &text(entry.display_name.as_ref().map(Label::as_str)),
            ],
            salt,
        );
        let subject = SubjectId::from_bytes(draw::sixteen(self.entropy()));
        let command = subject::Command::Register { subject, kind: new.kind, entry, commitment };
        let applied = self.propose(caller, Command::Subject(command)).await?;
        // A repeat answers with the subject of the first time.
        Ok(match applied.events.first() {
            Some(Event::Subject(subject::Event::Registered { subject, .. })) => *subject,
            Some(_) | None => subject,
        })
    }

    /// Lets things be done for a subject again.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn enable_subject(&self, caller: &Caller, subject: &str) -> Result<(), Problem> {
        self.authorize_administrator(caller, AdministratorAction::Secure).await?;
        let subject = self.read(|state| subject_by(state, subject)).await??;
        self.propose(caller, Command::Subject(subject::Command::Enable { subject })).await.map(drop)
    }

    /// The subjects after `after`, with their directory entries, at most `limit`; and the size of the ledger that this speaks of.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn subjects(
        &self,
        caller: &Caller,
        after: Option<SubjectId>,
        limit: usize,
    ) -> Result<(Vec<(Subject, DirectoryEntry)>, u64), Problem> {
        self.authorize_any(caller, &[AdministratorAction::Secure, AdministratorAction::Audit]).await?;
        self.read(|state| {
            let page = state
                .subjects
                .iter()
                .filter(|(id, _)| after.is_none_or(|after| **id > after))
                .filter_map(|(id, subject)| Some((subject.clone(), state.directory.get(id)?.clone())))
                .take(limit)
                .collect();
            (page, state.clock.next_seq)
        })
        .await
    }

    /// Registers an identity provider.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn register_identity_provider(
        &self,
        caller: &Caller,
        new: NewIdentityProvider,
    ) -> Result<IdentityProvider, Problem> {
        self.authorize_administrator(caller, AdministratorAction::Operate).await?;
        let registration = identity_provider::Registration {
            name: new.name.parse().map_err(|error| Problem::invalid("name", error))?,
            issuer: Uri::new(&new.issuer).map_err(|error| Problem::invalid("issuer", error))?,
            client_id: Label::new(&new.client_id).map_err(|error| Problem::invalid("client_id", error))?,
            join_claim: new.join_claim,
            email_domains: new
                .email_domains
                .iter()
                .map(|domain| Label::new(&domain.to_ascii_lowercase()))
                .collect::<Result<_, _>>()
                .map_err(|error| Problem::invalid("email_domains", error))?,
        };
        let identity_provider = IdentityProviderId::from_bytes(draw::sixteen(self.entropy()));
        let binding = self.sign_in_secret_binding(identity_provider);
        let secret = Secret::copy_of(new.client_secret.expose_secret().as_bytes())
            .map_err(|error| Problem::invalid("client_secret", error))?;
        let seal = |keyring: &Keyring| {
            let secret = tokens::seal_owned(keyring, self.entropy(), &binding, &secret)?;
            let registration = registration.clone();
            let command = identity_provider::Command::Register { identity_provider, registration, secret };
            Ok(Command::IdentityProvider(command))
        };
        self.propose_sealed(caller, seal).await?;
        self.read_now(|state| {
            state
                .identity_providers
                .iter()
                .find(|(_, known)| known.registration.name == registration.name)
                .map(|(_, known)| known.clone())
        })
        .ok_or(Problem::Unknown(Kind::IdentityProvider))
    }

    /// Replaces our client secret at an identity provider.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn replace_identity_provider_secret(
        &self,
        caller: &Caller,
        identity_provider: &str,
        clear: &SecretString,
    ) -> Result<(), Problem> {
        self.authorize_administrator(caller, AdministratorAction::Operate).await?;
        let known = self.read(|state| identity_provider_by(state, identity_provider).cloned()).await??;
        let secret = Secret::copy_of(clear.expose_secret().as_bytes())
            .map_err(|error| Problem::invalid("client_secret", error))?;
        let binding = self.sign_in_secret_binding(known.id);
        let _turn = self.0.sign_in_secrets.lock().await;
        let seal = |keyring: &Keyring| {
            let secret = tokens::seal_owned(keyring, self.entropy(), &binding, &secret)?;
            let command = identity_provider::Command::ReplaceSecret { identity_provider: known.id, secret };
            Ok(Command::IdentityProvider(command))
        };
        self.propose_sealed(caller, seal).await.map(drop)
    }

    /// The identity providers.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn identity_providers(&self, caller: &Caller) -> Result<Vec<IdentityProvider>, Problem> {
        self.authorize_any(caller, &[AdministratorAction::Operate, AdministratorAction::Audit]).await?;
        self.read(|state| state.identity_providers.iter().map(|(_, known)| known.clone()).collect()).await
    }

    /// The redirect URI to register at an identity provider.
    pub fn sign_in_redirect_uri(&self, provider: &IdentityProvider) -> String {
        format!("{}/signin/{}", self.settings().public_url.as_str().trim_end_matches('/'), provider.id)
    }

    pub(crate) fn sign_in_secret_binding(&self, id: IdentityProviderId) -> OwnerBinding {
        OwnerBinding { organisation: self.organisation(), owner: Owner::SignInSecret(id, ONLY_SECRET) }
    }

    /// The identity provider at which people sign in: the first one registered.
    fn sign_in_provider(&self) -> Result<IdentityProvider, Problem> {
        self.read_now(|state| {
            state
                .identity_providers
                .iter()
                .map(|(_, known)| known)
                .min_by_key(|known| known.revision)
                .cloned()
        })
        .ok_or(Problem::Unknown(Kind::IdentityProvider))
    }

    /// Begins a sign-in of whoever is at the browser. Answers with where to send it, and its new session.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn begin_sign_in(
        &self,
        return_to: Option<LocalPath>,
    ) -> Result<(SecretString, Session), Problem> {
        let provider = self.sign_in_provider()?;
        let now = self.now();
        let metadata = self.0.metadata.current(&provider, now).await.map_err(|error| {
            tracing::warn!(identity_provider = %provider.id, %error, "an identity provider's metadata cannot be had");
            crate::consent::unavailable()
        })?;
        let redirect_uri = self.sign_in_redirect_uri(&provider);
        let (url, pending) = SignIn { provider: &provider, redirect_uri: &redirect_uri }
            .begin(&metadata, self.entropy())
            .map_err(|error| Problem::fault("begin a sign-in", &error))?;
        Ok((url, Session::signing_in(pending, return_to, now, self.entropy())))
    }

    /// Finishes a sign-in: whoever it is becomes a subject's person, or nobody.
    ///
    /// # Errors
    /// [`Problem::Unknown`] of [`Kind::Subject`] where the person is nobody's subject, or several's.
    pub async fn finish_sign_in(
        &self,
        pending: PendingSignIn,
        query: &str,
        from: IpAddr,
        trace: Option<TraceId>,
    ) -> Result<Session, Problem> {
        let id = pending.identity_provider();
        let provider = self
            .read_now(|state| state.identity_providers.get(&id).cloned())
            .ok_or(Problem::Unknown(Kind::IdentityProvider))?;
        let secret = match self.blob(&BlobKey::IdentityProviderSecret(id))? {
            Some(blob) => {
                Some(tokens::unseal_owned(&self.keyring(), &self.sign_in_secret_binding(id), &blob)?)
            }
            None => None,
        };
        let redirect_uri = self.sign_in_redirect_uri(&provider);
        let person = SignIn { provider: &provider, redirect_uri: &redirect_uri }
            .finish(&self.0.metadata, pending, query, secret.as_ref(), self.now())
            .await
            .map_err(|error| {
                tracing::warn!(identity_provider = %id, %error, "a sign-in came to nothing");
                Problem::WrongCaller
            })?;
        let resolved =
            self.read(|state| resolve::resolve(state, &provider, &person)).await?.map_err(|error| {
                tracing::info!(identity_provider = %id, %error, "somebody signed in who is no subject here");
                Problem::Unknown(Kind::Subject)
            })?;
        let salt = self.read_now(|state| state.directory.get(&resolved.subject).map(|entry| entry.salt));
        let identifier = person.identifier;
        let commitment =
            draw::commit(&[identifier.issuer.as_str(), identifier.value.as_str()], salt.unwrap_or_default());
        let actor = self.person(resolved.subject, from, trace)?;
        let command = subject::Command::SignIn {
            subject: resolved.subject,
            identity_provider: id,
            identifier,
            commitment,
        };
        let applied = self.propose_as(actor, Command::Subject(command)).await?;
        let seq = applied.first_seq + applied.events.len().saturating_sub(1) as u64;
        Ok(Session::signed_in(resolved.subject, id, seq, self.now(), self.entropy()))
    }

    /// The person of a browser session, if nothing ended the session since.
    ///
    /// # Errors
    /// [`Problem::Fault`] where addresses cannot be made pseudonyms.
    pub async fn browser_person(
        &self,
        session: &Session,
        from: IpAddr,
        trace: Option<TraceId>,
    ) -> Result<Option<BrowserPerson>, Problem> {
        let Standing::SignedIn { subject, .. } = session.standing() else { return Ok(None) };
        if self.read(|state| leasehold_identity::caller::by_session(state, session)).await?.is_err() {
            return Ok(None);
        }
        let actor: Actor = self.person(*subject, from, trace)?;
        Ok(Some(BrowserPerson { actor, session: session.digest() }))
    }

    /// What to call a subject on its own page.
    pub fn greeting(&self, subject: SubjectId) -> String {
        self.read_now(|state| {
            let entry = state.directory.get(&subject);
            entry.map_or_else(String::new, |entry| {
                entry.display_name.as_ref().map_or_else(|| entry.user_name.to_string(), ToString::to_string)
            })
        })
    }

    /// Verifies a subject token that is addressed to the calling workload or to the MCP server for which it asks.
    pub(crate) async fn verify_subject_token(
        &self,
        caller: &Caller,
        mcp_server: &str,
        token: &SecretString,
        declared: Declared,
    ) -> Result<(SubjectId, Timestamp), Problem> {
        let workload = caller.workload()?;
        let refuse = |error: &dyn std::fmt::Display| {
            tracing::info!(%workload, %error, "a subject token was refused");
            Problem::SubjectTokenInvalid
        };
        let (presented, audiences) = self
            .read(|state| -> Result<_, Problem> {
                let presented = Presented::read(state, token.expose_secret(), declared)
                    .map_err(|error| refuse(&error))?;
                let server = mcp_server_by(state, mcp_server)?;
                let name = state.workloads.get(&workload).map(|known| known.name.to_string());
                let audiences: Vec<String> =
                    [Some(workload.to_string()), name, Some(server.resource.to_string())]
                        .into_iter()
                        .flatten()
                        .collect();
                Ok((presented, audiences))
            })
            .await??;
        let audiences: Vec<&str> = audiences.iter().map(String::as_str).collect();
        let proved = presented
            .verify(&self.0.metadata, &audiences, self.now())
            .await
            .map_err(|error| refuse(&error))?;
        let subject = self
            .read_now(|state| resolve::by_identifier(state, &proved.identifier))
            .map_err(|_| Problem::Unknown(Kind::Subject))?;
        Ok((subject, proved.expires_at))
    }
}

fn email_address(text: &str) -> Result<Label<254>, Problem> {
    let expected = "an email address in plain ASCII with one @";
    let plain = text.is_ascii()
        && text
            .split_once('@')
            .is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty() && !domain.contains('@'));
    if !plain {
        return Err(Problem::invalid("email", expected));
    }
    Label::new(&text.to_ascii_lowercase()).map_err(|_| Problem::invalid("email", expected))
}
