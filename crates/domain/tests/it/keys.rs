//! The keys: versions come and go, what is sealed moves, the root key is replaced.

mod rewrap;

use leasehold_domain::{
    authorization,
    command::{Entity, Fact},
    organisation::{Command, Event, KEYS_MAX, KeyId, KeyPurpose, WrappedKey},
    rejection::{Kind, Rejection},
    state::BlobKey,
    text::{AccountKey, KeyCheck},
};

use crate::{
    fixture::{ALICE, CONSENT, GRANT, administrator, mins, scopes, sealed, tokens},
    harness::{Case, Step, given},
    worlds::{Attempt, Setting, Start, catalogue, confirm, consented, exchanging, founded},
};

const PURPOSE: KeyPurpose = KeyPurpose::AccessTokens;

fn key(purpose: KeyPurpose, version: u32) -> WrappedKey {
    WrappedKey { purpose, version, wrapped: sealed("another key") }
}

/// Adds the version after the current one to the keyring as it is.
pub(crate) fn add(case: &Case, purpose: KeyPurpose) -> Command {
    let version = case.state.singular.key_versions.get(&purpose).copied().unwrap_or(0) + 1;
    Command::AddKeyVersion { key: key(purpose, version), keyring: case.state.keyring_revision() }
}

fn retire(purpose: KeyPurpose, version: u32) -> Command {
    Command::RetireKeyVersion { key: KeyId { purpose, version } }
}

const fn check(n: u8) -> KeyCheck {
    KeyCheck::from_bytes([n; 16])
}

#[test]
fn an_added_version_is_kept_and_is_the_one_that_seals() {
    let case = given(founded()).after(mins(1));
    let (command, seq, at) = (add(&case, PURPOSE), case.next_seq(), case.now);
    let outcome = case.when(command);
    assert_eq!(outcome.blob(BlobKey::WrappedKey(PURPOSE, 2)), Some(Some(&b"another key"[..])));
    let case = outcome.then([Event::KeyVersionAdded { purpose: PURPOSE, version: 2 }]);
    assert_eq!(case.state.revision(Entity::Keys(PURPOSE)), 2);
    let added = case.state.keys.get(&KeyId { purpose: PURPOSE, version: 2 }).unwrap();
    assert_eq!((added.added_at, added.revision, case.state.keyring_revision()), (at, seq, seq));
    assert!(
        case.state.keys.contains(&KeyId { purpose: PURPOSE, version: 1 }),
        "what is under it still opens"
    );
}

#[test]
fn a_version_drawn_for_a_former_keyring_is_refused() {
    let case = given(founded());
    let stale = add(&case, PURPOSE);
    let next = add(&case, PURPOSE);
    let case = case.and([next]);
    let case = case.when(stale).rejected(Rejection::Superseded);
    // Nor may a version be left out.
    let keyring = case.state.keyring_revision();
    case.when(Command::AddKeyVersion { key: key(PURPOSE, 4), keyring }).rejected(Rejection::Superseded);
}

#[test]
fn a_keyring_is_bounded() {
    let mut case = given(founded());
    while case.state.keys.len() < KEYS_MAX {
        let command = add(&case, PURPOSE);
        case = case.and([command]);
    }
    let command = add(&case, PURPOSE);
    case.when(command).rejected(Rejection::TooMany { limit: KEYS_MAX });
}

#[test]
fn what_was_sealed_before_a_version_was_added_has_to_be_sealed_again() {
    let case = given(consented(&Setting::default()));
    let fact = Fact { entity: Entity::Keys(PURPOSE), revision: case.state.revision(Entity::Keys(PURPOSE)) };
    let attempt = Attempt::default();
    let command = add(&case, PURPOSE);
    let case = case.and([attempt.intend(), command.into()]);
    let commit = attempt.commit("files.read", tokens(2, None));
    let case = case.when(commit.clone().given_that([fact])).stale();
    let fact = Fact { revision: 2, ..fact };
    case.when(commit.given_that([fact])).applied();
}

