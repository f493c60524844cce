//! How a client's tokens behave at the provider: rotation class, lifetimes, and what revocation reaches.
//!
//! The defaults are the strictest provider there is; a test loosens what it needs.

use serde::{Deserialize, Serialize};

/// What becomes of a refresh token once it has been used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rotation {
    /// Dead on first use; a second use is reuse.
    #[default]
    Strict,
    /// Accepted again for this many seconds after its first use; later it is reuse.
    Grace(u64),
    /// Never replaced: each refresh answers with the same refresh token.
    Stable,
    /// Replaced at each refresh, and the old one stays valid all the same.
    NonRevoking,
    /// Accepted again until a token of the set that replaced it is used; then it is reuse.
    UntilSuccessorUsed,
}

/// What a client gets that presents a used refresh token which is still accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Replay {
    /// Another new token set, beside the one given before.
    #[default]
    NewPair,
    /// The very set that was given before.
    SamePair,
    /// Another new token set; the one given before dies.
    NewestWins,
}

/// What the answer says about the access token's lifetime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExpiresIn {
    /// The truth.
    #[default]
    Stated,
    /// Nothing, although the token may expire.
    Omitted,
    /// This many seconds, whatever the truth is.
    Claimed(u64),
}

/// The provider's treatment of one client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Behaviour {
    /// Default: strict.
    pub rotation: Rotation,
    /// Default: a new pair.
    pub replay: Replay,
    /// Whether reuse of a refresh token ends its family. Default: yes.
    pub reuse_revokes_family: bool,
    /// Whether a refresh kills the access token it replaces. Default: no.
    pub old_access_token_dies: bool,
    /// Default: 3600; none: the access token does not expire.
    pub access_lifetime_seconds: Option<u64>,
    /// Default: stated.
    pub expires_in: ExpiresIn,
    /// Life of one refresh token, stated as `refresh_token_expires_in`. Default: none, it does not expire.
    pub refresh_lifetime_seconds: Option<u64>,
    /// Whether a refresh token is issued at all. Default: yes.
    pub issues_refresh_token: bool,
    /// Whether an access token can be revoked by itself (RFC 7009 leaves it open). Default: yes.
    pub access_token_revocable: bool,
    /// Whether revoking a refresh token also ends the family's access tokens. Default: yes.
    pub refresh_revocation_ends_access: bool,
    /// Whether a refresh without `resource` is `invalid_target`, where the consent had one. Default: no.
    pub refresh_requires_resource: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            rotation: Rotation::Strict,
            replay: Replay::NewPair,
            reuse_revokes_family: true,
            old_access_token_dies: false,
            access_lifetime_seconds: Some(3600),
            expires_in: ExpiresIn::Stated,
            refresh_lifetime_seconds: None,
            issues_refresh_token: true,
            access_token_revocable: true,
            refresh_revocation_ends_access: true,
            refresh_requires_resource: false,
        }
    }
}

impl Behaviour {
    /// The default behaviour with another rotation class. `UntilSuccessorUsed` comes with `Replay::NewestWins`, as such
    /// providers do.
    pub fn rotating(rotation: Rotation) -> Self {
        let replay =
            if rotation == Rotation::UntilSuccessorUsed { Replay::NewestWins } else { Replay::NewPair };
        Self { rotation, replay, ..Self::default() }
    }

    /// No refresh token, and an access token that never expires and whose answer says nothing of a lifetime.
    pub fn static_token() -> Self {
        Self { issues_refresh_token: false, access_lifetime_seconds: None, ..Self::default() }
    }
}
