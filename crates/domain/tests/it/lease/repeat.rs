//! When asking again is the same lease, and when it is another.

use leasehold_domain::{
    actor::Proof,
    lease::{Basis, Command},
    machine::Answer,
};

use crate::{
    fixture::{LEASE, LEASE_2, LEASE_3, MAIL, START, fingerprint, gateway, mins, scopes, secs, tokens},
    harness::{Case, Step, given},
    worlds::{Attempt, Issue, Setting, leased},
};

fn holding() -> Case {
    given(leased(&Setting::default()))
}

fn again() -> Issue {
    Issue { lease: LEASE_2, ..Issue::default() }
}

#[track_caller]
fn is_another(case: Case, step: impl Into<Step>) {
    let outcome = case.when(step);
    assert_eq!(outcome.events().len(), 1, "a new lease was expected");
    outcome.applied();
}

#[test]
fn asking_again_under_a_live_lease_is_the_same_lease_and_no_event() {
    holding().after(mins(4)).when(again()).already(Answer::Lease(LEASE));
}

#[test]
fn asking_for_other_scopes_of_the_same_token_is_the_same_lease() {
    holding().when(Issue { needed: scopes(""), ..again() }).already(Answer::Lease(LEASE));
}

#[test]
fn asking_after_the_end_is_another_lease() {
    is_another(holding().after(mins(5)), again());
}

#[test]
fn another_credential_of_the_same_workload_is_another_lease() {
    let mut caller = gateway();
    caller.proof = Proof::Certificate(fingerprint(9));
    is_another(holding(), Step::from(again()).by(caller));
}

#[test]
fn another_network_of_the_same_workload_is_another_lease() {
    let mut caller = gateway();
    caller.origin.address = Some(fingerprint(9));
    is_another(holding(), Step::from(again()).by(caller));
}

#[test]
fn another_mcp_server_is_another_lease() {
    is_another(holding(), Issue { mcp_server: MAIL, ..again() });
}

#[test]
fn the_next_generation_is_another_lease() {
    let attempt = Attempt::default();
    let case = holding().and([attempt.intend(), attempt.commit("files.read", tokens(2, None))]);
    is_another(case, Issue { generation: 2, ..again() });
}

#[test]
fn a_subject_that_is_named_otherwise_is_another_lease() {
    let basis = Basis::SubjectToken { expires_at: START + mins(30) };
    is_another(holding(), Issue { basis, ..again() });
}

#[test]
fn a_lease_that_was_given_back_is_not_named_again() {
    is_another(holding().and([Command::Release { lease: LEASE }]), again());
}

#[test]
fn giving_an_older_lease_back_does_not_hide_the_newer_one() {
    let basis = Basis::SubjectToken { expires_at: START + mins(30) };
    let case = holding().and([Issue { basis, ..again() }]).and([Command::Release { lease: LEASE }]);
    let third = Issue { lease: LEASE_3, basis, ..again() };
    case.after(secs(1)).when(third).already(Answer::Lease(LEASE_2));
}
