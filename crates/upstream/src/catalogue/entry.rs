//! The fields of a provider's entry. Everything that differs between providers is here, as data; code asks these fields and never
//! a provider's name.
//!
//! Every table refuses fields that it does not know. Spans are whole seconds, sizes are bytes.

mod failures;
mod refresh;
mod request;
mod upkeep;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use self::{
    failures::{FailureName, FailureRule, Scalar, Success},
    refresh::{ClassName, Lifetimes, RefreshRule},
    request::{
        AuthorizeRule, ClientAuth, EmptyScope, IssRule, Pkce, ResourceLegs, ScopeSeparator, TokenRule,
        WithinLegs,
    },
    upkeep::{AccountMethod, AccountRule, AccountSource, IntrospectionRule, RevocationKind, RevocationRule},
};
use super::{
    host::HostPattern,
    template::{Input, Template},
};

/// One provider, as its file describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What people read. 1 to 64 characters.
    pub display_name: String,
    /// The values that each connector states, by the name that stands in templates. Default: none.
    #[serde(default)]
    pub inputs: BTreeMap<String, Input>,
    /// Where the provider is.
    pub endpoints: EndpointRule,
    /// How consent is asked for.
    #[serde(default)]
    pub authorize: AuthorizeRule,
    /// How the token endpoint is spoken to.
    #[serde(default)]
    pub token: TokenRule,
    /// What happens to refresh tokens. Default: strict, the class that assumes the worst.
    #[serde(default)]
    pub refresh: RefreshRule,
    /// How long tokens live where the provider does not say.
    #[serde(default)]
    pub lifetimes: Lifetimes,
    /// How the provider's account is found out. Default: it is not.
    #[serde(default)]
    pub account: AccountRule,
    /// How tokens are revoked at the provider. Default: they cannot be.
    #[serde(default)]
    pub revocation: RevocationRule,
    /// Whether tokens can be introspected. Default: no.
    #[serde(default)]
    pub introspection: IntrospectionRule,
    /// How failures are told and what they mean.
    #[serde(default)]
    pub failures: FailureRule,
    /// Bounds.
    #[serde(default)]
    pub limits: Limits,
}

/// Which metadata a provider publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiscoveryKind {
    /// Authorization server metadata (RFC 8414), and OpenID Connect discovery where there is none, in the order that MCP prescribes.
    Oauth2,
    /// OpenID Connect discovery alone.
    Oidc,
}

/// Where the provider is: either `authorize` and `token`, or `discovery` with an issuer, or both left to the connector.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointRule {
    /// Which metadata the issuer publishes. Default: none.
    #[serde(default)]
    pub discovery: Option<DiscoveryKind>,
    /// The issuer. With fixed endpoints it only serves to check `iss` in callbacks. Default: none.
    #[serde(default)]
    pub issuer: Option<Template>,
    /// Whether the connector states the issuer. Default: false.
    #[serde(default)]
    pub connector_issuer: bool,
    /// With an issuer that the connector states: at which hosts it may be. Default: any.
    #[serde(default)]
    pub issuer_hosts: Vec<HostPattern>,
    /// With an issuer that the connector states: what metadata names as issuer where it stands for every tenant, with `{tenantid}`
    /// in the tenant's place. Metadata is then believed with this issuer too, and an ID token with that of its own tenant.
    /// Default: none.
    #[serde(default)]
    pub shared_issuer: Option<String>,
    /// Whether the connector may state endpoints by hand. Default: false.
    #[serde(default)]
    pub connector_endpoints: bool,
    /// The authorization endpoint. Default: none.
    #[serde(default)]
    pub authorize: Option<Template>,
    /// The token endpoint. Default: none.
    #[serde(default)]
    pub token: Option<Template>,
    /// The revocation endpoint. Default: none.
    #[serde(default)]
    pub revocation: Option<Template>,
    /// The introspection endpoint. Default: none.
    #[serde(default)]
    pub introspection: Option<Template>,
    /// The user-info endpoint. Default: none.
    #[serde(default)]
    pub userinfo: Option<Template>,
    /// Hosts besides the issuer's own at which discovered endpoints may be. Default: none.
    #[serde(default)]
    pub extra_hosts: Vec<String>,
}

/// A JSON pointer (RFC 6901), of at most 128 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Pointer(String);

impl Pointer {
    /// One that this crate writes itself.
    fn of(text: &'static str) -> Self {
        Self(text.to_owned())
    }

    /// The pointer as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Pointer {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.starts_with('/') && text.len() <= 128 {
            Ok(Self(text))
        } else {
            Err("a json pointer begins with / and has at most 128 bytes")
        }
    }
}

/// Bounds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The most bytes of an answer that are read. 1,024 to 1,048,576; default 65,536.
    #[serde(default = "Limits::default_response")]
    pub max_response_bytes: usize,
    /// Calls to the token endpoint that a connector may make a minute. Default: 600.
    #[serde(default = "Limits::default_per_minute")]
    pub token_calls_per_minute: u32,
    /// Calls to the token endpoint that a connector may make at once after a pause. Default: 50.
    #[serde(default = "Limits::default_burst")]
    pub token_calls_burst: u32,
}

impl Limits {
    const fn default_response() -> usize {
        64 * 1024
    }

    const fn default_per_minute() -> u32 {
        600
    }

    const fn default_burst() -> u32 {
        50
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_response_bytes: Self::default_response(),
            token_calls_per_minute: Self::default_per_minute(),
            token_calls_burst: Self::default_burst(),
        }
    }
}
