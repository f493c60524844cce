//! Subjects, their identifiers and sign-ins.

mod erase;

use leasehold_domain::{
    id::{IdentityProviderId, NoteId, SubjectId},
    rejection::{Kind as Thing, Rejection},
    revocation::Selector,
    state::BlobKey,
    subject::{Command, Event, IDENTIFIERS_MAX, Identifier, Kind, Note},
};

use crate::{
    fixture::{ALICE, BOB, NOBODY, SIGN_IN, commitment, label, name, sealed, uri},
    harness::{Case, given},
    worlds::{Setting, catalogue, entry, identifier, register_subject, sign_in_registration},
};

const CAROL: SubjectId = SubjectId::from_bytes([0xc0; 16]);

fn catalogued() -> Case {
    given(catalogue(&Setting::default()))
}

fn register(subject: SubjectId, kind: Kind, user_name: &str) -> Command {
    Command::Register { subject, kind, entry: entry(user_name), commitment: commitment(1) }
}

fn sign_in(subject: SubjectId, identifier: Identifier) -> Command {
    Command::SignIn { subject, identity_provider: SIGN_IN, identifier, commitment: commitment(2) }
}

fn disable(subject: SubjectId) -> Command {
    Command::Disable { subject, note: None }
}

#[test]
fn a_subject_is_registered_and_found_by_its_user_name_whatever_the_case() {
    let case = catalogued().when(register_subject(CAROL, "Carol")).then([Event::Registered {
        subject: CAROL,
        kind: Kind::Person,
        commitment: commitment(1),
    }]);
    assert_eq!(case.state.subject_named("cArOl").map(|known| known.id), Some(CAROL));
    assert_eq!(case.state.subjects_with_email("CAROL@corp.example"), [CAROL].into());
}

#[test]
fn a_subject_whose_id_user_name_or_identifier_is_taken_is_refused() {
    let case = catalogued().and([sign_in(ALICE, identifier("alice"))]);
    let case = case.when(register_subject(ALICE, "Carol")).rejected(Rejection::Exists(Thing::Subject));
    let case = case.when(register_subject(CAROL, "ALICE")).rejected(Rejection::NameTaken(Thing::Subject));
    let mut taken = entry("Carol");
    taken.identifiers = vec![identifier("alice")];
    let command =
        Command::Register { subject: CAROL, kind: Kind::Person, entry: taken, commitment: commitment(1) };
    case.when(command).rejected(Rejection::NameTaken(Thing::Subject));
}

#[test]
fn there_is_a_bound_on_identifiers() {
    let mut many = entry("Carol");
    many.identifiers = (0..=IDENTIFIERS_MAX).map(|n| identifier(&format!("carol{n}"))).collect();
    let command =
        Command::Register { subject: CAROL, kind: Kind::Person, entry: many, commitment: commitment(1) };
    catalogued().when(command).rejected(Rejection::TooMany { limit: IDENTIFIERS_MAX });
}

#[test]
fn a_service_and_a_shared_account_are_owned_by_a_person() {
    let robot = SubjectId::from_bytes([0xd0; 16]);
    let case = catalogued().and([register(CAROL, Kind::Service { owner: ALICE }, "robot")]);
    let case = case
        .when(register(robot, Kind::Shared { owner: CAROL }, "team"))
        .rejected(Rejection::Unknown(Thing::Subject));
    let case = case
        .when(register(robot, Kind::Shared { owner: NOBODY }, "team"))
        .rejected(Rejection::Unknown(Thing::Subject));
    let case = case.and([disable(BOB)]);
    case.when(register(robot, Kind::Shared { owner: BOB }, "team"))
        .rejected(Rejection::Disabled(Thing::Subject));
}

#[test]
fn the_first_sign_in_pins_the_identifier() {
    let signed_in = Event::SignedIn { subject: ALICE, identity_provider: SIGN_IN };
    let case = catalogued().when(sign_in(ALICE, identifier("alice"))).then([
        Event::Pinned { subject: ALICE, identity_provider: SIGN_IN, commitment: commitment(2) },
        signed_in.clone(),
    ]);
    assert_eq!(case.state.subjects.get(&ALICE).map(|known| known.pinned), Some(true));
    let case = case.when(sign_in(ALICE, identifier("alice"))).then([signed_in]);
    assert_eq!(case.state.subject_identified(&identifier("alice")).map(|known| known.id), Some(ALICE));
}

