//! Entries to feed a ledger with: the same every time.

use leasehold_domain::{
    actor::{Actor, Origin, Principal, Proof, RequestId},
    authorization::{self, TokenFacts},
    command::{Command, Proposal, RequestKey},
    connector::{self, Exposure, Isolation, Location, Registration},
    grant,
    id::{
        AuthorizationId, ConnectorId, CredentialId, GrantId, LeaseId, McpServerId, Name, OrganisationId,
        SecretId, SubjectId, WorkloadId,
    },
    lease, mcp_server,
    organisation::{self, KeyPurpose, LEVEL, Organisation, Signer, WrappedKey},
    policy::Decision,
    provider::RefreshClass,
    scope::{Scope, ScopeSet},
    state::BlobKey,
    subject,
    text::{AccountKey, Commitment, Digest, Fingerprint, Label, Sealed, Uri},
    time::{Span, Timestamp},
    workload,
};

use crate::{Entry, Payload, Position};

const CONNECTOR: ConnectorId = ConnectorId::from_bytes([1; 16]);
const SERVER: McpServerId = McpServerId::from_bytes([2; 16]);
pub(crate) const WORKLOAD: WorkloadId = WorkloadId::from_bytes([3; 16]);
const CREDENTIAL: CredentialId = CredentialId::from_bytes([4; 16]);
const SESSION: Digest = Digest::from_bytes([5; 32]);
const STATE: Digest = Digest::from_bytes([6; 32]);

fn id(n: u64) -> [u8; 16] {
    (u128::from(n) << 64 | 7).to_be_bytes()
}

pub(crate) fn subject_id(n: u64) -> SubjectId {
    SubjectId::from_bytes(id(n))
}

pub(crate) fn grant_id(n: u64) -> GrantId {
    GrantId::from_bytes(id(n))
}

pub(crate) fn lease_id(n: u64) -> LeaseId {
    LeaseId::from_bytes(id(n))
}

