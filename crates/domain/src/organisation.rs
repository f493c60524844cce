//! The organisation whose cluster this is, and the keys it begins with.

use alloc::vec::Vec;

use crate::{
    id::{AuthorizationId, ConnectorId, GrantId, IdentityProviderId, OrganisationId, SecretId},
    text::{KeyCheck, Label, Sealed},
    time::Timestamp,
};

pub mod decide;
pub mod rewrap;

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

impl KeyPurpose {
    /// Every purpose.
    pub const ALL: [Self; 4] = [Self::AccessTokens, Self::RefreshTokens, Self::Signing, Self::Pseudonyms];
}

/// The most key-encryption keys of all purposes and versions together: all of them fit one entry, in which a root key is replaced.
pub const KEYS_MAX: usize = 512;
/// The most sealed things that one command moves under the current keys.
pub const REWRAP_BATCH_MAX: usize = 32;

/// Which key-encryption key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId {
    /// What it is for.
    pub purpose: KeyPurpose,
    /// Which version, counted from 1.
    pub version: u32,
}

/// A key-encryption key that the cluster holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyVersion {
    /// When it was added.
    pub added_at: Timestamp,
    /// The sequence number of the event since which it is wrapped as it is now.
    pub revision: u64,
}

/// Something sealed, by the place where it stands. What stands in one place is written there once, and afterwards only rewrapped or removed;
/// where that is not so, the place names the revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SealedPlace {
    /// The token set of a grant's generation.
    Tokens {
        /// Of which grant.
        grant: GrantId,
        /// Of which generation.
        generation: u64,
    },
    /// What to call the account of a grant.
    Account(GrantId),
    /// A client secret of a connector.
    ClientSecret {
        /// Of which connector.
        connector: ConnectorId,
        /// Which secret.
        secret: SecretId,
    },
    /// Our client secret at an identity provider.
    IdentityProviderSecret {
        /// At which one.
        identity_provider: IdentityProviderId,
        /// At which of its revisions. A replaced secret leaves it as it is: whoever replaces one and whoever rewraps take turns.
        revision: u64,
    },
    /// The PKCE verifier of a consent on its way.
    Verifier(AuthorizationId),
    /// The tokens of a consent whose account is not confirmed, or that are still to be revoked.
    PendingTokens(AuthorizationId),
    /// What to call the account of a consent that is on its way.
    PendingAccount(AuthorizationId),
    /// The checkpoint signing key.
    SigningKey,
}

/// The same secret, sealed anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrapped {
    /// Where it stands.
    pub place: SealedPlace,
    /// What is to stand there.
    pub sealed: Sealed,
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
    /// Add a version, which seals from here on.
    AddKeyVersion {
        /// The key: of the version after the current one.
        key: WrappedKey,
        /// The revision of the keyring that it was drawn for.
        keyring: u64,
    },
    /// Forget a version under which nothing is any more.
    RetireKeyVersion {
        /// Which key.
        key: KeyId,
    },
    /// Put what is sealed under former versions under the current ones. It rests on the facts which those are.
    Rewrap {
        /// At most [`REWRAP_BATCH_MAX`].
        items: Vec<Rewrapped>,
    },
    /// Wrap every key by another root key.
    ReplaceRootKey {
        /// The revision of the keyring that was wrapped.
        keyring: u64,
        /// The check value of the root key that wrapped it before.
        before: KeyCheck,
        /// The check value of the root key that wraps it now.
        after: KeyCheck,
        /// Every key that there is.
        keys: Vec<WrappedKey>,
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
    /// A key-encryption key is gone: nothing was under it any more.
    KeyVersionRetired {
        /// What it was for.
        purpose: KeyPurpose,
        /// Its version.
        version: u32,
    },
    /// So much of what was sealed is under the current keys now.
    SecretsRewrapped {
        /// The version that wraps access tokens now.
        access_tokens: u32,
        /// The version that wraps refresh tokens and seals secrets now.
        refresh_tokens: u32,
        /// How many token sets.
        token_sets: u32,
        /// How many other secrets.
        secrets: u32,
    },
    /// Every key-encryption key is wrapped by another root key.
    RootKeyReplaced {
        /// The check value of the root key before.
        before: KeyCheck,
        /// The check value of the root key from here on.
        after: KeyCheck,
        /// How many keys it wraps.
        keys: u32,
    },
}
