//! What the tests of this crate share: fixed randomness, fixed ids, and a way to say that a type lacks a trait.

use std::sync::atomic::{AtomicU64, Ordering};

use leasehold_domain::id::OrganisationId;

use crate::{Entropy, Keyring, RootKey, Secret, WrappedKey};

/// Bytes that count upward, so that every draw is known and no two are equal.
pub(crate) struct Counting(AtomicU64);

impl Counting {
    pub(crate) const fn new() -> Self {
        Self::after(0)
    }

    /// Draws that no other start within 2^32 draws of it repeats.
    const fn after(start: u64) -> Self {
        Self(AtomicU64::new((start << 32) + 1))
    }
}

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let next =
                self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
            chunk.copy_from_slice(&next[..chunk.len()]);
        }
    }
}

pub(crate) const ORGANISATION: OrganisationId = OrganisationId::from_bytes([0xa0; 16]);

pub(crate) fn root_key() -> RootKey {
    RootKey::draw(&Counting::after(1))
}

pub(crate) fn keyring() -> (Keyring, Vec<WrappedKey>) {
    keyring_of(ORGANISATION)
}

/// The same keys, whatever the organisation.
pub(crate) fn keyring_of(organisation: OrganisationId) -> (Keyring, Vec<WrappedKey>) {
    Keyring::generate(organisation, &root_key(), &Counting::after(2))
}

pub(crate) fn secret(text: &str) -> Secret {
    Secret::copy_of(text.as_bytes()).unwrap()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a type has a trait: an inherent constant exists only where the bound holds, and hides the blanket one where it does.
macro_rules! has {
    ($type:ty: $trait:path) => {{
        trait Absent {
            const PRESENT: bool = false;
        }
        struct Probe<T: ?Sized>(core::marker::PhantomData<T>);
        impl<T: ?Sized> Absent for Probe<T> {}
        impl<T: ?Sized + $trait> Probe<T> {
            const PRESENT: bool = true;
        }
        assert!(Probe::<u8>::PRESENT, "the probe itself does not see {}", stringify!($trait));
        Probe::<$type>::PRESENT
    }};
}

#[test]
fn no_type_that_carries_a_secret_can_be_printed_or_copied() {
    macro_rules! assert_mute {
        ($($type:ty),+ $(,)?) => {$(
            assert!(!has!($type: core::fmt::Debug), "{} has Debug", stringify!($type));
            assert!(!has!($type: core::fmt::Display), "{} has Display", stringify!($type));
            assert!(!has!($type: Clone), "{} has Clone", stringify!($type));
            assert!(!has!($type: PartialEq), "{} has PartialEq", stringify!($type));
        )+};
    }
    assert_mute!(
        RootKey,
        Keyring,
        Secret,
        crate::DataKey,
        crate::CredentialSecret,
        crate::CheckpointSigner,
        crate::cipher::KeyMaterial,
        crate::cipher::CipherKey,
    );
}

#[test]
fn types_that_carry_secrets_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<RootKey>();
    shared::<Keyring>();
    shared::<Secret>();
    shared::<crate::DataKey>();
    shared::<crate::CredentialSecret>();
    shared::<crate::CheckpointSigner>();
}
