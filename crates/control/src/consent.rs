//! Consents, from the order to start one to the approval on our page. What the provider's callback brings is in `exchange`.

use leasehold_domain::{
    actor::{Actor, Principal},
    authorization::{self, Authorization, End, Phase},
    command::Command,
    connector::{Connector, Exposure},
    grant::Grant,
    id::{AuthorizationId, ConnectorId, GrantId, McpServerId, SubjectId},
    machine::Answer,
    mcp_server::McpServer,
    rejection::{Kind, Rejection},
    scope::ScopeSet,
    text::Digest,
    time::Timestamp,
};
use leasehold_identity::resolve;
use leasehold_policy::{AdministratorAction, LeaseQuestion, LeaseSubject};
use leasehold_upstream::{
    authorize::AuthorizeRequest,
    proof::{Verifier, one_time_value},
};
use leasehold_vault::{Keyring, Owner, OwnerBinding, Secret};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Duration, Instant};

use crate::{
    caller::Caller,
    control::Control,
    decisions::{Denial, lease_resource, may_lease},
    draw,
    leases::{connector_by, mcp_server_by},
    problem::Problem,
    tokens,
};

/// A consent that can be opened in a browser.
#[derive(Debug, Clone)]
pub struct StartedAuthorization {
    /// Its id.
    pub authorization: AuthorizationId,
    /// Where to send the subject. Carries no secret.
    pub connect_url: String,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// A person in a browser: who, and in which session.
#[derive(Debug, Clone, Copy)]
pub struct BrowserPerson {
    /// Who, signed in.
    pub actor: Actor,
    /// SHA-256 of the session's id.
    pub session: Digest,
}

/// What our consent page says.
#[derive(Debug, Clone)]
pub struct ConsentPage {
    /// Which consent.
    pub authorization: AuthorizationId,
    /// Who asked for it, in words.
    pub asked_by: String,
    /// For which MCP server: its name.
    pub mcp_server: String,
    /// And its resource.
    pub resource: String,
    /// At which connector: its name.
    pub connector: String,
    /// And the provider's display name.
    pub provider: String,
    /// The provider's host, to which the browser goes next.
    pub provider_host: String,
    /// The scopes to ask for.
    pub scopes: Vec<String>,
    /// Whether workloads receive the token, or only gateways, which put it into requests.
    pub handed_out: bool,
    /// Whether every MCP server with this connector may be served by the grant.
    pub shared: bool,
}

/// A consent that was approved on our page.
pub struct ApprovedConsent {
    /// Where the provider asks. It carries the state: for the browser alone.
    pub provider_url: SecretString,
    /// The state, for the browser's cookie.
    pub state: SecretString,
}

/// What the page says that shows the account.
#[derive(Debug, Clone)]
pub struct AccountPage {
    /// Which consent.
    pub authorization: AuthorizationId,
    /// What the provider calls the account; empty where it does not say.
    pub account: String,
    /// At which connector: its name.
    pub connector: String,
    /// For which MCP server: its name.
    pub mcp_server: String,
    /// What was granted.
    pub granted: Vec<String>,
    /// What was asked for and not granted.
    pub refused: Vec<String>,
}

/// A consent to start.
pub(crate) struct ConsentOrder {
    pub(crate) subject: SubjectId,
    pub(crate) connector: ConnectorId,
    pub(crate) mcp_server: McpServerId,
    pub(crate) scopes: ScopeSet,
    pub(crate) grant: Option<GrantId>,
}

impl Control {
    /// Starts a consent, or names the one that is open, for a workload that may lease what it leads to or for an administrator.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn start_authorization(
        &self,
        caller: &Caller,
        connector: &str,
        subject: &str,
        mcp_server: &str,
        scopes: Option<ScopeSet>,
    ) -> Result<StartedAuthorization, Problem> {
        if !Self::is_workload(caller) {
            self.authorize_any(caller, &[AdministratorAction::Operate, AdministratorAction::Secure]).await?;
        }
        let engine = self.engine()?;
        let vouched = caller.workload().ok();
        let (certificate, development) = (caller.certificate(), self.development());
        let planned = self
            .read(|state| -> Result<Result<ConsentOrder, Denial>, Problem> {
                let connector = connector_by(state, connector)?;
                let server = mcp_server_by(state, mcp_server)?;
                let subject =
                    resolve::by_name(state, subject).map_err(|_| Problem::Unknown(Kind::Subject))?;
                let needed = server.needs.get(&connector.id).cloned().unwrap_or_default();
                let scopes = scopes.clone().unwrap_or(needed);
                if let Some(workload) = vouched {
                    let workload = state.workloads.get(&workload).ok_or(Problem::Unknown(Kind::Workload))?;
                    let subject = state.subjects.get(&subject).ok_or(Problem::Unknown(Kind::Subject))?;
                    let question = LeaseQuestion {
                        workload,
                        mcp_server: server,
                        connector,
                        subject: LeaseSubject { subject, vouched: true },
                        scopes: &scopes,
                        certificate,
                        development,
                    };
                    if let Err((reason, _, decision)) = may_lease(&engine, &question) {
                        let action = leasehold_domain::policy::Action::StartAuthorization;
                        return Ok(Err(Denial {
                            action,
                            resource: lease_resource(&question),
                            reason,
                            decision,
                        }));
                    }
                }
                let fits = |grant: &&Grant| {
                    grant.key.connector == connector.id
                        && grant.key.isolation.is_none_or(|own| own == server.id)
                        && grant.revoked_by(state).is_none()
                };
                // Of several accounts none is meant more than another: whichever comes back is looked up by itself.
                let mut fitting = state.grants_of(subject).filter(fits);
                let grant = fitting.next().filter(|_| fitting.next().is_none()).map(|grant| grant.id);
                Ok(Ok(ConsentOrder {
                    subject,
                    connector: connector.id,
                    mcp_server: server.id,
                    scopes,
                    grant,
                }))
            })
            .await??;
        match planned {
            Ok(order) => self.start_consent(caller, order).await,
            Err(denial) => Err(self.denied(caller, denial).await),
        }
    }

