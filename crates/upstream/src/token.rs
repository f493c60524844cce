//! The token endpoint: code exchange and refresh, as requests, and what comes back, as a token set.
//!
//! Requests are built by the `oauth2` crate. Its extension point for HTTP clients hands over the finished request, which is kept as a
//! value instead of being sent, so that the caller decides when it goes out and puts the answer away before anything reads it.
//! That crate does not wipe the copies it makes of codes, tokens and secrets; they live for the length of a call to it.

mod answer;

use std::{borrow::Cow, cell::RefCell};

use http::header::AUTHORIZATION;
use leasehold_domain::scope::{Scope, ScopeSet};
use oauth2::{
    AuthType, AuthorizationCode, ClientId, ClientSecret, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, RedirectUrl, RefreshToken, TokenUrl, basic::BasicClient,
};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use zeroize::Zeroizing;

pub use self::answer::{Expiry, ExpirySource, Granted, TokenSet, parse_token_answer};
use crate::{
    call::{Call, Leg},
    catalogue::{ClientAuth, Pkce, ResourceLegs},
    client::Counterpart,
    proof::Verifier,
    resource::Resource,
    transport::Request,
};

/// Why a token request cannot be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TokenRequestError {
    /// The redirect URI is no URL.
    #[error("the redirect uri is not usable")]
    RedirectUri,
    /// The parts do not make an HTTP request.
    #[error("the token request cannot be built")]
    Unwritable,
}

/// The exchange of an authorization code (RFC 6749 section 4.1.3).
pub struct CodeExchange<'a> {
    /// Who speaks to whom.
    pub counterpart: Counterpart<'a>,
    /// The code.
    pub code: &'a SecretString,
    /// The proof key's verifier.
    pub verifier: &'a Verifier,
    /// The redirect URI of the authorization request, byte for byte.
    pub redirect_uri: &'a str,
    /// The resource of the authorization request.
    pub resource: Option<&'a Resource>,
}

impl CodeExchange<'_> {
    /// The request.
    ///
    /// # Errors
    /// [`TokenRequestError`] when its parts do not make one.
    pub fn call(&self) -> Result<Call, TokenRequestError> {
        let entry = &self.counterpart.provider.entry;
        let redirect =
            RedirectUrl::new(self.redirect_uri.to_owned()).map_err(|_| TokenRequestError::RedirectUri)?;
        let client = client(&self.counterpart);
        let code = AuthorizationCode::new(self.code.expose_secret().to_owned());
        let mut request = client.exchange_code(code).set_redirect_uri(Cow::Owned(redirect));
        match entry.authorize.pkce {
            Pkce::Required | Pkce::Sent => {
                request = request.set_pkce_verifier(self.verifier.to_code_verifier())
            }
            Pkce::Off => {}
        }
        match (entry.authorize.resource, self.resource) {
            (ResourceLegs::Every | ResourceLegs::NotOnRefresh, Some(resource)) => {
                request = request.add_extra_param("resource", resource.as_str());
            }
            (ResourceLegs::Never, _) | (_, None) => {}
        }
        for (name, value) in &entry.token.params {
            request = request.add_extra_param(name.as_str(), value.as_str());
        }
        lift(&self.counterpart, Leg::Exchange, |http| {
            // The only possible outcome is the refusal to send.
            drop(request.request(http));
        })
    }
}

/// A refresh (RFC 6749 section 6).
pub struct Refresh<'a> {
    /// Who speaks to whom: the registration that obtained the grant.
    pub counterpart: Counterpart<'a>,
    /// The refresh token.
    pub refresh_token: &'a SecretString,
    /// The resource of the grant.
    pub resource: Option<&'a Resource>,
    /// Scopes to narrow the new access token to; without them the request names none, and the grant stands as it is.
    pub narrow_to: Option<&'a ScopeSet>,
}

impl Refresh<'_> {
    /// The request.
    ///
    /// # Errors
    /// [`TokenRequestError`] when its parts do not make one.
    pub fn call(&self) -> Result<Call, TokenRequestError> {
        let entry = &self.counterpart.provider.entry;
        let client = client(&self.counterpart);
        let refresh_token = RefreshToken::new(self.refresh_token.expose_secret().to_owned());
        let mut request = client.exchange_refresh_token(&refresh_token);
        if let Some(scopes) = self.narrow_to {
            let listed: Vec<&str> = scopes.iter().map(Scope::as_str).collect();
            request = request.add_extra_param("scope", listed.join(entry.authorize.scope_separator.as_str()));
        }
        match (entry.authorize.resource, self.resource) {
            (ResourceLegs::Every, Some(resource)) => {
                request = request.add_extra_param("resource", resource.as_str());
            }
            (ResourceLegs::NotOnRefresh | ResourceLegs::Never, _) | (_, None) => {}
        }
        for (name, value) in &entry.token.refresh_params {
            request = request.add_extra_param(name.as_str(), value.as_str());
        }
        lift(&self.counterpart, Leg::Refresh, |http| {
            drop(request.request(http));
        })
    }
}

type TokenClient = BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

fn client(counterpart: &Counterpart<'_>) -> TokenClient {
    let (auth, secret) = counterpart.auth();
    let auth = match auth {
        ClientAuth::Basic => AuthType::BasicAuth,
        ClientAuth::Post | ClientAuth::None => AuthType::RequestBody,
    };
    let client = BasicClient::new(ClientId::new(counterpart.client.id().to_owned()))
        .set_auth_type(auth)
        .set_token_uri(TokenUrl::from_url(counterpart.endpoints.token.clone()));
    match secret {
        Some(secret) => client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned())),
        None => client,
    }
}

/// What the request is told when it tries to leave.
#[derive(Debug, Error)]
#[error("kept as a value")]
struct Kept;

type Keep<'k> = &'k dyn Fn(HttpRequest) -> Result<HttpResponse, Kept>;

/// Runs `build` with an HTTP client that keeps the request.
fn lift(
    counterpart: &Counterpart<'_>,
    leg: Leg,
    build: impl FnOnce(&Keep<'_>),
) -> Result<Call, TokenRequestError> {
    let kept = RefCell::new(None);
    let keep = |request: HttpRequest| -> Result<HttpResponse, Kept> {
        kept.replace(Some(request));
        Err(Kept)
    };
    let keep: Keep<'_> = &keep;
    build(&keep);
    let request = kept.into_inner().ok_or(TokenRequestError::Unwritable)?;
    let (parts, body) = request.into_parts();
    let mut headers = parts.headers;
    if let Some(value) = headers.get_mut(AUTHORIZATION) {
        value.set_sensitive(true);
    }
    Ok(Call {
        leg,
        request: Request {
            method: parts.method,
            url: counterpart.endpoints.token.clone(),
            headers,
            body: Zeroizing::new(body),
            answer_len_max: counterpart.provider.entry.limits.max_response_bytes,
        },
    })
}

#[cfg(test)]
#[path = "token/request_tests.rs"]
mod tests;
