//! A provider's refusal, reduced to what may be believed and repeated: a class, a code out of a closed list, a status.

use std::{borrow::Cow, fmt};

use leasehold_domain::provider::ProviderFailure;
use thiserror::Error;

/// A provider's error code, if it is one that this crate or the provider's entry lists. What else a provider writes is dropped
/// where it is read, so that no text of its choice goes any further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// A listed code.
    Listed(Cow<'static, str>),
    /// One that is not listed.
    Unlisted,
    /// None was given.
    Absent,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Listed(code) => code,
            Self::Unlisted => "an unlisted code",
            Self::Absent => "no code",
        })
    }
}

/// How a call failed that was answered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the provider's answer means {class:?} (status {status}, {code})")]
pub struct Failure {
    /// What it means for the grant.
    pub class: ProviderFailure,
    /// The provider's code.
    pub code: Code,
    /// The HTTP status.
    pub status: u16,
}

impl Failure {
    /// Whether the client's secret was refused, so that an older one may be tried. `unauthorized_client` does not count: there the
    /// client is known, and may not.
    pub fn blames_secret(&self) -> bool {
        let other_reason = matches!(&self.code, Code::Listed(code) if code == "unauthorized_client");
        self.class == ProviderFailure::ClientFault && !other_reason
    }
}