    /// Proposes the start of a consent.
    pub(crate) async fn start_consent(
        &self,
        caller: &Caller,
        order: ConsentOrder,
    ) -> Result<StartedAuthorization, Problem> {
        let ConsentOrder { subject, connector, mcp_server, scopes, grant } = order;
        // An open consent answers before anything is written.
        let open = self.read_now(|state| {
            let open = state.authorization_open(subject, connector, mcp_server)?;
            (open.scopes.covers(&scopes) && open.grant == grant).then_some((open.id, open.expires_at))
        });
        if let Some((authorization, expires_at)) = open {
            return Ok(self.started(authorization, expires_at));
        }
        let authorization = AuthorizationId::from_bytes(draw::sixteen(self.entropy()));
        let command =
            authorization::Command::Start { authorization, subject, connector, mcp_server, scopes, grant };
        // The request id of an `Acquire` names the lease, not the consent on the way to it.
        let applied =
            self.propose(&caller.clone().with_request(None), Command::Authorization(command)).await?;
        let Answer::Authorization(authorization) = applied.answer else {
            return Err(Problem::fault("start a consent", &"the answer names none"));
        };
        let expires_at =
            self.read_now(|state| state.authorizations.get(&authorization).map(|known| known.expires_at));
        Ok(self.started(authorization, expires_at.unwrap_or(applied.at + authorization::OPEN_TTL)))
    }

    fn started(&self, authorization: AuthorizationId, expires_at: Timestamp) -> StartedAuthorization {
        let base = self.settings().public_url.as_str().trim_end_matches('/');
        StartedAuthorization {
            authorization,
            connect_url: format!("{base}/connect/{authorization}"),
            expires_at,
        }
    }

    /// Waits until a consent ends, at most `wait`; then says how far it is.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say. A workload may wait for its own consents alone.
    pub async fn wait_authorization(
        &self,
        caller: &Caller,
        id: AuthorizationId,
        wait: Duration,
    ) -> Result<Phase, Problem> {
        if !Self::is_workload(caller) {
            self.authorize_any(caller, &[AdministratorAction::Operate, AdministratorAction::Secure]).await?;
        }
        let deadline = Instant::now() + wait;
        let mut grown = self.ledger().subscribe();
        loop {
            let (known, revoked) = self
                .read(|state| {
                    let known = state.authorizations.get(&id).cloned();
                    let revoked = known.as_ref().is_some_and(|known| known.is_revoked(state));
                    (known, revoked)
                })
                .await?;
            let known = known.ok_or(Problem::Unknown(Kind::Authorization))?;
            if Self::is_workload(caller) && known.started_by != caller.actor.principal {
                return Err(Problem::Unknown(Kind::Authorization));
            }
            match known.phase {
                Phase::Ended(_) => return Ok(known.phase),
                Phase::Open | Phase::Approved | Phase::Exchanging { .. } | Phase::Exchanged { .. }
                    if revoked =>
                {
                    return Ok(Phase::Ended(End::Revoked));
                }
                Phase::Open | Phase::Approved | Phase::Exchanging { .. } | Phase::Exchanged { .. } => {}
            }
            if tokio::time::timeout_at(deadline, grown.changed()).await.is_err() {
                return Ok(known.phase);
            }
        }
    }