pub(crate) fn sealed(byte: u8, len: usize) -> Sealed {
    Sealed::new(vec![byte; len]).unwrap()
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn scopes() -> ScopeSet {
    ScopeSet::new([Scope::new("files.read").unwrap()]).unwrap()
}

pub(crate) fn holder() -> Actor {
    Actor {
        principal: Principal::Workload(WORKLOAD),
        proof: Proof::Credential(CREDENTIAL),
        origin: Origin { address: None, trace: None, node: 1 },
    }
}

fn person(n: u64) -> Actor {
    Actor { principal: Principal::Person(subject_id(n)), proof: Proof::SignIn, ..Actor::cluster(1) }
}

pub(crate) fn request(name: &str) -> RequestKey {
    RequestKey { id: RequestId::new(name).unwrap(), body: Digest::from_bytes([name.len() as u8; 32]) }
}

/// Writes entries: one after the other, a second apart.
#[derive(Clone)]
pub(crate) struct Author {
    pub(crate) index: u64,
    pub(crate) now: Timestamp,
}

impl Author {
    pub(crate) fn new() -> Self {
        Self { index: 0, now: Timestamp::from_millis(1_700_000_000_000) }
    }

    pub(crate) fn position(&self, index: u64) -> Position {
        Position { term: 1, node: 1, index }
    }

    pub(crate) fn payload(&mut self, payload: Payload) -> Entry {
        let position = self.position(self.index);
        self.index += 1;
        self.now = self.now + Span::from_secs(1);
        Entry { position, payload }
    }

    pub(crate) fn proposal(&self, actor: Actor, command: Command) -> Proposal {
        Proposal { request: None, actor, at: self.now, facts: Vec::new(), command }
    }

    pub(crate) fn entry(&mut self, commands: impl IntoIterator<Item = (Actor, Command)>) -> Entry {
        let proposals = commands.into_iter().map(|(actor, command)| self.proposal(actor, command)).collect();
        self.payload(Payload::Proposals(proposals))
    }

    fn ours(&mut self, commands: impl IntoIterator<Item = Command>) -> Entry {
        self.entry(commands.into_iter().map(|command| (Actor::cluster(1), command)))
    }

    /// A cluster with one of everything that a lease needs, but for subjects and grants.
    pub(crate) fn founding(&mut self) -> Vec<Entry> {
        let purposes = [
            KeyPurpose::AccessTokens,
            KeyPurpose::RefreshTokens,
            KeyPurpose::Signing,
            KeyPurpose::Pseudonyms,
        ];
        let keys =
            purposes.map(|purpose| WrappedKey { purpose, version: 1, wrapped: sealed(purpose as u8, 60) });
        let found = organisation::Command::Found {
            organisation: Organisation {
                id: OrganisationId::from_bytes([9; 16]),
                origin: Label::new("leasehold.example/ledger").unwrap(),
                development: true,
                level: LEVEL,
            },
            root_check: sealed(1, 40),
            keys: keys.to_vec(),
            signer: Signer {
                sealed: sealed(2, 80),
                verifier: Label::new("leasehold.example+1+key").unwrap(),
            },
        };
        let register =
            connector::Command::Register { connector: CONNECTOR, registration: registration("drive") };
        let server = mcp_server::Command::Register {
            mcp_server: SERVER,
            name: name("files"),
            resource: Uri::new("https://files.example").unwrap(),
        };
        let need =
            mcp_server::Command::SetNeed { mcp_server: SERVER, connector: CONNECTOR, scopes: scopes() };
        let gateway = workload::Command::Register {
            workload: WORKLOAD,
            name: name("gateway"),
            kind: workload::Kind::Gateway,
        };
        vec![
            self.payload(Payload::Membership(b"one node".to_vec())),
            self.payload(Payload::Blank),
            self.ours([Command::Organisation(found)]),
            self.ours([Command::Connector(register), Command::McpServer(server), Command::McpServer(need)]),
            self.ours([Command::Workload(gateway)]),
        ]
    }

    /// A subject, and its consent up to an active grant.
    pub(crate) fn consent(&mut self, n: u64) -> Vec<Entry> {
        let authorization = AuthorizationId::from_bytes(id(n));
        let entry = subject::DirectoryEntry {
            user_name: Label::new(&format!("person-{n}")).unwrap(),
            email: Some(Label::new(&format!("person-{n}@example.org")).unwrap()),
            display_name: None,
            identifiers: Vec::new(),
            salt: [8; 16],
        };
        let subject = subject_id(n);
        let commitment = Commitment::from_bytes([8; 32]);
        let register = subject::Command::Register { subject, kind: subject::Kind::Person, entry, commitment };
        let start = authorization::Command::Start {
            authorization,
            subject,
            connector: CONNECTOR,
            mcp_server: SERVER,
            scopes: scopes(),
            grant: None,
        };
        let approve = authorization::Command::Approve {
            authorization,
            state: STATE,
            session: SESSION,
            verifier: sealed(3, 100),
        };
        let intend =
            authorization::Command::IntendExchange { authorization, state: STATE, session: SESSION, node: 1 };
        let complete = authorization::Command::CompleteExchange {
            authorization,
            account: AccountKey::from_bytes([n as u8; 20]),
            account_label: sealed(4, 50),
            granted: scopes(),
            tokens: sealed(5, 900),
            facts: self.facts(n, 1),
        };
        let confirm = authorization::Command::ConfirmAccount {
            authorization,
            session: SESSION,
            grant: grant_id(n),
            generation: 1,
            tokens: sealed(6, 900),
            account_label: sealed(7, 50),
            facts: self.facts(n, 1),
        };
        vec![
            self.ours([Command::Subject(register), Command::Authorization(start)]),
            self.entry([
                (person(n), Command::Authorization(approve)),
                (person(n), Command::Authorization(intend)),
            ]),
            self.ours([Command::Authorization(complete)]),
            self.entry([(person(n), Command::Authorization(confirm))]),
        ]
    }

    fn facts(&self, n: u64, generation: u64) -> TokenFacts {
        let mut access = [n as u8; 20];
        access[0] = generation as u8;
        TokenFacts {
            access: Fingerprint::from_bytes(access),
            refresh: Some(Fingerprint::from_bytes([n as u8; 20])),
            access_expires_at: Some(self.now + Span::from_mins(600)),
            refresh_expires_at: None,
        }
    }

    /// A refresh of grant `n` from this generation to the next.
    pub(crate) fn refresh(&mut self, n: u64, generation: u64) -> Vec<Entry> {
        let intend = grant::Command::IntendRefresh {
            grant: grant_id(n),
            generation,
            node: 1,
            occasion: grant::Occasion::Ordered,
        };
        let commit = grant::Command::CommitRefresh {
            grant: grant_id(n),
            generation,
            attempt: generation,
            granted: scopes(),
            tokens: sealed(generation as u8, 900),
            facts: self.facts(n, generation + 1),
        };
        vec![self.ours([Command::Grant(intend)]), self.ours([Command::Grant(commit)])]
    }

    /// Proposes a lease of grant `n` at this generation, under a request name.
    pub(crate) fn lease(&self, lease: u64, n: u64, generation: u64) -> Proposal {
        let issue = lease::Command::Issue {
            lease: lease_id(lease),
            mcp_server: SERVER,
            grant: grant_id(n),
            generation,
            needed: scopes(),
            basis: lease::Basis::Vouched,
            ttl: Span::from_mins(5),
            vouched_max: u64::MAX,
            decision: Decision { version: 0, determining: Vec::new() },
        };
        let mut actor = holder();
        // Each asks from another address, or they would be one lease.
        actor.origin.address = Some(Fingerprint::from_bytes({
            let mut address = [0; 20];
            address[..8].copy_from_slice(&lease.to_be_bytes());
            address
        }));
        let request = Some(request(&format!("lease-{lease}")));
        Proposal { request, ..self.proposal(actor, Command::Lease(issue)) }
    }

    /// Leases numbered from `first`, as one entry.
    pub(crate) fn leases(&mut self, first: u64, count: u64, n: u64, generation: u64) -> Entry {
        let proposals = (first..first + count).map(|lease| self.lease(lease, n, generation)).collect();
        self.payload(Payload::Proposals(proposals))
    }

    /// A connector with as many client secrets as it may have, each as long as one may be.
    pub(crate) fn heavy_connector(&mut self, n: u64) -> Vec<Entry> {
        let connector = ConnectorId::from_bytes(id(n));
        let registration = registration(&format!("heavy-{n}"));
        let secrets = (0..connector::SECRETS_MAX as u64).map(|secret| connector::Command::AddSecret {
            connector,
            secret: SecretId::from_bytes(id(n << 8 | secret)),
            sealed: sealed((n + secret) as u8, Sealed::LEN_MAX),
        });
        let commands =
            std::iter::once(connector::Command::Register { connector, registration }).chain(secrets);
        vec![self.ours(commands.map(Command::Connector))]
    }

    /// A bit of everything: `grants` grants, a refresh of each, and some leases.
    pub(crate) fn story(&mut self, grants: u64) -> Vec<Entry> {
        let mut entries = self.founding();
        for n in 0..grants {
            entries.extend(self.consent(n));
            entries.extend(self.refresh(n, 1));
            entries.push(self.leases(n * 10, 5, n, 2));
        }
        entries
    }
}

/// The secrets of a heavy connector.
pub(crate) fn heavy_secrets(n: u64) -> impl Iterator<Item = BlobKey> {
    (0..connector::SECRETS_MAX as u64).map(move |secret| {
        BlobKey::ClientSecret(ConnectorId::from_bytes(id(n)), SecretId::from_bytes(id(n << 8 | secret)))
    })
}

fn registration(of: &str) -> Registration {
    Registration {
        name: name(of),
        provider: name("sandbox"),
        client_id: Label::new("client").unwrap(),
        location: Location::Catalogue,
        isolation: Isolation::Shared,
        exposure: Exposure::HandOut,
        class: RefreshClass::Strict,
    }
}
