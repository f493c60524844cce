//! The replicated state: what every `decide` reads and every `evolve` changes.
//!
//! Tables last and are written as rows by the ledger. Recent things (leases, request outcomes) write no rows: they are folded from the last
//! lines of the ledger, at start too. Indexes follow from tables and are never written.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
};

use crate::{
    actor::Principal,
    administrator::{Administrator, Bootstrap},
    audit::Checkpoint,
    authorization::{Authorization, Binding},
    command::Entity,
    connector::Connector,
    grant::{self, Grant, UpstreamTarget, UpstreamTask},
    id::{
        AdministratorId, AuthorizationId, ConnectorId, CredentialId, GrantId, IdentityProviderId,
        McpServerId, Name, NoteId, SecretId, SubjectId, WorkloadId,
    },
    identity_provider::IdentityProvider,
    mcp_server::McpServer,
    organisation::{KeyId, KeyPurpose, KeyVersion, Organisation},
    policy::{Action, DenialReason, Resource},
    revocation::Selector,
    subject::{DirectoryEntry, Erasure, Identifier, Subject},
    text::{AccountKey, Digest, Label},
    time::Timestamp,
    workload::{CertificateName, Workload},
};

pub mod indexes;
mod reap;
pub mod recent;
pub mod rows;
pub mod table;

use indexes::Indexes;
use recent::Recent;
use table::Table;

/// What there is only one of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Singular {
    /// The organisation, once founded.
    pub organisation: Option<Organisation>,
    /// The current version of each kind of key-encryption key.
    pub key_versions: BTreeMap<KeyPurpose, u32>,
    /// The verifier key of its checkpoints.
    pub verifier: Option<Label<256>>,
    /// The bootstrap credential, once offered.
    pub bootstrap: Option<Bootstrap>,
    /// The sequence number of the event that set the policy set; 0 before.
    pub policy_version: u64,
    /// The newest signed checkpoint.
    pub checkpoint: Option<Checkpoint>,
}

/// What every entry moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Clock {
    /// State time: the latest moment that any proposal carried.
    pub time: Timestamp,
    /// The sequence number of the next event. Event n is leaf n of the Merkle tree.
    pub next_seq: u64,
}

/// An API credential of a workload or an administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Whose it is.
    pub owner: Principal,
    /// SHA-256 of its secret.
    pub secret: Digest,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
}

/// After which sequence numbers things of a selector are no longer covered by its revocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Epoch {
    /// Leases issued or renewed before this event have ended.
    pub leases: u64,
    /// Grants consented before this event have ended.
    pub grants: u64,
    /// Whether grants that it covers are still to be said to have ended.
    pub open: bool,
}

/// What makes denials identical.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DenialKey {
    /// Who was denied.
    pub principal: Principal,
    /// What.
    pub action: Action,
    /// About what.
    pub resource: Resource,
    /// Why.
    pub reason: DenialReason,
}

/// Identical denials of one minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DenialCount {
    /// When the minute began.
    pub since: Timestamp,
    /// How many came after the one that was recorded.
    pub coalesced: u64,
}

/// Ciphertext and texts that the domain stores and never reads. They are rows only, and not kept in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BlobKey {
    /// What tells a wrong root key from damage.
    RootCheck,
    /// A wrapped key-encryption key.
    WrappedKey(KeyPurpose, u32),
    /// The sealed checkpoint signing key.
    SigningKey,
    /// A connector's client secret, sealed.
    ClientSecret(ConnectorId, SecretId),
    /// Our client secret at an identity provider, sealed.
    IdentityProviderSecret(IdentityProviderId),
    /// A PKCE verifier, sealed.
    Verifier(AuthorizationId),
    /// The tokens of a consent whose account is not confirmed yet, sealed.
    PendingTokens(AuthorizationId),
    /// What to call the account of a consent that is on its way, sealed.
    PendingAccount(AuthorizationId),
    /// The token set of a grant's generation, sealed.
    Tokens(GrantId, u64),
    /// What to call the account of a grant, sealed.
    Account(GrantId),
    /// The text of the policy set.
    PolicyText,
    /// The text and salt of a note.
    Note(NoteId),
}

/// The whole state.
#[derive(Default)]
pub struct State {
    /// What every entry moves.
    pub clock: Clock,
    /// What there is only one of.
    pub singular: Singular,
    /// Administrators.
    pub administrators: Table<AdministratorId, Administrator>,
    /// API credentials.
    pub credentials: Table<CredentialId, Credential>,
    /// Which workload a certificate name stands for.
    pub certificates: Table<CertificateName, WorkloadId>,
    /// Identity providers.
    pub identity_providers: Table<IdentityProviderId, IdentityProvider>,
    /// Connectors.
    pub connectors: Table<ConnectorId, Connector>,
    /// MCP servers.
    pub mcp_servers: Table<McpServerId, McpServer>,
    /// Workloads.
    pub workloads: Table<WorkloadId, Workload>,
    /// Subjects.
    pub subjects: Table<SubjectId, Subject>,
    /// Who the subjects are. Personal data.
    pub directory: Table<SubjectId, DirectoryEntry>,
    /// Authorizations that are open, or ended a short time ago.
    pub authorizations: Table<AuthorizationId, Authorization>,
    /// What ties approved authorizations to their browsers.
    pub bindings: Table<AuthorizationId, Binding>,
    /// Grants.
    pub grants: Table<GrantId, Grant>,
    /// Upstream revocations still to be done.
    pub upstream_tasks: Table<UpstreamTarget, UpstreamTask>,
    /// Epochs that revocations raised.
    pub epochs: Table<Selector, Epoch>,
    /// Identical denials of the last minute.
    pub denials: Table<DenialKey, DenialCount>,
    /// The key-encryption keys that there are.
    pub keys: Table<KeyId, KeyVersion>,
    /// The subjects that were erased.
    pub erasures: Table<SubjectId, Erasure>,
    /// What the last lines of the ledger say.
    pub recent: Recent,
    /// What follows from the tables.
    pub indexes: Indexes,
    /// The form of `singular` that the ledger last wrote.
    singular_written: Singular,
}

