//! Sealed token sets: one blob for each generation of a grant, openable only as what it was sealed as.
//!
//! The access token with what the provider says beside it, and the refresh token, are sealed under data keys of their own purposes, so that
//! a node that may open access tokens need not be able to open refresh tokens.

use std::collections::BTreeMap;

use leasehold_domain::{
    authorization::TokenFacts,
    id::{AuthorizationId, ConnectorId, GrantId, OrganisationId, SubjectId},
    state::BlobKey,
    text::{Fingerprint, Sealed as SealedBlob},
};
use leasehold_upstream::token::TokenSet;
use leasehold_vault::{
    Binding, DataKey, Entropy, Field, Keyring, OutboxOwner, Owner, OwnerBinding, Purpose, Sealed, Secret,
    WrappedDataKey,
};
use minicbor::{Decode, Encode};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::problem::Problem;

/// The attempt number under which the tokens of a consent wait for their account to be confirmed.
const PENDING: u64 = u64::MAX;

/// A token set in clear, for as long as one request needs it.
pub(crate) struct ClearTokens {
    pub(crate) access_token: SecretString,
    pub(crate) refresh_token: Option<SecretString>,
    pub(crate) token_type: String,
    pub(crate) metadata: BTreeMap<String, String>,
}

impl From<TokenSet> for ClearTokens {
    fn from(set: TokenSet) -> Self {
        Self {
            access_token: set.access_token,
            refresh_token: set.refresh_token,
            token_type: set.token_type,
            metadata: set.metadata,
        }
    }
}

/// Whose token set it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) organisation: OrganisationId,
    pub(crate) subject: SubjectId,
    pub(crate) connector: ConnectorId,
    pub(crate) grant: GrantId,
    pub(crate) generation: u64,
}

impl Place {
    fn binding(self, field: Field) -> Binding {
        Binding {
            organisation: self.organisation,
            subject: self.subject,
            connector: self.connector,
            grant: self.grant,
            generation: self.generation,
            field,
        }
    }
}

#[derive(Encode, Decode)]
struct Stored {
    #[n(0)]
    access: Part,
    #[n(1)]
    refresh: Option<Part>,
}

#[derive(Encode, Decode)]
struct Part {
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    key: Vec<u8>,
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    sealed: Vec<u8>,
}

#[derive(Encode, Decode)]
struct Clear {
    #[n(0)]
    access_token: String,
    #[n(1)]
    token_type: String,
    #[n(2)]
    metadata: BTreeMap<String, String>,
    #[n(3)]
    refresh_token: Option<String>,
}

impl Drop for Clear {
    fn drop(&mut self) {
        use zeroize::Zeroize;
        self.access_token.zeroize();
        self.refresh_token.zeroize();
    }
}

impl Clear {
    fn of(tokens: &ClearTokens, with_refresh: bool) -> Self {
        Self {
            access_token: tokens.access_token.expose_secret().to_owned(),
            token_type: tokens.token_type.clone(),
            metadata: tokens.metadata.clone(),
            refresh_token: tokens
                .refresh_token
                .as_ref()
                .filter(|_| with_refresh)
                .map(|token| token.expose_secret().to_owned()),
        }
    }

    fn to_secret(&self) -> Result<Secret, Problem> {
        let bytes = Zeroizing::new(
            minicbor::to_vec(self).map_err(|error| Problem::fault("encode a token set", &error))?,
        );
        Secret::copy_of(&bytes).map_err(|error| Problem::fault("seal a token set", &error))
    }

    fn from_secret(secret: &Secret) -> Result<ClearTokens, Problem> {
        let clear: Self = minicbor::decode(secret.expose())
            .map_err(|error| Problem::fault("decode a token set", &error))?;
        Ok(ClearTokens {
            access_token: SecretString::from(clear.access_token.clone()),
            refresh_token: clear.refresh_token.clone().map(SecretString::from),
            token_type: clear.token_type.clone(),
            metadata: clear.metadata.clone(),
        })
    }
}

/// The names that the ledger gives the tokens, with their ends.
pub(crate) fn facts(keyring: &Keyring, set: &TokenSet) -> Result<TokenFacts, Problem> {
    Ok(TokenFacts {
        access: fingerprint(keyring, &set.access_token)?,
        refresh: set.refresh_token.as_ref().map(|token| fingerprint(keyring, token)).transpose()?,
        access_expires_at: set.expires_at.map(|expiry| expiry.at),
        refresh_expires_at: set.refresh_expires_at.map(|expiry| expiry.at),
    })
}

