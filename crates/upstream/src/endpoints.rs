//! Where a provider is: its endpoints, as an entry gives them, a connector states them or metadata told.

use std::{collections::BTreeMap, fmt};

use thiserror::Error;
use url::Url;

use crate::{
    catalogue::{ClientAuth, DiscoveryKind, Provider, TemplateError},
    transport::is_loopback,
};

/// The longest endpoint URL and the longest issuer, in bytes.
const URL_LEN_MAX: usize = 2048;

/// Why a text is not the URL of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EndpointUrlError {
    /// Longer than 2,048 bytes.
    #[error("the url is longer than 2048 bytes")]
    TooLong,
    /// No absolute URL.
    #[error("not an absolute url")]
    Malformed,
    /// Neither https nor http to a loopback host.
    #[error("an endpoint must be https")]
    Scheme,
    /// It carries credentials or a fragment (RFC 6749 section 3.1).
    #[error("an endpoint must not have credentials or a fragment")]
    Parts,
}

/// Reads the URL of an endpoint: https, or http to a loopback host, which the egress rule then allows in development only.
///
/// # Errors
/// [`EndpointUrlError`], by the first rule that the text breaks.
pub fn endpoint_url(text: &str) -> Result<Url, EndpointUrlError> {
    if text.len() > URL_LEN_MAX {
        return Err(EndpointUrlError::TooLong);
    }
    let url = Url::parse(text).map_err(|_| EndpointUrlError::Malformed)?;
    let plain_allowed = url.host().is_some_and(|host| is_loopback(&host));
    match url.scheme() {
        "https" => {}
        "http" if plain_allowed => {}
        _ => return Err(EndpointUrlError::Scheme),
    }
    if url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err(EndpointUrlError::Parts);
    }
    Ok(url)
}

/// Why a text is not an issuer identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IssuerError {
    /// It is no endpoint URL either.
    #[error(transparent)]
    Url(#[from] EndpointUrlError),
    /// It has a query (RFC 8414 section 2).
    #[error("an issuer must not have a query")]
    Query,
}

/// An issuer identifier (RFC 8414 section 2), kept byte for byte: it is compared as text and never normalised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    text: String,
    url: Url,
}

impl Issuer {
    /// Reads an issuer identifier.
    ///
    /// # Errors
    /// [`IssuerError`] for a text that is none.
    pub fn new(text: &str) -> Result<Self, IssuerError> {
        let url = endpoint_url(text)?;
        if url.query().is_some() {
            return Err(IssuerError::Query);
        }
        Ok(Self { text: text.to_owned(), url })
    }

    /// The issuer as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// A path below the issuer.
    pub(crate) fn below(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
        url
    }

    /// The issuer as a URL, to build others from.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A provider's endpoints, ready to be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// The issuer, where there is one. Callbacks are compared with it (RFC 9207).
    pub issuer: Option<Issuer>,
    /// The issuer as metadata names it, where it stands for every tenant: `{tenantid}` is in the tenant's place.
    pub shared_issuer: Option<String>,
    /// Whether metadata promises an `iss` parameter in every callback (RFC 9207 section 3).
    pub iss_advertised: bool,
    /// The authorization endpoint, to which browsers are sent.
    pub authorize: Url,
    /// The token endpoint.
    pub token: Url,
    /// The revocation endpoint (RFC 7009).
    pub revocation: Option<Url>,
    /// The introspection endpoint (RFC 7662).
    pub introspection: Option<Url>,
    /// The user-info endpoint (OpenID Connect Core section 5.3).
    pub userinfo: Option<Url>,
    /// How metadata says that a client authenticates, for entries that leave it open.
    pub client_auth: Option<ClientAuth>,
    /// Whether metadata lists the scope `offline_access`.
    pub offers_offline_access: bool,
}

/// What a connector states about where its provider is.
#[derive(Debug, Clone, Default)]
pub struct ConnectorSettings {
    /// The issuer, for entries that leave it to the connector.
    pub issuer: Option<String>,
    /// The endpoints by hand, for entries that allow it.
    pub endpoints: Option<ManualEndpoints>,
    /// The values of the entry's inputs.
    pub inputs: BTreeMap<String, String>,
}

/// Endpoints that an operator wrote down.
#[derive(Debug, Clone, Default)]
pub struct ManualEndpoints {
    /// The authorization endpoint.
    pub authorize: String,
    /// The token endpoint.
    pub token: String,
    /// The revocation endpoint.
    pub revocation: Option<String>,
    /// The introspection endpoint.
    pub introspection: Option<String>,
    /// The user-info endpoint.
    pub userinfo: Option<String>,
}

