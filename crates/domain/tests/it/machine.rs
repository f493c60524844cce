//! The machine around the commands: named requests, facts that a decision rests on, time.

use leasehold_domain::{
    audit::{self, View},
    command::{Command, EVENTS_MAX, Entity, Fact},
    grant,
    machine::Reply,
    policy,
    rejection::Rejection,
    revocation::Selector,
    state::recent::{OUTCOMES_MAX, Outcome},
    workload,
};

use crate::{
    fixture::{
        ALICE, DRIVE, FILES, GATEWAY, GRANT, LEASE_2, MAIL, START, cluster, digest, files_workload, mins,
        person, secs,
    },
    harness::{Case, Step, given},
    worlds::{Issue, Setting, consented, found, leased, revoke, set_need},
};

fn granted() -> Case {
    given(consented(&Setting::default()))
}

fn issue() -> Step {
    Issue::default().into()
}

fn read(n: u64) -> Step {
    audit::Command::RecordRead { view: View::Ledger, from: n }.into()
}

#[test]
fn the_same_request_again_names_the_first_outcome_and_changes_nothing() {
    let case = granted();
    let first_seq = case.next_seq();
    let outcome = case.and([issue().named("r1", 1)]).when(issue().named("r1", 1).after(mins(9)));
    let expected = Outcome { body: digest(1), first_seq, events: 1, at: START };
    assert!(matches!(outcome.reply, Reply::Repeated { outcome } if outcome == expected));
    assert_eq!(outcome.case.next_seq(), first_seq + 1);
    assert!(outcome.writes.is_empty());
}

#[test]
fn the_same_request_id_with_another_body_is_refused() {
    granted().and([issue().named("r1", 1)]).when(issue().named("r1", 2)).rejected(Rejection::RequestIdReused);
}

#[test]
fn a_request_id_is_scoped_to_its_caller() {
    let other = Step::from(Issue { lease: LEASE_2, ..Issue::default() });
    granted().and([issue().named("r1", 1), other.named("r1", 2).by(files_workload())]);
}

#[test]
fn a_request_is_forgotten_after_ten_minutes() {
    let case = granted().and([read(1).named("r1", 1)]);
    let outcome = case.after(secs(599)).when(read(1).named("r1", 1));
    assert!(matches!(outcome.reply, Reply::Repeated { .. }));
    outcome.case.and([read(1).named("r1", 2).after(secs(1))]);
}

#[test]
fn a_refusal_is_not_remembered_under_the_request_id() {
    let early = Step::from(Issue { generation: 2, ..Issue::default() });
    granted().when(early.named("r1", 1)).rejected(Rejection::Superseded).and([issue().named("r1", 2)]);
}

#[test]
fn a_request_that_found_everything_there_is_decided_afresh_each_time() {
    let again = || Step::from(Issue { lease: LEASE_2, ..Issue::default() }).named("r2", 1);
    let case = given(leased(&Setting::default())).and([again()]);
    let case = case.and([revoke(Selector::Grant(GRANT))]);
    case.when(again()).rejected(Rejection::GrantRevoked);
}

#[test]
fn the_oldest_of_too_many_requests_of_one_caller_is_forgotten() {
    let name = |n: usize| format!("r{n}");
    let case = granted().and((0..OUTCOMES_MAX).map(|n| read(0).named(&name(n), 1)));
    let outcome = case.when(read(0).named(&name(0), 1));
    assert!(matches!(outcome.reply, Reply::Repeated { .. }));
    let case = outcome.case.and([read(0).named("one more", 1)]);
    let case = case.when(read(0).named(&name(1), 2)).rejected(Rejection::RequestIdReused);
    case.and([read(0).named(&name(0), 2)]);
}

#[test]
fn the_requests_of_one_caller_do_not_crowd_out_those_of_another() {
    let other = || read(0).named("mine", 1).by(person(ALICE));
    let case = granted().and([other()]).and((0..=OUTCOMES_MAX).map(|n| read(0).named(&format!("r{n}"), 1)));
    assert!(matches!(case.when(other()).reply, Reply::Repeated { .. }));
}

#[test]
fn a_proposal_that_rests_on_a_stale_fact_is_to_be_decided_again() {
    let changes: [(Entity, Step); 5] = [
        (Entity::Policy, policy::Command::Set { text: "x".to_owned(), digest: digest(1) }.into()),
        (Entity::Workload(GATEWAY), workload::Command::Disable { workload: GATEWAY }.into()),
        (Entity::Connector(DRIVE), leasehold_domain::connector::Command::Disable { connector: DRIVE }.into()),
        (Entity::McpServer(FILES), set_need(FILES, DRIVE, "files.read").into()),
        (
            Entity::Grant(GRANT),
            grant::Command::IntendRefresh {
                grant: GRANT,
                generation: 1,
                node: 1,
                occasion: grant::Occasion::Ordered,
            }
            .into(),
        ),
    ];
    for (entity, change) in changes {
        let case = granted();
        let revision = case.state.revision(entity);
        let resting = || issue().given_that([Fact { entity, revision }]);
        let case = case.and([change]).when(resting()).stale();
        let revision = case.state.revision(entity);
        let outcome = case.when(issue().given_that([Fact { entity, revision }]));
        assert!(!matches!(outcome.reply, Reply::Stale), "{entity:?}");
    }
}

#[test]
fn a_stale_proposal_is_not_remembered_under_its_request_id() {
    let entity = Entity::Subject(ALICE);
    let case = granted();
    let revision = case.state.revision(entity);
    let stale = issue().given_that([Fact { entity, revision: revision + 1 }]).named("r1", 1);
    case.when(stale).stale().and([issue().given_that([Fact { entity, revision }]).named("r1", 2)]);
}

#[test]
fn a_fact_about_what_does_not_exist_has_revision_zero() {
    let entity = Entity::Grant(crate::fixture::GRANT_2);
    granted().and([issue().given_that([Fact { entity, revision: 0 }])]);
}

#[test]
fn time_never_runs_backwards() {
    let mut case = granted().and([read(1).after(mins(5))]);
    let later = case.now;
    case.now = START;
    let outcome = case.when(read(2));
    assert!(matches!(outcome.reply, Reply::Applied { at, .. } if at == later));
    assert_eq!(outcome.case.state.clock.time, later);
}

#[test]
fn events_are_numbered_without_a_gap() {
    let case = granted();
    let first = case.next_seq();
    let outcome = case.when(issue());
    assert!(matches!(outcome.reply, Reply::Applied { first_seq, .. } if first_seq == first));
    assert_eq!(outcome.case.next_seq(), first + 1);
    let before = given(Vec::<Step>::new());
    assert_eq!(before.next_seq(), 0);
    assert_eq!(before.and([found()]).next_seq(), 2);
}

#[test]
fn no_command_may_raise_more_events_than_an_entry_is_sized_for() {
    let commands: [Command; 4] = [
        Command::Organisation(found()),
        Command::Grant(grant::Command::Close { selector: Selector::Grant(GRANT), grants: Vec::new() }),
        Command::McpServer(set_need(MAIL, DRIVE, "a")),
        Command::Tick,
    ];
    assert!(commands.iter().all(|command| command.events_max() <= EVENTS_MAX));
    let tick: Step = Command::Tick.into();
    let outcome = granted().when(tick.by(cluster()));
    assert_eq!(outcome.events(), []);
}
