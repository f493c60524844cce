//! Our consent page: approving and declining.

use leasehold_domain::{
    actor::Actor,
    authorization::{Binding, Command, End, Event, Phase},
    rejection::{Kind, Rejection},
    state::BlobKey,
};

use crate::{
    fixture::{
        ALICE, BOB, CONSENT, SESSION, STATE, administrator, cluster, digest, gateway, mins, person, scopes,
        sealed,
    },
    harness::{Case, Step, given},
    worlds::{Setting, Start, approve, catalogue, intend_exchange},
};

fn started() -> Case {
    given(catalogue(&Setting::default())).and([Start::default()])
}

fn decline() -> Step {
    Command::Decline { authorization: CONSENT }.into()
}

fn approved() -> Event {
    Event::Approved { authorization: CONSENT, subject: ALICE, scopes: scopes("files.read") }
}

/// Everybody but Alice.
fn strangers() -> [Actor; 4] {
    [person(BOB), administrator(), gateway(), cluster()]
}

#[test]
fn an_approval_ties_the_consent_to_one_browser() {
    let outcome = started().when(approve(CONSENT));
    assert_eq!(outcome.blob(BlobKey::Verifier(CONSENT)), Some(Some(&b"verifier"[..])));
    let case = outcome.then([approved()]);
    let binding = Binding { state: digest(STATE), session: digest(SESSION) };
    assert_eq!(case.state.bindings.get(&CONSENT), Some(&binding));
}

#[test]
fn a_second_approval_moves_the_consent_to_the_newer_browser() {
    let newer = Command::Approve {
        authorization: CONSENT,
        state: digest(70),
        session: digest(80),
        verifier: sealed("newer"),
    };
    let case = started().and([approve(CONSENT)]).when(newer).then([approved()]);
    case.when(intend_exchange(CONSENT)).rejected(Rejection::SessionMismatch);
}

#[test]
fn nobody_consents_for_another_person() {
    strangers().into_iter().fold(started(), |case, stranger| {
        let case = case.when(approve(CONSENT).by(stranger)).rejected(Rejection::SubjectMismatch);
        case.when(decline().by(stranger)).rejected(Rejection::SubjectMismatch)
    });
}

#[test]
fn a_consent_is_not_approved_after_its_hour() {
    let case = started().after(mins(60));
    case.when(approve(CONSENT)).rejected(Rejection::AuthorizationExpired);
}

#[test]
fn a_declined_consent_is_over() {
    let outcome = started().when(decline());
    assert_eq!(outcome.blob(BlobKey::Verifier(CONSENT)), Some(None));
    let case = outcome.then([Event::Declined { authorization: CONSENT, subject: ALICE }]);
    let phase = case.state.authorizations.get(&CONSENT).map(|known| known.phase.clone());
    assert_eq!(phase, Some(Phase::Ended(End::Declined)));
    let case = case.when(approve(CONSENT)).rejected(Rejection::WrongPhase);
    case.when(decline()).rejected(Rejection::WrongPhase);
}

#[test]
fn an_approved_consent_may_still_be_declined() {
    let case = started()
        .and([approve(CONSENT)])
        .when(decline())
        .then([Event::Declined { authorization: CONSENT, subject: ALICE }]);
    case.when(intend_exchange(CONSENT)).rejected(Rejection::WrongPhase);
}

#[test]
fn a_consent_whose_code_is_being_exchanged_is_neither_approved_nor_declined() {
    let case = started().and([approve(CONSENT), intend_exchange(CONSENT)]);
    let case = case.when(approve(CONSENT)).rejected(Rejection::WrongPhase);
    case.when(decline()).rejected(Rejection::WrongPhase);
}

#[test]
fn an_unknown_consent_is_neither_approved_nor_declined() {
    let case = given(catalogue(&Setting::default()));
    let unknown = Rejection::Unknown(Kind::Authorization);
    let case = case.when(approve(CONSENT).by(person(ALICE))).rejected(unknown.clone());
    case.when(decline().by(person(ALICE))).rejected(unknown);
}