    /// The consent page, for the person for whom the consent was started.
    ///
    /// # Errors
    /// [`Rejection::SubjectMismatch`] for anybody else, and what else keeps the consent from going on.
    pub async fn consent_page(
        &self,
        person: BrowserPerson,
        id: AuthorizationId,
    ) -> Result<ConsentPage, Problem> {
        let (known, connector, server) = self.consent_parts(person, id).await?;
        if !matches!(known.phase, Phase::Open | Phase::Approved) {
            return Err(Rejection::WrongPhase.into());
        }
        let line = self.line(&connector).await.map_err(|_| unavailable())?;
        Ok(ConsentPage {
            authorization: id,
            asked_by: self.asked_by(&known),
            mcp_server: server.name.to_string(),
            resource: server.resource.to_string(),
            connector: connector.registration.name.to_string(),
            provider: line.provider.entry.display_name.clone(),
            provider_host: line.endpoints.authorize.host_str().unwrap_or_default().to_owned(),
            scopes: known.scopes.iter().map(ToString::to_string).collect(),
            handed_out: connector.registration.exposure == Exposure::HandOut,
            shared: connector.registration.isolation == leasehold_domain::connector::Isolation::Shared,
        })
    }

    fn asked_by(&self, known: &Authorization) -> String {
        self.read_now(|state| match known.started_by {
            Principal::Workload(id) => state
                .workloads
                .get(&id)
                .map_or_else(String::new, |workload| format!("the workload {}", workload.name)),
            Principal::Administrator(id) => {
                state.administrators.get(&id).map_or_else(String::new, |administrator| {
                    format!("the administrator {}", administrator.name)
                })
            }
            Principal::Person(id) if id == known.subject => "you".to_owned(),
            Principal::Person(_) | Principal::Cluster | Principal::Bootstrap(_) => String::new(),
        })
    }

    /// The consent and what it is about, if this person may go on with it.
    pub(crate) async fn consent_parts(
        &self,
        person: BrowserPerson,
        id: AuthorizationId,
    ) -> Result<(Authorization, Connector, McpServer), Problem> {
        self.read(|state| {
            let known = state.authorizations.get(&id).ok_or(Problem::Unknown(Kind::Authorization))?;
            if person.actor.principal != Principal::Person(known.subject) {
                return Err(Rejection::SubjectMismatch.into());
            }
            if known.is_revoked(state) {
                return Err(Rejection::GrantRevoked.into());
            }
            if known.expires_at <= self.judging_time(state) {
                return Err(Rejection::AuthorizationExpired.into());
            }
            let connector =
                state.connectors.get(&known.connector).ok_or(Problem::Unknown(Kind::Connector))?;
            let server = state.mcp_servers.get(&known.mcp_server).ok_or(Problem::Unknown(Kind::McpServer))?;
            Ok((known.clone(), connector.clone(), server.clone()))
        })
        .await?
    }

    /// Approves on our page: draws the state and the proof key, and says where the provider asks.
    ///
    /// # Errors
    /// What keeps the consent from going on.
    pub async fn approve(
        &self,
        person: BrowserPerson,
        id: AuthorizationId,
    ) -> Result<ApprovedConsent, Problem> {
        let (known, connector, _) = self.consent_parts(person, id).await?;
        let line = self.line(&connector).await.map_err(|_| unavailable())?;
        let state = one_time_value(&draw::thirty_two(self.entropy()));
        let verifier = Verifier::from_random(&draw::thirty_two(self.entropy()));
        let provider_url = AuthorizeRequest {
            provider: &line.provider,
            endpoints: &line.endpoints,
            client_id: line.client.id(),
            redirect_uri: &self.redirect_uri(&connector),
            scopes: &known.scopes,
            state: &state,
            verifier: &verifier,
            nonce: None,
            resource: None,
        }
        .url()
        .map_err(|error| Problem::fault("build an authorization URL", &error))?;
        let binding = OwnerBinding { organisation: self.organisation(), owner: Owner::Verifier(id) };
        let secret = Secret::copy_of(verifier.expose().expose_secret().as_bytes())
            .map_err(|error| Problem::fault("seal a verifier", &error))?;
        let digest = draw::digest_of(state.expose_secret().as_bytes());
        let seal = |keyring: &Keyring| {
            let verifier = tokens::seal_owned(keyring, self.entropy(), &binding, &secret)?;
            Ok(Command::Authorization(authorization::Command::Approve {
                authorization: id,
                state: digest,
                session: person.session,
                verifier,
            }))
        };
        self.propose_sealed(&Caller { actor: person.actor, request: None }, seal).await?;
        Ok(ApprovedConsent { provider_url, state })
    }

    /// Declines on our page.
    ///
    /// # Errors
    /// What keeps the consent from going on.
    pub async fn decline(&self, person: BrowserPerson, id: AuthorizationId) -> Result<(), Problem> {
        let command = authorization::Command::Decline { authorization: id };
        self.propose_as(person.actor, Command::Authorization(command)).await.map(drop)
    }
}

pub(crate) fn unavailable() -> Problem {
    Problem::ProviderUnavailable { retry_after: leasehold_domain::time::Span::from_secs(5) }
}
