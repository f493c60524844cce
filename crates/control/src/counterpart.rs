//! A connector as something to talk to: its provider, where that is, and our client's secrets in clear for one call.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use leasehold_domain::{
    connector::{Connector, Location},
    id::ConnectorId,
    provider::ProviderFailure,
    state::BlobKey,
};
use leasehold_upstream::{
    catalogue::Provider,
    client::{Client, Counterpart},
    discovery,
    endpoints::{ConnectorSettings, EndpointPlan, Endpoints, ManualEndpoints},
};
use leasehold_vault::{Owner, OwnerBinding};
use secrecy::SecretString;
use tokio::time::{Duration, Instant};

use crate::{control::Control, problem::Problem, tokens};

/// How long discovered endpoints are used before they are discovered again.
const ENDPOINTS_TTL: Duration = Duration::from_secs(15 * 60);

/// How long they are used while they cannot be discovered again.
const ENDPOINTS_USABLE: Duration = Duration::from_secs(24 * 60 * 60);

/// Endpoints that were discovered, by connector. Bounded by the number of connectors.
#[derive(Default)]
pub(crate) struct EndpointCache(Mutex<BTreeMap<ConnectorId, (Instant, Arc<Endpoints>)>>);

impl EndpointCache {
    fn get(&self, id: ConnectorId, age_max: Duration) -> Option<Arc<Endpoints>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&id).filter(|(at, _)| at.elapsed() < age_max).map(|(_, endpoints)| endpoints.clone())
    }

    fn put(&self, id: ConnectorId, endpoints: Arc<Endpoints>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, (Instant::now(), endpoints));
    }
}

/// A connector, ready to be called through.
pub(crate) struct Line {
    pub(crate) connector: Connector,
    pub(crate) provider: Arc<Provider>,
    pub(crate) endpoints: Arc<Endpoints>,
    pub(crate) client: Client,
}

impl Line {
    /// What a call needs, with the client secret of this number, counted from the newest.
    pub(crate) fn counterpart(&self, secret: usize) -> Counterpart<'_> {
        Counterpart { provider: &self.provider, endpoints: &self.endpoints, client: &self.client, secret }
    }
}

/// What an operator says of a connector, as the provider's entry reads it.
pub(crate) fn settings_of(location: &Location) -> ConnectorSettings {
    match location {
        Location::Catalogue => ConnectorSettings::default(),
        Location::Issuer(issuer) => {
            ConnectorSettings { issuer: Some(issuer.as_str().to_owned()), ..ConnectorSettings::default() }
        }
        Location::Endpoints(given) => ConnectorSettings {
            endpoints: Some(ManualEndpoints {
                authorize: given.authorization.as_str().to_owned(),
                token: given.token.as_str().to_owned(),
                revocation: given.revocation.as_ref().map(|uri| uri.as_str().to_owned()),
                introspection: None,
                userinfo: given.account.as_ref().map(|uri| uri.as_str().to_owned()),
            }),
            ..ConnectorSettings::default()
        },
    }
}

impl Control {
    /// Opens the line to a connector's provider, discovering where it is if need be.
    ///
    /// # Errors
    /// [`ProviderFailure::Transient`] where the provider's metadata cannot be had now, [`ProviderFailure::RequestFault`] where the entry or the
    /// secrets cannot be used.
    pub(crate) async fn line(&self, connector: &Connector) -> Result<Line, ProviderFailure> {
        let fault = |_| ProviderFailure::RequestFault;
        let provider = self
            .catalogue()
            .get(&connector.registration.provider)
            .cloned()
            .ok_or(ProviderFailure::RequestFault)?;
        let endpoints = self.endpoints(connector, &provider).await?;
        let secrets = connector
            .secrets
            .iter()
            .map(|id| {
                self.client_secret(
                    BlobKey::ClientSecret(connector.id, *id),
                    Owner::ClientSecret(connector.id, *id),
                )
            })
            .collect::<Result<Vec<_>, Problem>>()
            .map_err(fault)?;
        let client = Client::new(connector.registration.client_id.as_str(), secrets)
            .map_err(|_| ProviderFailure::RequestFault)?;
        Ok(Line { connector: connector.clone(), provider, endpoints, client })
    }

    async fn endpoints(
        &self,
        connector: &Connector,
        provider: &Provider,
    ) -> Result<Arc<Endpoints>, ProviderFailure> {
        if let Some(known) = self.0.endpoints.get(connector.id, ENDPOINTS_TTL) {
            return Ok(known);
        }
        let plan = provider.plan(&settings_of(&connector.registration.location)).map_err(|error| {
            tracing::warn!(connector = %connector.id, %error, "a connector's endpoints cannot be used");
            ProviderFailure::RequestFault
        })?;
        let endpoints = match plan {
            EndpointPlan::Known(endpoints) => Arc::new(*endpoints),
            EndpointPlan::Discover { issuer, kind } => {
                match discovery::discover(self.transport(), provider, &issuer, kind).await {
                    Ok(found) => Arc::new(found),
                    Err(error) => {
                        tracing::warn!(connector = %connector.id, %error, "a provider's metadata cannot be had");
                        let old = self.0.endpoints.get(connector.id, ENDPOINTS_USABLE);
                        return old.ok_or(ProviderFailure::Transient);
                    }
                }
            }
        };
        self.0.endpoints.put(connector.id, endpoints.clone());
        Ok(endpoints)
    }

    /// A client secret in clear.
    pub(crate) fn client_secret(&self, key: BlobKey, owner: Owner) -> Result<SecretString, Problem> {
        let blob = self.blob(&key)?.ok_or_else(|| Problem::fault("open a client secret", &"it is gone"))?;
        let binding = OwnerBinding { organisation: self.organisation(), owner };
        let secret = tokens::unseal_owned(&self.keyring(), &binding, &blob)?;
        let text =
            secret.expose_str().ok_or_else(|| Problem::fault("open a client secret", &"it is no text"))?;
        Ok(SecretString::from(text.to_owned()))
    }

    /// The redirect URI of a connector: its own, so that one provider's answer cannot be passed off as another's.
    pub fn redirect_uri(&self, connector: &Connector) -> String {
        let base = self.settings().public_url.as_str().trim_end_matches('/');
        format!("{base}/cb/{}/{}/{}", self.organisation(), connector.registration.provider, connector.id)
    }
}
