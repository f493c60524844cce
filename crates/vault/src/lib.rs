//! The vault: keys, and everything that is sealed, fingerprinted or signed under them.
//!
//! Keys form a chain. A [`RootKey`] comes from outside and never enters a file of ours. It wraps the [`Keyring`]: versioned
//! key-encryption keys, separate for each [`Purpose`]. Those wrap one [`DataKey`] for each grant and purpose, and a data key seals
//! the grant's tokens. Secrets that belong to no grant are sealed under the keyring directly. Every ciphertext says in its
//! associated data whose it is ([`Binding`], [`OwnerBinding`]), so one that was moved to another place does not open.
//!
//! Callers seal before they propose and unseal where the plaintext is needed, so logs, snapshots and backups hold ciphertext only.
//! Types that carry plaintext wipe it when dropped, and none of them can be printed, cloned, compared or serialized by accident.
//!
//! This crate knows no providers, no network and no consensus. It reads the clock nowhere, and randomness comes in as
//! [`Entropy`].

mod binding;
mod cipher;
mod credential;
mod data_key;
mod entropy;
mod fingerprint;
mod frame;
mod keyring;
mod note;
mod purpose;
mod recovery;
mod root;
mod seal;
mod sealed;
mod secret;
mod signing;

#[cfg(test)]
mod testing;

pub use binding::{Binding, Field, OutboxOwner, Owner, OwnerBinding};
pub use credential::{CredentialHash, CredentialKind, CredentialSecret, ParseCredentialError};
pub use data_key::{DataKey, MalformedDataKey, OpenDataKeyError, WrappedDataKey};
pub use entropy::{Entropy, OsEntropy};
pub use fingerprint::{AddressPseudonym, ParsePseudonymError, TokenFingerprint};
pub use keyring::{
    DrawVersionError, Keyring, MalformedWrappedKey, NoCurrentKey, OpenKeyringError, RetireVersionError,
    WrappedKey,
};
pub use note::{KeyName, NoteError, ParseVerifierKeyError, VerifierKey, VerifyNoteError, verify_note};
pub use purpose::Purpose;
pub use recovery::{OpenRecoveryError, ParseRecoveryError, RecoveryCopy};
pub use root::{CreateRootKeyError, LoadRootKeyError, RootKey, RootKeyCheck, RootKeySource};
pub use seal::{SealError, UnsealError};
pub use sealed::{MalformedSealed, Sealed};
pub use secret::{Secret, SecretTooLong};
pub use signing::{CheckpointSigner, OpenSignerError};
