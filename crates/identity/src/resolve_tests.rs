use leasehold_domain::{
    id::{IdentityProviderId, Name},
    identity_provider::{JoinClaim, Registration},
    subject::DirectoryEntry,
    text::{Label, Uri},
};

use super::*;

const ALICE: SubjectId = SubjectId::from_bytes([1; 16]);
const BOB: SubjectId = SubjectId::from_bytes([2; 16]);
const ISSUER: &str = "https://idp.example";

fn provider() -> IdentityProvider {
    IdentityProvider {
        id: IdentityProviderId::from_bytes([7; 16]),
        registration: Registration {
            name: Name::new("corp").unwrap(),
            issuer: Uri::new(ISSUER).unwrap(),
            client_id: Label::new("leasehold").unwrap(),
            join_claim: JoinClaim::Sub,
            email_domains: vec![Label::new("corp.example").unwrap()],
        },
        revision: 1,
    }
}

fn identifier(issuer: &str, value: &str) -> Identifier {
    Identifier { issuer: Uri::new(issuer).unwrap(), value: Label::new(value).unwrap() }
}

fn person(value: &str, email: Option<&str>) -> Person {
    let email = email.map(|email| Label::new(email).unwrap());
    Person { identifier: identifier(ISSUER, value), email, name: None }
}

struct Entry<'a> {
    id: SubjectId,
    user_name: &'a str,
    email: Option<&'a str>,
    pinned: Vec<Identifier>,
}

fn subject(id: SubjectId) -> Subject {
    Subject { id, kind: Kind::Person, enabled: true, pinned: false, revision: 1 }
}

fn state(entries: Vec<Entry<'_>>) -> State {
    let mut state = State::default();
    for Entry { id, user_name, email, pinned } in entries {
        state.subjects.put(id, subject(id));
        let entry = DirectoryEntry {
            user_name: Label::new(user_name).unwrap(),
            email: email.map(|email| Label::new(email).unwrap()),
            display_name: None,
            identifiers: pinned,
            salt: [0; 16],
        };
        state.put_directory(id, entry);
    }
    state
}

fn alice(email: &str, pinned: Vec<Identifier>) -> State {
    state(vec![Entry { id: ALICE, user_name: "alice", email: Some(email), pinned }])
}

fn resolved(state: &State, person: &Person) -> Result<(SubjectId, bool), ResolveError> {
    resolve(state, &provider(), person).map(|resolved| (resolved.subject, resolved.pin))
}

#[test]
fn a_pinned_identifier_wins_over_any_email() {
    let state = state(vec![
        Entry { id: ALICE, user_name: "alice", email: None, pinned: vec![identifier(ISSUER, "a")] },
        Entry { id: BOB, user_name: "bob", email: Some("bob@corp.example"), pinned: vec![] },
    ]);
    assert_eq!(resolved(&state, &person("a", Some("bob@corp.example"))), Ok((ALICE, false)));
}

#[test]
fn an_email_resolves_the_one_entry_that_never_signed_in() {
    let state = alice("Alice@Corp.Example", vec![]);
    assert_eq!(resolved(&state, &person("a", Some("alice@corp.example"))), Ok((ALICE, true)));
    assert_eq!(resolved(&state, &person("a", None)), Err(ResolveError::SubjectUnknown));
}

#[test]
fn an_email_resolves_nobody_at_an_identity_provider_that_is_not_authoritative_for_it() {
    for email in ["alice@elsewhere.example", "alice@sub.corp.example", "alice@xcorp.example"] {
        let state = alice(email, vec![]);
        assert_eq!(resolved(&state, &person("a", Some(email))), Err(ResolveError::SubjectUnknown), "{email}");
    }
    let mut none = provider();
    none.registration.email_domains.clear();
    let state = alice("alice@corp.example", vec![]);
    let unknown = resolve(&state, &none, &person("a", Some("alice@corp.example")));
    assert_eq!(unknown, Err(ResolveError::SubjectUnknown));
}

#[test]
fn an_email_resolves_nobody_after_a_first_sign_in_or_where_another_claim_is_registered() {
    let email = Some("alice@corp.example");
    let registered = alice("alice@corp.example", vec![identifier(ISSUER, "a")]);
    assert_eq!(resolved(&registered, &person("b", email)), Err(ResolveError::SubjectUnknown));
    let mut signed_in = alice("alice@corp.example", vec![]);
    signed_in.subjects.put(ALICE, Subject { pinned: true, ..subject(ALICE) });
    assert_eq!(resolved(&signed_in, &person("b", email)), Err(ResolveError::SubjectUnknown));
}

