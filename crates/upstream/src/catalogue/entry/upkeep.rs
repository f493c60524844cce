//! The fields of an entry for what is asked of a provider besides tokens: whose account it is, revocation, introspection.

use serde::Deserialize;

use super::{super::template::Template, Pointer, failures::Success};

/// From where the provider's account is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountSource {
    /// From nowhere: the account stays unnamed.
    #[default]
    None,
    /// From the user-info endpoint.
    Userinfo,
    /// From `url`.
    Url,
    /// From `path` below the issuer.
    IssuerPath,
    /// From the ID token that came with the access token, straight from the token endpoint (OpenID Connect Core section 3.1.3.7,
    /// rule 6).
    IdToken,
}

/// How the provider's own call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountMethod {
    /// GET.
    #[default]
    Get,
    /// POST, without a body.
    Post,
}

/// How the provider's account is found out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountRule {
    /// From where. Default: nowhere.
    #[serde(default)]
    pub source: AccountSource,
    /// With the source url, and only with it: the provider's own call, with the access token as bearer.
    #[serde(default)]
    pub url: Option<Template>,
    /// With the source issuer_path, and only with it: the same below the issuer, for providers that are found by it. At most 128
    /// characters out of letters, digits, `/`, `-`, `_` and inner dots, of which the first is a slash.
    #[serde(default)]
    pub path: Option<String>,
    /// How the account is asked for. Default: get.
    #[serde(default)]
    pub method: AccountMethod,
    /// Where the answer holds the id of the tenant within which account ids are unique, a text or an integer. An account is then
    /// told by both. Default: nowhere, account ids are unique at the provider.
    #[serde(default)]
    pub realm: Option<Pointer>,
    /// Where the answer holds the account's immutable id, a text or an integer. Default `/sub`.
    #[serde(default = "AccountRule::default_id")]
    pub id: Pointer,
    /// Where the answer may hold a label that people recognise; the first that is there. Default: none.
    #[serde(default)]
    pub labels: Vec<Pointer>,
}

impl AccountRule {
    fn default_id() -> Pointer {
        Pointer::of("/sub")
    }
}

impl Default for AccountRule {
    fn default() -> Self {
        Self {
            source: AccountSource::None,
            url: None,
            path: None,
            method: AccountMethod::Get,
            realm: None,
            id: Self::default_id(),
            labels: Vec::new(),
        }
    }
}

/// By which protocol tokens are revoked at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocationKind {
    /// By none.
    #[default]
    None,
    /// RFC 7009, at the revocation endpoint.
    Rfc7009,
    /// GitHub's: DELETE on a resource of the client, which ends one access token.
    GithubToken,
    /// GitHub's: DELETE on a resource of the client, which ends all that the user granted to the client, other grants of the same
    /// account through the same connector included.
    GithubGrant,
    /// A POST to `url` that carries the access token as bearer and ends it.
    Bearer,
}

/// How tokens are revoked at the provider.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevocationRule {
    /// By which protocol. Default: none.
    #[serde(default)]
    pub kind: RevocationKind,
    /// With GitHub's protocols the base of its REST interface, with bearer the call itself; with no other.
    #[serde(default)]
    pub url: Option<Template>,
    /// Whether revoking a refresh token also ends its access tokens. Default: false.
    #[serde(default)]
    pub cascades: bool,
    /// Whether a refresh token may outlive the access token that was revoked with it and cannot be revoked itself. Then a grant that
    /// has one does not count as revoked at the provider. Default: false.
    #[serde(default)]
    pub spares_refresh_token: bool,
    /// Codes by which the provider says that the token was not good before either: what was wanted. At most 8. Default: none.
    #[serde(default)]
    pub already: Vec<String>,
    /// What a success must say besides what every success of the provider says. Default: nothing.
    #[serde(default)]
    pub says: Option<Success>,
}

/// Whether tokens can be introspected (RFC 7662).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntrospectionRule {
    /// Whether the provider allows it to this client. Default: false.
    #[serde(default)]
    pub supported: bool,
    /// Whether it alone tells when an access token ends, because answers of the token endpoint do not. Then it is asked after each of
    /// them that says nothing. Default: false.
    #[serde(default)]
    pub decides_expiry: bool,
}
