//! What the domain knows of providers: how they treat a refresh token that arrives twice, and in which ways a call to one ends.
//!
//! A provider's endpoints and quirks are data outside the domain; here is only what decides about grants.

use crate::time::Span;

/// What happens at a provider when the same refresh token arrives a second time. It decides whether a lost answer may be
/// followed by a second send. An unknown provider is [`RefreshClass::Strict`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefreshClass {
    /// No refresh token; the access token does not expire.
    Static,
    /// The same refresh token stays valid.
    Stable,
    /// A new refresh token comes back, and the old one stays valid.
    NonRevoking,
    /// The old refresh token is accepted for this long after its first use.
    Grace(Span),
    /// The old refresh token is valid until the new one, or its access token, is first used.
    UntilSuccessorUsed,
    /// The old refresh token is dead once used, often with all of its family.
    Strict,
}

impl RefreshClass {
    /// Whether the same refresh token may be sent again `since_first_send` after a send whose answer was lost.
    pub fn may_resend(self, since_first_send: Span) -> bool {
        match self {
            Self::Static | Self::Strict => false,
            Self::Stable | Self::NonRevoking | Self::UntilSuccessorUsed => true,
            Self::Grace(grace) => since_first_send <= grace.half(),
        }
    }
}

/// How a call to a provider failed: by whose fault, and so what it means for the grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProviderFailure {
    /// The provider says that the grant itself is dead (`invalid_grant`, RFC 6749 section 5.2).
    GrantDead,
    /// The client's own credentials were refused (`invalid_client`, `unauthorized_client`): the connector's fault.
    ClientFault,
    /// The request was refused for its form (`invalid_request`, `invalid_scope`, `invalid_target`): the entry's fault.
    RequestFault,
    /// The provider could not serve it, and certainly did not process it.
    Transient,
    /// The provider asked for fewer calls, and names how long to wait if it did.
    Throttled(Option<Span>),
    /// It was sent, and nobody knows whether it was processed.
    Ambiguous,
    /// A success that could not be read.
    Malformed,
    /// Refused because the access token is still good.
    TooEarly,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strict_provider_never_sees_a_refresh_token_twice() {
        assert!(!RefreshClass::Strict.may_resend(Span::ZERO));
    }

    #[test]
    fn a_grace_is_used_up_to_its_half_and_no_further() {
        let class = RefreshClass::Grace(Span::from_secs(30));
        assert!(class.may_resend(Span::from_secs(15)));
        assert!(!class.may_resend(Span::from_millis(15_001)));
    }
}
