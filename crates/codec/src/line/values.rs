//! The values of which lines are made.

use std::collections::BTreeSet;

use leasehold_domain::{
    id::{
        AdministratorId, AuthorizationId, ConnectorId, CredentialId, GrantId, IdentityProviderId, LeaseId,
        McpServerId, Name, OrganisationId, SecretId, SubjectId, WorkloadId,
    },
    scope::{Scope, ScopeSet},
    text::{AccountKey, Commitment, Digest, Fingerprint, KeyCheck, Label, TraceId, Uri},
    time::{Span, Timestamp},
};

use super::{LineProblem, ParseError, Reader, Writer, moment};
use crate::touches::Topic;

/// A value with one form in a line.
pub(super) trait Json: Sized {
    /// Writes it.
    fn render(&self, writer: &mut Writer);

    /// Reads it, and refuses anything that [`Json::render`] would not write.
    fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError>;

    /// Whether an object leaves it out.
    fn is_absent(&self) -> bool {
        false
    }

    /// What stands for it where an object has left it out, if that is allowed.
    fn absent() -> Option<Self> {
        None
    }

    /// Adds what it names to the topics of its line.
    fn touch(&self, _topics: &mut BTreeSet<Topic>) {}

    /// A value whose form is as long as any's.
    #[cfg(test)]
    fn longest() -> Self;

    /// A list of them whose form is as long as any's.
    #[cfg(test)]
    fn longest_list() -> Vec<Self> {
        vec![Self::longest()]
    }
}

/// Of some values, one whose form is the longest.
#[cfg(test)]
pub(super) fn longest_of<T: Json>(values: impl IntoIterator<Item = T>) -> T {
    let len = |value: &T| {
        let mut writer = Writer::new();
        value.render(&mut writer);
        writer.into_bytes().len()
    };
    values.into_iter().max_by_key(len).expect("a choice has a variant")
}

macro_rules! integers {
    ($($type:ty: $name:literal),+) => {$(
        impl Json for $type {
            fn render(&self, writer: &mut Writer) {
                writer.print(format_args!("{self}"));
            }

            fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
                let value = reader.uint()?;
                Self::try_from(value).map_err(|_| reader.problem(LineProblem::Invalid($name)))
            }

            #[cfg(test)]
            fn longest() -> Self {
                Self::MAX
            }
        }
    )+};
}

integers! { u16: "16-bit number", u32: "32-bit number", u64: "64-bit number" }

/// Spans stand under names that end in `_ms`.
impl Json for Span {
    fn render(&self, writer: &mut Writer) {
        self.as_millis().render(writer);
    }

    fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        reader.uint().map(Self::from_millis)
    }

    #[cfg(test)]
    fn longest() -> Self {
        Self::from_millis(u64::MAX)
    }
}

impl Json for bool {
    fn render(&self, writer: &mut Writer) {
        writer.print(format_args!("{self}"));
    }

    fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        if reader.passes("true") {
            Ok(true)
        } else if reader.passes("false") {
            Ok(false)
        } else {
            Err(reader.problem(LineProblem::Expected("a truth value")))
        }
    }

    #[cfg(test)]
    fn longest() -> Self {
        false
    }
}

impl Json for Timestamp {
    fn render(&self, writer: &mut Writer) {
        moment::render(*self, writer);
    }

    fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        reader.text("moment", moment::parse)
    }

    #[cfg(test)]
    fn longest() -> Self {
        Self::MAX
    }
}

macro_rules! ids {
    ($($id:ty: $name:literal $(=> $topic:ident)?),+ $(,)?) => {$(
        impl Json for $id {
            fn render(&self, writer: &mut Writer) {
                writer.print(format_args!("\"{self}\""));
            }

            fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
                reader.text($name, |text| text.parse().ok())
            }

            $(fn touch(&self, topics: &mut BTreeSet<Topic>) {
                topics.insert(Topic::$topic(*self));
            })?

            #[cfg(test)]
            fn longest() -> Self {
                Self::from_bytes([0xff; 16])
            }
        }
    )+};
}

ids! {
    OrganisationId: "organisation id",
    ConnectorId: "connector id" => Connector,
    McpServerId: "MCP server id" => McpServer,
    SubjectId: "subject id" => Subject,
    GrantId: "grant id" => Grant,
    AuthorizationId: "authorization id" => Authorization,
    LeaseId: "lease id",
    WorkloadId: "workload id" => Workload,
    AdministratorId: "administrator id" => Administrator,
    CredentialId: "credential id",
    SecretId: "secret id",
    IdentityProviderId: "identity provider id",
}

macro_rules! texts {
    ($($type:ty: $name:literal, $longest:expr;)+) => {$(
        impl Json for $type {
            fn render(&self, writer: &mut Writer) {
                writer.string(self.as_str());
            }

            fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
                reader.text($name, |text| Self::new(text).ok())
            }

            #[cfg(test)]
            fn longest() -> Self {
                Self::new(&$longest).expect("the longest text is valid")
            }
        }
    )+};
}

texts! {
    Name: "name", "n".repeat(Self::LEN_MAX);
    Scope: "scope", "s".repeat(Self::LEN_MAX);
    Uri: "URI", format!("https://{}", "u".repeat(Self::LEN_MAX - 8));
}

