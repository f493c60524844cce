//! The keyring: which root key opens it, what damage looks like, and how versions come and go.

use super::*;
use crate::testing::{Counting, ORGANISATION, keyring, root_key};

const OTHER: OrganisationId = OrganisationId::from_bytes([0xb0; 16]);

fn another_root_key() -> RootKey {
    RootKey::draw(&Counting::new())
}

fn same_keys(left: &Keyring, right: &Keyring) -> bool {
    left.keys.len() == right.keys.len()
        && left
            .keys
            .iter()
            .zip(&right.keys)
            .all(|((at, key), (other_at, other))| at == other_at && key.material.matches(&other.material))
}

#[test]
fn a_keyring_opens_with_the_root_key_that_wrapped_it() {
    let (keyring, wrapped) = keyring();
    let opened = Keyring::open(ORGANISATION, &root_key(), &wrapped).ok().unwrap();
    assert!(same_keys(&keyring, &opened));
    for purpose in Purpose::ALL {
        assert_eq!(opened.current_version(purpose), Ok(1));
    }
}

#[test]
fn every_purpose_has_a_key_of_its_own() {
    let (keyring, _) = keyring();
    let keys: Vec<_> = keyring.keys.values().map(|key| *key.material.expose()).collect();
    for (position, key) in keys.iter().enumerate() {
        assert!(!keys[..position].contains(key));
    }
}

#[test]
fn a_wrong_root_key_is_told_from_damage() {
    let (_, mut wrapped) = keyring();
    let wrong = Keyring::open(ORGANISATION, &another_root_key(), &wrapped);
    assert_eq!(wrong.err(), Some(OpenKeyringError::WrongRootKey));

    let mut bytes = wrapped[2].to_bytes();
    bytes[WrappedKey::LEN - 1] ^= 1;
    wrapped[2] = WrappedKey::from_bytes(&bytes).unwrap();
    let damaged = Keyring::open(ORGANISATION, &root_key(), &wrapped);
    assert_eq!(damaged.err(), Some(OpenKeyringError::Damaged { purpose: Purpose::Signing, version: 1 }));
}

#[test]
fn any_flipped_bit_of_a_wrapped_key_is_found() {
    let (_, wrapped) = keyring();
    let bytes = wrapped[0].to_bytes();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes;
        changed[bit / 8] ^= 1 << (bit % 8);
        let Ok(changed) = WrappedKey::from_bytes(&changed) else { continue };
        let mut keys = wrapped.clone();
        keys[0] = changed;
        let refused = Keyring::open(ORGANISATION, &root_key(), &keys).err();
        assert!(matches!(refused, Some(OpenKeyringError::Damaged { .. })), "bit {bit}: {refused:?}");
    }
}

#[test]
fn another_organisations_keyring_does_not_open() {
    let (_, wrapped) = keyring();
    assert_eq!(Keyring::open(OTHER, &root_key(), &wrapped).err(), Some(OpenKeyringError::WrongRootKey));

    // Even where the check value is made to fit, the associated data names the organisation.
    let mut bytes = wrapped[0].to_bytes();
    bytes[6..22].copy_from_slice(&root_key().check(OTHER).to_bytes());
    let forged = [WrappedKey::from_bytes(&bytes).unwrap()];
    let refused = Keyring::open(OTHER, &root_key(), &forged).err();
    assert_eq!(refused, Some(OpenKeyringError::Damaged { purpose: Purpose::AccessTokens, version: 1 }));
}

#[test]
fn some_purposes_can_be_opened_without_the_others() {
    let (_, wrapped) = keyring();
    let opened = Keyring::open(ORGANISATION, &root_key(), &wrapped[..1]).ok().unwrap();
    assert_eq!(opened.current_version(Purpose::AccessTokens), Ok(1));
    let missing = Purpose::RefreshTokens;
    assert_eq!(opened.current_version(missing), Err(NoCurrentKey { purpose: missing }));
    let refused = opened.draw_version(missing, &root_key(), &Counting::new()).err();
    assert_eq!(refused, Some(DrawVersionError::NoCurrentKey { purpose: missing }));
    assert_eq!(Keyring::open(ORGANISATION, &root_key(), &[]).err(), Some(OpenKeyringError::Empty));
}

