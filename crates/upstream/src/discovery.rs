//! Finding a provider's endpoints from its issuer: authorization server metadata (RFC 8414) and OpenID Connect discovery.
//!
//! The order of the well-known addresses is that of the MCP authorization specification. Metadata counts only if its issuer is, byte
//! for byte, the one that it was asked of, or one that the entry says stands for every tenant.

use http::{HeaderValue, Method, header::ACCEPT};
use serde::Deserialize;
use thiserror::Error;
use url::Url;

use crate::{
    catalogue::{ClientAuth, DiscoveryKind, Pkce, Provider},
    endpoints::{EndpointUrlError, Endpoints, Issuer, endpoint_url},
    transport::{Completeness, Exchange, NotSent, Request, Transport, Unanswered},
};

/// The most bytes of metadata.
const METADATA_LEN_MAX: usize = 128 * 1024;

/// Why metadata is not used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// No JSON object of the expected shape, or one with a name twice.
    #[error("the metadata cannot be read")]
    Unreadable,
    /// It speaks for another issuer (RFC 8414 section 3.3).
    #[error("the metadata is of another issuer")]
    Issuer,
    /// An endpoint that is needed is missing.
    #[error("the metadata has no {0}")]
    Missing(&'static str),
    /// An endpoint is no endpoint.
    #[error("the {name} is not usable: {source}")]
    Endpoint {
        /// The field.
        name: &'static str,
        /// What is wrong with it.
        source: EndpointUrlError,
    },
    /// An endpoint is at a host that is neither the issuer's nor listed in the entry.
    #[error("the {0} is at a foreign host")]
    ForeignHost(&'static str),
    /// The provider does not promise proof keys with S256, and the entry requires them.
    #[error("the metadata does not promise pkce with s256")]
    NoPkce,
    /// The provider says that it does not do the authorization code flow.
    #[error("the metadata does not offer the authorization code flow")]
    NoCodeFlow,
}

/// Why discovery found nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// A well-known address could not be reached. Worth another try.
    #[error("a metadata address was not reached: {0}")]
    NotSent(NotSent),
    /// One did not answer. Worth another try.
    #[error("a metadata address did not answer: {0}")]
    Unanswered(Unanswered),
    /// One answered with a server error, a request to slow down, or a broken transfer. Worth another try.
    #[error("a metadata address answered with status {0} and no metadata")]
    Unavailable(u16),
    /// None has metadata.
    #[error("no metadata at any well-known address")]
    NotFound,
    /// One has metadata that cannot be used.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
}

/// The well-known addresses of an issuer, in the order in which they are asked.
pub fn well_known(issuer: &Issuer, kind: DiscoveryKind) -> Vec<Url> {
    let path = issuer.url().path().trim_end_matches('/');
    let at = |path: String| {
        let mut url = issuer.url().clone();
        url.set_path(&path);
        url
    };
    let mut addresses = Vec::with_capacity(3);
    match kind {
        DiscoveryKind::Oauth2 => addresses.push(at(format!("/.well-known/oauth-authorization-server{path}"))),
        DiscoveryKind::Oidc => {}
    }
    addresses.push(at(format!("/.well-known/openid-configuration{path}")));
    if !path.is_empty() {
        addresses.push(at(format!("{path}/.well-known/openid-configuration")));
    }
    addresses
}

/// Asks an issuer's well-known addresses until one has metadata. One that is not there (a client error, a redirect, something that is
/// no JSON object) leads to the next; one that is in trouble ends it, for another address might say another thing; and so does
/// metadata that is wrong.
///
/// # Errors
/// [`DiscoveryError`], by the first address that ends it.
pub async fn discover(
    transport: &Transport,
    provider: &Provider,
    issuer: &Issuer,
    kind: DiscoveryKind,
) -> Result<Endpoints, DiscoveryError> {
    for address in well_known(issuer, kind) {
        let request = Request::new(Method::GET, address, METADATA_LEN_MAX)
            .header(ACCEPT, HeaderValue::from_static("application/json"));
        let answer = match transport.send(request).await {
            Exchange::Answered(answer) => answer,
            Exchange::NotSent(reason) => return Err(DiscoveryError::NotSent(reason)),
            Exchange::Ambiguous(reason) => return Err(DiscoveryError::Unanswered(reason)),
        };
        tracing::debug!(provider = %provider.name, status = answer.status, "a metadata address answered");
        match (answer.status, answer.completeness) {
            (200, Completeness::Whole) => {}
            (200, Completeness::CutAtLimit) => return Err(MetadataError::Unreadable.into()),
            (200, Completeness::BrokenOff) | (408 | 425 | 429 | 500.., _) => {
                return Err(DiscoveryError::Unavailable(answer.status));
            }
            _ => continue,
        }
        // Some servers answer every path with a page.
        if !answer.body.trim_ascii().starts_with(b"{") {
            continue;
        }
        return Ok(read_metadata(provider, issuer, &answer.body)?);
    }
    Err(DiscoveryError::NotFound)
}

