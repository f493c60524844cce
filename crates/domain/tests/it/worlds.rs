//! Ready-made worlds, from an organisation that was just founded to a workload that holds a lease, and the commands that lead there.

use leasehold_domain::{
    authorization::{self, TokenFacts},
    command::Command,
    connector::{self, Exposure, Isolation, Location},
    grant,
    id::{AuthorizationId, ConnectorId, GrantId, LeaseId, McpServerId, SubjectId, WorkloadId},
    identity_provider::{self, JoinClaim},
    lease::{self, Basis},
    mcp_server, organisation,
    organisation::{KeyPurpose, LEVEL, Organisation, Signer, WrappedKey},
    provider::{ProviderFailure, RefreshClass},
    revocation::{self, Selector},
    scope::ScopeSet,
    subject::{self, DirectoryEntry, Identifier},
    time::{Span, Timestamp},
    workload,
};

use crate::{
    fixture::{
        ACCOUNT, ALICE, BOB, CONSENT, DRIVE, FILES, FILES_WORKLOAD, GATEWAY, GATEWAY_CREDENTIAL, GRANT,
        LEASE, MAIL, NODE, ORGANISATION, SESSION, SIGN_IN, START, STATE, TOKEN_LIFE, account, commitment,
        decision, digest, label, name, scopes, sealed, tokens, uri,
    },
    harness::Step,
};

/// What differs between the worlds that have a grant.
#[derive(Clone)]
pub(crate) struct Setting {
    /// How the provider treats a refresh token that arrives twice.
    pub(crate) class: RefreshClass,
    /// Whether MCP servers share a grant.
    pub(crate) isolation: Isolation,
    /// Who may see the token.
    pub(crate) exposure: Exposure,
    /// What the consent brings.
    pub(crate) facts: TokenFacts,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            class: RefreshClass::Strict,
            isolation: Isolation::Shared,
            exposure: Exposure::HandOut,
            facts: tokens(1, Some(START + TOKEN_LIFE)),
        }
    }
}

/// The first entry of every cluster.
pub(crate) fn found() -> organisation::Command {
    organisation::Command::Found {
        organisation: Organisation {
            id: ORGANISATION,
            origin: label("ledger.example"),
            development: false,
            level: LEVEL,
        },
        root_check: sealed("root check"),
        keys: vec![WrappedKey { purpose: KeyPurpose::AccessTokens, version: 1, wrapped: sealed("key") }],
        signer: Signer { sealed: sealed("signing key"), verifier: label("verifier") },
    }
}

/// An organisation and nothing else.
pub(crate) fn founded() -> Vec<Step> {
    vec![found().into()]
}

pub(crate) fn registration(setting: &Setting) -> connector::Registration {
    connector::Registration {
        name: name("drive"),
        provider: name("sandbox"),
        client_id: label("client"),
        location: Location::Catalogue,
        isolation: setting.isolation,
        exposure: setting.exposure,
        class: setting.class,
    }
}

pub(crate) fn register_connector(connector: ConnectorId, setting: &Setting) -> connector::Command {
    connector::Command::Register { connector, registration: registration(setting) }
}

pub(crate) fn register_server(mcp_server: McpServerId, text: &str) -> mcp_server::Command {
    let resource = uri(&format!("https://{text}.example"));
    mcp_server::Command::Register { mcp_server, name: name(text), resource }
}

pub(crate) fn set_need(mcp_server: McpServerId, connector: ConnectorId, text: &str) -> mcp_server::Command {
    mcp_server::Command::SetNeed { mcp_server, connector, scopes: scopes(text) }
}

pub(crate) fn register_workload(workload: WorkloadId, text: &str, kind: workload::Kind) -> workload::Command {
    workload::Command::Register { workload, name: name(text), kind }
}

pub(crate) fn entry(user_name: &str) -> DirectoryEntry {
    DirectoryEntry {
        user_name: label(user_name),
        email: Some(label(&format!("{}@corp.example", user_name.to_lowercase()))),
        display_name: None,
        identifiers: Vec::new(),
        salt: [5; 16],
    }
}

pub(crate) fn register_subject(subject: SubjectId, user_name: &str) -> subject::Command {
    let kind = subject::Kind::Person;
    subject::Command::Register { subject, kind, entry: entry(user_name), commitment: commitment(1) }
}

