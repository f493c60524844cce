use leasehold_domain::{
    actor::{Principal, Proof},
    id::OrganisationId,
    revocation::Selector,
    state::{Epoch, State},
    subject::{Kind, Subject},
};
use leasehold_vault::{Keyring, OsEntropy, Owner, OwnerBinding, Purpose, RootKey, Secret};

use super::*;
use crate::caller::{Refused, by_session};

const SUBJECT: SubjectId = SubjectId::from_bytes([1; 16]);
const PROVIDER: IdentityProviderId = IdentityProviderId::from_bytes([2; 16]);
const NOW: Timestamp = Timestamp::from_millis(1_900_000_000_000);

fn keyring_of(organisation: u8) -> (Keyring, RootKey) {
    let root = RootKey::draw(&OsEntropy);
    let organisation = OrganisationId::from_bytes([organisation; 16]);
    (Keyring::generate(organisation, &root, &OsEntropy).0, root)
}

fn keyring() -> Keyring {
    keyring_of(7).0
}

fn pending() -> PendingSignIn {
    PendingSignIn {
        identity_provider: PROVIDER,
        state: Zeroizing::new([3; 32]),
        nonce: Zeroizing::new([4; 32]),
        verifier: Zeroizing::new([5; 32]),
    }
}

fn signed_in() -> Session {
    Session::signed_in(SUBJECT, PROVIDER, 40, NOW, &OsEntropy)
}

fn signing_in(path: Option<&str>) -> Session {
    let path = path.map(|path| LocalPath::new(path).unwrap());
    Session::signing_in(pending(), path, NOW, &OsEntropy)
}

#[test]
fn a_signed_in_session_reads_back_as_it_was() {
    let (keyring, session) = (keyring(), signed_in());
    let read = decode(&keyring, &encode(&keyring, &session, &OsEntropy).unwrap(), NOW).unwrap();
    assert_eq!(read.digest(), session.digest());
    assert_eq!(read.csrf_token(), session.csrf_token());
    assert_eq!(read.issued_at(), NOW);
    let Standing::SignedIn { subject, identity_provider, seq } = read.into_standing() else {
        panic!("another standing");
    };
    assert_eq!((subject, identity_provider, seq), (SUBJECT, PROVIDER, 40));
}

#[test]
fn a_sign_in_under_way_reads_back_as_it_was() {
    let keyring = keyring();
    for path in [None, Some("/connect/aut_1?x=1")] {
        let value = encode(&keyring, &signing_in(path), &OsEntropy).unwrap();
        let Standing::SigningIn { pending: read, return_to } =
            decode(&keyring, &value, NOW).unwrap().into_standing()
        else {
            panic!("another standing");
        };
        assert_eq!(return_to.as_ref().map(LocalPath::as_str), path);
        let kept = pending();
        assert_eq!(read.identity_provider, kept.identity_provider);
        assert_eq!((read.state, read.nonce, read.verifier), (kept.state, kept.nonce, kept.verifier));
    }
}

#[test]
fn the_longest_session_fits_a_cookie() {
    let path = format!("/{}", "x".repeat(LocalPath::LEN_MAX - 1));
    let keyring = keyring();
    let value = encode(&keyring, &signing_in(Some(&path)), &OsEntropy).unwrap();
    assert!(value.len() <= COOKIE_LEN_MAX, "{}", value.len());
    const { assert!(COOKIE_LEN_MAX < 3800) };
    assert!(decode(&keyring, &value, NOW).is_some());
}

#[test]
fn a_session_ends_at_its_age_and_does_not_begin_in_the_future() {
    let keyring = keyring();
    for (session, ttl) in [(signed_in(), SIGNED_IN_TTL), (signing_in(None), SIGNING_IN_TTL)] {
        let value = encode(&keyring, &session, &OsEntropy).unwrap();
        let good_at = |now| decode(&keyring, &value, now).is_some();
        let last = Timestamp::from_millis(NOW.as_millis() + ttl.as_millis() - 1);
        assert!(good_at(last));
        assert!(!good_at(NOW + ttl));
        assert!(good_at(NOW.minus(AHEAD_MAX)));
        assert!(!good_at(NOW.minus(AHEAD_MAX).minus(Span::from_millis(1))));
    }
}

#[test]
fn a_cookie_with_any_character_changed_is_no_session() {
    let keyring = keyring();
    let value = encode(&keyring, &signed_in(), &OsEntropy).unwrap();
    for position in 0..value.len() {
        let mut changed = value.clone().into_bytes();
        changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(decode(&keyring, &changed, NOW).is_none(), "position {position}");
    }
    for bad in ["", "x", &value[1..], &value[..value.len() - 1], &format!("{value}="), &"A".repeat(9000)] {
        assert!(decode(&keyring, bad, NOW).is_none(), "{bad}");
    }
}

#[test]
fn a_cookie_of_another_organisation_or_another_key_is_no_session() {
    let value = encode(&keyring(), &signed_in(), &OsEntropy).unwrap();
    assert!(decode(&keyring(), &value, NOW).is_none());
    assert!(decode(&keyring_of(8).0, &value, NOW).is_none());
}

