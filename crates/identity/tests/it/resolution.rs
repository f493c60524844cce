//! From a sign-in to a subject: pinned at the first, and by the pinned claim alone from then on.

use leasehold_domain::{
    id::SubjectId,
    state::State,
    subject::{DirectoryEntry, Identifier, Kind, Subject},
    text::{Label, Uri},
};
use leasehold_identity::resolve::{ResolveError, Resolved, by_identifier, resolve};
use serde_json::json;

use crate::rig::Rig;

const ALICE: SubjectId = SubjectId::from_bytes([1; 16]);
const BOB: SubjectId = SubjectId::from_bytes([2; 16]);

fn put(state: &mut State, id: SubjectId, user_name: &str, email: &str, identifiers: Vec<Identifier>) {
    let pinned = !identifiers.is_empty();
    state.subjects.put(id, Subject { id, kind: Kind::Person, enabled: true, pinned, revision: 1 });
    let entry = DirectoryEntry {
        user_name: Label::new(user_name).unwrap(),
        email: Some(Label::new(email).unwrap()),
        display_name: None,
        identifiers,
        salt: [0; 16],
    };
    state.put_directory(id, entry);
}

#[tokio::test]
async fn a_person_is_pinned_at_the_first_sign_in_and_found_by_that_when_the_email_changes() {
    let rig = Rig::new().await;
    let mut state = rig.state();
    put(&mut state, ALICE, "alice", "alice@corp.example", vec![]);
    put(&mut state, BOB, "bob", "bob@corp.example", vec![]);
    let person = rig.run().await.ok().unwrap();
    let first = resolve(&state, &rig.provider, &person);
    assert_eq!(first, Ok(Resolved { subject: ALICE, pin: true }));
    // As the sign-in's event does it.
    put(&mut state, ALICE, "alice", "alice@corp.example", vec![person.identifier]);
    // The identity provider now gives the same person the email of another.
    rig.idp.claim(json!({ "email": "bob@corp.example" }));
    let renamed = rig.run().await.ok().unwrap();
    let second = resolve(&state, &rig.provider, &renamed);
    assert_eq!(second, Ok(Resolved { subject: ALICE, pin: false }));
    assert_eq!(by_identifier(&state, &renamed.identifier), Ok(ALICE));
    // And somebody else the email that was hers.
    rig.idp.claim(json!({ "sub": "mallory", "email": "alice@corp.example" }));
    let other = rig.run().await.ok().unwrap();
    assert_eq!(resolve(&state, &rig.provider, &other), Err(ResolveError::SubjectUnknown));
    assert_eq!(by_identifier(&state, &other.identifier), Err(ResolveError::SubjectUnknown));
}

#[tokio::test]
async fn an_email_that_is_unverified_or_ambiguous_or_of_a_foreign_domain_resolves_nobody() {
    let rig = Rig::new().await;
    let mut state = rig.state();
    put(&mut state, ALICE, "alice", "alice@corp.example", vec![]);
    put(&mut state, BOB, "bob", "bob@elsewhere.example", vec![]);
    for claims in [
        json!({ "email_verified": false }),
        json!({ "email": "bob@elsewhere.example" }),
        json!({ "email": "nobody@corp.example" }),
        json!({ "email": null }),
    ] {
        rig.idp.claim(claims.clone());
        let person = rig.run().await.ok().unwrap();
        let resolved = resolve(&state, &rig.provider, &person);
        assert_eq!(resolved, Err(ResolveError::SubjectUnknown), "{claims}");
    }
    rig.idp.claim(json!({}));
    let person = rig.run().await.ok().unwrap();
    assert!(resolve(&state, &rig.provider, &person).is_ok());
    put(&mut state, BOB, "bob", "alice@corp.example", vec![]);
    assert_eq!(resolve(&state, &rig.provider, &person), Err(ResolveError::SubjectUnknown));
}

#[tokio::test]
async fn the_same_value_at_another_issuer_is_another_person() {
    let rig = Rig::new().await;
    let mut state = rig.state();
    let issuer = Uri::new("https://other.example").unwrap();
    let pinned = Identifier { issuer, value: Label::new("alice-at-the-idp").unwrap() };
    put(&mut state, ALICE, "alice", "alice@corp.example", vec![pinned]);
    let person = rig.run().await.ok().unwrap();
    assert_eq!(resolve(&state, &rig.provider, &person), Err(ResolveError::SubjectUnknown));
}