fn fingerprint(keyring: &Keyring, token: &SecretString) -> Result<Fingerprint, Problem> {
    let secret = Secret::copy_of(token.expose_secret().as_bytes())
        .map_err(|error| Problem::fault("fingerprint a token", &error))?;
    let named =
        keyring.fingerprint(&secret).map_err(|error| Problem::fault("fingerprint a token", &error))?;
    Ok(Fingerprint::from_bytes(named.to_bytes()))
}

/// Seals a token set for one generation of a grant.
pub(crate) fn seal(
    keyring: &Keyring,
    entropy: &dyn Entropy,
    place: Place,
    tokens: &ClearTokens,
) -> Result<SealedBlob, Problem> {
    let part = |purpose, field, secret: &Secret| -> Result<Part, Problem> {
        let (key, wrapped) = keyring
            .draw_data_key(purpose, place.grant, entropy)
            .map_err(|error| Problem::fault("draw a data key", &error))?;
        let sealed = key
            .seal(&place.binding(field), secret, entropy)
            .map_err(|error| Problem::fault("seal a token", &error))?;
        Ok(Part { key: wrapped.to_bytes().to_vec(), sealed: sealed.to_bytes() })
    };
    let access = part(Purpose::AccessTokens, Field::AccessToken, &Clear::of(tokens, false).to_secret()?)?;
    let refresh = match &tokens.refresh_token {
        Some(token) => {
            let secret = Secret::copy_of(token.expose_secret().as_bytes())
                .map_err(|error| Problem::fault("seal a refresh token", &error))?;
            Some(part(Purpose::RefreshTokens, Field::RefreshToken, &secret)?)
        }
        None => None,
    };
    let stored = minicbor::to_vec(Stored { access, refresh })
        .map_err(|error| Problem::fault("encode a sealed token set", &error))?;
    SealedBlob::new(stored).ok_or_else(|| Problem::fault("seal a token set", &"it is too long"))
}

/// Opens the access token of a sealed set, with what the provider says beside it.
pub(crate) fn unseal_access(
    keyring: &Keyring,
    place: Place,
    blob: &SealedBlob,
) -> Result<ClearTokens, Problem> {
    let stored = stored(blob)?;
    Clear::from_secret(&unseal_part(keyring, place, Field::AccessToken, &stored.access)?)
}

/// Opens the refresh token of a sealed set.
pub(crate) fn unseal_refresh(
    keyring: &Keyring,
    place: Place,
    blob: &SealedBlob,
) -> Result<Option<SecretString>, Problem> {
    let Some(part) = stored(blob)?.refresh else { return Ok(None) };
    let secret = unseal_part(keyring, place, Field::RefreshToken, &part)?;
    let text = secret.expose_str().ok_or_else(|| Problem::fault("open a refresh token", &"it is no text"))?;
    Ok(Some(SecretString::from(text.to_owned())))
}

/// A key under which something is, as that says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Under {
    pub(crate) purpose: Purpose,
    pub(crate) version: u32,
    pub(crate) check: [u8; 16],
}

/// The keys under which a blob is; none where it is not sealed.
pub(crate) fn sealed_under(key: &BlobKey, blob: &SealedBlob) -> Result<Vec<Under>, Problem> {
    match key {
        BlobKey::RootCheck | BlobKey::WrappedKey(..) | BlobKey::PolicyText | BlobKey::Note(_) => {
            Ok(Vec::new())
        }
        BlobKey::Tokens(..) => {
            let Stored { access, refresh } = stored(blob)?;
            [Some(access), refresh]
                .into_iter()
                .flatten()
                .map(|part| {
                    let key = data_key(&part)?;
                    Ok(Under { purpose: key.purpose(), version: key.wrapped_with(), check: key.check() })
                })
                .collect()
        }
        BlobKey::SigningKey
        | BlobKey::ClientSecret(..)
        | BlobKey::IdentityProviderSecret(_)
        | BlobKey::Verifier(_)
        | BlobKey::PendingTokens(_)
        | BlobKey::PendingAccount(_)
        | BlobKey::Account(_) => {
            let sealed = sealed(blob)?;
            let (purpose, version, check) = (sealed.purpose(), sealed.key_version(), sealed.check());
            Ok(vec![Under { purpose, version, check }])
        }
    }
}

