//! Sessions to cookie values and back: a fixed layout, sealed by the vault for the organisation and for this use alone.
//!
//! Numbers are big-endian. Both layouts begin with format 1, id 32, csrf 32, issued at 8 and kind 1. A sign-in under way (kind 1) goes
//! on with identity provider 16, state 32, nonce 32, verifier 32 and the path; a person signed in (kind 2) with subject 16, identity
//! provider 16 and sequence number 8.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use leasehold_domain::{
    id::{IdentityProviderId, SubjectId},
    time::Timestamp,
};
use leasehold_vault::{Entropy, Keyring, Owner, OwnerBinding, SealError, Sealed, Secret};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{LocalPath, Session, Standing};
use crate::sign_in::PendingSignIn;

const FORMAT: u8 = 1;
const SIGNING_IN: u8 = 1;
const SIGNED_IN: u8 = 2;
/// Bytes of the longest layout without its path.
const FIXED_LEN_MAX: usize = 1 + 32 + 32 + 8 + 1 + 16 + 3 * 32;

/// The longest cookie value, in characters. Browsers keep at least 4,096 with the cookie's name and attributes (RFC 6265 section 6.1).
pub const COOKIE_LEN_MAX: usize = (FIXED_LEN_MAX + LocalPath::LEN_MAX + Sealed::OVERHEAD).div_ceil(3) * 4;

/// The keyring cannot seal sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the session could not be sealed")]
pub struct SealSessionError(#[from] SealError);

/// Seals a session into a cookie value.
///
/// # Errors
/// [`SealSessionError`] when the keyring lacks the key.
pub fn encode(
    keyring: &Keyring,
    session: &Session,
    entropy: &dyn Entropy,
) -> Result<String, SealSessionError> {
    let sealed = keyring.seal(&binding(keyring), &write(session), entropy)?;
    Ok(URL_SAFE_NO_PAD.encode(sealed.to_bytes()))
}

/// Opens a cookie value; nothing for one that is damaged, was not made here, or whose session is over. They are alike: the browser
/// has no session.
pub fn decode(keyring: &Keyring, value: &str, now: Timestamp) -> Option<Session> {
    let value = Some(value).filter(|value| value.len() <= COOKIE_LEN_MAX)?;
    let sealed = Sealed::from_bytes(&URL_SAFE_NO_PAD.decode(value).ok()?).ok()?;
    let plaintext = keyring.unseal(&binding(keyring), &sealed).ok()?;
    read(plaintext.expose()).filter(|session| session.is_current(now))
}

fn binding(keyring: &Keyring) -> OwnerBinding {
    OwnerBinding { organisation: keyring.organisation(), owner: Owner::Session }
}

fn write(session: &Session) -> Secret {
    // The exact capacity: growing would leave a copy behind, unwiped.
    let mut bytes = Vec::with_capacity(FIXED_LEN_MAX + LocalPath::LEN_MAX);
    bytes.push(FORMAT);
    bytes.extend_from_slice(session.id.as_slice());
    bytes.extend_from_slice(session.csrf.as_slice());
    bytes.extend_from_slice(&session.issued_at.as_millis().to_be_bytes());
    match &session.standing {
        Standing::SigningIn { pending, return_to } => {
            bytes.push(SIGNING_IN);
            bytes.extend_from_slice(&pending.identity_provider.to_bytes());
            for secret in [&pending.state, &pending.nonce, &pending.verifier] {
                bytes.extend_from_slice(secret.as_slice());
            }
            bytes.extend_from_slice(return_to.as_ref().map_or("", LocalPath::as_str).as_bytes());
        }
        Standing::SignedIn { subject, identity_provider, seq } => {
            bytes.push(SIGNED_IN);
            bytes.extend_from_slice(&subject.to_bytes());
            bytes.extend_from_slice(&identity_provider.to_bytes());
            bytes.extend_from_slice(&seq.to_be_bytes());
        }
    }
    Secret::take(bytes).expect("a session is far below the bound of a secret")
}

fn read(bytes: &[u8]) -> Option<Session> {
    let (&[format], rest) = bytes.split_first_chunk()?;
    let (id, rest) = rest.split_first_chunk()?;
    let (csrf, rest) = rest.split_first_chunk()?;
    let (issued_at, rest) = rest.split_first_chunk()?;
    let (&[kind], rest) = rest.split_first_chunk()?;
    let standing = match (format, kind) {
        (FORMAT, SIGNING_IN) => read_signing_in(rest)?,
        (FORMAT, SIGNED_IN) => read_signed_in(rest)?,
        _ => return None,
    };
    Some(Session {
        id: Zeroizing::new(*id),
        csrf: Zeroizing::new(*csrf),
        issued_at: Timestamp::from_millis(u64::from_be_bytes(*issued_at)),
        standing,
    })
}

fn read_signing_in(bytes: &[u8]) -> Option<Standing> {
    let (identity_provider, rest) = bytes.split_first_chunk()?;
    let (state, rest) = rest.split_first_chunk()?;
    let (nonce, rest) = rest.split_first_chunk()?;
    let (verifier, path) = rest.split_first_chunk()?;
    let pending = PendingSignIn {
        identity_provider: IdentityProviderId::from_bytes(*identity_provider),
        state: Zeroizing::new(*state),
        nonce: Zeroizing::new(*nonce),
        verifier: Zeroizing::new(*verifier),
    };
    let path = str::from_utf8(path).ok()?;
    let return_to = if path.is_empty() { None } else { Some(LocalPath::new(path).ok()?) };
    Some(Standing::SigningIn { pending, return_to })
}

fn read_signed_in(bytes: &[u8]) -> Option<Standing> {
    let (subject, rest) = bytes.split_first_chunk()?;
    let (identity_provider, rest) = rest.split_first_chunk()?;
    let seq: [u8; 8] = rest.try_into().ok()?;
    Some(Standing::SignedIn {
        subject: SubjectId::from_bytes(*subject),
        identity_provider: IdentityProviderId::from_bytes(*identity_provider),
        seq: u64::from_be_bytes(seq),
    })
}
