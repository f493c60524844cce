//! The organisation.

use leasehold_domain::{
    organisation::{Command, Event, KeyPurpose, LEVEL, WrappedKey},
    rejection::Rejection,
    state::BlobKey,
};

use crate::{
    fixture::{ALICE, ORGANISATION, label, sealed},
    harness::{Step, given},
    worlds::{found, founded, register_subject},
};

fn nothing() -> Vec<Step> {
    Vec::new()
}

#[test]
fn the_first_entry_founds_the_organisation_with_its_keys() {
    let outcome = given(nothing()).when(found());
    assert_eq!(outcome.blob(BlobKey::RootCheck), Some(Some(&b"root check"[..])));
    assert_eq!(outcome.blob(BlobKey::SigningKey), Some(Some(&b"signing key"[..])));
    assert_eq!(outcome.blob(BlobKey::WrappedKey(KeyPurpose::AccessTokens, 1)), Some(Some(&b"key"[..])));
    let case = outcome.then([
        Event::Founded {
            organisation: ORGANISATION,
            origin: label("ledger.example"),
            development: false,
            level: LEVEL,
            verifier: label("verifier"),
        },
        Event::KeyVersionAdded { purpose: KeyPurpose::AccessTokens, version: 1 },
    ]);
    assert_eq!(case.state.singular.key_versions.get(&KeyPurpose::AccessTokens), Some(&1));
    assert_eq!(case.state.singular.verifier, Some(label("verifier")));
}

#[test]
fn an_organisation_is_founded_once() {
    given(founded()).when(found()).rejected(Rejection::AlreadyFounded);
}

#[test]
fn nothing_happens_before_the_organisation_is_founded() {
    given(nothing()).when(register_subject(ALICE, "Alice")).rejected(Rejection::NotFounded);
}

#[test]
fn more_keys_than_the_first_entry_may_carry_are_refused() {
    let Command::Found { organisation, root_check, signer, .. } = found() else { unreachable!() };
    let keys = (1..=8)
        .map(|version| WrappedKey { purpose: KeyPurpose::Signing, version, wrapped: sealed("key") })
        .collect();
    given(nothing())
        .when(Command::Found { organisation, root_check, keys, signer })
        .rejected(Rejection::TooMany { limit: 7 });
}
