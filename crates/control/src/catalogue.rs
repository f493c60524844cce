//! Connectors and MCP servers.

use std::sync::Arc;

use leasehold_domain::{
    command::{Command, Entity},
    connector::{self, Connector, Endpoints, Exposure, Isolation, Location, Registration},
    event::Event,
    id::{ConnectorId, McpServerId, Name, SecretId},
    mcp_server::{self, McpServer},
    rejection::Kind,
    scope::ScopeSet,
    text::{Label, Uri},
};
use leasehold_policy::AdministratorAction;
use leasehold_upstream::catalogue::Provider;
use leasehold_vault::{Keyring, Owner, OwnerBinding, Secret};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    caller::Caller,
    control::Control,
    counterpart::settings_of,
    draw,
    leases::{connector_by, mcp_server_by},
    problem::Problem,
    tokens,
};

/// A connector to create.
pub struct NewConnector {
    /// Its name.
    pub name: String,
    /// The catalogue entry.
    pub provider: String,
    /// The OAuth client identifier.
    pub client_id: String,
    /// The issuer, where metadata name the endpoints.
    pub issuer: Option<String>,
    /// Endpoints given by hand: authorization, token, and where there are any, revocation and account.
    pub endpoints: Option<(String, String, Option<String>, Option<String>)>,
    /// Whether MCP servers share a grant.
    pub isolation: Isolation,
    /// Who may see the token.
    pub exposure: Exposure,
    /// The client secret; none for a public client.
    pub client_secret: Option<SecretString>,
}

/// What a connector is to be at its provider.
pub struct ClientRegistration<'a> {
    /// The catalogue entry.
    pub provider: &'a str,
    /// The OAuth client identifier.
    pub client_id: &'a str,
    /// The issuer, where metadata name the endpoints.
    pub issuer: Option<&'a str>,
    /// Endpoints given by hand: authorization, token, and where there are any, revocation and account.
    pub endpoints: Option<&'a (String, String, Option<String>, Option<String>)>,
}

impl Control {
    /// Says whether a connector could be made like this: what its provider's entry takes, and nothing about names and secrets.
    ///
    /// # Errors
    /// [`Problem::Invalid`] where it could not.
    pub async fn check_connector(
        &self,
        caller: &Caller,
        client: &ClientRegistration<'_>,
    ) -> Result<(), Problem> {
        self.authorize_any(caller, &[AdministratorAction::Operate, AdministratorAction::Audit]).await?;
        self.planned(client).map(drop)
    }

    fn planned(
        &self,
        client: &ClientRegistration<'_>,
    ) -> Result<(Arc<Provider>, Label<256>, Location), Problem> {
        let provider_name: Name =
            client.provider.parse().map_err(|error| Problem::invalid("provider", error))?;
        let provider = self.catalogue().get(&provider_name).cloned().ok_or_else(|| {
            let known: Vec<String> =
                self.catalogue().iter().map(|provider| provider.name.to_string()).collect();
            Problem::invalid("provider", format!("one of {}", known.join(", ")))
        })?;
        let uri = |field, text: &str| Uri::new(text).map_err(|error| Problem::invalid(field, error));
        let location = match (client.issuer, client.endpoints) {
            (_, Some((authorization, token, revocation, account))) => Location::Endpoints(Endpoints {
                authorization: uri("endpoints.authorization", authorization)?,
                token: uri("endpoints.token", token)?,
                revocation: revocation
                    .as_deref()
                    .map(|text| uri("endpoints.revocation", text))
                    .transpose()?,
                account: account.as_deref().map(|text| uri("endpoints.account", text)).transpose()?,
            }),
            (Some(issuer), None) => Location::Issuer(uri("issuer", issuer)?),
            (None, None) => Location::Catalogue,
        };
        provider
            .plan(&settings_of(&location))
            .map_err(|error| Problem::invalid("issuer or endpoints", error))?;
        let client_id = Label::new(client.client_id).map_err(|error| Problem::invalid("client_id", error))?;
        Ok((provider, client_id, location))
    }

    /// Creates a connector.
    ///
    /// # Errors
    /// [`Problem::Invalid`] where the provider's entry does not take what is given.
    pub async fn create_connector(&self, caller: &Caller, new: NewConnector) -> Result<Connector, Problem> {
        self.authorize_administrator(caller, AdministratorAction::Operate).await?;
        let (provider, client_id, location) = self.planned(&ClientRegistration {
            provider: &new.provider,
            client_id: &new.client_id,
            issuer: new.issuer.as_deref(),
            endpoints: new.endpoints.as_ref(),
        })?;
        let registration = Registration {
            name: new.name.parse().map_err(|error| Problem::invalid("name", error))?,
            provider: provider.name.clone(),
            client_id,
            location,
            isolation: new.isolation,
            exposure: new.exposure,
            class: provider.entry.refresh.class(),
        };
        // Judged before anything is written: a client that cannot be spoken for must not exist.
        let probe = new.client_secret.iter().cloned().collect();
        leasehold_upstream::client::Client::new(registration.client_id.as_str(), probe)
            .map_err(|error| Problem::invalid("client_id or client_secret", error))?;
        let name = registration.name.clone();
        let connector = ConnectorId::from_bytes(draw::sixteen(self.entropy()));
        let command = connector::Command::Register { connector, registration };
        self.propose(caller, Command::Connector(command)).await?;
        let known = self
            .read_now(|state| state.connector_named(&name).cloned())
            .ok_or(Problem::Unknown(Kind::Connector))?;
        if let Some(secret) = &new.client_secret
            && known.secrets.is_empty()
        {
            self.add_secret(&caller.clone().with_request(None), known.id, None, secret).await?;
        }
        self.connector_of(known.id)
    }

