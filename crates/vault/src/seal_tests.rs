//! Sealing: what opens, and that nothing opens anywhere but where it was sealed for.

use leasehold_domain::id::{
    AuthorizationId, ConnectorId, GrantId, IdentityProviderId, OrganisationId, SecretId, SubjectId,
};
use proptest::prelude::*;

use super::*;
use crate::{
    Field, OutboxOwner, Owner,
    testing::{Counting, ORGANISATION, hex, keyring, root_key, secret},
};

const GRANT: GrantId = GrantId::from_bytes([0x61; 16]);

fn binding() -> Binding {
    Binding {
        organisation: ORGANISATION,
        subject: SubjectId::from_bytes([0x51; 16]),
        connector: ConnectorId::from_bytes([0x41; 16]),
        grant: GRANT,
        generation: 7,
        field: Field::RefreshToken,
    }
}

fn data_key(purpose: Purpose) -> DataKey {
    keyring().0.draw_data_key(purpose, GRANT, &Counting::new()).unwrap().0
}

fn owners() -> Vec<Owner> {
    let connector = |byte| ConnectorId::from_bytes([byte; 16]);
    let secret = |byte| SecretId::from_bytes([byte; 16]);
    let provider = |byte| IdentityProviderId::from_bytes([byte; 16]);
    let authorization = |byte| AuthorizationId::from_bytes([byte; 16]);
    let grant = |byte| GrantId::from_bytes([byte; 16]);
    let entry = |owner, attempt| Owner::OutboxEntry { owner, attempt };
    vec![
        Owner::ClientSecret(connector(1), secret(1)),
        Owner::ClientSecret(connector(1), secret(2)),
        Owner::ClientSecret(connector(2), secret(1)),
        Owner::SignInSecret(provider(1), secret(1)),
        Owner::SignInSecret(provider(1), secret(2)),
        Owner::SignInSecret(provider(2), secret(1)),
        Owner::Verifier(authorization(1)),
        Owner::Verifier(authorization(2)),
        Owner::SigningKey(1),
        Owner::SigningKey(2),
        entry(OutboxOwner::Grant(grant(1)), 1),
        entry(OutboxOwner::Grant(grant(1)), 2),
        entry(OutboxOwner::Grant(grant(2)), 1),
        entry(OutboxOwner::Authorization(authorization(1)), 1),
        entry(OutboxOwner::Authorization(authorization(1)), 2),
        entry(OutboxOwner::Authorization(authorization(2)), 1),
        Owner::Session,
    ]
}

#[test]
fn a_token_opens_where_it_was_sealed_for() {
    let key = data_key(Purpose::RefreshTokens);
    for text in ["", "1//0g-token", &"x".repeat(Secret::LEN_MAX)] {
        let sealed = key.seal(&binding(), &secret(text), &Counting::new()).unwrap();
        let stored = Sealed::from_bytes(&sealed.to_bytes()).unwrap();
        assert!(key.unseal(&binding(), &stored).is_ok_and(|opened| opened.matches(text.as_bytes())));
        assert_eq!(stored.to_bytes().len(), text.len() + Sealed::OVERHEAD);
    }
}

#[test]
fn a_token_opens_under_no_binding_that_differs_in_one_field() {
    let key = data_key(Purpose::RefreshTokens);
    let sealed = key.seal(&binding(), &secret("token"), &Counting::new()).unwrap();
    let changed = [
        ("organisation", Binding { organisation: OrganisationId::from_bytes([1; 16]), ..binding() }),
        ("subject", Binding { subject: SubjectId::from_bytes([1; 16]), ..binding() }),
        ("connector", Binding { connector: ConnectorId::from_bytes([1; 16]), ..binding() }),
        ("grant", Binding { grant: GrantId::from_bytes([1; 16]), ..binding() }),
        ("earlier generation", Binding { generation: 6, ..binding() }),
        ("later generation", Binding { generation: 8, ..binding() }),
        ("field of the same purpose", Binding { field: Field::IdToken, ..binding() }),
        ("field of another purpose", Binding { field: Field::AccessToken, ..binding() }),
    ];
    for (what, binding) in changed {
        assert_eq!(key.unseal(&binding, &sealed).err(), Some(UnsealError::Refused), "another {what}");
    }
}

