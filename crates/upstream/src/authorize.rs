//! The authorization request: the URL to which a person's browser is sent.

use std::{borrow::Cow, collections::BTreeSet};

use leasehold_domain::scope::{InvalidScope, Scope, ScopeSet};
use oauth2::{AuthUrl, ClientId, CsrfToken, RedirectUrl, basic::BasicClient};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use crate::{
    catalogue::{Pkce, Provider, ResourceLegs},
    endpoints::{EndpointUrlError, Endpoints, endpoint_url},
    proof::Verifier,
    resource::Resource,
};

/// Why no authorization URL can be built.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AuthorizeError {
    /// The redirect URI is no https URL, nor http to a loopback host.
    #[error("the redirect uri is not usable: {0}")]
    RedirectUri(EndpointUrlError),
    /// With the scopes that the entry adds there are too many.
    #[error("the scopes do not fit: {0}")]
    Scopes(#[from] InvalidScope),
    /// The authorization endpoint already carries a parameter of the request: metadata or an operator tries to set it.
    #[error("the authorization endpoint carries a parameter of the request")]
    DuplicateParameter,
}

/// An authorization request (RFC 6749 section 4.1.1). None of it prints; what it turns into carries the state.
pub struct AuthorizeRequest<'a> {
    /// The provider.
    pub provider: &'a Provider,
    /// Where it is.
    pub endpoints: &'a Endpoints,
    /// The connector's client id.
    pub client_id: &'a str,
    /// The connector's own redirect URI, byte for byte as it is registered.
    pub redirect_uri: &'a str,
    /// The scopes to ask for.
    pub scopes: &'a ScopeSet,
    /// The one-time state.
    pub state: &'a SecretString,
    /// The proof key's verifier. Kept even where the provider does not take proof keys.
    pub verifier: &'a Verifier,
    /// An OpenID Connect nonce.
    pub nonce: Option<&'a SecretString>,
    /// For which resource.
    pub resource: Option<&'a Resource>,
}

impl AuthorizeRequest<'_> {
    /// The URL. It carries the state, so it is a secret until the browser has it.
    ///
    /// # Errors
    /// [`AuthorizeError`] when the parts do not make a URL that means what it should.
    pub fn url(&self) -> Result<SecretString, AuthorizeError> {
        let rule = &self.provider.entry.authorize;
        endpoint_url(self.redirect_uri).map_err(AuthorizeError::RedirectUri)?;
        let redirect = RedirectUrl::new(self.redirect_uri.to_owned())
            .map_err(|_| AuthorizeError::RedirectUri(EndpointUrlError::Malformed))?;
        let client = BasicClient::new(ClientId::new(self.client_id.to_owned()))
            .set_auth_uri(AuthUrl::from_url(self.endpoints.authorize.clone()));
        let state = CsrfToken::new(self.state.expose_secret().to_owned());
        let mut request = client.authorize_url(|| state).set_redirect_uri(Cow::Owned(redirect));
        let scopes = self.scopes()?;
        if !scopes.is_empty() {
            let separator = rule.scope_separator.as_str();
            let listed: Vec<&str> = scopes.iter().map(Scope::as_str).collect();
            let name = rule.scope_param.as_deref().unwrap_or("scope");
            request = request.add_extra_param(name, listed.join(separator));
        }
        match rule.pkce {
            Pkce::Required | Pkce::Sent => request = request.set_pkce_challenge(self.verifier.challenge()),
            Pkce::Off => {}
        }
        match (rule.resource, self.resource) {
            (ResourceLegs::Every | ResourceLegs::NotOnRefresh, Some(resource)) => {
                request = request.add_extra_param("resource", resource.as_str());
            }
            (ResourceLegs::Never, _) | (_, None) => {}
        }
        if let Some(nonce) = self.nonce {
            request = request.add_extra_param("nonce", nonce.expose_secret().to_owned());
        }
        for (name, value) in &rule.params {
            request = request.add_extra_param(name.as_str(), value.as_str());
        }
        let (url, _) = request.url();
        let mut seen = BTreeSet::new();
        if !url.query_pairs().all(|(name, _)| seen.insert(name)) {
            return Err(AuthorizeError::DuplicateParameter);
        }
        Ok(SecretString::from(String::from(url)))
    }

    /// The scopes that go out: those asked for, and those that the entry always adds.
    fn scopes(&self) -> Result<ScopeSet, InvalidScope> {
        let added: Result<Vec<Scope>, _> =
            self.provider.entry.authorize.scopes.iter().map(|scope| Scope::new(scope)).collect();
        self.scopes.union(&ScopeSet::new(added?)?)
    }
}

#[cfg(test)]
#[path = "authorize_tests.rs"]
mod tests;
