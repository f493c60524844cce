//! Administrators, the bootstrap credential and the roles.

use alloc::{collections::BTreeSet, vec::Vec};

use crate::{
    actor::Role,
    id::{AdministratorId, CredentialId, Name},
    text::Digest,
    time::Timestamp,
};

pub mod decide;

/// An administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Administrator {
    /// Its id.
    pub id: AdministratorId,
    /// Its name.
    pub name: Name,
    /// Its roles; never empty.
    pub roles: BTreeSet<Role>,
    /// Whether it may still do anything.
    pub enabled: bool,
    /// The sequence number of its last change.
    pub revision: u64,
}

/// The bootstrap credential: used once, good for an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bootstrap {
    /// Its id.
    pub credential: CredentialId,
    /// SHA-256 of its secret.
    pub secret: Digest,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Whether it was used.
    pub redeemed: bool,
}

/// Orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Offer the bootstrap credential. Refused once an administrator exists.
    OfferBootstrap {
        /// Its id.
        credential: CredentialId,
        /// SHA-256 of its secret.
        secret: Digest,
    },
    /// Exchange the bootstrap credential for the first administrator, who has every role.
    RedeemBootstrap {
        /// The bootstrap credential.
        bootstrap: CredentialId,
        /// The administrator it becomes.
        administrator: AdministratorId,
        /// Its name.
        name: Name,
        /// Its own credential.
        credential: CredentialId,
        /// SHA-256 of that credential's secret.
        secret: Digest,
    },
    /// Register a further administrator.
    Register {
        /// Its id.
        administrator: AdministratorId,
        /// Its name.
        name: Name,
        /// Its roles, at least one.
        roles: BTreeSet<Role>,
        /// Its credential.
        credential: CredentialId,
        /// SHA-256 of that credential's secret.
        secret: Digest,
    },
    /// End what an administrator may do.
    Disable {
        /// Who.
        administrator: AdministratorId,
    },
}

/// Facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A bootstrap credential can be redeemed until `expires_at`.
    BootstrapOffered {
        /// Its id.
        credential: CredentialId,
        /// When it ends.
        expires_at: Timestamp,
    },
    /// The bootstrap credential was used.
    BootstrapRedeemed {
        /// Its id.
        credential: CredentialId,
    },
    /// An administrator exists.
    Registered {
        /// Its id.
        administrator: AdministratorId,
        /// Its name.
        name: Name,
        /// Its roles.
        roles: Vec<Role>,
        /// Its credential.
        credential: CredentialId,
    },
    /// An administrator may do nothing any more.
    Disabled {
        /// Who.
        administrator: AdministratorId,
    },
}
