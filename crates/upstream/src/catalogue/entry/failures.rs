//! The fields of an entry that say how the provider tells failures, and what they mean.

use std::collections::BTreeMap;

use leasehold_domain::provider::ProviderFailure;
use serde::Deserialize;

use super::Pointer;

/// The names of [`ProviderFailure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureName {
    /// The grant is dead.
    GrantDead,
    /// The client's credentials were refused.
    ClientFault,
    /// The request was refused for its form.
    RequestFault,
    /// Not processed, for now.
    Transient,
    /// Too many calls.
    Throttled,
    /// Nobody knows.
    Ambiguous,
    /// The access token is still good.
    TooEarly,
}

impl FailureName {
    /// The failure, as the domain knows it.
    pub const fn class(self) -> ProviderFailure {
        match self {
            Self::GrantDead => ProviderFailure::GrantDead,
            Self::ClientFault => ProviderFailure::ClientFault,
            Self::RequestFault => ProviderFailure::RequestFault,
            Self::Transient => ProviderFailure::Transient,
            Self::Throttled => ProviderFailure::Throttled(None),
            Self::Ambiguous => ProviderFailure::Ambiguous,
            Self::TooEarly => ProviderFailure::TooEarly,
        }
    }
}

/// What tells success from failure inside a 200.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Success {
    /// Where to look.
    pub at: Pointer,
    /// What must be there: a text, an integer or a boolean, of the same type.
    pub equals: Scalar,
}

/// A value to compare with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// A boolean.
    Boolean(bool),
    /// An integer.
    Integer(i64),
    /// A text.
    Text(String),
}

/// How failures are told and what they mean.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailureRule {
    /// Where the code is, a text or an integer. Default `/error` (RFC 6749 section 5.2).
    #[serde(default = "FailureRule::default_code")]
    pub code: Pointer,
    /// What the provider's own codes mean, and the standard ones where it means something else by them. Default: none.
    #[serde(default)]
    pub map: BTreeMap<String, FailureName>,
    /// Where a finer word than the code may be, a text or an integer. Default: nowhere.
    #[serde(default)]
    pub detail: Option<Pointer>,
    /// What the finer words mean, which are matched whole. One that is listed counts before the code; one that is not says
    /// nothing. Default: none.
    #[serde(default)]
    pub details: BTreeMap<String, FailureName>,
    /// What a success must say besides its status. Default: nothing.
    #[serde(default)]
    pub success: Option<Success>,
}

impl FailureRule {
    fn default_code() -> Pointer {
        Pointer::of("/error")
    }
}

impl Default for FailureRule {
    fn default() -> Self {
        Self {
            code: Self::default_code(),
            map: BTreeMap::new(),
            detail: None,
            details: BTreeMap::new(),
            success: None,
        }
    }
}
