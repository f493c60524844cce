//! Identity providers through which the organisation's people sign in.

use alloc::vec::Vec;

use crate::{
    id::{IdentityProviderId, Name},
    text::{Label, Sealed, Uri},
};

pub mod decide;

/// The most email domains for which one identity provider is authoritative.
pub const DOMAINS_MAX: usize = 16;

/// The most bytes of all those domains together: the registration fits into one event line.
pub const DOMAINS_LEN_MAX: usize = 1024;

/// Which immutable claim names a person at an identity provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JoinClaim {
    /// `sub` (OpenID Connect Core section 2).
    Sub,
    /// `tid` and `oid` together: Microsoft Entra, whose `sub` differs from client to client.
    TidOid,
}

/// What does not change about an identity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Its name.
    pub name: Name,
    /// Its issuer, compared byte by byte.
    pub issuer: Uri,
    /// Our client identifier there.
    pub client_id: Label<256>,
    /// Which claim names a person.
    pub join_claim: JoinClaim,
    /// The email domains for which it is authoritative, in lower case. Only for these may an email resolve a subject.
    pub email_domains: Vec<Label<253>>,
}

/// An identity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityProvider {
    /// Its id.
    pub id: IdentityProviderId,
    /// What does not change about it.
    pub registration: Registration,
    /// The sequence number of its registration. People sign in at the one that has the lowest.
    pub revision: u64,
}

/// Orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Register an identity provider. The first is the one at which people sign in.
    Register {
        /// Its id.
        identity_provider: IdentityProviderId,
        /// What does not change about it.
        registration: Registration,
        /// Our client secret there, sealed.
        secret: Sealed,
    },
    /// Replace our client secret there.
    ReplaceSecret {
        /// The identity provider.
        identity_provider: IdentityProviderId,
        /// The secret, sealed.
        secret: Sealed,
    },
}

/// Facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// People may sign in through it.
    Registered {
        /// Its id.
        identity_provider: IdentityProviderId,
        /// What does not change about it.
        registration: Registration,
    },
    /// Our client secret there was replaced.
    SecretReplaced {
        /// The identity provider.
        identity_provider: IdentityProviderId,
    },
}
