//! Ticks: what has had its time leaves, in bounded steps and without an event.

use leasehold_domain::{
    authorization::{Command, End, Phase},
    event::Event,
    grant::UpstreamTarget,
    id::{AuthorizationId, SubjectId},
    rejection::Rejection,
    state::BlobKey,
};

use crate::{
    fixture::{ACCOUNT, CONSENT, GRANT, mins, secs, tokens},
    harness::{Case, given},
    worlds::{Setting, Start, approve, catalogue, confirm, exchanged, exchanging, register_subject, tick},
};

const NOTHING: [Event; 0] = [];

fn catalogued() -> Case {
    given(catalogue(&Setting::default()))
}

fn phase(case: &Case) -> Option<Phase> {
    case.state.authorizations.get(&CONSENT).map(|known| known.phase.clone())
}

#[test]
fn a_tick_with_nothing_to_do_changes_nothing() {
    let before = catalogued().and([Start::default()]);
    let rows = crate::rows::rows(&before.state);
    let case = before.when(tick()).then(NOTHING);
    assert!(rows == crate::rows::rows(&case.state));
}

#[test]
fn a_consent_that_ran_out_ends_and_is_forgotten_an_hour_later() {
    let case = catalogued().and([Start::default().into(), approve(CONSENT)]);
    let case = case.and([tick().after(secs(599))]);
    assert_eq!(phase(&case), Some(Phase::Approved));
    let case = case.and([tick().after(secs(1))]);
    assert_eq!(phase(&case), Some(Phase::Ended(End::Expired)));
    assert!(case.state.bindings.is_empty());
    let case = case.when(approve(CONSENT)).rejected(Rejection::WrongPhase);
    let outcome = case.after(mins(60)).when(tick());
    assert_eq!(outcome.blob(BlobKey::Verifier(CONSENT)), Some(None), "the verifier outlives its consent");
    let case = outcome.then(NOTHING);
    assert!(case.state.authorizations.is_empty());
}

#[test]
fn a_consent_that_ended_is_remembered_for_ten_minutes() {
    let decline = Command::Decline { authorization: CONSENT };
    let case = catalogued().and([Start::default()]).and([decline]).and([tick().after(secs(599))]);
    assert_eq!(phase(&case), Some(Phase::Ended(End::Declined)));
    let case = case.and([tick().after(secs(1))]);
    assert_eq!(phase(&case), None);
}

#[test]
fn tokens_whose_account_nobody_confirmed_are_queued_for_revocation_upstream() {
    let target = UpstreamTarget::Authorization(CONSENT);
    let case = catalogued().and(exchanged(Start::default(), ACCOUNT, tokens(1, None)));
    let case = case.and([tick().after(mins(10))]);
    assert_eq!(phase(&case), Some(Phase::Ended(End::Expired)));
    assert!(case.state.upstream_tasks.contains(&target));
    let case = case.when(confirm(CONSENT, GRANT, 1, tokens(1, None))).rejected(Rejection::WrongPhase);
    let case = case.and([tick().after(mins(60)), tick().after(mins(60))]);
    assert!(phase(&case).is_some(), "a consent is remembered while its tokens are still to be revoked");
    let case = case.and([leasehold_domain::grant::Command::ConfirmUpstream { target }]);
    let case = case.and([tick().after(mins(60))]);
    assert_eq!(phase(&case), None);
}

#[test]
fn an_exchange_is_left_to_its_executor_for_an_hour() {
    let case = catalogued().and(exchanging(Start::default())).and([tick().after(mins(69))]);
    assert!(matches!(phase(&case), Some(Phase::Exchanging { .. })));
    let case = case.and([tick().after(mins(1))]);
    assert_eq!(phase(&case), Some(Phase::Ended(End::Expired)));
}

#[test]
fn a_tick_looks_at_a_bounded_number_of_consents() {
    let id = |n: u8| [n; 16];
    let subject = |n: u8| SubjectId::from_bytes(id(n));
    let start = |n: u8| Start {
        authorization: AuthorizationId::from_bytes(id(n)),
        subject: subject(n),
        ..Start::default()
    };
    let case = catalogued()
        .and((1..150).map(|n| register_subject(subject(n), &format!("user{n}"))))
        .and((1..150).map(start));
    let open = |case: &Case| case.state.indexes.authorizations_open.len();
    assert_eq!(open(&case), 149);
    let case = case.and([tick().after(mins(60))]);
    assert_eq!(open(&case), 21);
    let case = case.and([tick()]);
    assert_eq!(open(&case), 0);
}