pub(crate) fn identifier(value: &str) -> Identifier {
    Identifier { issuer: uri("https://idp.example"), value: label(value) }
}

pub(crate) fn sign_in_registration() -> identity_provider::Registration {
    identity_provider::Registration {
        name: name("idp"),
        issuer: uri("https://idp.example"),
        client_id: label("leasehold"),
        join_claim: JoinClaim::Sub,
        email_domains: vec![label("corp.example")],
    }
}

/// A connector, two MCP servers that need it, a gateway, a workload of one MCP server, and two people.
pub(crate) fn catalogue(setting: &Setting) -> Vec<Step> {
    let idp = identity_provider::Command::Register {
        identity_provider: SIGN_IN,
        registration: sign_in_registration(),
        secret: sealed("secret"),
    };
    let credential = workload::Command::AddCredential {
        workload: GATEWAY,
        credential: GATEWAY_CREDENTIAL,
        secret: digest(4),
        expires_at: None,
    };
    vec![
        found().into(),
        register_connector(DRIVE, setting).into(),
        register_server(FILES, "files").into(),
        set_need(FILES, DRIVE, "files.read files.write").into(),
        register_server(MAIL, "mail").into(),
        set_need(MAIL, DRIVE, "files.read").into(),
        register_workload(GATEWAY, "edge", workload::Kind::Gateway).into(),
        credential.into(),
        register_workload(FILES_WORKLOAD, "files", workload::Kind::McpServer(FILES)).into(),
        idp.into(),
        register_subject(ALICE, "Alice").into(),
        register_subject(BOB, "Bob").into(),
    ]
}

/// The start of a consent.
#[derive(Clone)]
pub(crate) struct Start {
    pub(crate) authorization: AuthorizationId,
    pub(crate) subject: SubjectId,
    pub(crate) connector: ConnectorId,
    pub(crate) mcp_server: McpServerId,
    pub(crate) scopes: ScopeSet,
    pub(crate) grant: Option<GrantId>,
}

impl Default for Start {
    fn default() -> Self {
        Self {
            authorization: CONSENT,
            subject: ALICE,
            connector: DRIVE,
            mcp_server: FILES,
            scopes: scopes("files.read"),
            grant: None,
        }
    }
}

impl Start {
    /// The fact that it leads to.
    pub(crate) fn event(self, expires_at: Timestamp) -> authorization::Event {
        let Self { authorization, subject, connector, mcp_server, scopes, grant } = self;
        authorization::Event::Started {
            authorization,
            subject,
            connector,
            mcp_server,
            scopes,
            grant,
            expires_at,
        }
    }
}

impl From<Start> for Step {
    fn from(start: Start) -> Self {
        let Start { authorization, subject, connector, mcp_server, scopes, grant } = start;
        let command =
            authorization::Command::Start { authorization, subject, connector, mcp_server, scopes, grant };
        command.into()
    }
}

pub(crate) fn approve(authorization: AuthorizationId) -> Step {
    let verifier = sealed("verifier");
    authorization::Command::Approve {
        authorization,
        state: digest(STATE),
        session: digest(SESSION),
        verifier,
    }
    .into()
}

pub(crate) fn intend_exchange(authorization: AuthorizationId) -> Step {
    authorization::Command::IntendExchange {
        authorization,
        state: digest(STATE),
        session: digest(SESSION),
        node: NODE,
    }
    .into()
}

pub(crate) fn complete_exchange(authorization: AuthorizationId, of: u8, facts: TokenFacts) -> Step {
    authorization::Command::CompleteExchange {
        authorization,
        account: account(of),
        account_label: sealed("alice@drive"),
        granted: scopes("files.read"),
        tokens: sealed("pending tokens"),
        facts,
    }
    .into()
}

pub(crate) fn confirm(
    authorization: AuthorizationId,
    grant: GrantId,
    generation: u64,
    facts: TokenFacts,
) -> Step {
    authorization::Command::ConfirmAccount {
        authorization,
        session: digest(SESSION),
        grant,
        generation,
        tokens: sealed("tokens"),
        account_label: sealed("alice@drive"),
        facts,
    }
    .into()
}

/// A consent up to the moment at which the code is about to be exchanged.
pub(crate) fn exchanging(start: Start) -> Vec<Step> {
    let id = start.authorization;
    vec![start.into(), approve(id), intend_exchange(id)]
}

