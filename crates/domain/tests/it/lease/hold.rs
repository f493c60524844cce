//! What the holder of a lease may do with it: renew it, give it back, report that its token was refused.

use leasehold_domain::{
    lease::{Basis, Command, EndReason, Event},
    machine::Answer,
    rejection::{Kind, Rejection},
    time::Span,
};

use crate::{
    fixture::{
        ALICE, GRANT, LEASE, LEASE_2, START, administrator, cluster, decision, files_workload, mins, person,
        secs, tokens,
    },
    harness::{Case, Step, given},
    worlds::{Attempt, Issue, Setting, consented, leased},
};

fn holding() -> Case {
    given(leased(&Setting::default()))
}

fn renew(ttl: Span) -> Step {
    Command::Renew { lease: LEASE, ttl, decision: decision() }.into()
}

fn renewed(until: Span) -> Event {
    Event::Renewed { lease: LEASE, expires_at: START + until, decision: decision() }
}

fn release() -> Step {
    Command::Release { lease: LEASE }.into()
}

fn report() -> Step {
    Command::ReportRejected { lease: LEASE, status: 401 }.into()
}

fn end() -> Step {
    Command::End { lease: LEASE, reason: EndReason::PolicyChanged }.into()
}

#[test]
fn a_renewed_lease_lives_longer() {
    holding().after(mins(4)).when(renew(mins(5))).then([renewed(mins(9))]);
}

#[test]
fn a_renewal_that_would_not_lengthen_the_lease_writes_nothing() {
    holding().when(renew(mins(5))).already(Answer::Lease(LEASE));
    holding().when(renew(Span::from_millis(1))).already(Answer::Lease(LEASE));
}

#[test]
fn renewals_never_reach_beyond_sixty_minutes_from_the_issue() {
    let case = holding().and((0..13).map(|_| renew(mins(5)).after(mins(4))));
    let case = case.after(mins(4)).when(renew(mins(60))).then([renewed(mins(60))]);
    let case = case.after(secs(239)).when(renew(mins(60))).already(Answer::Lease(LEASE));
    case.after(secs(1)).when(renew(mins(60))).rejected(Rejection::LeaseEnded);
}

#[test]
fn a_renewal_does_not_reach_beyond_the_token() {
    let facts = tokens(1, Some(START + mins(7)));
    let case = given(leased(&Setting { facts, ..Setting::default() })).after(mins(4));
    case.when(renew(mins(5))).then([renewed(mins(7))]);
}

#[test]
fn a_renewal_does_not_reach_beyond_the_token_that_names_the_subject() {
    let basis = Basis::SubjectToken { expires_at: START + mins(6) };
    let case = given(consented(&Setting::default())).and([Issue { basis, ..Issue::default() }]);
    case.after(mins(4)).when(renew(mins(5))).then([renewed(mins(6))]);
}

#[test]
fn a_lease_of_an_older_generation_lives_out_its_time_and_is_not_renewed() {
    let attempt = Attempt::default();
    let case = holding().and([attempt.intend(), attempt.commit("files.read", tokens(2, None))]);
    let case = case.after(mins(4)).when(renew(mins(5))).rejected(Rejection::Superseded);
    case.and([report()]);
}

#[test]
fn a_lease_whose_grant_died_is_not_renewed() {
    let attempt = Attempt::default();
    let verdict = attempt.fail(leasehold_domain::provider::ProviderFailure::GrantDead);
    let case = holding().and([attempt.intend(), verdict]).after(mins(4));
    case.when(renew(mins(5))).rejected(Rejection::ConsentNeeded);
}

#[test]
fn a_released_lease_has_ended() {
    let case = holding().when(release()).then([Event::Released { lease: LEASE }]);
    let case = case.when(release()).rejected(Rejection::LeaseEnded);
    let case = case.when(renew(mins(5))).rejected(Rejection::LeaseEnded);
    let case = case.when(report()).rejected(Rejection::LeaseEnded);
    case.when(end()).rejected(Rejection::LeaseEnded);
}

#[test]
fn a_report_is_an_event_once_and_ends_nothing() {
    let case =
        holding().when(report()).then([Event::RejectionReported { lease: LEASE, grant: GRANT, status: 401 }]);
    let case = case.when(report()).already(Answer::Lease(LEASE));
    case.after(mins(4)).and([renew(mins(5))]);
}

#[test]
fn to_anybody_but_its_holder_a_lease_does_not_exist() {
    let unknown = Rejection::Unknown(Kind::Lease);
    let case = [renew(mins(9)), release(), report()]
        .into_iter()
        .fold(holding(), |case, order| case.when(order.by(files_workload())).rejected(unknown.clone()));
    let missing = Command::Release { lease: LEASE_2 };
    case.when(missing).rejected(unknown);
}

#[test]
fn neither_administrators_nor_people_nor_the_cluster_hold_leases() {
    for stranger in [administrator(), person(ALICE), cluster()] {
        [renew(mins(9)), release(), report()]
            .into_iter()
            .fold(holding(), |case, order| case.when(order.by(stranger)).rejected(Rejection::WrongPrincipal));
    }
}

#[test]
fn a_lease_that_policy_forbids_now_is_ended_by_the_cluster_alone() {
    let case = holding();
    let case = case.when(end().by(crate::fixture::gateway())).rejected(Rejection::WrongPrincipal);
    let case = case.when(end().by(administrator())).rejected(Rejection::WrongPrincipal);
    let case = case.when(end()).then([Event::Ended { lease: LEASE, reason: EndReason::PolicyChanged }]);
    let case = case.when(end()).rejected(Rejection::LeaseEnded);
    let case = case.when(renew(mins(5))).rejected(Rejection::LeaseEnded);
    let missing = Command::End { lease: LEASE_2, reason: EndReason::PolicyChanged };
    case.when(missing).rejected(Rejection::Unknown(Kind::Lease));
}

#[test]
fn a_lease_whose_time_has_passed_has_ended() {
    let case = holding().after(mins(5));
    let case = case.when(renew(mins(5))).rejected(Rejection::LeaseEnded);
    let case = case.when(release()).rejected(Rejection::LeaseEnded);
    case.when(report()).rejected(Rejection::LeaseEnded);
}