/// The same token set with its data keys wrapped by the current keys; none where they are. The tokens stay sealed.
pub(crate) fn rewrap(
    keyring: &Keyring,
    entropy: &dyn Entropy,
    grant: GrantId,
    blob: &SealedBlob,
) -> Result<Option<SealedBlob>, Problem> {
    let mut set = stored(blob)?;
    let mut changed = false;
    for part in [Some(&mut set.access), set.refresh.as_mut()].into_iter().flatten() {
        let anew = keyring
            .rewrap_data_key(grant, &data_key(part)?, entropy)
            .map_err(|error| Problem::fault("wrap a data key anew", &error))?;
        if let Some(anew) = anew {
            part.key = anew.to_bytes().to_vec();
            changed = true;
        }
    }
    if !changed {
        return Ok(None);
    }
    let stored =
        minicbor::to_vec(set).map_err(|error| Problem::fault("encode a sealed token set", &error))?;
    SealedBlob::new(stored).map(Some).ok_or_else(|| Problem::fault("seal a token set", &"it is too long"))
}

/// The same secret under the current key; none where it is.
pub(crate) fn reseal_owned(
    keyring: &Keyring,
    entropy: &dyn Entropy,
    binding: &OwnerBinding,
    blob: &SealedBlob,
) -> Result<Option<SealedBlob>, Problem> {
    let sealed = sealed(blob)?;
    if keyring.current_version(sealed.purpose()) == Ok(sealed.key_version()) {
        return Ok(None);
    }
    let secret = unseal_owned(keyring, binding, blob)?;
    seal_owned(keyring, entropy, binding, &secret).map(Some)
}

fn data_key(part: &Part) -> Result<WrappedDataKey, Problem> {
    WrappedDataKey::from_bytes(&part.key).map_err(|error| Problem::fault("read a wrapped data key", &error))
}

fn sealed(blob: &SealedBlob) -> Result<Sealed, Problem> {
    Sealed::from_bytes(blob.as_bytes()).map_err(|error| Problem::fault("read a sealed secret", &error))
}

fn stored(blob: &SealedBlob) -> Result<Stored, Problem> {
    minicbor::decode(blob.as_bytes()).map_err(|error| Problem::fault("decode a sealed token set", &error))
}

fn unseal_part(keyring: &Keyring, place: Place, field: Field, part: &Part) -> Result<Secret, Problem> {
    let key: DataKey = keyring
        .open_data_key(place.grant, &data_key(part)?)
        .map_err(|error| Problem::fault("open a data key", &error))?;
    let sealed =
        Sealed::from_bytes(&part.sealed).map_err(|error| Problem::fault("read a sealed token", &error))?;
    key.unseal(&place.binding(field), &sealed).map_err(|error| Problem::fault("open a sealed token", &error))
}

pub(crate) fn pending(organisation: OrganisationId, authorization: AuthorizationId) -> OwnerBinding {
    let owner = Owner::OutboxEntry { owner: OutboxOwner::Authorization(authorization), attempt: PENDING };
    OwnerBinding { organisation, owner }
}

/// Seals the tokens of a consent whose account is not confirmed yet.
pub(crate) fn seal_pending(
    keyring: &Keyring,
    entropy: &dyn Entropy,
    organisation: OrganisationId,
    authorization: AuthorizationId,
    tokens: &ClearTokens,
) -> Result<SealedBlob, Problem> {
    seal_owned(keyring, entropy, &pending(organisation, authorization), &Clear::of(tokens, true).to_secret()?)
}

/// Opens what [`seal_pending`] sealed.
pub(crate) fn unseal_pending(
    keyring: &Keyring,
    organisation: OrganisationId,
    authorization: AuthorizationId,
    blob: &SealedBlob,
) -> Result<ClearTokens, Problem> {
    Clear::from_secret(&unseal_owned(keyring, &pending(organisation, authorization), blob)?)
}

/// Seals a secret that belongs to no grant.
pub(crate) fn seal_owned(
    keyring: &Keyring,
    entropy: &dyn Entropy,
    binding: &OwnerBinding,
    secret: &Secret,
) -> Result<SealedBlob, Problem> {
    let sealed =
        keyring.seal(binding, secret, entropy).map_err(|error| Problem::fault("seal a secret", &error))?;
    SealedBlob::new(sealed.to_bytes()).ok_or_else(|| Problem::fault("seal a secret", &"it is too long"))
}

/// Opens what [`seal_owned`] sealed.
pub(crate) fn unseal_owned(
    keyring: &Keyring,
    binding: &OwnerBinding,
    blob: &SealedBlob,
) -> Result<Secret, Problem> {
    keyring.unseal(binding, &sealed(blob)?).map_err(|error| Problem::fault("open a sealed secret", &error))
}

/// Under what the name of an account is sealed: for a consent on its way, then for the grant.
pub(crate) fn account_label_of(organisation: OrganisationId, owner: OutboxOwner) -> OwnerBinding {
    OwnerBinding { organisation, owner: Owner::OutboxEntry { owner, attempt: PENDING - 1 } }
}