#[test]
fn a_token_opens_under_no_other_key_version_even_of_the_same_key() {
    let key = data_key(Purpose::RefreshTokens);
    let sealed = key.seal(&binding(), &secret("token"), &Counting::new()).unwrap();
    let mut bytes = sealed.to_bytes();
    bytes[5] = 2;
    let relabelled = Sealed::from_bytes(&bytes).unwrap();
    assert_eq!(key.unseal(&binding(), &relabelled).err(), Some(UnsealError::OtherKey));
    // And where the key is relabelled with it, the associated data refuses.
    let relabelled_key = DataKey { key_version: 2, ..key };
    assert_eq!(relabelled_key.unseal(&binding(), &relabelled).err(), Some(UnsealError::Refused));
}

#[test]
fn any_flipped_bit_is_found() {
    let key = data_key(Purpose::RefreshTokens);
    let bytes = key.seal(&binding(), &secret("token"), &Counting::new()).unwrap().to_bytes();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let Ok(changed) = Sealed::from_bytes(&changed) else { continue };
        assert!(key.unseal(&binding(), &changed).is_err(), "bit {bit}");
    }
}

#[test]
fn another_data_key_of_the_same_grant_is_told_from_damage() {
    let (keyring, _) = keyring();
    let entropy = Counting::new();
    let (first, _) = keyring.draw_data_key(Purpose::RefreshTokens, GRANT, &entropy).unwrap();
    let (second, _) = keyring.draw_data_key(Purpose::RefreshTokens, GRANT, &entropy).unwrap();
    let sealed = first.seal(&binding(), &secret("token"), &entropy).unwrap();
    assert_eq!(second.unseal(&binding(), &sealed).err(), Some(UnsealError::OtherKey));
}

#[test]
fn a_key_that_does_not_fit_its_binding_seals_nothing() {
    let key = data_key(Purpose::AccessTokens);
    let seal = |binding: Binding| key.seal(&binding, &secret("token"), &Counting::new());
    let fitting = Binding { field: Field::AccessToken, ..binding() };
    assert!(seal(fitting).is_ok());
    let (held, needed) = (Purpose::AccessTokens, Purpose::RefreshTokens);
    for field in [Field::RefreshToken, Field::IdToken] {
        assert_eq!(seal(Binding { field, ..fitting }), Err(SealError::OtherPurpose { held, needed }));
    }
    let grant = GrantId::from_bytes([1; 16]);
    assert_eq!(seal(Binding { grant, ..fitting }), Err(SealError::OtherOwner));
    let organisation = OrganisationId::from_bytes([1; 16]);
    assert_eq!(seal(Binding { organisation, ..fitting }), Err(SealError::OtherOwner));
}

#[test]
fn the_same_token_sealed_twice_gives_different_bytes() {
    let key = data_key(Purpose::RefreshTokens);
    let entropy = Counting::new();
    let first = key.seal(&binding(), &secret("token"), &entropy).unwrap();
    let second = key.seal(&binding(), &secret("token"), &entropy).unwrap();
    assert_ne!(first.to_bytes(), second.to_bytes());
}

#[test]
fn the_stored_bytes_of_the_first_format_are_fixed() {
    let sealed =
        data_key(Purpose::RefreshTokens).seal(&binding(), &secret("token"), &Counting::new()).unwrap();
    assert_eq!(hex(&sealed.to_bytes()), GOLDEN);
    let owned = OwnerBinding { organisation: ORGANISATION, owner: owners()[0] };
    let sealed = keyring().0.seal(&owned, &secret("client secret"), &Counting::new()).unwrap();
    assert_eq!(hex(&sealed.to_bytes()), GOLDEN_OWNED);
}
// Computed by another implementation of the format, on other libraries.
const GOLDEN: &str = "0102000000019fec2fb604ca41739eed755bc3e98e959e3779b97f4a7c153c6ef372462931c84c9d516d02eed5\
    68d24743808b068c4a77";
const GOLDEN_OWNED: &str = "01020000000187b768e5c269ed7168240ed0474be5c49e3779b97f4a7c153c6ef37208ace396e1224e49eb4312\
    1b2fa579cb23abcdc153f9ec5fab38c22a82";

#[test]
fn a_secret_without_a_grant_opens_for_its_owner_only() {
    let (keyring, _) = keyring();
    for owner in owners() {
        let binding = OwnerBinding { organisation: ORGANISATION, owner };
        let sealed = keyring.seal(&binding, &secret("secret"), &Counting::new()).unwrap();
        assert_eq!(sealed.purpose(), owner.purpose());
        for other in owners() {
            let opened = keyring.unseal(&OwnerBinding { owner: other, ..binding }, &sealed);
            assert_eq!(
                opened.is_ok_and(|opened| opened.matches(b"secret")),
                other == owner,
                "{owner:?}, {other:?}"
            );
        }
    }
}

