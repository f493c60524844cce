//! Bounded texts: addresses, client identifiers, fingerprints and the commitments that stand for what events may not say.

use alloc::{boxed::Box, string::String};
use core::fmt;

use thiserror::Error;

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidText {
    /// Not an absolute http or https URI of at most 512 printable ASCII characters, without a fragment.
    #[error(
        "expected an absolute http or https URI of at most 512 printable ASCII characters, without a fragment"
    )]
    Uri,
    /// Empty, too long, or with control characters.
    #[error("expected 1 to {max} characters and no control characters")]
    Label {
        /// The most bytes.
        max: usize,
    },
}

/// An absolute http or https URI. Compared byte by byte and never normalised (RFC 8414 section 3.3, RFC 9207 section 2.4).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uri(String);

impl Uri {
    /// The longest URI, in bytes.
    pub const LEN_MAX: usize = 512;

    /// Accepts an absolute http or https URI. Whether http is allowed is for the transport to say.
    ///
    /// # Errors
    /// [`InvalidText::Uri`] for anything else.
    pub fn new(text: &str) -> Result<Self, InvalidText> {
        let rest =
            text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or(InvalidText::Uri)?;
        let allowed =
            |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'"' | b'<' | b'>' | b'\\');
        let fits = text.len() <= Self::LEN_MAX
            && rest.bytes().all(allowed)
            && rest.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[');
        if fits { Ok(Self(text.into())) } else { Err(InvalidText::Uri) }
    }

    /// The URI as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A short text from configuration, such as an OAuth client identifier: 1 to `MAX` bytes without control characters. Never a secret,
/// and never written by a stranger: such texts do not enter events.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label<const MAX: usize>(String);

impl<const MAX: usize> Label<MAX> {
    /// Accepts a text within the bounds.
    ///
    /// # Errors
    /// [`InvalidText::Label`] for anything else.
    pub fn new(text: &str) -> Result<Self, InvalidText> {
        let fits = (1..=MAX).contains(&text.len()) && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.into())) } else { Err(InvalidText::Label { max: MAX }) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> fmt::Display for Label<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! digests {
    ($($(#[$doc:meta])* $name:ident [$len:literal];)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Takes bytes that the proposer computed.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            pub const fn to_bytes(self) -> [u8; $len] {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )+};
}

digests! {
    /// SHA-256 of something public or of 256 random bits.
    Digest[32];
    /// A salted SHA-256 over length-framed fields that stand in the subject directory or the note table. It proves, while the salt
    /// exists, that the clear values belong to the ledger.
    Commitment[32];
    /// A keyed HMAC that names a token, or a network address, without giving it away: 4 bytes of key version and 16 of MAC.
    Fingerprint[20];
    /// A keyed HMAC that names an account at a provider. Equal for equal accounts of one connector.
    AccountKey[20];
    /// A trace or request identifier of the edge (W3C Trace Context), for finding the same request in logs.
    TraceId[16];
    /// The check value of a root key: it tells keys apart, and nothing else about them.
    KeyCheck[16];
}

impl AccountKey {
    /// The version of the pseudonym key under which the account is named.
    pub const fn key_version(self) -> u32 {
        let [a, b, c, d, ..] = self.0;
        u32::from_be_bytes([a, b, c, d])
    }
}

/// Ciphertext. The domain stores it and never looks inside.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Box<[u8]>);

impl Sealed {
    /// The longest ciphertext, in bytes. A whole token set stays below sled's 64 KiB a value.
    pub const LEN_MAX: usize = 56 * 1024;

    /// Takes ciphertext of at most [`Sealed::LEN_MAX`] bytes.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Option<Self> {
        let bytes = bytes.into();
        (bytes.len() <= Self::LEN_MAX).then_some(Self(bytes))
    }

    /// The ciphertext.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn a_uri_is_kept_byte_for_byte() {
        for good in ["https://a.example", "https://A.example/x/", "http://127.0.0.1:8080/cb?x=1"] {
            assert_eq!(Uri::new(good).map(|uri| uri.as_str() == good), Ok(true));
        }
    }

    #[test]
    fn a_uri_that_is_relative_or_has_a_fragment_space_or_other_scheme_is_refused() {
        for bad in [
            "",
            "/x",
            "https://",
            "https:///x",
            "ftp://a",
            "https://a#f",
            "https://a b",
            "javascript:x",
            "https://ä",
        ] {
            assert_eq!(Uri::new(bad), Err(InvalidText::Uri), "{bad}");
        }
        assert_eq!(Uri::new(&format!("https://a/{}", "x".repeat(512))), Err(InvalidText::Uri));
    }

    #[test]
    fn ciphertext_prints_its_length_alone() {
        let sealed = Sealed::new(*b"secret").unwrap();
        assert_eq!(format!("{sealed:?}"), "Sealed(6 bytes)");
    }
}
