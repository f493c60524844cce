//! Identifiers: 128 random bits behind a type and a printed prefix, and the names people choose.
//!
//! Ids are drawn by the proposer and only compared here. Each kind is its own type, so a grant cannot be passed where a lease
//! is meant, and each prints with its own prefix, so neither can a person confuse them in a log.

use alloc::string::String;
use core::{fmt, str::FromStr};

use thiserror::Error;

/// The alphabet of printed ids: Crockford's base 32 in lower case, which has no `i`, `l`, `o` or `u`.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters that 128 bits take in base 32.
const ENCODED_LEN: usize = 26;

/// Why a text is not an id of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParseIdError {
    /// The prefix of another kind of id, or none.
    #[error("expected an id that begins with {expected}_")]
    WrongPrefix {
        /// The prefix of the kind that was asked for, without its underscore.
        expected: &'static str,
    },
    /// What follows the prefix is not 26 characters of lower-case base 32 that fit 128 bits.
    #[error("expected 26 characters of lower-case base 32 after {expected}_")]
    Malformed {
        /// The prefix of the kind that was asked for, without its underscore.
        expected: &'static str,
    },
}

fn encode(bytes: [u8; 16], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let value = u128::from_be_bytes(bytes);
    (0..ENCODED_LEN).rev().try_for_each(|digit| {
        let index = usize::from((value >> (digit * 5)) as u8 & 31);
        fmt::Write::write_char(f, ALPHABET.get(index).copied().map_or('0', char::from))
    })
}

fn decode(text: &str) -> Option<[u8; 16]> {
    if text.len() != ENCODED_LEN {
        return None;
    }
    text.bytes()
        .try_fold(0u128, |value, byte| {
            let digit = ALPHABET.iter().position(|known| *known == byte)?;
            let digit = u128::try_from(digit).ok()?;
            value.checked_mul(32)?.checked_add(digit)
        })
        .map(u128::to_be_bytes)
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The printed prefix, without its underscore.
            pub const PREFIX: &'static str = $prefix;

            /// Takes 128 bits that the proposer drew at random.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 128 bits, as they stand in keys and in associated data.
            pub const fn to_bytes(self) -> [u8; 16] {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!($prefix, "_"))?;
                encode(self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let digits = text
                    .strip_prefix(concat!($prefix, "_"))
                    .ok_or(ParseIdError::WrongPrefix { expected: $prefix })?;
                decode(digits).map(Self).ok_or(ParseIdError::Malformed { expected: $prefix })
            }
        }
    )+};
}

ids! {
    /// The organisation whose cluster this is.
    OrganisationId = "org";
    /// A connector: the organisation's OAuth client registration at a provider.
    ConnectorId = "con";
    /// A registered MCP server.
    McpServerId = "mcp";
    /// A subject: whose access it is.
    SubjectId = "sub";
    /// A grant: a subject's consent at a connector for one account there.
    GrantId = "grt";
    /// One attempt at getting a consent, from its start to its end.
    AuthorizationId = "aut";
    /// A lease. It is a name and never a capability: the caller's identity decides.
    LeaseId = "lse";
    /// A workload: the program that asks.
    WorkloadId = "wkl";
    /// An administrator.
    AdministratorId = "adm";
    /// A credential of a workload or an administrator. Names the credential; the secret is another value.
    CredentialId = "crd";
    /// One of a connector's client secrets.
    SecretId = "sec";
    /// An identity provider through which people sign in.
    IdentityProviderId = "idp";
    /// A free text that stands beside the ledger and can be erased.
    NoteId = "nte";
}

/// Why a text cannot be a name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a name has 1 to 63 characters out of a-z, 0-9 and inner hyphens, and begins with a letter")]
pub struct InvalidName;

/// What an operator calls a connector, an MCP server or a workload: 1 to 63 characters, as a DNS label (RFC 1035 section
/// 2.3.1, lower case only). Unique among its kind; an id never changes, and neither does a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// The longest name, in bytes.
    pub const LEN_MAX: usize = 63;

    /// Accepts a text that has the form of a name.
    ///
    /// # Errors
    /// [`InvalidName`] for anything else.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = text.len() <= Self::LEN_MAX
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && !text.ends_with('-')
            && text.bytes().all(inner);
        if fits { Ok(Self(text.into())) } else { Err(InvalidName) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use alloc::{borrow::ToOwned, string::ToString};

    use super::*;

    #[test]
    fn an_id_reads_back_from_what_it_prints() {
        for bytes in [[0; 16], [0xff; 16], *b"0123456789abcdef"] {
            let id = GrantId::from_bytes(bytes);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let lease = LeaseId::from_bytes([7; 16]).to_string();
        assert_eq!(lease.parse::<GrantId>(), Err(ParseIdError::WrongPrefix { expected: "grt" }));
    }

    #[test]
    fn digits_that_exceed_128_bits_or_leave_the_alphabet_are_refused() {
        for text in [
            "grt_",
            "grt_zzzzzzzzzzzzzzzzzzzzzzzzzz",
            "grt_0000000000000000000000000I",
            "grt_é000000000000000000000000",
        ] {
            assert_eq!(text.parse::<GrantId>(), Err(ParseIdError::Malformed { expected: "grt" }), "{text}");
        }
    }

    #[test]
    fn a_name_is_a_lower_case_dns_label() {
        for good in ["a", "files", "drive-2"] {
            assert_eq!(Name::new(good).map(|name| name.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "2x", "-a", "a-", "A", "a_b", "a.b", "ä", &"x".repeat(64)] {
            assert_eq!(Name::new(bad), Err(InvalidName), "{bad}");
        }
    }
}