#[test]
fn a_secret_of_another_organisation_is_neither_sealed_nor_opened() {
    let (keyring, _) = keyring();
    let ours = OwnerBinding { organisation: ORGANISATION, owner: Owner::Session };
    let theirs = OwnerBinding { organisation: OrganisationId::from_bytes([1; 16]), ..ours };
    let sealed = keyring.seal(&ours, &secret("secret"), &Counting::new()).unwrap();
    assert_eq!(keyring.unseal(&theirs, &sealed).err(), Some(UnsealError::Refused));
    assert_eq!(keyring.seal(&theirs, &secret("secret"), &Counting::new()), Err(SealError::OtherOwner));
}

#[test]
fn a_secret_opens_after_rotation_until_its_version_is_retired() {
    let (mut keyring, _) = keyring();
    let binding = OwnerBinding { organisation: ORGANISATION, owner: owners()[0] };
    let purpose = binding.owner.purpose();
    let old = keyring.seal(&binding, &secret("secret"), &Counting::new()).unwrap();
    let drawn = keyring.draw_version(purpose, &root_key(), &Counting::new()).unwrap();
    keyring.admit(&root_key(), &drawn).unwrap();
    let new = keyring.seal(&binding, &secret("secret"), &Counting::new()).unwrap();
    assert_eq!((old.key_version(), new.key_version()), (1, 2));
    assert!(keyring.unseal(&binding, &old).is_ok() && keyring.unseal(&binding, &new).is_ok());

    keyring.retire_version(purpose, 1).unwrap();
    assert_eq!(keyring.unseal(&binding, &old).err(), Some(UnsealError::NoKey { purpose, version: 1 }));
    assert!(keyring.unseal(&binding, &new).is_ok());
}

#[test]
fn a_keyring_of_some_purposes_opens_only_those() {
    let (all, wrapped) = keyring();
    let some = Keyring::open(ORGANISATION, &root_key(), &wrapped[..1]).ok().unwrap();
    let binding = OwnerBinding { organisation: ORGANISATION, owner: owners()[0] };
    let sealed = all.seal(&binding, &secret("secret"), &Counting::new()).unwrap();
    let purpose = Purpose::RefreshTokens;
    assert_eq!(some.unseal(&binding, &sealed).err(), Some(UnsealError::NoKey { purpose, version: 1 }));
    assert_eq!(some.seal(&binding, &secret("x"), &Counting::new()), Err(SealError::NoCurrentKey { purpose }));
}

fn any_binding() -> impl Strategy<Value = Binding> {
    // Few values, so that bindings that differ in one field only come up often.
    let id = || (0u8..2).prop_map(|byte| [byte; 16]);
    let field = prop::sample::select(vec![Field::AccessToken, Field::RefreshToken, Field::IdToken]);
    (id(), id(), id(), id(), 0u64..2, field).prop_map(
        |(organisation, subject, connector, grant, generation, field)| Binding {
            organisation: OrganisationId::from_bytes(organisation),
            subject: SubjectId::from_bytes(subject),
            connector: ConnectorId::from_bytes(connector),
            grant: GrantId::from_bytes(grant),
            generation,
            field,
        },
    )
}

proptest! {
    #[test]
    fn associated_data_are_equal_only_for_equal_bindings(
        left in any_binding(), right in any_binding(), left_version in 1u32..3, right_version in 1u32..3,
    ) {
        let (a, b) = (left.associated(left_version), right.associated(right_version));
        prop_assert_eq!((left, left_version) == (right, right_version), a.as_bytes() == b.as_bytes());
    }

    #[test]
    fn every_plaintext_comes_back(plaintext in prop::collection::vec(any::<u8>(), 0..2000)) {
        let (keyring, _) = keyring();
        let binding = OwnerBinding { organisation: ORGANISATION, owner: Owner::Session };
        let sealed = keyring.seal(&binding, &Secret::copy_of(&plaintext).unwrap(), &Counting::new()).unwrap();
        prop_assert!(keyring.unseal(&binding, &sealed).is_ok_and(|opened| opened.matches(&plaintext)));
    }
}
