//! The bytes of keys. They sort as the domain sorts: numbers are big-endian, variants stand in the domain's
//! order, nothing comes before something, and a text stands only at the end.

use leasehold_domain::{
    actor::Principal,
    administrator::Administrator,
    authorization::{Authorization, Binding},
    connector::Connector,
    grant::{Grant, UpstreamTarget, UpstreamTask},
    id::{
        AdministratorId, AuthorizationId, ConnectorId, CredentialId, GrantId, IdentityProviderId,
        McpServerId, NoteId, SecretId, SubjectId, WorkloadId,
    },
    identity_provider::IdentityProvider,
    mcp_server::McpServer,
    organisation::{KeyId, KeyPurpose, KeyVersion},
    policy::{Action, DenialReason, Resource},
    revocation::Selector,
    state::{BlobKey, Credential, DenialCount, DenialKey, Epoch},
    subject::{DirectoryEntry, Erasure, Subject},
    text::Label,
    workload::{CertificateName, Workload},
};

use super::Keyed;
use crate::cbor::{DecodeError, Problem};

/// A key being read.
pub(super) struct KeyReader<'b> {
    rest: &'b [u8],
    at: usize,
}

impl<'b> KeyReader<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { rest: bytes, at: 0 }
    }

    pub(super) fn problem(&self, problem: Problem) -> DecodeError {
        DecodeError { at: self.at, problem }
    }

    pub(super) fn byte(&mut self, expected: &'static str) -> Result<u8, DecodeError> {
        self.array::<1>(expected).map(|[byte]| byte)
    }

    fn array<const LEN: usize>(&mut self, expected: &'static str) -> Result<[u8; LEN], DecodeError> {
        let (head, rest) =
            self.rest.split_first_chunk().ok_or_else(|| self.problem(Problem::Expected(expected)))?;
        self.rest = rest;
        self.at += LEN;
        Ok(*head)
    }

    fn text(&mut self) -> Result<&'b str, DecodeError> {
        let text = str::from_utf8(self.rest).map_err(|_| self.problem(Problem::Expected("a text")))?;
        self.at += self.rest.len();
        self.rest = &[];
        Ok(text)
    }

    pub(super) fn finish(&self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.problem(Problem::Trailing)) }
    }
}

/// A part of a key.
pub(super) trait Key: Sized {
    fn put(&self, bytes: &mut Vec<u8>);
    fn take(reader: &mut KeyReader<'_>) -> Result<Self, DecodeError>;
}

macro_rules! ids {
    ($($id:ty),+ $(,)?) => {$(
        impl Key for $id {
            fn put(&self, bytes: &mut Vec<u8>) {
                bytes.extend(self.to_bytes());
            }

            fn take(reader: &mut KeyReader<'_>) -> Result<Self, DecodeError> {
                reader.array("an id").map(Self::from_bytes)
            }
        }
    )+};
}

ids! {
    AdministratorId, AuthorizationId, ConnectorId, CredentialId, GrantId, IdentityProviderId, McpServerId, NoteId, SecretId,
    SubjectId, WorkloadId,
}

macro_rules! numbers {
    ($($number:ty),+) => {$(
        impl Key for $number {
            fn put(&self, bytes: &mut Vec<u8>) {
                bytes.extend(self.to_be_bytes());
            }

            fn take(reader: &mut KeyReader<'_>) -> Result<Self, DecodeError> {
                reader.array("a number").map(Self::from_be_bytes)
            }
        }
    )+};
}

numbers! { u32, u64 }

/// A text with rules, which ends the key.
impl<const MAX: usize> Key for Label<MAX> {
    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.as_str().bytes());
    }

    fn take(reader: &mut KeyReader<'_>) -> Result<Self, DecodeError> {
        let text = reader.text()?;
        Self::new(text).map_err(|_| reader.problem(Problem::Invalid("label")))
    }
}

impl<T: Key> Key for Option<T> {
    fn put(&self, bytes: &mut Vec<u8>) {
        match self {
            None => bytes.push(0),
            Some(value) => {
                bytes.push(1);
                value.put(bytes);
            }
        }
    }

    fn take(reader: &mut KeyReader<'_>) -> Result<Self, DecodeError> {
        match reader.byte("something or nothing")? {
            0 => Ok(None),
            1 => T::take(reader).map(Some),
            other => Err(reader.problem(Problem::UnknownVariant(u64::from(other)))),
        }
    }
}