#[test]
fn another_identifier_of_the_same_issuer_is_never_pinned_beside_the_first() {
    catalogued()
        .and([sign_in(ALICE, identifier("alice"))])
        .when(sign_in(ALICE, identifier("mallory")))
        .rejected(Rejection::IdentifierMismatch);
}

#[test]
fn an_identifier_that_is_pinned_to_somebody_signs_in_nobody_else() {
    catalogued()
        .and([sign_in(ALICE, identifier("alice"))])
        .when(sign_in(BOB, identifier("alice")))
        .rejected(Rejection::IdentifierMismatch);
}

#[test]
fn an_identifier_of_another_issuer_than_the_identity_provider_is_refused() {
    let foreign = Identifier { issuer: uri("https://evil.example"), value: label("alice") };
    catalogued().when(sign_in(ALICE, foreign)).rejected(Rejection::IdentifierMismatch);
}

#[test]
fn a_sign_in_at_an_unknown_identity_provider_or_of_an_unknown_subject_is_refused() {
    let command = Command::SignIn {
        subject: ALICE,
        identity_provider: IdentityProviderId::from_bytes([0; 16]),
        identifier: identifier("alice"),
        commitment: commitment(2),
    };
    let case = catalogued().when(command).rejected(Rejection::Unknown(Thing::IdentityProvider));
    case.when(sign_in(NOBODY, identifier("x"))).rejected(Rejection::Unknown(Thing::Subject));
}

#[test]
fn a_service_never_signs_in() {
    catalogued()
        .and([register(CAROL, Kind::Service { owner: ALICE }, "robot")])
        .when(sign_in(CAROL, identifier("robot")))
        .rejected(Rejection::WrongPrincipal);
}

#[test]
fn a_sign_in_beyond_the_bound_on_identifiers_is_refused() {
    let other = |n: u8| leasehold_domain::identity_provider::Command::Register {
        identity_provider: IdentityProviderId::from_bytes([n; 16]),
        registration: leasehold_domain::identity_provider::Registration {
            name: name(&format!("idp{n}")),
            issuer: uri(&format!("https://{n}.example")),
            ..sign_in_registration()
        },
        secret: sealed("secret"),
    };
    let sign_in_at = |n: u8| Command::SignIn {
        subject: ALICE,
        identity_provider: IdentityProviderId::from_bytes([n; 16]),
        identifier: Identifier { issuer: uri(&format!("https://{n}.example")), value: label("alice") },
        commitment: commitment(2),
    };
    catalogued()
        .and((0..9).map(other))
        .and((0..8).map(sign_in_at))
        .when(sign_in_at(8))
        .rejected(Rejection::TooMany { limit: IDENTIFIERS_MAX });
}

#[test]
fn disabling_a_subject_is_one_event_that_ends_everything_of_it() {
    let case = catalogued();
    let seq = case.next_seq();
    let case = case.when(disable(ALICE)).then([Event::Disabled { subject: ALICE, note: None }]);
    let epoch = case.state.epoch(Selector::Subject(ALICE));
    assert_eq!((epoch.leases, epoch.grants, epoch.open), (seq, seq, true));
    let case = case.when(disable(ALICE)).rejected(Rejection::Disabled(Thing::Subject));
    case.when(sign_in(ALICE, identifier("alice"))).rejected(Rejection::Disabled(Thing::Subject));
}

#[test]
fn the_reason_for_a_disabling_stands_beside_the_ledger_and_only_its_commitment_is_in_it() {
    let id = NoteId::from_bytes([1; 16]);
    let note = Note { id, text: label("left"), salt: [6; 16], commitment: commitment(3) };
    let outcome = catalogued().when(Command::Disable { subject: ALICE, note: Some(note) });
    let mut expected = vec![6; 16];
    expected.extend_from_slice(b"left");
    assert_eq!(outcome.blob(BlobKey::Note(id)), Some(Some(&expected[..])));
    outcome.then([Event::Disabled { subject: ALICE, note: Some(commitment(3)) }]);
}

#[test]
fn a_subject_is_enabled_once() {
    let enable = Command::Enable { subject: ALICE };
    let case = catalogued().when(enable.clone()).rejected(Rejection::Unchanged(Thing::Subject));
    let case = case.and([disable(ALICE)]).when(enable).then([Event::Enabled { subject: ALICE }]);
    case.when(Command::Enable { subject: NOBODY }).rejected(Rejection::Unknown(Thing::Subject));
}

#[test]
fn an_unknown_subject_cannot_be_disabled() {
    catalogued().when(disable(NOBODY)).rejected(Rejection::Unknown(Thing::Subject));
}