#[test]
fn an_email_of_two_entries_resolves_nobody() {
    let entry = |id, user_name| Entry { id, user_name, email: Some("team@corp.example"), pinned: vec![] };
    let state = state(vec![entry(ALICE, "alice"), entry(BOB, "bob")]);
    assert_eq!(resolved(&state, &person("a", Some("team@corp.example"))), Err(ResolveError::SubjectUnknown));
    assert_eq!(by_name(&state, "team@corp.example"), Err(ResolveError::SubjectUnknown));
}

#[test]
fn letters_that_only_fold_to_ascii_are_not_ascii() {
    // The Kelvin sign becomes k in lower case, by Unicode.
    let state = alice("\u{212a}ate@corp.example", vec![]);
    assert_eq!(resolved(&state, &person("a", Some("kate@corp.example"))), Err(ResolveError::SubjectUnknown));
    assert_eq!(by_name(&state, "kate@corp.example"), Err(ResolveError::SubjectUnknown));
    let state = alice("kate@corp.example", vec![]);
    let folded = person("a", Some("\u{212a}ate@corp.example"));
    assert_eq!(resolved(&state, &folded), Err(ResolveError::SubjectUnknown));
}

#[test]
fn an_identifier_of_another_issuer_than_the_identity_providers_resolves_nobody() {
    let other = identifier("https://other.example", "a");
    let state = alice("alice@corp.example", vec![other.clone()]);
    let person = Person { identifier: other.clone(), email: None, name: None };
    assert_eq!(resolved(&state, &person), Err(ResolveError::SubjectUnknown));
    assert_eq!(by_identifier(&state, &other), Ok(ALICE));
}

#[test]
fn a_disabled_subject_is_refused_however_it_is_found() {
    let mut state = alice("alice@corp.example", vec![]);
    state.subjects.put(ALICE, Subject { enabled: false, ..subject(ALICE) });
    let disabled = Err(ResolveError::SubjectDisabled);
    assert_eq!(resolved(&state, &person("a", Some("alice@corp.example"))).map(drop), disabled);
    let disabled = Err(ResolveError::SubjectDisabled);
    assert_eq!(by_name(&state, "alice"), disabled);
    let mut state = alice("alice@corp.example", vec![identifier(ISSUER, "a")]);
    state.subjects.put(ALICE, Subject { enabled: false, ..subject(ALICE) });
    assert_eq!(resolved(&state, &person("a", None)).map(drop), Err(ResolveError::SubjectDisabled));
    assert_eq!(by_identifier(&state, &identifier(ISSUER, "a")), disabled);
}

#[test]
fn services_and_shared_accounts_do_not_sign_in() {
    for kind in [Kind::Service { owner: BOB }, Kind::Shared { owner: BOB }] {
        let mut state = alice("alice@corp.example", vec![]);
        state.subjects.put(ALICE, Subject { kind, ..subject(ALICE) });
        let unknown = resolved(&state, &person("a", Some("alice@corp.example")));
        assert_eq!(unknown, Err(ResolveError::SubjectUnknown));
        assert_eq!(by_name(&state, "alice"), Ok(ALICE));
    }
}

#[test]
fn a_name_is_an_id_a_user_name_or_an_email() {
    let state = state(vec![
        Entry { id: ALICE, user_name: "Alice", email: Some("alice@corp.example"), pinned: vec![] },
        Entry { id: BOB, user_name: "bob", email: None, pinned: vec![] },
    ]);
    for name in [ALICE.to_string().as_str(), "alice", "ALICE", "alice@corp.example", "Alice@Corp.Example"] {
        assert_eq!(by_name(&state, name), Ok(ALICE), "{name}");
    }
    let nobody = SubjectId::from_bytes([9; 16]).to_string();
    for name in ["", "carol", "carol@corp.example", nobody.as_str(), "sub_x"] {
        assert_eq!(by_name(&state, name), Err(ResolveError::SubjectUnknown), "{name}");
    }
}

#[test]
fn a_name_that_is_the_user_name_of_one_and_the_email_of_another_is_nobody() {
    let state = state(vec![
        Entry { id: ALICE, user_name: "bob@corp.example", email: None, pinned: vec![] },
        Entry { id: BOB, user_name: "bob", email: Some("bob@corp.example"), pinned: vec![] },
    ]);
    assert_eq!(by_name(&state, "bob@corp.example"), Err(ResolveError::SubjectUnknown));
    // Where both lead to the same subject nothing is ambiguous.
    let state = self::state(vec![Entry {
        id: BOB,
        user_name: "bob@corp.example",
        email: Some("bob@corp.example"),
        pinned: vec![],
    }]);
    assert_eq!(by_name(&state, "bob@corp.example"), Ok(BOB));
}
