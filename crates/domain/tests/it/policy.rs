//! The policy set, and denials that are counted.

use leasehold_domain::{
    machine::Write,
    policy::{Action, Command, Decision, DenialReason, Event, Resource, TEXT_LEN_MAX},
    rejection::{Kind, Rejection},
    state::{BlobKey, DenialKey},
    work::denials_to_count,
};

use crate::{
    fixture::{
        ALICE, START, administrator, decision, digest, files_workload, gateway, label, mins, person, secs,
    },
    harness::{Case, Step, given},
    worlds::{Setting, catalogue, tick},
};

fn catalogued() -> Case {
    given(catalogue(&Setting::default()))
}

fn set(text: &str) -> Command {
    Command::Set { text: text.to_owned(), digest: digest(1) }
}

fn denied(reason: DenialReason) -> Step {
    let resource = Resource { subject: Some(ALICE), ..Resource::default() };
    let command = Command::RecordDenial { action: Action::Lease, resource, reason, decision: decision() };
    Step::from(command).by(gateway())
}

fn key(reason: DenialReason) -> DenialKey {
    let resource = Resource { subject: Some(ALICE), ..Resource::default() };
    DenialKey { principal: gateway().principal, action: Action::Lease, resource, reason }
}

fn count(reason: DenialReason) -> Step {
    let DenialKey { principal, action, resource, reason } = key(reason);
    Command::CountDenials { principal, action, resource, reason }.into()
}

fn denial(reason: DenialReason, coalesced: u64) -> Event {
    let resource = Resource { subject: Some(ALICE), ..Resource::default() };
    Event::Denied { action: Action::Lease, resource, reason, decision: decision(), coalesced }
}

#[test]
fn a_policy_set_stands_beside_the_ledger_and_its_version_is_its_event() {
    let case = catalogued();
    let version = case.next_seq();
    let outcome = case.when(set("permit(principal, action, resource);"));
    assert_eq!(outcome.blob(BlobKey::PolicyText), Some(Some(&b"permit(principal, action, resource);"[..])));
    let case = outcome.then([Event::Set { digest: digest(1), len: 36 }]);
    assert_eq!(case.state.singular.policy_version, version);
}

#[test]
fn a_policy_set_beyond_its_bound_is_refused() {
    let case = catalogued().and([set(&"x".repeat(TEXT_LEN_MAX))]);
    case.when(set(&"x".repeat(TEXT_LEN_MAX + 1))).rejected(Rejection::TooLong { limit: TEXT_LEN_MAX });
}

#[test]
fn the_first_denial_is_an_event() {
    let reason = DenialReason::Policy;
    catalogued().when(denied(reason)).then([denial(reason, 0)]);
}

#[test]
fn identical_denials_of_one_minute_are_counted_and_the_next_event_says_how_many() {
    let reason = DenialReason::Policy;
    let nothing: [Event; 0] = [];
    let case = catalogued().and([denied(reason)]);
    let case = case.when(denied(reason).after(secs(30))).then(nothing.clone());
    let case = case.when(denied(reason).after(secs(29))).then(nothing);
    case.when(denied(reason).after(secs(1))).then([denial(reason, 2)]);
}

#[test]
fn a_denial_for_another_reason_or_of_another_actor_is_its_own_event() {
    let reason = DenialReason::Policy;
    let case = catalogued().and([denied(reason)]);
    let case = case.when(denied(DenialReason::SubjectCap)).then([denial(DenialReason::SubjectCap, 0)]);
    case.when(denied(reason).by(files_workload())).then([denial(reason, 0)]);
}

#[test]
fn a_denial_names_no_more_policies_than_fit_a_line() {
    let determining = (0..9).map(|n| label(&format!("policy{n}"))).collect();
    let command = Command::RecordDenial {
        action: Action::ActAs,
        resource: Resource::default(),
        reason: DenialReason::Policy,
        decision: Decision { version: 0, determining },
    };
    let expected = Event::Denied {
        action: Action::ActAs,
        resource: Resource::default(),
        reason: DenialReason::Policy,
        decision: Decision {
            version: 0,
            determining: (0..8).map(|n| label(&format!("policy{n}"))).collect(),
        },
        coalesced: 0,
    };
    catalogued().when(command).then([expected]);
}

#[test]
fn counted_denials_reach_the_ledger_once_their_minute_has_passed_and_leave_no_row() {
    let reason = DenialReason::Policy;
    let case = catalogued().and([denied(reason), denied(reason).after(secs(1)), denied(reason)]);
    let case = case.after(secs(58));
    assert_eq!(denials_to_count(&case.state, case.now, 9), []);
    let case = case.when(count(reason)).rejected(Rejection::Unchanged(Kind::Workload)).after(secs(1));
    assert_eq!(denials_to_count(&case.state, case.now, 9), [key(reason)]);
    let DenialKey { principal, action, resource, reason } = key(reason);
    let outcome = case.when(count(reason));
    assert!(outcome.writes == [Write::DenialsForgotten(key(reason))]);
    let counted = Event::DenialsCounted { principal, action, resource, reason, count: 2, since: START };
    let case = outcome.then([counted]);
    assert!(case.state.denials.is_empty());
    assert_eq!(denials_to_count(&case.state, case.now, 9), []);
    let case = case.when(count(reason)).rejected(Rejection::Unchanged(Kind::Workload));
    case.when(denied(reason)).then([denial(reason, 0)]);
}

#[test]
fn a_denial_that_nothing_repeated_leaves_without_an_event() {
    let reason = DenialReason::Policy;
    let nothing: [Event; 0] = [];
    let case = catalogued().and([denied(reason)]).after(mins(1));
    let outcome = case.when(count(reason));
    assert!(outcome.writes == [Write::DenialsForgotten(key(reason))]);
    assert!(outcome.then(nothing).state.denials.is_empty());
}

#[test]
fn a_denial_count_that_began_again_waits_for_its_own_minute() {
    let reason = DenialReason::Policy;
    let case = catalogued().and([denied(reason), denied(reason).after(mins(1)), denied(reason)]);
    let since = case.now;
    let case = case.when(count(reason)).rejected(Rejection::Unchanged(Kind::Workload));
    let DenialKey { principal, action, resource, reason } = key(reason);
    let counted = Event::DenialsCounted { principal, action, resource, reason, count: 1, since };
    case.after(mins(1)).when(count(reason)).then([counted]);
}

#[test]
fn denials_are_counted_by_the_cluster_alone() {
    let reason = DenialReason::Policy;
    let case = catalogued().and([denied(reason), denied(reason)]).after(mins(1));
    [administrator(), gateway(), person(ALICE)].into_iter().fold(case, |case, stranger| {
        case.when(count(reason).by(stranger)).rejected(Rejection::WrongPrincipal)
    });
}

#[test]
fn denial_counts_are_told_each_by_itself_within_a_limit() {
    let (one, other) = (DenialReason::Policy, DenialReason::SubjectCap);
    let case = catalogued().and([denied(one), denied(other)]).after(mins(1));
    assert_eq!(denials_to_count(&case.state, case.now, 9).len(), 2);
    assert_eq!(denials_to_count(&case.state, case.now, 1).len(), 1);
    let case = case.and([count(one)]);
    assert_eq!(denials_to_count(&case.state, case.now, 9), [key(other)]);
}

#[test]
fn a_denial_count_that_no_event_has_told_yet_is_kept() {
    let reason = DenialReason::Policy;
    let case = catalogued().and([denied(reason), denied(reason)]).and([tick().after(mins(600))]);
    case.when(denied(reason)).then([denial(reason, 1)]);
}
