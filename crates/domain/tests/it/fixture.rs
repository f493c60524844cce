//! Fixed ids and small values, so that a test names only what it is about.

use leasehold_domain::{
    actor::{Actor, Origin, Principal, Proof},
    authorization::TokenFacts,
    id::{
        AdministratorId, AuthorizationId, ConnectorId, CredentialId, GrantId, IdentityProviderId, LeaseId,
        McpServerId, Name, OrganisationId, SubjectId, WorkloadId,
    },
    policy::Decision,
    scope::ScopeSet,
    text::{AccountKey, Commitment, Digest, Fingerprint, Label, Sealed, Uri},
    time::{Span, Timestamp},
};

/// When every world begins.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
/// How long the access tokens of a fresh consent live.
pub(crate) const TOKEN_LIFE: Span = Span::from_mins(120);

pub(crate) const ORGANISATION: OrganisationId = OrganisationId::from_bytes([1; 16]);
pub(crate) const DRIVE: ConnectorId = ConnectorId::from_bytes([0x10; 16]);
pub(crate) const NOWHERE: ConnectorId = ConnectorId::from_bytes([0x1f; 16]);
pub(crate) const FILES: McpServerId = McpServerId::from_bytes([0x20; 16]);
pub(crate) const MAIL: McpServerId = McpServerId::from_bytes([0x21; 16]);
pub(crate) const NO_SERVER: McpServerId = McpServerId::from_bytes([0x2f; 16]);
pub(crate) const GATEWAY: WorkloadId = WorkloadId::from_bytes([0x30; 16]);
pub(crate) const FILES_WORKLOAD: WorkloadId = WorkloadId::from_bytes([0x31; 16]);
pub(crate) const NO_WORKLOAD: WorkloadId = WorkloadId::from_bytes([0x3f; 16]);
pub(crate) const GATEWAY_CREDENTIAL: CredentialId = CredentialId::from_bytes([0x40; 16]);
pub(crate) const ADMINISTRATOR: AdministratorId = AdministratorId::from_bytes([0x50; 16]);
pub(crate) const ADMINISTRATOR_CREDENTIAL: CredentialId = CredentialId::from_bytes([0x51; 16]);
pub(crate) const BOOTSTRAP: CredentialId = CredentialId::from_bytes([0x52; 16]);
pub(crate) const SIGN_IN: IdentityProviderId = IdentityProviderId::from_bytes([0x60; 16]);
pub(crate) const ALICE: SubjectId = SubjectId::from_bytes([0xa0; 16]);
pub(crate) const BOB: SubjectId = SubjectId::from_bytes([0xb0; 16]);
pub(crate) const NOBODY: SubjectId = SubjectId::from_bytes([0xff; 16]);
pub(crate) const CONSENT: AuthorizationId = AuthorizationId::from_bytes([0x70; 16]);
pub(crate) const CONSENT_2: AuthorizationId = AuthorizationId::from_bytes([0x71; 16]);
pub(crate) const CONSENT_3: AuthorizationId = AuthorizationId::from_bytes([0x72; 16]);
pub(crate) const GRANT: GrantId = GrantId::from_bytes([0x81; 16]);
pub(crate) const GRANT_2: GrantId = GrantId::from_bytes([0x80; 16]);
pub(crate) const LEASE: LeaseId = LeaseId::from_bytes([0x90; 16]);
pub(crate) const LEASE_2: LeaseId = LeaseId::from_bytes([0x91; 16]);
pub(crate) const LEASE_3: LeaseId = LeaseId::from_bytes([0x92; 16]);

/// Names the state parameter of a consent.
pub(crate) const STATE: u8 = 7;
/// Names the browser session in which a consent is approved.
pub(crate) const SESSION: u8 = 8;
/// The account at the provider.
pub(crate) const ACCOUNT: u8 = 9;
/// Another account there.
pub(crate) const OTHER_ACCOUNT: u8 = 10;
/// The node that calls providers.
pub(crate) const NODE: u64 = 1;

pub(crate) const fn secs(secs: u64) -> Span {
    Span::from_secs(secs)
}

pub(crate) const fn mins(mins: u64) -> Span {
    Span::from_mins(mins)
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).expect("tests write valid names")
}

pub(crate) fn label<const MAX: usize>(text: &str) -> Label<MAX> {
    Label::new(text).expect("tests write valid labels")
}

pub(crate) fn uri(text: &str) -> Uri {
    Uri::new(text).expect("tests write valid URIs")
}

pub(crate) fn scopes(text: &str) -> ScopeSet {
    text.parse().expect("tests write valid scopes")
}

/// A ciphertext that is told from others by its text.
pub(crate) fn sealed(text: &str) -> Sealed {
    Sealed::new(text.as_bytes()).expect("tests seal short texts")
}

pub(crate) const fn digest(n: u8) -> Digest {
    Digest::from_bytes([n; 32])
}

pub(crate) const fn commitment(n: u8) -> Commitment {
    Commitment::from_bytes([n; 32])
}

pub(crate) const fn fingerprint(n: u8) -> Fingerprint {
    Fingerprint::from_bytes([n; 20])
}

pub(crate) const fn account(n: u8) -> AccountKey {
    AccountKey::from_bytes([n; 20])
}

/// A token set with a refresh token of unstated life.
pub(crate) const fn tokens(n: u8, access_expires_at: Option<Timestamp>) -> TokenFacts {
    TokenFacts {
        access: fingerprint(n),
        refresh: Some(fingerprint(n)),
        access_expires_at,
        refresh_expires_at: None,
    }
}

/// A decision of the empty policy set.
pub(crate) const fn decision() -> Decision {
    Decision { version: 0, determining: Vec::new() }
}

pub(crate) const fn cluster() -> Actor {
    Actor::cluster(NODE)
}

pub(crate) const fn administrator() -> Actor {
    actor(Principal::Administrator(ADMINISTRATOR), Proof::Credential(ADMINISTRATOR_CREDENTIAL))
}

pub(crate) const fn bootstrap() -> Actor {
    actor(Principal::Bootstrap(BOOTSTRAP), Proof::Credential(BOOTSTRAP))
}

pub(crate) const fn gateway() -> Actor {
    actor(Principal::Workload(GATEWAY), Proof::Credential(GATEWAY_CREDENTIAL))
}

pub(crate) const fn files_workload() -> Actor {
    actor(Principal::Workload(FILES_WORKLOAD), Proof::Certificate(fingerprint(3)))
}

pub(crate) const fn person(subject: SubjectId) -> Actor {
    actor(Principal::Person(subject), Proof::SignIn)
}

const fn actor(principal: Principal, proof: Proof) -> Actor {
    Actor { principal, proof, origin: Origin { address: Some(fingerprint(1)), trace: None, node: NODE } }
}
