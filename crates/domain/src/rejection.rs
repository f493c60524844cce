//! Why the domain says no. Each reason has a code that never changes.

use thiserror::Error;

use crate::{scope::ScopeSet, time::Timestamp};

/// What does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An administrator.
    Administrator,
    /// An authorization.
    Authorization,
    /// A connector.
    Connector,
    /// A credential.
    Credential,
    /// A grant.
    Grant,
    /// An identity provider.
    IdentityProvider,
    /// A key-encryption key.
    Key,
    /// A lease.
    Lease,
    /// An MCP server.
    McpServer,
    /// A client secret.
    Secret,
    /// A subject.
    Subject,
    /// An upstream revocation.
    UpstreamTask,
    /// A workload.
    Workload,
}

impl Kind {
    /// What to call it in a sentence.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Authorization => "authorization",
            Self::Connector => "connector",
            Self::Credential => "credential",
            Self::Grant => "grant",
            Self::IdentityProvider => "identity provider",
            Self::Key => "key version",
            Self::Lease => "lease",
            Self::McpServer => "MCP server",
            Self::Secret => "client secret",
            Self::Subject => "subject",
            Self::UpstreamTask => "upstream revocation",
            Self::Workload => "workload",
        }
    }
}

impl core::fmt::Display for Kind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.noun())
    }
}

/// Why a command was refused. It changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Rejection {
    /// The organisation was founded before.
    #[error("the organisation exists already")]
    AlreadyFounded,
    /// The first entry has not been applied.
    #[error("the organisation does not exist yet")]
    NotFounded,
    /// There is no such thing.
    #[error("no such {0}")]
    Unknown(Kind),
    /// The id is in use: the proposer drew it twice, or repeats without a request id.
    #[error("this {0} exists already")]
    Exists(Kind),
    /// The name, user name, certificate name or identifier belongs to another.
    #[error("another {0} has this name")]
    NameTaken(Kind),
    /// It may have no more of them.
    #[error("too many: at most {limit}")]
    TooMany {
        /// The bound.
        limit: usize,
    },
    /// The text is longer than it may be.
    #[error("too long: at most {limit} bytes")]
    TooLong {
        /// The bound.
        limit: usize,
    },
    /// It was disabled.
    #[error("the {0} is disabled")]
    Disabled(Kind),
    /// It is in that state already.
    #[error("nothing to change: the {0} is in that state already")]
    Unchanged(Kind),
    /// Bootstrap is over: an administrator exists, or the credential was used or has expired.
    #[error("bootstrap is over")]
    BootstrapClosed,
    /// Only another kind of principal may do this.
    #[error("this is not for the caller to do")]
    WrongPrincipal,
    /// The same request id with another body.
    #[error("this request id was used for another request")]
    RequestIdReused,
    /// The grant was revoked.
    #[error("the grant was revoked")]
    GrantRevoked,
    /// Only a new consent helps.
    #[error("a new consent is needed")]
    ConsentNeeded,
    /// The grant lacks scopes.
    #[error("the grant lacks the scopes {0}")]
    ScopesMissing(ScopeSet),
    /// The MCP server is not registered as needing these scopes.
    #[error("the MCP server is not registered as needing the scopes {0}")]
    ScopesNotRegistered(ScopeSet),
    /// The generation or the attempt is not current: another outcome came first.
    #[error("superseded: the generation or the attempt is not current")]
    Superseded,
    /// A refresh is in flight.
    #[error("a refresh is in flight")]
    RefreshInFlight,
    /// Another refresh may not be tried yet.
    #[error("not to be tried again before {}", .0.as_millis())]
    TooEarly(Timestamp),
    /// There is no refresh token.
    #[error("the grant has no refresh token")]
    NoRefreshToken,
    /// The provider honours a refresh token once, and it may have been sent already.
    #[error("the refresh token may have been used already")]
    ResendForbidden,
    /// The token has ended, or ends too soon for a lease.
    #[error("the access token has ended")]
    TokenExpired,
    /// The token of an `inject_only` connector is for gateways alone.
    #[error("tokens of this connector are for gateways alone")]
    InjectOnly,
    /// The workload vouched for as many distinct subjects within the hour as it may.
    #[error("the cap on distinct subjects an hour is reached")]
    SubjectCapReached,
    /// Nobody else could decide who may: the last administrator of the security role stays.
    #[error("this is the last administrator of the security role")]
    LastAdministrator,
    /// The lease has ended, or what it rests on was revoked.
    #[error("the lease has ended")]
    LeaseEnded,
    /// The authorization is over, or in another phase than this step needs.
    #[error("the authorization is not waiting for this")]
    WrongPhase,
    /// The time for this step has passed.
    #[error("the time for this step has passed")]
    AuthorizationExpired,
    /// The state is not the one that was set for this browser.
    #[error("the state does not belong to this authorization")]
    StateMismatch,
    /// Another browser session than the one that approved.
    #[error("another browser session approved this")]
    SessionMismatch,
    /// Another person than the one for whom the consent was started.
    #[error("this consent was started for somebody else")]
    SubjectMismatch,
    /// Another account than the one whose consent is renewed.
    #[error("another account came back than the one whose consent is renewed")]
    AccountMismatch,
    /// The subject has an immutable claim pinned, and this is another one.
    #[error("another identifier is pinned to the subject")]
    IdentifierMismatch,
    /// The version is the one that seals.
    #[error("this version of the key is the current one")]
    CurrentKey,
    /// Something is still under the key.
    #[error("{count} things are still under this version of the key")]
    KeyInUse {
        /// How many.
        count: u64,
    },
    /// The subject was erased, which cannot be undone.
    #[error("the subject was erased")]
    SubjectErased,
}