/// A consent up to the moment at which the account waits to be confirmed.
pub(crate) fn exchanged(start: Start, of: u8, facts: TokenFacts) -> Vec<Step> {
    let id = start.authorization;
    let mut steps = exchanging(start);
    steps.push(complete_exchange(id, of, facts));
    steps
}

/// A whole consent.
pub(crate) fn consent(start: Start, of: u8, grant: GrantId, generation: u64, facts: TokenFacts) -> Vec<Step> {
    let id = start.authorization;
    let mut steps = exchanged(start, of, facts.clone());
    steps.push(confirm(id, grant, generation, facts));
    steps
}

/// The catalogue, and Alice's grant for her account.
pub(crate) fn consented(setting: &Setting) -> Vec<Step> {
    let mut steps = catalogue(setting);
    steps.extend(consent(Start::default(), ACCOUNT, GRANT, 1, setting.facts.clone()));
    steps
}

/// The issue of a lease to the gateway.
#[derive(Clone)]
pub(crate) struct Issue {
    pub(crate) lease: LeaseId,
    pub(crate) mcp_server: McpServerId,
    pub(crate) grant: GrantId,
    pub(crate) generation: u64,
    pub(crate) needed: ScopeSet,
    pub(crate) basis: Basis,
    pub(crate) ttl: Span,
    pub(crate) vouched_max: u64,
}

impl Default for Issue {
    fn default() -> Self {
        Self {
            lease: LEASE,
            mcp_server: FILES,
            grant: GRANT,
            generation: 1,
            needed: scopes("files.read"),
            basis: Basis::Vouched,
            ttl: lease::TTL_DEFAULT,
            vouched_max: u64::MAX,
        }
    }
}

impl From<Issue> for Step {
    fn from(issue: Issue) -> Self {
        let Issue { lease, mcp_server, grant, generation, needed, basis, ttl, vouched_max } = issue;
        lease::Command::Issue {
            lease,
            mcp_server,
            grant,
            generation,
            needed,
            basis,
            ttl,
            vouched_max,
            decision: decision(),
        }
        .into()
    }
}

/// Alice's grant, and a lease of it to the gateway.
pub(crate) fn leased(setting: &Setting) -> Vec<Step> {
    let mut steps = consented(setting);
    steps.push(Issue::default().into());
    steps
}

/// An intent to refresh, the attempt that it allows, and how that may end.
#[derive(Clone, Copy)]
pub(crate) struct Attempt {
    pub(crate) grant: GrantId,
    pub(crate) generation: u64,
    pub(crate) attempt: u64,
}

impl Default for Attempt {
    fn default() -> Self {
        Self { grant: GRANT, generation: 1, attempt: 1 }
    }
}

impl Attempt {
    pub(crate) const fn number(attempt: u64) -> Self {
        Self { grant: GRANT, generation: 1, attempt }
    }

    pub(crate) fn intend(self) -> Step {
        self.intend_for(grant::Occasion::Due)
    }

    pub(crate) fn intend_for(self, occasion: grant::Occasion) -> Step {
        let Self { grant, generation, .. } = self;
        grant::Command::IntendRefresh { grant, generation, node: NODE, occasion }.into()
    }

    pub(crate) fn commit(self, granted: &str, facts: TokenFacts) -> Step {
        let Self { grant, generation, attempt } = self;
        grant::Command::CommitRefresh {
            grant,
            generation,
            attempt,
            granted: scopes(granted),
            tokens: sealed("next tokens"),
            facts,
        }
        .into()
    }

    pub(crate) fn fail(self, failure: ProviderFailure) -> Step {
        let Self { grant, generation, attempt } = self;
        grant::Command::FailRefresh { grant, generation, attempt, failure }.into()
    }

    pub(crate) fn lose(self) -> Step {
        let Self { grant, generation, attempt } = self;
        grant::Command::LoseRefresh { grant, generation, attempt }.into()
    }
}

pub(crate) fn expire(grant: GrantId) -> Step {
    grant::Command::Expire { grant }.into()
}

pub(crate) fn close<const N: usize>(selector: Selector, grants: [GrantId; N]) -> Step {
    grant::Command::Close { selector, grants: grants.into() }.into()
}

pub(crate) fn revoke(selector: Selector) -> Step {
    revocation::Command::Raise { selector, note: None }.into()
}

pub(crate) fn tick() -> Step {
    Command::Tick.into()
}
