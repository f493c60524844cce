//! Data keys: whose they are, what damage looks like, and rewrapping.

use proptest::prelude::*;

use super::*;
use crate::{
    Binding, Field,
    testing::{Counting, ORGANISATION, hex, keyring, keyring_of, root_key, secret},
};

const GRANT: GrantId = GrantId::from_bytes([0x61; 16]);
const OTHER_GRANT: GrantId = GrantId::from_bytes([0x62; 16]);

fn binding() -> Binding {
    Binding {
        organisation: ORGANISATION,
        subject: leasehold_domain::id::SubjectId::from_bytes([0x51; 16]),
        connector: leasehold_domain::id::ConnectorId::from_bytes([0x41; 16]),
        grant: GRANT,
        generation: 1,
        field: Field::RefreshToken,
    }
}

fn rotate(keyring: &mut Keyring, purpose: Purpose) {
    let drawn = keyring.draw_version(purpose, &root_key(), &Counting::new()).unwrap();
    keyring.admit(&root_key(), &drawn).unwrap();
}

#[test]
fn a_data_key_opens_from_its_stored_bytes() {
    let (keyring, _) = keyring();
    let (drawn, wrapped) = keyring.draw_data_key(Purpose::RefreshTokens, GRANT, &Counting::new()).unwrap();
    let stored = WrappedDataKey::from_bytes(&wrapped.to_bytes()).unwrap();
    let opened = keyring.open_data_key(GRANT, &stored).ok().unwrap();
    let sealed = drawn.seal(&binding(), &secret("token"), &Counting::new()).unwrap();
    assert!(opened.unseal(&binding(), &sealed).is_ok_and(|opened| opened.matches(b"token")));
}

#[test]
fn the_stored_bytes_of_the_first_format_are_fixed() {
    let (keyring, _) = keyring();
    let (_, wrapped) = keyring.draw_data_key(Purpose::AccessTokens, GRANT, &Counting::new()).unwrap();
    assert_eq!(hex(&wrapped.to_bytes()), GOLDEN);
}
// Computed by another implementation of the format, on other libraries.
const GOLDEN: &str = "010100000001000000017d779a6524b38aa7a2a3983231ed7ce31715609f7c746c69b54cda58c76e99573ae57b\
    7ca35cc60b4ddaa13b47035911197dd5a74e1ef69d33b6d24729f7b5cf9187a00779d5830d6292fe1b";

#[test]
fn a_data_key_moved_to_another_grant_or_organisation_is_refused() {
    let (keyring, _) = keyring();
    let (_, wrapped) = keyring.draw_data_key(Purpose::AccessTokens, GRANT, &Counting::new()).unwrap();
    assert_eq!(keyring.open_data_key(OTHER_GRANT, &wrapped).err(), Some(OpenDataKeyError::Refused));

    // A keyring of the very same keys, of another organisation.
    let (elsewhere, _) = keyring_of(OrganisationId::from_bytes([0xb0; 16]));
    assert_eq!(elsewhere.open_data_key(GRANT, &wrapped).err(), Some(OpenDataKeyError::Refused));
}

#[test]
fn any_flipped_bit_of_a_data_key_is_found() {
    let (mut keyring, _) = keyring();
    // With a second version, a flip that turns one version into the other still finds a key, the wrong one.
    rotate(&mut keyring, Purpose::AccessTokens);
    rotate(&mut keyring, Purpose::AccessTokens);
    let (_, wrapped) = keyring.draw_data_key(Purpose::AccessTokens, GRANT, &Counting::new()).unwrap();
    let bytes = wrapped.to_bytes();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes;
        changed[bit / 8] ^= 1 << (bit % 8);
        let Ok(changed) = WrappedDataKey::from_bytes(&changed) else { continue };
        assert!(keyring.open_data_key(GRANT, &changed).is_err(), "bit {bit}");
    }
}

#[test]
fn a_data_key_of_another_keyring_is_told_from_damage() {
    let (keyring, _) = keyring();
    let entropy = Counting::new();
    let (other, _) = Keyring::generate(ORGANISATION, &root_key(), &entropy);
    let (_, wrapped) = other.draw_data_key(Purpose::AccessTokens, GRANT, &entropy).unwrap();
    let refused = keyring.open_data_key(GRANT, &wrapped).err();
    assert_eq!(refused, Some(OpenDataKeyError::OtherKey { purpose: Purpose::AccessTokens, version: 1 }));
}

#[test]
fn a_rewrapped_data_key_survives_the_retirement_of_the_old_version() {
    let (mut keyring, _) = keyring();
    let purpose = Purpose::RefreshTokens;
    let (drawn, wrapped) = keyring.draw_data_key(purpose, GRANT, &Counting::new()).unwrap();
    let sealed = drawn.seal(&binding(), &secret("token"), &Counting::new()).unwrap();
    assert_eq!(keyring.rewrap_data_key(GRANT, &wrapped, &Counting::new()), Ok(None));

    rotate(&mut keyring, purpose);
    let rewrapped = keyring.rewrap_data_key(GRANT, &wrapped, &Counting::new()).unwrap().unwrap();
    assert_eq!((rewrapped.key_version(), rewrapped.wrapped_with()), (1, 2));
    keyring.retire_version(purpose, 1).unwrap();
    let refused = keyring.open_data_key(GRANT, &wrapped).err();
    assert_eq!(refused, Some(OpenDataKeyError::NoKey { purpose, version: 1 }));
    let opened = keyring.open_data_key(GRANT, &rewrapped).ok().unwrap();
    assert!(opened.unseal(&binding(), &sealed).is_ok_and(|opened| opened.matches(b"token")));
    assert_eq!(sealed.key_version(), 1, "what the old version could open stays marked with it");
}

#[test]
fn a_data_key_is_rewrapped_for_its_own_grant_only() {
    let (mut keyring, _) = keyring();
    let (_, wrapped) = keyring.draw_data_key(Purpose::AccessTokens, GRANT, &Counting::new()).unwrap();
    rotate(&mut keyring, Purpose::AccessTokens);
    let refused = keyring.rewrap_data_key(OTHER_GRANT, &wrapped, &Counting::new());
    assert_eq!(refused, Err(OpenDataKeyError::Refused));
}

proptest! {
    #[test]
    fn whatever_parses_prints_the_same_bytes(
        purpose in 0u8..6, drawn in 0u32..3, wrapped in 0u32..3, tail: [u8; 28],
        ciphertext in prop::collection::vec(any::<u8>(), 47..50),
    ) {
        let bytes =
            [&[FORMAT, purpose][..], &drawn.to_be_bytes(), &wrapped.to_be_bytes(), &tail, &ciphertext].concat();
        let good = (1..=4).contains(&purpose) && drawn > 0 && wrapped > 0 && ciphertext.len() == WRAPPED_LEN;
        let printed = WrappedDataKey::from_bytes(&bytes).map(|parsed| parsed.to_bytes().to_vec()).ok();
        prop_assert_eq!(printed, good.then_some(bytes));
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = WrappedDataKey::from_bytes(&bytes);
    }
}