impl State {
    /// The revision of an entity, as a decision may take it as given; 0 where there is none.
    pub fn revision(&self, entity: Entity) -> u64 {
        match entity {
            Entity::Policy => self.singular.policy_version,
            Entity::Workload(id) => self.workloads.get(&id).map_or(0, |workload| workload.revision),
            Entity::Connector(id) => self.connectors.get(&id).map_or(0, |connector| connector.revision),
            Entity::McpServer(id) => self.mcp_servers.get(&id).map_or(0, |server| server.revision),
            Entity::Subject(id) => self.subjects.get(&id).map_or(0, |subject| subject.revision),
            Entity::Grant(id) => self.grants.get(&id).map_or(0, |grant| grant.revision),
            Entity::Keys(purpose) => self.singular.key_versions.get(&purpose).copied().map_or(0, u64::from),
        }
    }

    /// The epochs of a selector.
    pub fn epoch(&self, selector: Selector) -> Epoch {
        self.epochs.get(&selector).copied().unwrap_or_default()
    }

    /// The connector of this name.
    pub fn connector_named(&self, name: &Name) -> Option<&Connector> {
        self.indexes.connectors_by_name.get(name).and_then(|id| self.connectors.get(id))
    }

    /// The MCP server of this name.
    pub fn mcp_server_named(&self, name: &Name) -> Option<&McpServer> {
        self.indexes.mcp_servers_by_name.get(name).and_then(|id| self.mcp_servers.get(id))
    }

    /// The workload of this name.
    pub fn workload_named(&self, name: &Name) -> Option<&Workload> {
        self.indexes.workloads_by_name.get(name).and_then(|id| self.workloads.get(id))
    }

    /// The subject of this user name, without regard to case.
    pub fn subject_named(&self, user_name: &str) -> Option<&Subject> {
        self.indexes.subjects_by_user_name.get(&user_name.to_lowercase()).and_then(|id| self.subjects.get(id))
    }

    /// The subject to which this identifier is pinned.
    pub fn subject_identified(&self, identifier: &Identifier) -> Option<&Subject> {
        self.indexes.subjects_by_identifier.get(identifier).and_then(|id| self.subjects.get(id))
    }

    /// The subjects whose directory entry has this email, without regard to case.
    pub fn subjects_with_email(&self, email: &str) -> BTreeSet<SubjectId> {
        let email: String = email.to_lowercase();
        self.indexes.subjects_by_email.get(&email).cloned().unwrap_or_default()
    }

    /// The grants of a subject that are not yet said to have ended.
    pub fn grants_of(&self, subject: SubjectId) -> impl Iterator<Item = &Grant> {
        self.indexes
            .grants_by_subject
            .get(&subject)
            .into_iter()
            .flatten()
            .filter_map(|id| self.grants.get(id))
    }

    /// The grant of this key that is live or may be renewed.
    pub fn grant_keyed(&self, key: &grant::Key) -> Option<&Grant> {
        let first = GrantId::from_bytes([0; 16]);
        let last = GrantId::from_bytes([u8::MAX; 16]);
        let (_, _, newest) =
            self.indexes.grants_by_key.range((*key, 0, first)..=(*key, u64::MAX, last)).next_back()?;
        self.grants.get(newest).filter(|grant| grant.revoked_by(self).is_none())
    }

    /// The authorization that is open for this subject, connector and MCP server.
    pub fn authorization_open(
        &self,
        subject: SubjectId,
        connector: ConnectorId,
        server: McpServerId,
    ) -> Option<&Authorization> {
        let first = (subject, connector, server, 0, AuthorizationId::from_bytes([0; 16]));
        let last = (subject, connector, server, u64::MAX, AuthorizationId::from_bytes([u8::MAX; 16]));
        let (.., newest) = self.indexes.authorizations_open.range(first..=last).next_back()?;
        self.authorizations.get(newest).filter(|authorization| authorization.is_open(self))
    }

    /// The subjects that have this account at this connector; more than one is worth a flag.
    pub fn subjects_of_account(&self, connector: ConnectorId, account: AccountKey) -> BTreeSet<SubjectId> {
        let first = (connector, account, SubjectId::from_bytes([0; 16]), GrantId::from_bytes([0; 16]));
        let last =
            (connector, account, SubjectId::from_bytes([u8::MAX; 16]), GrantId::from_bytes([u8::MAX; 16]));
        self.indexes.grants_by_account.range(first..=last).map(|(_, _, subject, _)| *subject).collect()
    }
}

impl Grant {
    /// The sequence number of the newest revocation that covers it, said or not yet said.
    pub fn revoked_by(&self, state: &State) -> Option<u64> {
        if let grant::Phase::Revoked { by } = self.phase {
            return Some(by);
        }
        let isolation = self.key.isolation.map(Selector::McpServer);
        [
            Some(Selector::Grant(self.id)),
            Some(Selector::Subject(self.key.subject)),
            Some(Selector::Connector(self.key.connector)),
            isolation,
        ]
        .into_iter()
        .flatten()
        .map(|selector| state.epoch(selector).grants)
        .filter(|epoch| *epoch > self.consented_seq)
        .max()
    }
}

/// Every index of live things, by the selector that covers them.
pub type BySelector<T> = BTreeMap<Selector, BTreeSet<T>>;
