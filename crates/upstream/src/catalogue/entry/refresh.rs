//! The fields of an entry that say how long tokens live, and what a refresh does to them.

use leasehold_domain::{provider::RefreshClass, time::Span};
use serde::Deserialize;

/// The names of the refresh classes. See [`RefreshClass`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassName {
    /// No refresh token; the access token does not expire.
    Static,
    /// The refresh token stays as it is.
    Stable,
    /// A new one comes, and the old one stays valid.
    NonRevoking,
    /// The old one is accepted for `grace_secs` after its first use.
    Grace,
    /// The old one is valid until its successor is used.
    UntilSuccessorUsed,
    /// The old one is dead once used.
    #[default]
    Strict,
}

/// What happens to refresh tokens.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefreshRule {
    /// The class. Default: strict.
    #[serde(default)]
    pub class: ClassName,
    /// With the class grace, and only with it: for how many seconds.
    #[serde(default)]
    pub grace_secs: Option<u64>,
    /// Whether a refresh token that arrives again ends the whole family. Default: false.
    #[serde(default)]
    pub reuse_revokes_family: bool,
    /// Whether a refresh ends the access token before it. Default: false.
    #[serde(default)]
    pub old_at_dies: bool,
}

impl RefreshRule {
    /// The class, as the domain knows it.
    pub fn class(&self) -> RefreshClass {
        match self.class {
            ClassName::Static => RefreshClass::Static,
            ClassName::Stable => RefreshClass::Stable,
            ClassName::NonRevoking => RefreshClass::NonRevoking,
            ClassName::Grace => RefreshClass::Grace(Span::from_secs(self.grace_secs.unwrap_or(0))),
            ClassName::UntilSuccessorUsed => RefreshClass::UntilSuccessorUsed,
            ClassName::Strict => RefreshClass::Strict,
        }
    }
}

/// How long tokens live, in seconds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lifetimes {
    /// An access token, where the answer does not say. Default: unknown, which is not "for ever".
    #[serde(default)]
    pub access_token_secs: Option<u64>,
    /// A refresh token that is not used. Default: unknown.
    #[serde(default)]
    pub refresh_token_idle_secs: Option<u64>,
    /// A refresh token, however much it is used. Default: unknown.
    #[serde(default)]
    pub refresh_token_absolute_secs: Option<u64>,
    /// The answer's field that states the refresh token's lifetime. Default `refresh_token_expires_in`.
    #[serde(default = "Lifetimes::default_field")]
    pub refresh_token_field: String,
}

impl Lifetimes {
    fn default_field() -> String {
        "refresh_token_expires_in".to_owned()
    }
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            access_token_secs: None,
            refresh_token_idle_secs: None,
            refresh_token_absolute_secs: None,
            refresh_token_field: Self::default_field(),
        }
    }
}
