//! What a key is for. Keys of different purposes can be held, rotated and destroyed apart from each other.

use std::fmt;

/// What a key-encryption key, and everything under it, is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Access tokens and console sessions: what a node needs in order to answer by itself.
    AccessTokens,
    /// Refresh and identity tokens, client secrets, verifiers and the outbox: what only the leader's work needs.
    RefreshTokens,
    /// The key that signs checkpoints.
    Signing,
    /// Keyed hashes: fingerprints of tokens and pseudonyms of network addresses.
    Pseudonyms,
}

impl Purpose {
    /// Every purpose, in the order in which a keyring is listed.
    pub const ALL: [Self; 4] = [Self::AccessTokens, Self::RefreshTokens, Self::Signing, Self::Pseudonyms];

    /// The byte that stands for it in stored values and in associated data. Never reassigned.
    pub const fn code(self) -> u8 {
        match self {
            Self::AccessTokens => 1,
            Self::RefreshTokens => 2,
            Self::Signing => 3,
            Self::Pseudonyms => 4,
        }
    }

    /// The purpose that a stored byte stands for; nothing for any other byte.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.code() == code)
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccessTokens => "access-tokens",
            Self::RefreshTokens => "refresh-tokens",
            Self::Signing => "signing",
            Self::Pseudonyms => "pseudonyms",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_bytes_are_fixed() {
        assert_eq!(Purpose::ALL.map(Purpose::code), [1, 2, 3, 4]);
        for code in 0..=u8::MAX {
            assert_eq!(Purpose::from_code(code).map(Purpose::code), (1..=4).contains(&code).then_some(code));
        }
    }
}
