//! Authorizations: one attempt at getting a consent, from its start to the account that the person confirms.
//!
//! The steps: started (a URL exists) → approved on our consent page (the state cookie exists) → exchange intended (the state is used
//! up, the code is about to be sent) → exchanged (tokens are held, the account is known) → confirmed (the grant is active).

use crate::{
    actor::Principal,
    id::{AuthorizationId, ConnectorId, GrantId, McpServerId, SubjectId},
    provider::ProviderFailure,
    scope::ScopeSet,
    text::{AccountKey, Digest, Fingerprint, Sealed},
    time::{Span, Timestamp},
};

pub mod decide;

/// How long a consent that was started may be approved.
pub const OPEN_TTL: Span = Span::from_mins(60);
/// How long the state of an approved consent lives, and how long an account may wait for its confirmation.
pub const STATE_TTL: Span = Span::from_mins(10);

/// How far an authorization has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// A connect URL exists.
    Open,
    /// The person approved on our page, and was sent to the provider.
    Approved,
    /// The state is used up, and the code is being exchanged.
    Exchanging {
        /// The node that exchanges it.
        node: u64,
    },
    /// Tokens are held for the account, which the person has yet to confirm.
    Exchanged {
        /// The account at the provider.
        account: AccountKey,
        /// What the tokens can do.
        granted: ScopeSet,
        /// What the ledger says of the tokens.
        tokens: TokenFacts,
    },
    /// Over.
    Ended(End),
}

/// How an authorization ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// The grant is active.
    Confirmed(GrantId),
    /// The person declined on our page.
    Declined,
    /// The provider answered that the person declined there, or gave another error.
    RefusedByProvider,
    /// The code could not be exchanged.
    ExchangeFailed(ProviderFailure),
    /// The consent was for another account than the one that came back, or the person said so.
    AccountMismatch,
    /// A later consent with more scopes took its place.
    Superseded,
    /// Something it rests on was revoked.
    Revoked,
    /// Its time passed.
    Expired,
}

/// An authorization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    /// Its id.
    pub id: AuthorizationId,
    /// Whose consent.
    pub subject: SubjectId,
    /// At which connector.
    pub connector: ConnectorId,
    /// For which MCP server.
    pub mcp_server: McpServerId,
    /// The scopes to ask for.
    pub scopes: ScopeSet,
    /// The grant that is to be renewed or widened, whose account must come back.
    pub grant: Option<GrantId>,
    /// Who started it.
    pub started_by: Principal,
    /// When it was started.
    pub started_at: Timestamp,
    /// The sequence number of its start: epochs that are later cover it.
    pub started_seq: u64,
    /// When the present phase ends by itself.
    pub expires_at: Timestamp,
    /// How far it has come.
    pub phase: Phase,
}

/// What ties an approved authorization to one browser: beside the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// SHA-256 of the state parameter.
    pub state: Digest,
    /// SHA-256 of the browser session that approved.
    pub session: Digest,
}

/// What an exchange brought, for the ledger; the tokens themselves are sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFacts {
    /// Names the access token.
    pub access: Fingerprint,
    /// Names the refresh token, if there is one.
    pub refresh: Option<Fingerprint>,
    /// When the access token ends, stated or derived.
    pub access_expires_at: Option<Timestamp>,
    /// When the refresh token ends, where the provider says.
    pub refresh_expires_at: Option<Timestamp>,
}

/// Orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Start a consent, or name the one that is open.
    Start {
        /// Its id, if it is a new one.
        authorization: AuthorizationId,
        /// Whose consent.
        subject: SubjectId,
        /// At which connector.
        connector: ConnectorId,
        /// For which MCP server.
        mcp_server: McpServerId,
        /// The scopes to ask for.
        scopes: ScopeSet,
        /// The grant that is to be renewed or widened.
        grant: Option<GrantId>,
    },
    /// The person approved on our page.
    Approve {
        /// Which.
        authorization: AuthorizationId,
        /// SHA-256 of the state parameter.
        state: Digest,
        /// SHA-256 of the browser session.
        session: Digest,
        /// The PKCE verifier, sealed.
        verifier: Sealed,
    },
    /// The person declined on our page.
    Decline {
        /// Which.
        authorization: AuthorizationId,
    },
    /// The provider's callback carried an error.
    RefuseByProvider {
        /// Which.
        authorization: AuthorizationId,
        /// SHA-256 of the state parameter that came back.
        state: Digest,
        /// SHA-256 of the browser session that brought it.
        session: Digest,
    },
    /// Use up the state and allow one exchange of the code.
    IntendExchange {
        /// Which.
        authorization: AuthorizationId,
        /// SHA-256 of the state parameter that came back.
        state: Digest,
        /// SHA-256 of the browser session that brought it.
        session: Digest,
        /// The node that will exchange it.
        node: u64,
    },
    /// The exchange failed.
    FailExchange {
        /// Which.
        authorization: AuthorizationId,
        /// How.
        failure: ProviderFailure,
    },
    /// The exchange brought tokens, but nobody can say whose: they are to be revoked upstream.
    DiscardExchange {
        /// Which.
        authorization: AuthorizationId,
        /// How the account lookup failed.
        failure: ProviderFailure,
        /// The tokens, sealed until they are revoked.
        tokens: Sealed,
        /// What the ledger says of them.
        facts: TokenFacts,
    },
    /// The exchange brought tokens.
    CompleteExchange {
        /// Which.
        authorization: AuthorizationId,
        /// The account at the provider.
        account: AccountKey,
        /// What to call the account on a page, sealed. Personal data: beside the ledger.
        account_label: Sealed,
        /// What the tokens can do.
        granted: ScopeSet,
        /// The tokens, sealed until the account is confirmed.
        tokens: Sealed,
        /// What the ledger says of them.
        facts: TokenFacts,
    },
    /// The person confirmed the account: the grant becomes active.
    ConfirmAccount {
        /// Which.
        authorization: AuthorizationId,
        /// SHA-256 of the browser session.
        session: Digest,
        /// The grant: the one of this subject, connector, account and isolation, else a new one.
        grant: GrantId,
        /// The generation for which `tokens` are sealed: one more than the grant's.
        generation: u64,
        /// The tokens, sealed for that grant and generation.
        tokens: Sealed,
        /// What to call the account, sealed for that grant.
        account_label: Sealed,
        /// What the ledger says of the tokens.
        facts: TokenFacts,
    },
    /// The person said that it is the wrong account.
    RejectAccount {
        /// Which.
        authorization: AuthorizationId,
        /// SHA-256 of the browser session.
        session: Digest,
    },
}

/// Facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A consent was started.
    Started {
        /// Its id.
        authorization: AuthorizationId,
        /// Whose consent.
        subject: SubjectId,
        /// At which connector.
        connector: ConnectorId,
        /// For which MCP server.
        mcp_server: McpServerId,
        /// The scopes to ask for.
        scopes: ScopeSet,
        /// The grant that is to be renewed or widened.
        grant: Option<GrantId>,
        /// When it ends by itself.
        expires_at: Timestamp,
    },
    /// A later consent with more scopes took its place.
    Superseded {
        /// Which.
        authorization: AuthorizationId,
    },
    /// The person approved on our page these scopes for this MCP server.
    Approved {
        /// Which.
        authorization: AuthorizationId,
        /// Whose consent.
        subject: SubjectId,
        /// The scopes to ask for.
        scopes: ScopeSet,
    },
    /// The person declined on our page.
    Declined {
        /// Which.
        authorization: AuthorizationId,
        /// Whose consent.
        subject: SubjectId,
    },
    /// The provider gave no code.
    RefusedByProvider {
        /// Which.
        authorization: AuthorizationId,
        /// Whose consent.
        subject: SubjectId,
    },
    /// One exchange of the code is allowed; the state is used up.
    ExchangeIntended {
        /// Which.
        authorization: AuthorizationId,
        /// The node that will exchange it.
        node: u64,
    },
    /// The exchange failed.
    ExchangeFailed {
        /// Which.
        authorization: AuthorizationId,
        /// How.
        failure: ProviderFailure,
    },
    /// The exchange brought tokens.
    Exchanged {
        /// Which.
        authorization: AuthorizationId,
        /// The account at the provider.
        account: AccountKey,
        /// What was asked for.
        requested: ScopeSet,
        /// What was granted.
        granted: ScopeSet,
        /// What the ledger says of the tokens.
        tokens: TokenFacts,
    },
    /// Another account came back than the one that was to be renewed, or the person said so. The tokens are revoked upstream.
    AccountMismatched {
        /// Which.
        authorization: AuthorizationId,
        /// The account that came back.
        account: AccountKey,
        /// The account that was expected, if one was.
        expected: Option<AccountKey>,
    },
    /// The person confirmed the account.
    AccountConfirmed {
        /// Which.
        authorization: AuthorizationId,
        /// Whose consent.
        subject: SubjectId,
        /// The account.
        account: AccountKey,
    },
    /// The exchange brought tokens whose account the provider did not tell. They never become active, and are revoked upstream.
    UnclaimedTokensDiscarded {
        /// Which.
        authorization: AuthorizationId,
        /// How the account lookup failed.
        failure: ProviderFailure,
        /// What the ledger says of them.
        tokens: TokenFacts,
    },
    /// Tokens came back after what the consent rests on was revoked. They never become active, and are revoked upstream.
    LateTokensDiscarded {
        /// Which.
        authorization: AuthorizationId,
        /// What the ledger says of them.
        tokens: TokenFacts,
    },
}