impl<const MAX: usize> Json for Label<MAX> {
    fn render(&self, writer: &mut Writer) {
        writer.string(self.as_str());
    }

    fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        reader.text("label", |text| Self::new(text).ok())
    }

    #[cfg(test)]
    fn longest() -> Self {
        Self::new(&"\"".repeat(MAX)).expect("quotes are a label")
    }

    #[cfg(test)]
    fn longest_list() -> Vec<Self> {
        use leasehold_domain::identity_provider::{DOMAINS_LEN_MAX, DOMAINS_MAX};
        match MAX {
            64 => vec![Self::longest(); leasehold_domain::policy::DETERMINING_MAX],
            253 => {
                let domain =
                    Self::new(&"\"".repeat(DOMAINS_LEN_MAX / DOMAINS_MAX)).expect("quotes are a label");
                vec![domain; DOMAINS_MAX]
            }
            _ => vec![Self::longest()],
        }
    }
}

impl Json for ScopeSet {
    fn render(&self, writer: &mut Writer) {
        writer.array(self.iter());
    }

    fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        let scopes: Vec<Scope> = reader.array()?;
        let ascending = scopes.is_sorted_by(|one, other| one < other);
        let set = Self::new(scopes).ok().filter(|_| ascending);
        set.ok_or_else(|| reader.problem(LineProblem::Invalid("set of scopes")))
    }

    /// As many members as there may be, for each costs two quotes and a comma.
    #[cfg(test)]
    fn longest() -> Self {
        let len = Self::LEN_MAX / Self::MEMBERS_MAX - 1;
        let scopes = (0..Self::MEMBERS_MAX).map(|member| format!("{member:0len$}"));
        let set = Self::new(scopes.map(|scope| Scope::new(&scope).expect("digits are a scope")));
        set.expect("the longest set is valid")
    }
}

/// The name of the function before its result.
macro_rules! digests {
    ($($type:ty: $name:literal),+) => {$(
        impl Json for $type {
            fn render(&self, writer: &mut Writer) {
                writer.print(format_args!("\"sha256:{self}\""));
            }

            fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
                reader.text($name, |text| text.strip_prefix("sha256:").and_then(unhex).map(Self::from_bytes))
            }

            #[cfg(test)]
            fn longest() -> Self {
                Self::from_bytes([0xff; 32])
            }
        }
    )+};
}

digests! { Digest: "digest", Commitment: "commitment" }

impl Json for KeyCheck {
    fn render(&self, writer: &mut Writer) {
        writer.print(format_args!("\"check:{self}\""));
    }

    fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        reader.text("check value of a key", |text| {
            text.strip_prefix("check:").and_then(unhex).map(Self::from_bytes)
        })
    }

    #[cfg(test)]
    fn longest() -> Self {
        Self::from_bytes([0xff; 16])
    }
}

/// The version of the key, and the result.
macro_rules! keyed_digests {
    ($($type:ty: $name:literal),+) => {$(
        impl Json for $type {
            fn render(&self, writer: &mut Writer) {
                let [a, b, c, d, mac @ ..] = self.to_bytes();
                let version = u32::from_be_bytes([a, b, c, d]);
                writer.print(format_args!("\"hmac-v{version}:{:032x}\"", u128::from_be_bytes(mac)));
            }

            fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
                reader.text($name, |text| {
                    let (version, mac) = text.strip_prefix("hmac-v")?.split_once(':')?;
                    let number: u32 = version.parse().ok()?;
                    let mac: [u8; 16] = unhex(mac)?;
                    let bytes = [&number.to_be_bytes(), &mac[..]].concat().try_into().ok()?;
                    (number.to_string() == version).then_some(Self::from_bytes(bytes))
                })
            }

            #[cfg(test)]
            fn longest() -> Self {
                Self::from_bytes([0xff; 20])
            }
        }
    )+};
}

keyed_digests! { Fingerprint: "fingerprint", AccountKey: "account key" }

impl Json for TraceId {
    fn render(&self, writer: &mut Writer) {
        writer.print(format_args!("\"{self}\""));
    }

    fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        reader.text("trace id", |text| unhex(text).map(Self::from_bytes))
    }

    #[cfg(test)]
    fn longest() -> Self {
        Self::from_bytes([0xff; 16])
    }
}

impl<T: Json> Json for Option<T> {
    /// Nothing is never written: whoever writes a member asks first.
    fn render(&self, writer: &mut Writer) {
        if let Some(value) = self {
            value.render(writer);
        }
    }

    fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        T::parse(reader).map(Some)
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn touch(&self, topics: &mut BTreeSet<Topic>) {
        self.iter().for_each(|value| value.touch(topics));
    }

    #[cfg(test)]
    fn longest() -> Self {
        Some(T::longest())
    }
}

impl<T: Json> Json for Vec<T> {
    fn render(&self, writer: &mut Writer) {
        writer.array(self);
    }

    fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        reader.array()
    }

    fn touch(&self, topics: &mut BTreeSet<Topic>) {
        self.iter().for_each(|value| value.touch(topics));
    }

    #[cfg(test)]
    fn longest() -> Self {
        T::longest_list()
    }
}

/// Reads lower-case hexadecimal of exactly `LEN` bytes.
pub(super) fn unhex<const LEN: usize>(text: &str) -> Option<[u8; LEN]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; LEN];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != LEN || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}