impl Rejection {
    /// The stable code: the `reason` of `google.rpc.ErrorInfo`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::AlreadyFounded => "ALREADY_FOUNDED",
            Self::NotFounded => "NOT_FOUNDED",
            Self::Unknown(Kind::Subject) => "SUBJECT_UNKNOWN",
            Self::Unknown(_) => "UNKNOWN",
            Self::Exists(_) => "ALREADY_EXISTS",
            Self::NameTaken(_) => "NAME_TAKEN",
            Self::TooMany { .. } => "TOO_MANY",
            Self::TooLong { .. } => "TOO_LONG",
            Self::Disabled(_) => "DISABLED",
            Self::Unchanged(_) => "UNCHANGED",
            Self::BootstrapClosed => "BOOTSTRAP_CLOSED",
            Self::WrongPrincipal => "WRONG_PRINCIPAL",
            Self::RequestIdReused => "REQUEST_ID_REUSED",
            Self::GrantRevoked => "GRANT_REVOKED",
            Self::ConsentNeeded => "CONSENT_NEEDED",
            Self::ScopesMissing(_) => "SCOPES_MISSING",
            Self::ScopesNotRegistered(_) => "SCOPES_NOT_REGISTERED",
            Self::Superseded => "SUPERSEDED",
            Self::RefreshInFlight => "REFRESH_IN_FLIGHT",
            Self::TooEarly(_) => "TOO_EARLY",
            Self::NoRefreshToken => "NO_REFRESH_TOKEN",
            Self::ResendForbidden => "RESEND_FORBIDDEN",
            Self::TokenExpired => "TOKEN_EXPIRED",
            Self::InjectOnly => "INJECT_ONLY",
            Self::SubjectCapReached => "SUBJECT_CAP_REACHED",
            Self::LastAdministrator => "LAST_ADMINISTRATOR",
            Self::LeaseEnded => "LEASE_ENDED",
            Self::WrongPhase => "AUTHORIZATION_NOT_OPEN",
            Self::AuthorizationExpired => "AUTHORIZATION_EXPIRED",
            Self::StateMismatch => "STATE_MISMATCH",
            Self::SessionMismatch => "SESSION_MISMATCH",
            Self::SubjectMismatch => "SUBJECT_MISMATCH",
            Self::AccountMismatch => "ACCOUNT_MISMATCH",
            Self::IdentifierMismatch => "IDENTIFIER_MISMATCH",
            Self::CurrentKey => "KEY_CURRENT",
            Self::KeyInUse { .. } => "KEY_IN_USE",
            Self::SubjectErased => "SUBJECT_ERASED",
        }
    }
}