/// How a connector gets its endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointPlan {
    /// They are known.
    Known(Box<Endpoints>),
    /// They are to be discovered from this issuer.
    Discover {
        /// The issuer.
        issuer: Issuer,
        /// Which metadata it publishes.
        kind: DiscoveryKind,
    },
}

/// Why a connector's settings lead to no endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// An issuer was stated, and the entry does not leave it open.
    #[error("this provider's issuer is fixed")]
    IssuerFixed,
    /// The issuer that was stated is at none of the hosts that the entry names.
    #[error("this provider's issuer cannot be at that host")]
    IssuerHost,
    /// Endpoints were stated, and the entry does not allow that.
    #[error("this provider's endpoints are fixed")]
    EndpointsFixed,
    /// The entry leaves the issuer or the endpoints to the connector, which states none.
    #[error("the connector must state the provider's issuer or endpoints")]
    NothingStated,
    /// A value was stated that the entry does not ask for.
    #[error("the provider has no input {0}")]
    UnknownInput(String),
    /// A template of the entry cannot be filled.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The issuer is none.
    #[error("the issuer is not usable: {0}")]
    Issuer(#[from] IssuerError),
    /// An endpoint is none.
    #[error("the {name} endpoint is not usable: {source}")]
    Endpoint {
        /// Which endpoint.
        name: &'static str,
        /// What is wrong with it.
        source: EndpointUrlError,
    },
}

impl Provider {
    /// Combines the entry with what a connector states.
    ///
    /// # Errors
    /// [`EndpointError`] when the two do not fit together; nothing is guessed.
    pub fn plan(&self, stated: &ConnectorSettings) -> Result<EndpointPlan, EndpointError> {
        let rule = &self.entry.endpoints;
        let inputs = &self.entry.inputs;
        if let Some(name) = stated.inputs.keys().find(|name| !inputs.contains_key(*name)) {
            return Err(EndpointError::UnknownInput(name.clone()));
        }
        if stated.issuer.is_some() && !rule.connector_issuer {
            return Err(EndpointError::IssuerFixed);
        }
        if stated.endpoints.is_some() && !rule.connector_endpoints {
            return Err(EndpointError::EndpointsFixed);
        }
        let issuer = match (&stated.issuer, &rule.issuer) {
            (Some(issuer), _) => {
                let issuer = Issuer::new(issuer)?;
                let host = issuer.url().host_str().unwrap_or_default();
                if !rule.issuer_hosts.is_empty() && !rule.issuer_hosts.iter().any(|known| known.admits(host))
                {
                    return Err(EndpointError::IssuerHost);
                }
                Some(issuer)
            }
            (None, Some(template)) => Some(Issuer::new(&template.fill_text(inputs, &stated.inputs)?)?),
            (None, None) => None,
        };
        if let Some(manual) = &stated.endpoints {
            return Ok(EndpointPlan::Known(Box::new(manual.read(issuer)?)));
        }
        if let (Some(authorize), Some(token)) = (&rule.authorize, &rule.token) {
            let optional = |template: &Option<crate::catalogue::Template>| {
                template.as_ref().map(|template| template.fill(inputs, &stated.inputs)).transpose()
            };
            return Ok(EndpointPlan::Known(Box::new(Endpoints {
                authorize: authorize.fill(inputs, &stated.inputs)?,
                token: token.fill(inputs, &stated.inputs)?,
                revocation: optional(&rule.revocation)?,
                introspection: optional(&rule.introspection)?,
                userinfo: optional(&rule.userinfo)?,
                issuer,
                shared_issuer: None,
                iss_advertised: false,
                client_auth: None,
                offers_offline_access: false,
            })));
        }
        match (issuer, rule.discovery) {
            (Some(issuer), Some(kind)) => Ok(EndpointPlan::Discover { issuer, kind }),
            _ => Err(EndpointError::NothingStated),
        }
    }
}

impl ManualEndpoints {
    fn read(&self, issuer: Option<Issuer>) -> Result<Endpoints, EndpointError> {
        let required =
            |name, text: &str| endpoint_url(text).map_err(|source| EndpointError::Endpoint { name, source });
        let optional =
            |name, text: &Option<String>| text.as_deref().map(|text| required(name, text)).transpose();
        Ok(Endpoints {
            issuer,
            shared_issuer: None,
            iss_advertised: false,
            authorize: required("authorize", &self.authorize)?,
            token: required("token", &self.token)?,
            revocation: optional("revocation", &self.revocation)?,
            introspection: optional("introspection", &self.introspection)?,
            userinfo: optional("userinfo", &self.userinfo)?,
            client_auth: None,
            offers_offline_access: false,
        })
    }
}

#[cfg(test)]
#[path = "endpoints_tests.rs"]
mod tests;
