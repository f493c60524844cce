//! The values of which records are made. Those with rules are built by their own constructors, so that bytes
//! cannot bring in what the domain would have refused.

use std::collections::{BTreeMap, BTreeSet};

use leasehold_domain::{
    id::{
        AdministratorId, AuthorizationId, ConnectorId, CredentialId, GrantId, IdentityProviderId, LeaseId,
        McpServerId, Name, NoteId, OrganisationId, SecretId, SubjectId, WorkloadId,
    },
    scope::{Scope, ScopeSet},
    text::{AccountKey, Commitment, Digest, Fingerprint, KeyCheck, Label, Sealed, TraceId, Uri},
    time::{Span, Timestamp},
};

use super::{DecodeError, Problem, Reader, Wire, Writer};

macro_rules! integers {
    ($($type:ty: $name:literal),+) => {$(
        impl Wire for $type {
            fn put(&self, writer: &mut Writer) {
                writer.uint(u64::from(*self));
            }

            fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                let value = reader.uint()?;
                Self::try_from(value).map_err(|_| reader.problem(Problem::Invalid($name)))
            }
        }
    )+};
}

integers! { u8: "8-bit number", u16: "16-bit number", u32: "32-bit number", u64: "64-bit number" }

macro_rules! fixed_bytes {
    ($($type:ty: $name:literal),+ $(,)?) => {$(
        impl Wire for $type {
            fn put(&self, writer: &mut Writer) {
                writer.bytes(&self.to_bytes());
            }

            fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                let bytes = reader.bytes()?;
                bytes.try_into().map(Self::from_bytes).map_err(|_| reader.problem(Problem::Invalid($name)))
            }
        }
    )+};
}

fixed_bytes! {
    OrganisationId: "organisation id",
    ConnectorId: "connector id",
    McpServerId: "MCP server id",
    SubjectId: "subject id",
    GrantId: "grant id",
    AuthorizationId: "authorization id",
    LeaseId: "lease id",
    WorkloadId: "workload id",
    AdministratorId: "administrator id",
    CredentialId: "credential id",
    SecretId: "secret id",
    IdentityProviderId: "identity provider id",
    NoteId: "note id",
    Digest: "digest",
    Commitment: "commitment",
    KeyCheck: "check value of a key",
    Fingerprint: "fingerprint",
    AccountKey: "account key",
    TraceId: "trace id",
}

macro_rules! texts {
    ($([$($generics:tt)*] $type:ty: $name:literal),+ $(,)?) => {$(
        impl $($generics)* Wire for $type {
            fn put(&self, writer: &mut Writer) {
                writer.text(self.as_str());
            }

            fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                let text = reader.text()?;
                Self::new(text).map_err(|_| reader.problem(Problem::Invalid($name)))
            }
        }
    )+};
}

texts! { [] Name: "name", [] Scope: "scope", [] Uri: "URI", [<const MAX: usize>] Label<MAX>: "label" }

impl Wire for bool {
    fn put(&self, writer: &mut Writer) {
        writer.bool(*self);
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.bool()
    }
}

impl Wire for String {
    fn put(&self, writer: &mut Writer) {
        writer.text(self);
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.text().map(Self::from)
    }
}

/// A salt.
impl Wire for [u8; 16] {
    fn put(&self, writer: &mut Writer) {
        writer.bytes(self);
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bytes = reader.bytes()?;
        bytes.try_into().map_err(|_| reader.problem(Problem::Invalid("salt")))
    }
}

impl Wire for Timestamp {
    fn put(&self, writer: &mut Writer) {
        writer.uint(self.as_millis());
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let millis = reader.uint()?;
        let moment = Self::from_millis(millis);
        if moment.as_millis() == millis {
            Ok(moment)
        } else {
            Err(reader.problem(Problem::Invalid("moment")))
        }
    }
}

impl Wire for Span {
    fn put(&self, writer: &mut Writer) {
        writer.uint(self.as_millis());
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.uint().map(Self::from_millis)
    }
}

impl Wire for Sealed {
    fn put(&self, writer: &mut Writer) {
        writer.bytes(self.as_bytes());
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bytes = reader.bytes()?;
        if bytes.len() > Self::LEN_MAX {
            return Err(reader.problem(Problem::TooMany(Self::LEN_MAX)));
        }
        Self::new(bytes).ok_or_else(|| reader.problem(Problem::Invalid("ciphertext")))
    }
}

impl Wire for ScopeSet {
    fn put(&self, writer: &mut Writer) {
        writer.array(self.len());
        self.iter().for_each(|scope| scope.put(writer));
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let scopes = ascending(reader, Self::MEMBERS_MAX)?;
        Self::new(scopes).map_err(|_| reader.problem(Problem::Invalid("set of scopes")))
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, writer: &mut Writer) {
        match self {
            Some(value) => value.put(writer),
            None => writer.null(),
        }
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if reader.null()? { Ok(None) } else { T::take(reader).map(Some) }
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn take_present(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        T::take(reader).map(Some)
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, writer: &mut Writer) {
        writer.array(self.len());
        self.iter().for_each(|item| item.put(writer));
    }

    /// Grows with the items that really come, and never to the length that the head claims.
    fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let len = reader.array()?;
        let mut items = Self::new();
        for _ in 0..len {
            items.push(T::take(reader)?);
        }
        Ok(items)
    }
}

impl<T: Wire + Ord> Wire for BTreeSet<T> {
    fn put(&self, writer: &mut Writer) {
        writer.array(self.len());
        self.iter().for_each(|item| item.put(writer));
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        ascending(reader, usize::MAX)
    }
}

impl<K: Wire + Ord, V: Wire> Wire for BTreeMap<K, V> {
    fn put(&self, writer: &mut Writer) {
        writer.map(self.len());
        self.iter().for_each(|(key, value)| {
            key.put(writer);
            value.put(writer);
        });
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let len = reader.map()?;
        let mut entries = Self::new();
        for _ in 0..len {
            let key = K::take(reader)?;
            if entries.last_key_value().is_some_and(|(last, _)| *last >= key) {
                return Err(reader.problem(Problem::NotAscending));
            }
            entries.insert(key, V::take(reader)?);
        }
        Ok(entries)
    }
}

/// The members of a set, each greater than the one before.
fn ascending<T: Wire + Ord>(reader: &mut Reader<'_>, members_max: usize) -> Result<BTreeSet<T>, DecodeError> {
    let len = reader.array()?;
    if len > members_max as u64 {
        return Err(reader.problem(Problem::TooMany(members_max)));
    }
    let mut members = BTreeSet::new();
    for _ in 0..len {
        let member = T::take(reader)?;
        if members.last().is_some_and(|last| *last >= member) {
            return Err(reader.problem(Problem::NotAscending));
        }
        members.insert(member);
    }
    Ok(members)
}