/// The fields of metadata that matter here. The JSON reader refuses names that occur twice.
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    introspection_endpoint: Option<String>,
    userinfo_endpoint: Option<String>,
    response_types_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    scopes_supported: Option<Vec<String>>,
    authorization_response_iss_parameter_supported: Option<bool>,
}

/// Reads metadata that `issuer` was asked for.
///
/// # Errors
/// [`MetadataError`], by the first rule that it breaks.
pub fn read_metadata(provider: &Provider, issuer: &Issuer, bytes: &[u8]) -> Result<Endpoints, MetadataError> {
    let metadata: Metadata = serde_json::from_slice(bytes).map_err(|_| MetadataError::Unreadable)?;
    let shared_issuer =
        provider.entry.endpoints.shared_issuer.clone().filter(|shared| *shared == metadata.issuer);
    if metadata.issuer != issuer.as_str() && shared_issuer.is_none() {
        return Err(MetadataError::Issuer);
    }
    let lists = |field: &Option<Vec<String>>, value: &str| {
        field.as_ref().is_some_and(|values| values.iter().any(|listed| listed == value))
    };
    if provider.entry.authorize.pkce == Pkce::Required
        && !lists(&metadata.code_challenge_methods_supported, "S256")
    {
        return Err(MetadataError::NoPkce);
    }
    if metadata.response_types_supported.is_some() && !lists(&metadata.response_types_supported, "code") {
        return Err(MetadataError::NoCodeFlow);
    }
    let endpoint = |name: &'static str, text: &Option<String>| {
        let Some(text) = text else { return Ok(None) };
        let url = endpoint_url(text).map_err(|source| MetadataError::Endpoint { name, source })?;
        let host = url.host_str().unwrap_or_default();
        let known = Some(host) == issuer.url().host_str()
            || provider.entry.endpoints.extra_hosts.iter().any(|extra| extra == host);
        if known { Ok(Some(url)) } else { Err(MetadataError::ForeignHost(name)) }
    };
    let required =
        |name: &'static str, text: &Option<String>| endpoint(name, text)?.ok_or(MetadataError::Missing(name));
    Ok(Endpoints {
        issuer: Some(issuer.clone()),
        shared_issuer,
        iss_advertised: metadata.authorization_response_iss_parameter_supported.unwrap_or(false),
        authorize: required("authorization_endpoint", &metadata.authorization_endpoint)?,
        token: required("token_endpoint", &metadata.token_endpoint)?,
        revocation: endpoint("revocation_endpoint", &metadata.revocation_endpoint)?,
        introspection: endpoint("introspection_endpoint", &metadata.introspection_endpoint)?,
        userinfo: endpoint("userinfo_endpoint", &metadata.userinfo_endpoint)?,
        client_auth: client_auth(metadata.token_endpoint_auth_methods_supported.as_deref()),
        offers_offline_access: lists(&metadata.scopes_supported, "offline_access"),
    })
}

/// The first way of authenticating that metadata lists and this crate knows, the better ones first; basic where it lists none
/// (RFC 8414 section 2).
fn client_auth(listed: Option<&[String]>) -> Option<ClientAuth> {
    let Some(listed) = listed else { return Some(ClientAuth::Basic) };
    [
        ("client_secret_basic", ClientAuth::Basic),
        ("client_secret_post", ClientAuth::Post),
        ("none", ClientAuth::None),
    ]
    .into_iter()
    .find(|(name, _)| listed.iter().any(|method| method == name))
    .map(|(_, auth)| auth)
}

#[cfg(test)]
#[path = "discovery_tests.rs"]
mod tests;
