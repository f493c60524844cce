//! The two kinds of line in the sandbox's record.

use serde::{Deserialize, Serialize};

use crate::clock::Millis;

/// What kind of secret a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TokenKind {
    /// An authorization code.
    Code,
    /// An access token.
    Access,
    /// A refresh token.
    Refresh,
    /// An ID token.
    Id,
    /// A value the sandbox never issued, shown where a token belongs.
    Unknown,
}

/// Where a token was presented. A fault is bound to one of these, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Endpoint {
    /// The provider's token endpoint.
    #[default]
    Token,
    /// The provider's revocation endpoint (RFC 7009).
    Revocation,
    /// The provider's introspection endpoint (RFC 7662).
    Introspection,
    /// The provider's `/api/me`.
    Account,
    /// The provider's `/api/files`.
    Files,
    /// The identity provider's token endpoint.
    IdpToken,
    /// The identity provider's userinfo endpoint.
    IdpUserinfo,
}

/// A token that was issued. `family` is the grant it belongs to, `generation` counts the sets of that grant from 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Issued {
    /// Position among the issued, from 0.
    pub sequence: u64,
    /// Sandbox clock, milliseconds since the Unix epoch.
    pub at: Millis,
    /// SHA-256 of the token, hex.
    pub fingerprint: String,
    /// Kind of token.
    pub kind: TokenKind,
    /// All tokens that stem from one authorization code share it.
    pub family: String,
    /// 0 for the code, then 1 for the first token set, and so on.
    pub generation: u64,
    /// `client_id` it was issued to.
    pub client: String,
    /// Subject of the account.
    pub account: String,
    /// Scopes it carries.
    pub scope: Vec<String>,
    /// End of its life by the sandbox clock, if any.
    pub expires_at: Option<Millis>,
}

/// How a presentation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It did what was asked.
    Accepted,
    /// A used refresh token, accepted again as its rotation class allows.
    Replayed,
    /// A used refresh token or code, refused as reuse.
    Reuse,
    /// Refused for another reason.
    Refused,
    /// A fault answered instead; the token was not touched.
    Unprocessed,
}

/// One time a token was shown to the sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Presentation {
    /// Position among the presentations, from 0.
    pub sequence: u64,
    /// Sandbox clock, milliseconds since the Unix epoch.
    pub at: Millis,
    /// Where.
    pub endpoint: Endpoint,
    /// Kind of token, as the sandbox knows it.
    pub kind: TokenKind,
    /// SHA-256 of the token, hex.
    pub fingerprint: String,
    /// Its family, if the token is known.
    pub family: Option<String>,
    /// Its generation, if the token is known.
    pub generation: Option<u64>,
    /// `client_id` that sent it: authenticated, or merely claimed where authentication failed.
    pub client: Option<String>,
    /// How it ended at the sandbox, whatever of that reached the client.
    pub outcome: Outcome,
    /// The OAuth error of a refusal.
    pub error: Option<String>,
    /// The fault that was in force, by its kind.
    pub fault: Option<String>,
    /// `resource` parameters that came with it.
    pub resource: Vec<String>,
}
