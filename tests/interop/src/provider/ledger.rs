//! What a provider saw of its clients, in its own count. Tokens are named by fingerprint only.

use serde::Deserialize;

/// The provider's account of what was asked of it since it started.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// Answered requests to the token endpoint, by grant type, client and outcome.
    pub token_requests: Vec<TokenRequests>,
    /// Each refresh token that was ever presented.
    pub refresh_tokens: Vec<RefreshTokenUse>,
    /// Each time a refresh token came back after it was rotated away.
    pub reuses: Vec<Reuse>,
    /// Grants that ended, with every token under them.
    pub revoked_grants: Vec<RevokedGrant>,
    /// Calls of the introspection endpoint.
    pub introspections: u64,
    /// Calls of the revocation endpoint.
    pub revocations: u64,
    /// Calls of the protected resource.
    pub resource: ResourceCalls,
    /// Errors of the provider itself: more than none spoils the test.
    pub faults: u64,
    /// Facts left out because a list was full (10,000): more than none spoils the test.
    pub dropped: u64,
}

/// How often a client asked for tokens in one way, with one outcome.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct TokenRequests {
    /// The `grant_type`, or `none`.
    pub grant_type: String,
    /// The client id, or `unknown`.
    pub client: String,
    /// `ok`, or the OAuth error code.
    pub outcome: String,
    /// How often.
    pub count: u64,
}

/// How often one refresh token was presented.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct RefreshTokenUse {
    /// The first 16 hexadecimal digits of its SHA-256.
    pub token: String,
    /// The client that presented it first.
    pub client: String,
    /// How often it was presented.
    pub times: u64,
    /// How often it was accepted: more than once would be the provider's fault.
    pub accepted: u64,
}

/// A used refresh token that came back.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Reuse {
    /// Who presented it.
    pub client: String,
    /// Its fingerprint.
    pub token: String,
    /// The OAuth error it was refused with.
    pub outcome: String,
}

/// A grant that ended.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct RevokedGrant {
    /// The fingerprint of its id.
    pub grant: String,
    /// Whose it was.
    pub client: String,
    /// The endpoint that ended it: `token` (a reuse) or `revocation`.
    pub route: String,
}

/// Calls of the protected resource.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct ResourceCalls {
    /// Answered with 200.
    pub accepted: u64,
    /// Answered with 401 or 403.
    pub refused: u64,
}

impl Ledger {
    /// How often `client` asked by `grant_type`, whatever came of it.
    #[must_use]
    pub fn requests(&self, grant_type: &str, client: &str) -> u64 {
        self.counted(|row| row.grant_type == grant_type && row.client == client)
    }

    /// How often `client` asked by `grant_type` with this `outcome` (`ok`, or an OAuth error code).
    #[must_use]
    pub fn outcomes(&self, grant_type: &str, client: &str, outcome: &str) -> u64 {
        self.counted(|row| row.grant_type == grant_type && row.client == client && row.outcome == outcome)
    }

    /// The refresh tokens that were presented more than once.
    pub fn presented_again(&self) -> impl Iterator<Item = &RefreshTokenUse> {
        self.refresh_tokens.iter().filter(|token| token.times > 1)
    }

    fn counted(&self, matches: impl Fn(&TokenRequests) -> bool) -> u64 {
        self.token_requests.iter().filter(|row| matches(row)).map(|row| row.count).sum()
    }
}