#[test]
fn a_drawn_version_seals_nothing_until_it_is_admitted() {
    let (mut keyring, mut wrapped) = keyring();
    let drawn = keyring.draw_version(Purpose::RefreshTokens, &root_key(), &Counting::new()).unwrap();
    assert_eq!(drawn.version(), 2);
    assert_eq!(keyring.current_version(Purpose::RefreshTokens), Ok(1));

    keyring.admit(&root_key(), &drawn).unwrap();
    keyring.admit(&root_key(), &drawn).unwrap();
    assert_eq!(keyring.current_version(Purpose::RefreshTokens), Ok(2));
    assert_eq!(keyring.versions(Purpose::RefreshTokens).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(keyring.current_version(Purpose::AccessTokens), Ok(1));

    wrapped.push(drawn);
    assert!(same_keys(&keyring, &Keyring::open(ORGANISATION, &root_key(), &wrapped).ok().unwrap()));
}

#[test]
fn two_different_keys_of_one_version_are_refused() {
    let (mut keyring, _) = keyring();
    let entropy = Counting::new();
    let first = keyring.draw_version(Purpose::Signing, &root_key(), &entropy).unwrap();
    let second = keyring.draw_version(Purpose::Signing, &root_key(), &entropy).unwrap();
    keyring.admit(&root_key(), &first).unwrap();
    let refused = keyring.admit(&root_key(), &second);
    assert_eq!(refused, Err(OpenKeyringError::Ambiguous { purpose: Purpose::Signing, version: 2 }));
}

#[test]
fn a_version_of_another_root_key_is_neither_drawn_nor_admitted() {
    let (mut keyring, _) = keyring();
    let drawn = keyring.draw_version(Purpose::Signing, &another_root_key(), &Counting::new());
    assert_eq!(drawn, Err(DrawVersionError::WrongRootKey));
    let foreign = keyring.rewrap(&another_root_key(), &Counting::new());
    assert_eq!(keyring.admit(&root_key(), &foreign[0]), Err(OpenKeyringError::WrongRootKey));
    assert_eq!(keyring.admit(&another_root_key(), &foreign[0]), Err(OpenKeyringError::WrongRootKey));
}

#[test]
fn a_replaced_root_key_opens_the_same_keys() {
    let (keyring, _) = keyring();
    let rewrapped = keyring.rewrap(&another_root_key(), &Counting::new());
    let opened = Keyring::open(ORGANISATION, &another_root_key(), &rewrapped).ok().unwrap();
    assert!(same_keys(&keyring, &opened));
    assert_eq!(
        Keyring::open(ORGANISATION, &root_key(), &rewrapped).err(),
        Some(OpenKeyringError::WrongRootKey)
    );
}

#[test]
fn only_a_version_that_no_longer_seals_can_be_retired() {
    let (mut keyring, _) = keyring();
    let purpose = Purpose::AccessTokens;
    assert_eq!(keyring.retire_version(purpose, 1), Err(RetireVersionError::Current { purpose, version: 1 }));
    let drawn = keyring.draw_version(purpose, &root_key(), &Counting::new()).unwrap();
    keyring.admit(&root_key(), &drawn).unwrap();
    assert_eq!(keyring.retire_version(purpose, 1), Ok(()));
    assert_eq!(keyring.retire_version(purpose, 1), Err(RetireVersionError::Unknown { purpose, version: 1 }));
    assert_eq!(keyring.versions(purpose).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_check_value_tells_keys_apart() {
    let (keyring, _) = keyring();
    let checks: Vec<_> = Purpose::ALL.iter().map(|purpose| keyring.key_check(*purpose, 1).unwrap()).collect();
    for (position, check) in checks.iter().enumerate() {
        assert!(!checks[..position].contains(check));
    }
    assert_eq!(keyring.key_check(Purpose::Signing, 2), None);
}

#[test]
fn a_keyring_is_bounded() {
    let (mut keyring, _) = keyring();
    let entropy = Counting::new();
    while keyring.keys.len() < Keyring::KEYS_MAX {
        let drawn = keyring.draw_version(Purpose::Signing, &root_key(), &entropy).unwrap();
        keyring.admit(&root_key(), &drawn).unwrap();
    }
    let refused = keyring.draw_version(Purpose::Signing, &root_key(), &entropy);
    assert_eq!(refused, Err(DrawVersionError::Full));
}
