//! A lease as a holder sees it, with its token kept from printing and its ends as moments of this machine's clock.

use std::{collections::BTreeMap, fmt, time::Duration};

use leasehold_proto::v1::{self, AcquireResponse, ConsentRequired, acquire_response};
use secrecy::SecretString;
use tokio::time::Instant;

use crate::error::Error;

/// What asking for a lease led to.
#[derive(Debug)]
pub enum Outcome {
    /// A lease, with its token.
    Lease(Lease),
    /// The subject has to consent first.
    ConsentRequired(ConsentRequired),
}

/// A lease. Its `Debug` prints no token.
pub struct Lease {
    /// Its id: a name, and never a capability.
    pub lease_id: String,
    /// The access token.
    pub access_token: SecretString,
    /// How the provider wants the token to be presented; usually `Bearer`.
    pub token_type: String,
    /// The scopes that the token really carries.
    pub scopes: Vec<String>,
    /// The grant it is of.
    pub grant: String,
    /// The grant's generation.
    pub generation: u64,
    /// When the lease ends. Never later than the cluster means: it is counted from before the call was made.
    pub expires_at: Instant,
    /// When the token ends, where the provider states it. Counted likewise.
    pub token_expires_at: Option<Instant>,
    /// What the provider says beside the token, such as the API's base address.
    pub metadata: BTreeMap<String, String>,
    /// For example: the token is valid, but refreshing it fails.
    pub warnings: Vec<String>,
}

impl Lease {
    /// `asked_at` is the moment before the call was sent.
    pub(crate) fn read(lease: v1::Lease, asked_at: Instant) -> Self {
        let after = |seconds: u32| asked_at + Duration::from_secs(u64::from(seconds));
        Self {
            lease_id: lease.lease_id,
            access_token: lease.access_token.into(),
            token_type: lease.token_type,
            scopes: lease.scopes,
            grant: lease.grant,
            generation: lease.generation,
            expires_at: after(lease.lease_remaining_seconds),
            token_expires_at: lease.token_remaining_seconds.map(after),
            metadata: lease.metadata.into_iter().collect(),
            warnings: lease.warnings,
        }
    }
}

impl Outcome {
    pub(crate) fn read(response: AcquireResponse, asked_at: Instant) -> Result<Self, Error> {
        match response.outcome {
            Some(acquire_response::Outcome::Lease(lease)) => Ok(Self::Lease(Lease::read(lease, asked_at))),
            Some(acquire_response::Outcome::ConsentRequired(consent)) => Ok(Self::ConsentRequired(consent)),
            None => Err(Error::malformed("outcome")),
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("lease_id", &self.lease_id)
            .field("grant", &self.grant)
            .field("generation", &self.generation)
            .field("scopes", &self.scopes)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_lease_ends_no_later_than_counted_from_before_the_call() {
        let asked_at = Instant::now();
        let lease = v1::Lease {
            lease_id: "lse_1".to_owned(),
            access_token: "hunter2".to_owned(),
            lease_remaining_seconds: 300,
            token_remaining_seconds: Some(3600),
            ..v1::Lease::default()
        };
        let response = AcquireResponse { outcome: Some(acquire_response::Outcome::Lease(lease)) };
        let Outcome::Lease(lease) = Outcome::read(response, asked_at).unwrap() else { panic!("not a lease") };
        assert_eq!(lease.expires_at, asked_at + Duration::from_secs(300));
        assert_eq!(lease.token_expires_at, Some(asked_at + Duration::from_secs(3600)));
        assert_eq!(lease.access_token.expose_secret(), "hunter2");
        assert!(!format!("{lease:?}").contains("hunter2"));
    }

    #[test]
    fn an_answer_without_an_outcome_is_refused() {
        let refused = Outcome::read(AcquireResponse { outcome: None }, Instant::now()).unwrap_err();
        assert_eq!(refused.reason(), "MALFORMED_ANSWER");
    }
}