#[test]
fn a_secret_sealed_for_another_use_is_no_session() {
    let keyring = keyring();
    let value = encode(&keyring, &signed_in(), &OsEntropy).unwrap();
    let sealed = leasehold_vault::Sealed::from_bytes(&URL_SAFE_NO_PAD.decode(value).unwrap()).unwrap();
    let organisation = keyring.organisation();
    let session = OwnerBinding { organisation, owner: Owner::Session };
    let plaintext = keyring.unseal(&session, &sealed).unwrap();
    let other = OwnerBinding {
        organisation,
        owner: Owner::Verifier(leasehold_domain::id::AuthorizationId::from_bytes([1; 16])),
    };
    let moved = keyring.seal(&other, &plaintext, &OsEntropy).unwrap();
    assert!(decode(&keyring, &URL_SAFE_NO_PAD.encode(moved.to_bytes()), NOW).is_none());
}

#[test]
fn a_plaintext_of_another_layout_is_no_session() {
    let keyring = keyring();
    let binding = OwnerBinding { organisation: keyring.organisation(), owner: Owner::Session };
    let value = encode(&keyring, &signed_in(), &OsEntropy).unwrap();
    let sealed = leasehold_vault::Sealed::from_bytes(&URL_SAFE_NO_PAD.decode(value).unwrap()).unwrap();
    let good = keyring.unseal(&binding, &sealed).unwrap().expose().to_vec();
    let seal = |bytes: &[u8]| {
        let sealed = keyring.seal(&binding, &Secret::copy_of(bytes).unwrap(), &OsEntropy).unwrap();
        URL_SAFE_NO_PAD.encode(sealed.to_bytes())
    };
    assert!(decode(&keyring, &seal(&good), NOW).is_some());
    for len in 0..good.len() {
        assert!(decode(&keyring, &seal(&good[..len]), NOW).is_none(), "{len} bytes");
    }
    let mut bad = vec![[good.as_slice(), b"\0"].concat()];
    for (position, byte) in [(0, 0), (0, 2), (73, 0), (73, 3)] {
        let mut changed = good.clone();
        changed[position] = byte;
        bad.push(changed);
    }
    for bytes in bad {
        assert!(decode(&keyring, &seal(&bytes), NOW).is_none());
    }
}

#[test]
fn a_session_opens_after_a_key_rotation_and_not_after_the_retirement() {
    let (mut keyring, root) = keyring_of(7);
    let value = encode(&keyring, &signed_in(), &OsEntropy).unwrap();
    let drawn = keyring.draw_version(Purpose::AccessTokens, &root, &OsEntropy).unwrap();
    keyring.admit(&root, &drawn).unwrap();
    assert!(decode(&keyring, &value, NOW).is_some());
    keyring.retire_version(Purpose::AccessTokens, 1).unwrap();
    assert!(decode(&keyring, &value, NOW).is_none());
}

#[test]
fn a_form_token_is_good_for_its_own_session_alone() {
    let (session, other) = (signed_in(), signed_in());
    assert!(session.csrf_matches(&session.csrf_token()));
    for bad in [other.csrf_token().as_str(), "", &session.csrf_token()[1..]] {
        assert!(!session.csrf_matches(bad));
    }
    assert_ne!(session.digest(), other.digest());
}

#[test]
fn only_paths_on_this_site_are_returned_to() {
    for good in ["/", "/connect/aut_1", "/a?b=c&d=//e"] {
        assert!(LocalPath::new(good).is_ok(), "{good}");
    }
    let long = format!("/{}", "x".repeat(LocalPath::LEN_MAX));
    for bad in [
        "",
        "a",
        "//evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "https://evil.example",
        "/a b",
        "/\t/x",
        "/ä",
        &long,
    ] {
        assert_eq!(LocalPath::new(bad), Err(NotLocal), "{bad}");
    }
}

fn state(kind: Kind, enabled: bool, ended_at: u64) -> State {
    let mut state = State::default();
    state.subjects.put(SUBJECT, Subject { id: SUBJECT, kind, enabled, pinned: true, revision: 1 });
    let epoch = Epoch { leases: ended_at, grants: ended_at, open: false };
    state.epochs.put(Selector::Subject(SUBJECT), epoch);
    state
}

#[test]
fn a_session_is_its_person_until_they_are_disabled_or_revoked() {
    let session = signed_in();
    let expected = (Principal::Person(SUBJECT), Proof::SignIn);
    assert_eq!(by_session(&state(Kind::Person, true, 0), &session), Ok(expected));
    assert_eq!(by_session(&state(Kind::Person, true, 40), &session), Ok(expected));
    assert_eq!(by_session(&state(Kind::Person, true, 41), &session), Err(Refused::Expired));
    assert_eq!(by_session(&state(Kind::Person, false, 0), &session), Err(Refused::Disabled));
    let service = Kind::Service { owner: SubjectId::from_bytes([9; 16]) };
    assert_eq!(by_session(&state(service, true, 0), &session), Err(Refused::Disabled));
    assert_eq!(by_session(&State::default(), &session), Err(Refused::Unknown));
    assert_eq!(by_session(&state(Kind::Person, true, 0), &signing_in(None)), Err(Refused::Unknown));
}