    async fn add_secret(
        &self,
        caller: &Caller,
        connector: ConnectorId,
        expected: Option<u64>,
        clear: &SecretString,
    ) -> Result<(SecretId, u64), Problem> {
        let secret = SecretId::from_bytes(draw::sixteen(self.entropy()));
        let owner = Owner::ClientSecret(connector, secret);
        let binding = OwnerBinding { organisation: self.organisation(), owner };
        let clear = Secret::copy_of(clear.expose_secret().as_bytes())
            .map_err(|error| Problem::invalid("client_secret", error))?;
        let seal = |keyring: &Keyring| {
            let sealed = tokens::seal_owned(keyring, self.entropy(), &binding, &clear)?;
            Ok(Command::Connector(connector::Command::AddSecret { connector, secret, sealed }))
        };
        let applied = self.propose_sealed_at(caller, Entity::Connector(connector), expected, seal).await?;
        self.0.work.notify_one();
        // A repeat answers with the secret of the first time.
        let secret = match applied.events.first() {
            Some(Event::Connector(connector::Event::SecretAdded { secret, .. })) => *secret,
            Some(_) | None => secret,
        };
        Ok((secret, applied.first_seq))
    }

    /// Adds a client secret to a connector; it is tried first. A suspended connector is called again. Answers with the secret's id and the
    /// connector's revision.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn add_connector_secret(
        &self,
        caller: &Caller,
        connector: &str,
        expected: Option<u64>,
        secret: &SecretString,
    ) -> Result<(SecretId, u64), Problem> {
        self.authorize_administrator(caller, AdministratorAction::Operate).await?;
        let known = self.read(|state| connector_by(state, connector).cloned()).await??;
        leasehold_upstream::client::Client::new(known.registration.client_id.as_str(), vec![secret.clone()])
            .map_err(|error| Problem::invalid("client_secret", error))?;
        self.add_secret(caller, known.id, expected, secret).await
    }

    /// Forgets a client secret.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn retire_connector_secret(
        &self,
        caller: &Caller,
        connector: &str,
        secret: SecretId,
    ) -> Result<(), Problem> {
        self.authorize_administrator(caller, AdministratorAction::Operate).await?;
        let connector = self.read(|state| connector_by(state, connector).map(|known| known.id)).await??;
        let command = connector::Command::RetireSecret { connector, secret };
        self.propose(caller, Command::Connector(command)).await.map(drop)
    }

    /// Lets a connector be used, and its provider be called again where it was suspended; or stops its use and ends its leases. Answers with
    /// its revision.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn set_connector_enabled(
        &self,
        caller: &Caller,
        connector: &str,
        expected: Option<u64>,
        enabled: bool,
    ) -> Result<u64, Problem> {
        self.authorize_administrator(caller, AdministratorAction::Operate).await?;
        let connector = self.read(|state| connector_by(state, connector).map(|known| known.id)).await??;
        let known = self.connector_of(connector)?;
        let (entity, change) = (Entity::Connector(connector), Command::Connector);
        let resume = || change(connector::Command::Resume { connector });
        let applied = match (enabled, known.enabled, known.suspended.is_some()) {
            (false, _, _) => {
                let disable = change(connector::Command::Disable { connector });
                self.propose_at(caller, entity, expected, disable).await?
            }
            (true, true, true) => self.propose_at(caller, entity, expected, resume()).await?,
            (true, _, suspended) => {
                let enable = change(connector::Command::Enable { connector });
                let enabled = self.propose_at(caller, entity, expected, enable).await?;
                if suspended {
                    self.propose_at(caller, entity, Some(enabled.first_seq), resume()).await?
                } else {
                    enabled
                }
            }
        };
        self.0.work.notify_one();
        Ok(applied.first_seq)
    }

    /// The connectors.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn connectors(&self, caller: &Caller) -> Result<Vec<Connector>, Problem> {
        self.authorize_any(caller, &[AdministratorAction::Operate, AdministratorAction::Audit]).await?;
        self.read(|state| state.connectors.iter().map(|(_, known)| known.clone()).collect()).await
    }

    /// Registers an MCP server with what it needs: connectors, and scopes at each.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn register_mcp_server(
        &self,
        caller: &Caller,
        name: &str,
        resource: &str,
        needs: &[(String, ScopeSet)],
    ) -> Result<McpServer, Problem> {
        self.authorize_administrator(caller, AdministratorAction::Operate).await?;
        let name: Name = name.parse().map_err(|error| Problem::invalid("name", error))?;
        let resource = Uri::new(resource).map_err(|error| Problem::invalid("resource", error))?;
        let needs = self
            .read(|state| {
                let by_id = |(connector, scopes): &(String, ScopeSet)| {
                    connector_by(state, connector).map(|known| (known.id, scopes.clone()))
                };
                needs.iter().map(by_id).collect::<Result<Vec<_>, _>>()
            })
            .await??;
        let mcp_server = McpServerId::from_bytes(draw::sixteen(self.entropy()));
        let command = mcp_server::Command::Register { mcp_server, name: name.clone(), resource };
        self.propose(caller, Command::McpServer(command)).await?;
        let known = self
            .read_now(|state| state.mcp_server_named(&name).cloned())
            .ok_or(Problem::Unknown(Kind::McpServer))?;
        let follow_up = caller.clone().with_request(None);
        for (connector, scopes) in needs {
            if known.needs.get(&connector) != Some(&scopes) {
                let command = mcp_server::Command::SetNeed { mcp_server: known.id, connector, scopes };
                self.propose(&follow_up, Command::McpServer(command)).await?;
            }
        }
        self.read_now(|state| state.mcp_server_named(&name).cloned()).ok_or(Problem::Unknown(Kind::McpServer))
    }

    /// Says which scopes an MCP server needs at a connector; none removes the need. Answers with the MCP server's revision.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn set_mcp_server_need(
        &self,
        caller: &Caller,
        mcp_server: &str,
        expected: Option<u64>,
        connector: &str,
        scopes: ScopeSet,
    ) -> Result<u64, Problem> {
        self.authorize_administrator(caller, AdministratorAction::Operate).await?;
        let (mcp_server, connector) = self
            .read(|state| {
                Ok::<_, Problem>((mcp_server_by(state, mcp_server)?.id, connector_by(state, connector)?.id))
            })
            .await??;
        let command = mcp_server::Command::SetNeed { mcp_server, connector, scopes };
        self.change_mcp_server(caller, mcp_server, expected, command).await
    }

    /// Lets workloads ask on behalf of an MCP server, or ends leases on its behalf. Answers with the MCP server's revision.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn set_mcp_server_enabled(
        &self,
        caller: &Caller,
        mcp_server: &str,
        expected: Option<u64>,
        enabled: bool,
    ) -> Result<u64, Problem> {
        self.authorize_administrator(caller, AdministratorAction::Operate).await?;
        let mcp_server = self.read(|state| mcp_server_by(state, mcp_server).map(|known| known.id)).await??;
        let command = if enabled {
            mcp_server::Command::Enable { mcp_server }
        } else {
            mcp_server::Command::Disable { mcp_server }
        };
        self.change_mcp_server(caller, mcp_server, expected, command).await
    }

    async fn change_mcp_server(
        &self,
        caller: &Caller,
        mcp_server: McpServerId,
        expected: Option<u64>,
        command: mcp_server::Command,
    ) -> Result<u64, Problem> {
        let entity = Entity::McpServer(mcp_server);
        let applied = self.propose_at(caller, entity, expected, Command::McpServer(command)).await?;
        Ok(applied.first_seq)
    }

    /// The MCP servers, with the connectors' names for their needs.
    ///
    /// # Errors
    /// [`Problem`], as its kinds say.
    pub async fn mcp_servers(
        &self,
        caller: &Caller,
    ) -> Result<Vec<(McpServer, Vec<(String, ScopeSet)>)>, Problem> {
        self.authorize_any(caller, &[AdministratorAction::Operate, AdministratorAction::Audit]).await?;
        self.read(|state| {
            let named = |server: &McpServer| {
                let need = |(connector, scopes): (&ConnectorId, &ScopeSet)| {
                    let known = state.connectors.get(connector)?;
                    Some((known.registration.name.to_string(), scopes.clone()))
                };
                server.needs.iter().filter_map(need).collect()
            };
            state.mcp_servers.iter().map(|(_, known)| (known.clone(), named(known))).collect()
        })
        .await
    }

    /// The MCP server that is registered with this resource URI, byte for byte, for a workload that asks on its behalf.
    ///
    /// # Errors
    /// [`Problem::Unknown`] where there is none; [`Problem::Invalid`] where there are several, for which one is meant is not guessed.
    pub async fn mcp_server_of_resource(
        &self,
        caller: &Caller,
        resource: &Uri,
    ) -> Result<McpServerId, Problem> {
        caller.workload()?;
        self.read(|state| {
            let mut same = state.mcp_servers.iter().filter(|(_, known)| known.resource == *resource);
            match (same.next(), same.next()) {
                (Some((_, only)), None) => Ok(only.id),
                (None, _) => Err(Problem::Unknown(Kind::McpServer)),
                (Some(_), Some(_)) => Err(Problem::invalid("resource", "that of one MCP server alone")),
            }
        })
        .await?
    }
}
