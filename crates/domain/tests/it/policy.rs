//! The policy set, and denials that are counted.

use leasehold_domain::{
    policy::{Action, Command, Decision, DenialReason, Event, Resource, TEXT_LEN_MAX},
    rejection::Rejection,
    state::BlobKey,
};

use crate::{
    fixture::{ALICE, decision, digest, files_workload, gateway, label, mins, secs},
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
fn a_denial_count_with_nothing_left_to_say_is_forgotten_after_an_hour() {
    let reason = DenialReason::Policy;
    let case = catalogued().and([denied(reason)]).and([tick().after(mins(61))]);
    assert_eq!(case.state.denials.len(), 1);
    let case = case.and([tick().after(secs(1))]);
    assert!(case.state.denials.is_empty());
}

#[test]
fn a_denial_count_that_no_event_has_told_yet_is_kept() {
    let reason = DenialReason::Policy;
    let case = catalogued().and([denied(reason), denied(reason)]).and([tick().after(mins(600))]);
    case.when(denied(reason)).then([denial(reason, 1)]);
}
