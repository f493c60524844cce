//! The organisation whose cluster this is, and the keys it begins with.

use alloc::vec::Vec;

use crate::{
    id::OrganisationId,
    text::{Label, Sealed},
};

pub mod decide;

/// The first level of behaviour: which `decide`, `evolve` and line format apply.
pub const LEVEL: u16 = 1;

/// The organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organisation {
    /// Its id, which stands in every key, associated data and event.
    pub id: OrganisationId,
    /// The origin line of its checkpoints (C2SP tlog-checkpoint), without a scheme.
    pub origin: Label<128>,
    /// Whether `dev` made it: such data are refused by `serve`.
    pub development: bool,
    /// The replicated level of behaviour.
    pub level: u16,
}

/// What a key-encryption key is for. Each purpose has its own versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyPurpose {
    /// Access tokens.
    AccessTokens,
    /// Refresh tokens, client secrets, verifiers and answers of providers.
    RefreshTokens,
    /// The checkpoint signing key.
    Signing,
    /// Fingerprints of tokens and pseudonyms of addresses and accounts.
    Pseudonyms,
}

/// One wrapped key-encryption key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// What it is for.
    pub purpose: KeyPurpose,
    /// Which version, counted from 1.
    pub version: u32,
    /// The key, wrapped by the root key.
    pub wrapped: Sealed,
}

/// The checkpoint signing key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The private key, sealed under the signing purpose.
    pub sealed: Sealed,
    /// The verifier key in the form of C2SP signed-note.
    pub verifier: Label<256>,
}

/// Orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Begin: the first entry of every cluster.
    Found {
        /// The organisation; its level is [`LEVEL`].
        organisation: Organisation,
        /// What tells a wrong root key from damage.
        root_check: Sealed,
        /// The first version of each key-encryption key.
        keys: Vec<WrappedKey>,
        /// The checkpoint signing key.
        signer: Signer,
    },
}

/// Facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The organisation exists from here on.
    Founded {
        /// The organisation.
        organisation: OrganisationId,
        /// The origin line of its checkpoints.
        origin: Label<128>,
        /// Whether its data are for development only.
        development: bool,
        /// The level of behaviour.
        level: u16,
        /// The verifier key of its checkpoints.
        verifier: Label<256>,
    },
    /// A key-encryption key exists.
    KeyVersionAdded {
        /// What it is for.
        purpose: KeyPurpose,
        /// Its version.
        version: u32,
    },
}
