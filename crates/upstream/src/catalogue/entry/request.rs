//! The fields of an entry that shape what is said: to browsers, and to the token endpoint.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{super::host::HostPattern, Pointer};
use crate::call::Leg;

/// Whether proof keys (RFC 7636) are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pkce {
    /// S256 is sent, and metadata that does not promise it is refused.
    #[default]
    Required,
    /// S256 is sent, whatever metadata says.
    Sent,
    /// Not sent, for a provider that refuses the parameters.
    Off,
}

/// Whether a callback must name its issuer (RFC 9207). One that is named is compared in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IssRule {
    /// It must when metadata promises it.
    #[default]
    AsAdvertised,
    /// It must.
    Required,
}

/// On which legs the resource indicator (RFC 8707) goes out, where a grant has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceLegs {
    /// Authorization, code exchange and refresh.
    #[default]
    Every,
    /// Authorization and code exchange, for a provider that refuses it on refresh.
    NotOnRefresh,
    /// None, for a provider that refuses it.
    Never,
}

/// What separates scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScopeSeparator {
    /// A space (RFC 6749 section 3.3).
    #[default]
    Space,
    /// A comma.
    Comma,
}

impl ScopeSeparator {
    /// The separator as text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Space => " ",
            Self::Comma => ",",
        }
    }
}

/// How consent is asked for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorizeRule {
    /// What separates scopes in the request. Default: space.
    #[serde(default)]
    pub scope_separator: ScopeSeparator,
    /// The parameter that carries the scopes. Default `scope`.
    #[serde(default)]
    pub scope_param: Option<String>,
    /// Scopes that are asked for in addition, every time. Default: none.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Extra parameters. None that this crate sets itself. Default: none.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    /// Proof keys. Default: required.
    #[serde(default)]
    pub pkce: Pkce,
    /// The issuer in callbacks. Default: as advertised.
    #[serde(default)]
    pub iss: IssRule,
    /// The resource indicator. Default: on every leg.
    #[serde(default)]
    pub resource: ResourceLegs,
}

/// How a client authenticates at the provider's endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// HTTP Basic, id and secret form-encoded first (RFC 6749 section 2.3.1).
    Basic,
    /// `client_id` and `client_secret` in the body.
    Post,
    /// `client_id` in the body and no secret: a public client.
    None,
}

/// What an answer with an empty `scope` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmptyScope {
    /// That no scope was granted.
    #[default]
    Nothing,
    /// Nothing: the provider's tokens have no scopes, and the grant stands as asked.
    AsAsked,
}

/// On which legs the token is inside another object of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WithinLegs {
    /// Code exchange and refresh.
    #[default]
    Every,
    /// The code exchange alone: a refresh answers with the token itself.
    Exchange,
}

/// How the token endpoint is spoken to, and how its answers are read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRule {
    /// How the client authenticates. Default: as metadata says, and basic where it does not (RFC 8414 section 2).
    #[serde(default)]
    pub auth: Option<ClientAuth>,
    /// Extra parameters of the code exchange. Default: none.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    /// Extra parameters of a refresh. Default: none.
    #[serde(default)]
    pub refresh_params: BTreeMap<String, String>,
    /// The object inside the answer that holds the token, as a JSON pointer (RFC 6901). Default: the answer itself.
    #[serde(default)]
    pub within: Option<Pointer>,
    /// On which legs it is there. Default: on both.
    #[serde(default)]
    pub within_on: WithinLegs,
    /// Where the answer to a code exchange may hold a further token, which is not kept. That one was there is told, never passed
    /// over in silence; it is left alone at the provider. At most 4. Default: nowhere.
    #[serde(default)]
    pub unkept: Vec<Pointer>,
    /// Whether tokens are bearer tokens whatever type the answer names. Default: false.
    #[serde(default)]
    pub always_bearer: bool,
    /// Whether a comma separates scopes in answers, besides the space. Default: false.
    #[serde(default)]
    pub comma_scopes: bool,
    /// Scopes that answers name otherwise than requests: what answers say, and what it is called here. At most 16. Default: none.
    #[serde(default)]
    pub scope_aliases: BTreeMap<String, String>,
    /// Whether a scope of an answer is one that was asked for if they differ in the case of letters alone. Default: false.
    #[serde(default)]
    pub scopes_ignore_case: bool,
    /// What an empty `scope` means. Default: nothing was granted.
    #[serde(default)]
    pub empty_scope: EmptyScope,
    /// Top-level text fields of the answer that are kept as metadata, for example `instance_url`. At most 8. Default: none.
    #[serde(default)]
    pub metadata: Vec<String>,
    /// Metadata fields that hold the URL of an interface of the provider, and at which hosts it may be. One that is elsewhere is not
    /// kept: a workload would send the token there. Default: none.
    #[serde(default)]
    pub metadata_hosts: BTreeMap<String, Vec<HostPattern>>,
}

impl TokenRule {
    /// The object that holds the token in an answer of this leg; nothing is the answer itself.
    pub(crate) fn place(&self, leg: Leg) -> Option<&Pointer> {
        match (self.within_on, leg) {
            (WithinLegs::Exchange, Leg::Refresh) => None,
            (WithinLegs::Every | WithinLegs::Exchange, _) => self.within.as_ref(),
        }
    }
}
