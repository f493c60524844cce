//! Whose a ciphertext is: the associated data that it opens under, and nowhere else.

use leasehold_domain::id::{
    AuthorizationId, ConnectorId, GrantId, IdentityProviderId, OrganisationId, SecretId, SubjectId,
};

use crate::{frame::Frame, purpose::Purpose};

/// Which part of a token set a ciphertext is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// The access token, or the static API key that stands in for one.
    AccessToken,
    /// The refresh token.
    RefreshToken,
    /// The identity token (OpenID Connect Core section 2).
    IdToken,
}

impl Field {
    /// What the key that seals it is for. Only the leader's work needs refresh and identity tokens.
    pub const fn purpose(self) -> Purpose {
        match self {
            Self::AccessToken => Purpose::AccessTokens,
            Self::RefreshToken | Self::IdToken => Purpose::RefreshTokens,
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::AccessToken => 1,
            Self::RefreshToken => 2,
            Self::IdToken => 3,
        }
    }
}

/// Where a sealed part of a grant's token set belongs. The key's version belongs to it as well and comes from the data key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// Whose cluster.
    pub organisation: OrganisationId,
    /// Whose access.
    pub subject: SubjectId,
    /// At which connector.
    pub connector: ConnectorId,
    /// By which grant.
    pub grant: GrantId,
    /// In which of the grant's token sets.
    pub generation: u64,
    /// Which part of it.
    pub field: Field,
}

impl Binding {
    pub(crate) fn associated(&self, key_version: u32) -> Frame {
        Frame::new("leasehold/v1/token")
            .field(&self.organisation.to_bytes())
            .field(&self.subject.to_bytes())
            .field(&self.connector.to_bytes())
            .field(&self.grant.to_bytes())
            .field(&self.generation.to_be_bytes())
            .field(&[self.field.code()])
            .field(&[self.field.purpose().code()])
            .field(&key_version.to_be_bytes())
    }
}

/// What an outbox entry answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboxOwner {
    /// A refresh of a grant.
    Grant(GrantId),
    /// The code exchange of an authorization.
    Authorization(AuthorizationId),
}

/// What a secret without a grant belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A client secret of a connector.
    ClientSecret(ConnectorId, SecretId),
    /// A client secret at an identity provider through which people sign in.
    SignInSecret(IdentityProviderId, SecretId),
    /// The PKCE verifier (RFC 7636) of an open authorization.
    Verifier(AuthorizationId),
    /// A version of the key that signs checkpoints.
    SigningKey(u32),
    /// A provider's answer that was received and is not yet committed.
    OutboxEntry {
        /// What it answers.
        owner: OutboxOwner,
        /// Which attempt it answers.
        attempt: u64,
    },
    /// A console session or sign-in under way, sealed into its holder's cookie.
    Session,
}

impl Owner {
    /// What the key that seals it is for.
    pub const fn purpose(self) -> Purpose {
        match self {
            // Any node may be asked by a browser, so any node must be able to open the cookie.
            Self::Session => Purpose::AccessTokens,
            Self::ClientSecret(..)
            | Self::SignInSecret(..)
            | Self::Verifier(_)
            | Self::OutboxEntry { .. } => Purpose::RefreshTokens,
            Self::SigningKey(_) => Purpose::Signing,
        }
    }
}

/// Where a sealed secret without a grant belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnerBinding {
    /// Whose cluster.
    pub organisation: OrganisationId,
    /// What it belongs to.
    pub owner: Owner,
}

impl OwnerBinding {
    pub(crate) fn associated(&self, key_version: u32) -> Frame {
        let frame = Frame::new("leasehold/v1/owned")
            .field(&self.organisation.to_bytes())
            .field(&[self.owner.purpose().code()])
            .field(&key_version.to_be_bytes());
        match self.owner {
            Owner::ClientSecret(connector, secret) => {
                frame.field(b"client-secret").field(&connector.to_bytes()).field(&secret.to_bytes())
            }
            Owner::SignInSecret(provider, secret) => {
                frame.field(b"sign-in-secret").field(&provider.to_bytes()).field(&secret.to_bytes())
            }
            Owner::Verifier(authorization) => frame.field(b"verifier").field(&authorization.to_bytes()),
            Owner::SigningKey(version) => frame.field(b"signing-key").field(&version.to_be_bytes()),
            Owner::OutboxEntry { owner: OutboxOwner::Grant(grant), attempt } => {
                frame.field(b"outbox-grant").field(&grant.to_bytes()).field(&attempt.to_be_bytes())
            }
            Owner::OutboxEntry { owner: OutboxOwner::Authorization(authorization), attempt } => frame
                .field(b"outbox-authorization")
                .field(&authorization.to_bytes())
                .field(&attempt.to_be_bytes()),
            Owner::Session => frame.field(b"session"),
        }
    }
}