#[test]
fn a_version_is_retired_once_and_only_when_another_seals() {
    let case = given(founded()).when(retire(PURPOSE, 1)).rejected(Rejection::CurrentKey);
    let case = case.when(retire(PURPOSE, 2)).rejected(Rejection::Unknown(Kind::Key));
    let command = add(&case, PURPOSE);
    let outcome = case.and([command]).when(retire(PURPOSE, 1));
    assert_eq!(outcome.blob(BlobKey::WrappedKey(PURPOSE, 1)), Some(None));
    let case = outcome.then([Event::KeyVersionRetired { purpose: PURPOSE, version: 1 }]);
    assert_eq!(case.state.keys.iter().map(|(id, _)| id.version).collect::<Vec<_>>(), [2]);
    let case = case.when(retire(PURPOSE, 1)).rejected(Rejection::Unknown(Kind::Key));
    case.when(retire(PURPOSE, 2)).rejected(Rejection::CurrentKey);
}

#[test]
fn a_pseudonym_key_is_not_retired_while_accounts_are_named_under_it() {
    let purpose = KeyPurpose::Pseudonyms;
    let mut named = [7; 20];
    named[..4].copy_from_slice(&1u32.to_be_bytes());
    let account = AccountKey::from_bytes(named);
    let start = Start::default();
    let case = given(catalogue(&Setting::default())).and(exchanging(start));
    let mut case = case.and([authorization::Command::CompleteExchange {
        authorization: CONSENT,
        account,
        account_label: sealed("alice@drive"),
        granted: scopes("files.read"),
        tokens: sealed("pending tokens"),
        facts: tokens(1, None),
    }]);
    for _ in 0..2 {
        let command = add(&case, purpose);
        case = case.and([command]);
    }
    let case = case.when(retire(purpose, 1)).rejected(Rejection::KeyInUse { count: 1 });
    let case = case.and([confirm(CONSENT, GRANT, 1, tokens(1, None))]);
    let case = case.when(retire(purpose, 1)).rejected(Rejection::KeyInUse { count: 1 });
    let selector = leasehold_domain::revocation::Selector::Subject(ALICE);
    let case = case.and([crate::worlds::revoke(selector), crate::worlds::close(selector, [GRANT])]);
    case.when(retire(purpose, 1)).applied();
}

fn replace(case: &Case, keys: Vec<WrappedKey>) -> Command {
    let keyring = case.state.keyring_revision();
    Command::ReplaceRootKey { keyring, before: check(1), after: check(2), keys }
}

#[test]
fn a_root_key_is_replaced_for_every_key_at_once() {
    let case = given(founded());
    let command = add(&case, PURPOSE);
    let case = case.and([command]);
    let seq = case.next_seq();
    let command = replace(&case, vec![key(PURPOSE, 1), key(PURPOSE, 2)]);
    let outcome = case.when(command);
    assert_eq!(outcome.blob(BlobKey::RootCheck), Some(Some(&[2; 16][..])));
    for version in [1, 2] {
        let kept = outcome.blob(BlobKey::WrappedKey(PURPOSE, version));
        assert_eq!(kept, Some(Some(&b"another key"[..])), "version {version}");
    }
    let case = outcome.then([Event::RootKeyReplaced { before: check(1), after: check(2), keys: 2 }]);
    assert!(case.state.keys.iter().all(|(_, key)| key.revision == seq));
    assert_eq!(case.state.revision(Entity::Keys(PURPOSE)), 2, "what was sealed is as good as before");
}

#[test]
fn a_keyring_that_is_not_the_present_one_replaces_nothing() {
    let case = given(founded());
    let stale = replace(&case, vec![key(PURPOSE, 1)]);
    let command = add(&case, PURPOSE);
    let case = case.and([command]).when(stale).rejected(Rejection::Superseded);
    for keys in [vec![key(PURPOSE, 2)], vec![key(PURPOSE, 1), key(PURPOSE, 1)], Vec::new()] {
        let command = replace(&case, keys);
        assert!(matches!(
            leasehold_domain::organisation::decide::decide(&case.state, context(&case), command),
            Err(Rejection::Superseded)
        ));
    }
    let command = replace(&case, vec![key(PURPOSE, 1), key(PURPOSE, 2)]);
    case.when(Step::from(command).by(administrator())).rejected(Rejection::WrongPrincipal);
}

fn context(case: &Case) -> leasehold_domain::machine::Context {
    let (at, seq) = (case.now, case.next_seq());
    leasehold_domain::machine::Context { actor: crate::fixture::cluster(), at, seq }
}