/// `variants! { Type { 0 Variant, 1 Variant(part, part) } }`: the number in one byte, then the parts. Numbers
/// are in the domain's order.
macro_rules! variants {
    ($($type:ty { $($number:literal $variant:ident $(( $($part:ident),+ ))?),+ $(,)? })+) => {$(
        impl Key for $type {
            fn put(&self, bytes: &mut Vec<u8>) {
                match self {
                    $(Self::$variant $(( $($part),+ ))? => {
                        bytes.push($number);
                        $($($part.put(bytes);)+)?
                    })+
                }
            }

            fn take(reader: &mut KeyReader<'_>) -> Result<Self, DecodeError> {
                match reader.byte("a variant")? {
                    $($number => {
                        $($(let $part = Key::take(reader)?;)+)?
                        Ok(Self::$variant $(( $($part),+ ))?)
                    })+
                    other => Err(reader.problem(Problem::UnknownVariant(u64::from(other)))),
                }
            }
        }
    )+};
}

variants! {
    CertificateName { 0 Spiffe(name), 1 Dns(name) }
    UpstreamTarget { 0 Grant(id), 1 Authorization(id) }
    Selector { 0 Grant(id), 1 Subject(id), 2 Workload(id), 3 Connector(id), 4 McpServer(id) }
    Principal { 0 Cluster, 1 Bootstrap(credential), 2 Administrator(id), 3 Workload(id), 4 Person(subject) }
    Action { 0 Lease, 1 ActAs, 2 StartAuthorization, 3 Administer, 4 Audit }
    DenialReason { 0 Policy, 1 TokenTooBroad, 2 WeakCredential, 3 SubjectCap, 4 Role, 5 NotItsOwn }
    KeyPurpose { 0 AccessTokens, 1 RefreshTokens, 2 Signing, 3 Pseudonyms }
    BlobKey {
        64 RootCheck,
        65 WrappedKey(purpose, version),
        66 SigningKey,
        67 ClientSecret(connector, secret),
        68 IdentityProviderSecret(identity_provider),
        69 Verifier(authorization),
        70 PendingTokens(authorization),
        71 PendingAccount(authorization),
        72 Tokens(grant, generation),
        73 Account(grant),
        74 PolicyText,
        75 Note(note),
    }
}

/// `parts! { Type { field, field } }`: the parts one after another, in the domain's order.
macro_rules! parts {
    ($($type:ty { $($field:ident),+ })+) => {$(
        impl Key for $type {
            fn put(&self, bytes: &mut Vec<u8>) {
                let Self { $($field),+ } = self;
                $($field.put(bytes);)+
            }

            fn take(reader: &mut KeyReader<'_>) -> Result<Self, DecodeError> {
                $(let $field = Key::take(reader)?;)+
                Ok(Self { $($field),+ })
            }
        }
    )+};
}

parts! {
    Resource { mcp_server, connector, subject }
    DenialKey { principal, action, resource, reason }
    KeyId { purpose, version }
}

macro_rules! keyed_by_id {
    ($($id:ty: $row:ty),+ $(,)?) => {$(
        impl Keyed<$id> for $row {
            fn belongs_under(&self, key: &$id) -> bool {
                self.id == *key
            }
        }
    )+};
}

keyed_by_id! {
    AdministratorId: Administrator,
    IdentityProviderId: IdentityProvider,
    ConnectorId: Connector,
    McpServerId: McpServer,
    WorkloadId: Workload,
    SubjectId: Subject,
    AuthorizationId: Authorization,
    GrantId: Grant,
}

macro_rules! keyed_from_outside {
    ($($key:ty: $row:ty),+ $(,)?) => {$(
        impl Keyed<$key> for $row {
            fn belongs_under(&self, _: &$key) -> bool {
                true
            }
        }
    )+};
}

keyed_from_outside! {
    CredentialId: Credential,
    CertificateName: WorkloadId,
    SubjectId: DirectoryEntry,
    AuthorizationId: Binding,
    UpstreamTarget: UpstreamTask,
    Selector: Epoch,
    DenialKey: DenialCount,
    KeyId: KeyVersion,
    SubjectId: Erasure,
}
