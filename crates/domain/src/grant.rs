//! Grants: a subject's consent at a connector for one account there, and the token sets that follow one another under it.
//!
//! A token set is replaced only through an intent: committed before the provider is called, and named by every outcome. An outcome for
//! a generation or an attempt that is not current is refused, which is the fence against late writers.

use alloc::vec::Vec;

use crate::{
    authorization::TokenFacts,
    id::{AuthorizationId, ConnectorId, GrantId, McpServerId, SubjectId},
    provider::ProviderFailure,
    revocation::Selector,
    scope::ScopeSet,
    text::{AccountKey, Sealed},
    time::{Span, Timestamp},
};

pub mod decide;
pub mod evolve;
pub mod resend;
pub mod schedule;

/// The most events that one continuation of a revocation may raise.
pub const CLOSE_BATCH_MAX: usize = 32;
/// The most former consents whose tokens are kept for their revocation.
pub const EARLIER_MAX: usize = 8;
/// How many times a provider that accepts repeats must say that a grant is dead before it is believed.
pub const DEATHS_TO_BELIEVE: u8 = 3;
/// Over which time at least those answers must be spread.
pub const DEATHS_SPREAD: Span = Span::from_secs(600);

/// What a grant is keyed by: at most one live grant has a given key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Whose consent.
    pub subject: SubjectId,
    /// At which connector.
    pub connector: ConnectorId,
    /// For which MCP server alone, where the connector isolates them.
    pub isolation: Option<McpServerId>,
    /// For which account there.
    pub account: AccountKey,
}

/// Whether a grant can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It can.
    Active,
    /// The provider said that it is dead, or its refresh token ended: only a new consent helps.
    NeedsConsent(Death),
    /// It was revoked here, by the event of this sequence number.
    Revoked {
        /// The revocation.
        by: u64,
    },
}

/// Why only a new consent helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Death {
    /// The provider's verdict on the grant itself.
    ProviderVerdict,
    /// The refresh token's stated end has passed, or the access token's where there is no refresh token.
    Expired,
    /// A refresh token that the provider honours once was sent, its answer was lost, and the second look failed.
    AnswerLost,
}

/// What is going on with the refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refresh {
    /// Nothing.
    Idle,
    /// One send is allowed.
    Intended {
        /// Which attempt, counted over the grant's life.
        attempt: u64,
        /// The node that sends.
        node: u64,
        /// When it was intended.
        at: Timestamp,
        /// Whether an earlier attempt of the same generation was lost: this is the second look.
        after_loss: bool,
    },
    /// It was sent, and nobody knows whether it was processed.
    Unknown {
        /// Which attempt.
        attempt: u64,
        /// When it was intended.
        since: Timestamp,
        /// Not before this moment may the same refresh token be sent again.
        resend_at: Timestamp,
    },
}

/// What failing refreshes have led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trouble {
    /// The last failure.
    pub failure: ProviderFailure,
    /// How many in a row.
    pub failures: u32,
    /// How many of them were the provider's word that the grant is dead.
    pub deaths: u8,
    /// When the first of them was.
    pub since: Timestamp,
    /// Not before this moment may another be intended.
    pub retry_at: Timestamp,
}

/// A grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// What it is keyed by.
    pub key: Key,
    /// The scopes asked for.
    pub requested: ScopeSet,
    /// The scopes granted: what the token can do.
    pub granted: ScopeSet,
    /// Counts its token sets.
    pub generation: u64,
    /// What the ledger says of the present token set.
    pub tokens: TokenFacts,
    /// When the present token set began.
    pub refreshed_at: Timestamp,
    /// When the person last consented.
    pub consented_at: Timestamp,
    /// The sequence number of the last consent: epochs that are later cover the grant.
    pub consented_seq: u64,
    /// The last generations of former consents. A new consent at a provider need not end what the one before gave, so their tokens are kept
    /// until they are revoked with the rest: the oldest first, at most [`EARLIER_MAX`].
    pub earlier: Vec<u64>,
    /// Counts its refresh attempts.
    pub attempts: u64,
    /// Whether it can be used.
    pub phase: Phase,
    /// What is going on with its refresh token.
    pub refresh: Refresh,
    /// What failing refreshes have led to.
    pub trouble: Option<Trouble>,
    /// The sequence number of its last change.
    pub revision: u64,
}

/// Why a refresh is intended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Occasion {
    /// It is due.
    Due,
    /// A caller needs a token that lives longer.
    Demand,
    /// A holder says that the provider refused the token.
    Recheck,
    /// An administrator ordered it.
    Ordered,
}

/// Orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Allow one send of the present refresh token.
    IntendRefresh {
        /// Which grant.
        grant: GrantId,
        /// Which generation's refresh token.
        generation: u64,
        /// The node that will send.
        node: u64,
        /// Why.
        occasion: Occasion,
    },
    /// The refresh brought a token set.
    CommitRefresh {
        /// Which grant.
        grant: GrantId,
        /// The generation whose refresh token was sent.
        generation: u64,
        /// Which attempt.
        attempt: u64,
        /// What the new tokens can do.
        granted: ScopeSet,
        /// The new token set, sealed for the next generation.
        tokens: Sealed,
        /// What the ledger says of it.
        facts: TokenFacts,
    },
    /// The refresh failed, and the refresh token certainly is as good as before, or certainly is not.
    FailRefresh {
        /// Which grant.
        grant: GrantId,
        /// The generation whose refresh token was sent.
        generation: u64,
        /// Which attempt.
        attempt: u64,
        /// How.
        failure: ProviderFailure,
    },
    /// Nobody knows how the refresh ended.
    LoseRefresh {
        /// Which grant.
        grant: GrantId,
        /// The generation whose refresh token was sent.
        generation: u64,
        /// Which attempt.
        attempt: u64,
    },
    /// Its refresh token's stated end has passed.
    Expire {
        /// Which grant.
        grant: GrantId,
    },
    /// Continue a revocation: say of each of these grants that it ended.
    Close {
        /// What was revoked.
        selector: Selector,
        /// At most [`CLOSE_BATCH_MAX`] grants.
        grants: Vec<GrantId>,
    },
    /// The provider confirmed that it revoked the tokens of an ended grant.
    ConfirmUpstream {
        /// What was revoked.
        target: UpstreamTarget,
    },
    /// The provider did not.
    FailUpstream {
        /// What was to be revoked.
        target: UpstreamTarget,
        /// How it failed; none where the provider has no way.
        failure: Option<ProviderFailure>,
    },
}

/// Tokens that are to be revoked at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UpstreamTarget {
    /// The present token set of a grant.
    Grant(GrantId),
    /// Tokens of a consent that never became a grant.
    Authorization(AuthorizationId),
}

/// An upstream revocation that is still to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UpstreamTask {
    /// How often it failed.
    pub failures: u32,
    /// When it is next due.
    pub due_at: Timestamp,
}

/// Facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A consent brought the grant a token set.
    Activated {
        /// Which grant.
        grant: GrantId,
        /// Through which consent.
        authorization: AuthorizationId,
        /// Whose consent.
        subject: SubjectId,
        /// At which connector.
        connector: ConnectorId,
        /// For which MCP server alone, where the connector isolates them.
        isolation: Option<McpServerId>,
        /// For which account there.
        account: AccountKey,
        /// Counts its token sets.
        generation: u64,
        /// The scopes asked for.
        requested: ScopeSet,
        /// The scopes granted.
        granted: ScopeSet,
        /// What the ledger says of the token set.
        tokens: TokenFacts,
    },
    /// One send of the refresh token is allowed.
    RefreshIntended {
        /// Which grant.
        grant: GrantId,
        /// Which generation's refresh token.
        generation: u64,
        /// Which attempt.
        attempt: u64,
        /// The node that will send.
        node: u64,
        /// Why.
        occasion: Occasion,
    },
    /// The refresh brought the next token set.
    Refreshed {
        /// Which grant.
        grant: GrantId,
        /// The new generation.
        generation: u64,
        /// Which attempt.
        attempt: u64,
        /// What the ledger says of the token set.
        tokens: TokenFacts,
    },
    /// The new token can do less than the one before.
    ScopesNarrowed {
        /// Which grant.
        grant: GrantId,
        /// The generation that can do less.
        generation: u64,
        /// What it can do.
        granted: ScopeSet,
        /// What it cannot do any more.
        lost: ScopeSet,
    },
    /// The new token can do more than the one before.
    ScopesWidened {
        /// Which grant.
        grant: GrantId,
        /// The generation that can do more.
        generation: u64,
        /// What it can do.
        granted: ScopeSet,
    },
    /// The refresh failed; the grant lives.
    RefreshFailed {
        /// Which grant.
        grant: GrantId,
        /// Which generation's refresh token.
        generation: u64,
        /// Which attempt.
        attempt: u64,
        /// How.
        failure: ProviderFailure,
        /// Not before this moment is another tried.
        retry_at: Timestamp,
    },
    /// Nobody knows how the refresh ended.
    RefreshUnknown {
        /// Which grant.
        grant: GrantId,
        /// Which generation's refresh token.
        generation: u64,
        /// Which attempt.
        attempt: u64,
    },
    /// Only a new consent helps from here on.
    ConsentNeeded {
        /// Which grant.
        grant: GrantId,
        /// The generation that ended it.
        generation: u64,
        /// Why.
        death: Death,
    },
    /// The grant ended by a revocation.
    Revoked {
        /// Which grant.
        grant: GrantId,
        /// Whose consent it was.
        subject: SubjectId,
        /// At which connector.
        connector: ConnectorId,
        /// The sequence number of the revocation.
        by: u64,
        /// Until when a copy of its access token may still work at the provider, where that is known.
        residual_exposure_until: Option<Timestamp>,
    },
    /// A token set came back for a grant that had ended meanwhile. It is never leased, and is revoked upstream.
    LateTokensKept {
        /// Which grant.
        grant: GrantId,
        /// The generation that is never leased.
        generation: u64,
        /// What the ledger says of it.
        tokens: TokenFacts,
    },
    /// The provider revoked the tokens.
    UpstreamRevoked {
        /// What was revoked.
        target: UpstreamTarget,
    },
    /// The provider did not revoke the tokens; it is tried again.
    UpstreamRevocationFailed {
        /// What was to be revoked.
        target: UpstreamTarget,
        /// How it failed.
        failure: ProviderFailure,
        /// How often it failed so far.
        failures: u32,
        /// When it is tried again.
        retry_at: Timestamp,
    },
    /// The provider has no way to revoke the tokens.
    UpstreamRevocationUnsupported {
        /// What was to be revoked.
        target: UpstreamTarget,
    },
}

impl Grant {
    /// The generations whose tokens a revocation has to reach, the present one last.
    pub fn generations_to_revoke(&self) -> impl Iterator<Item = u64> {
        self.earlier.iter().copied().chain([self.generation])
    }
}
