//! For how many distinct subjects a workload may vouch: judged where the lease is issued, so that no burst slips by.

use leasehold_domain::{
    command::Proposal,
    id::{AuthorizationId, GrantId, LeaseId, SubjectId},
    lease::Basis,
    machine::{self, Reply},
    rejection::Rejection,
};

use crate::{
    fixture::{MAIL, START, TOKEN_LIFE, files_workload, mins, secs, tokens},
    harness::{Case, Step, given},
    worlds::{Issue, Setting, Start, catalogue, consent, register_subject},
};

const CAP: u64 = 2;

/// A grant of each of so many people.
fn people(count: u8) -> Case {
    let one = |n: u8| {
        let subject = SubjectId::from_bytes([n; 16]);
        let authorization = AuthorizationId::from_bytes([n; 16]);
        let start = Start { authorization, subject, ..Start::default() };
        let mut steps = vec![Step::from(register_subject(subject, &format!("user{n}")))];
        steps.extend(consent(start, n, grant(n), 1, tokens(n, Some(START + TOKEN_LIFE))));
        steps
    };
    given(catalogue(&Setting::default())).and((1..=count).flat_map(one))
}

const fn grant(n: u8) -> GrantId {
    GrantId::from_bytes([n; 16])
}

/// The gateway vouches for this person.
fn vouch(n: u8) -> Issue {
    Issue {
        lease: LeaseId::from_bytes([n; 16]),
        grant: grant(n),
        ttl: mins(60),
        vouched_max: CAP,
        ..Issue::default()
    }
}

/// The same on behalf of another MCP server: another lease.
fn vouch_again(n: u8) -> Issue {
    Issue { lease: LeaseId::from_bytes([0xe0 + n; 16]), mcp_server: MAIL, ..vouch(n) }
}

#[test]
fn a_cap_on_vouched_subjects_holds_in_apply_for_a_burst() {
    let mut case = people(5);
    let propose = |n| Step::from(vouch(n)).proposal(&case.state, case.now);
    let burst: Vec<Proposal> = (1..=5).map(propose).collect();
    let replies: Vec<Reply> =
        burst.into_iter().map(|proposal| machine::apply(&mut case.state, proposal).0).collect();
    let issued = |reply: &Reply| matches!(reply, Reply::Applied { events, .. } if events.len() == 1);
    let capped = |reply: &Reply| matches!(reply, Reply::Rejected(Rejection::SubjectCapReached));
    assert!(replies.iter().take(2).all(issued));
    assert!(replies.iter().skip(2).all(capped));
    assert_eq!(case.state.recent.leases().count(), 2);
}

#[test]
fn a_workload_at_its_cap_still_leases_for_those_it_vouched_for() {
    let case = people(3).and([vouch(1), vouch(2)]);
    let case = case.and([vouch_again(1), vouch_again(2)]);
    case.when(vouch(3)).rejected(Rejection::SubjectCapReached);
}

#[test]
fn a_lease_given_back_makes_no_room_under_the_cap() {
    let release = leasehold_domain::lease::Command::Release { lease: LeaseId::from_bytes([1; 16]) };
    let case = people(3).and([vouch(1), vouch(2)]).and([release]);
    case.when(vouch(3)).rejected(Rejection::SubjectCapReached);
}

#[test]
fn a_subject_counts_against_the_cap_for_an_hour() {
    let case = people(3).and([vouch(1), vouch(2)]).after(secs(3599));
    let case = case.when(vouch(3)).rejected(Rejection::SubjectCapReached);
    let case = case.after(secs(1)).and([vouch(3), vouch_again(1)]);
    case.when(vouch_again(2)).rejected(Rejection::SubjectCapReached);
}

#[test]
fn each_workload_has_a_cap_of_its_own() {
    let case = people(3).and([vouch(1), vouch(2)]);
    let case = case.when(vouch(3)).rejected(Rejection::SubjectCapReached);
    case.and([Step::from(vouch(3)).by(files_workload())]);
}

#[test]
fn a_subject_that_its_own_token_names_is_under_no_cap() {
    let basis = Basis::SubjectToken { expires_at: START + TOKEN_LIFE };
    let case = people(4).and([Issue { basis, ..vouch(1) }]).and([vouch(2), vouch(3)]);
    let case = case.when(vouch(4)).rejected(Rejection::SubjectCapReached);
    case.and([Issue { basis, ..vouch(4) }]);
}

#[test]
fn a_workload_whose_cap_is_zero_vouches_for_nobody() {
    people(1).when(Issue { vouched_max: 0, ..vouch(1) }).rejected(Rejection::SubjectCapReached);
}
