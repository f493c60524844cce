//! Who gets a lease, of what, and until when.

use leasehold_domain::{
    authorization::TokenFacts,
    connector::{self, Exposure, Isolation},
    event::Event as AnyEvent,
    lease::{Basis, Event, TTL_MAX},
    mcp_server,
    rejection::{Kind, Rejection},
    subject,
    time::{Span, Timestamp},
    workload,
};

use crate::{
    fixture::{
        ALICE, CONSENT_2, DRIVE, FILES, FILES_WORKLOAD, GATEWAY, GRANT, GRANT_2, LEASE, MAIL, NO_SERVER,
        START, TOKEN_LIFE, administrator, bootstrap, cluster, decision, files_workload, fingerprint, gateway,
        mins, person, scopes, secs, tokens,
    },
    harness::{Case, Outcome, Step, given},
    worlds::{Attempt, Issue, Setting, Start, catalogue, consent, consented},
};

fn granted() -> Case {
    given(consented(&Setting::default()))
}

fn issued_until(outcome: &Outcome) -> Option<Timestamp> {
    let Some(AnyEvent::Lease(Event::Issued { expires_at, .. })) = outcome.events().first() else {
        return None;
    };
    Some(*expires_at)
}

fn step(issue: Issue) -> Step {
    issue.into()
}

#[test]
fn a_lease_says_who_has_which_token_for_whom_and_by_which_decision() {
    granted().when(Issue::default()).then([Event::Issued {
        lease: LEASE,
        workload: GATEWAY,
        mcp_server: FILES,
        connector: DRIVE,
        subject: ALICE,
        grant: GRANT,
        generation: 1,
        token: fingerprint(1),
        needed: scopes("files.read"),
        carried: scopes("files.read"),
        basis: Basis::Vouched,
        expires_at: START + mins(5),
        token_expires_at: Some(START + TOKEN_LIFE),
        decision: decision(),
    }]);
}

#[test]
fn nobody_but_a_workload_ever_leases() {
    let others = [administrator(), bootstrap(), person(ALICE), cluster()];
    others.into_iter().fold(granted(), |case, other| {
        case.when(step(Issue::default()).by(other)).rejected(Rejection::WrongPrincipal)
    });
}

#[test]
fn an_mcp_server_workload_leases_for_itself_alone() {
    let case = granted().and([step(Issue::default()).by(files_workload())]);
    let for_mail = Issue { mcp_server: MAIL, ..Issue::default() };
    case.when(step(for_mail).by(files_workload())).rejected(Rejection::WrongPrincipal);
}

#[test]
fn a_gateway_leases_on_behalf_of_any_mcp_server_for_which_policy_allows_it() {
    granted().and([Issue { mcp_server: MAIL, ..Issue::default() }]);
}

#[test]
fn tokens_that_are_only_injected_go_to_gateways_alone() {
    let setting = Setting { exposure: Exposure::InjectOnly, ..Setting::default() };
    let case = given(consented(&setting))
        .when(step(Issue::default()).by(files_workload()))
        .rejected(Rejection::InjectOnly);
    case.and([Issue::default()]);
}

#[test]
fn the_grant_of_one_isolated_mcp_server_does_not_exist_for_another() {
    let setting = Setting { isolation: Isolation::PerMcpServer, ..Setting::default() };
    let case = given(consented(&setting)).and([Issue::default()]);
    case.when(Issue { mcp_server: MAIL, ..Issue::default() }).rejected(Rejection::Unknown(Kind::Grant));
}

#[test]
fn missing_scopes_are_named_exactly() {
    let needed = scopes("files.read files.write");
    granted()
        .when(Issue { needed, ..Issue::default() })
        .rejected(Rejection::ScopesMissing(scopes("files.write")));
}

#[test]
fn a_lease_needs_what_a_narrowed_token_still_carries() {
    let attempt = Attempt::default();
    let case = granted().and([attempt.intend(), attempt.commit("", tokens(2, None))]);
    case.when(Issue { generation: 2, ..Issue::default() })
        .rejected(Rejection::ScopesMissing(scopes("files.read")));
}

#[test]
fn a_generation_that_is_not_current_is_refused() {
    let attempt = Attempt::default();
    let case = granted().when(Issue { generation: 2, ..Issue::default() }).rejected(Rejection::Superseded);
    let case = case.and([attempt.intend(), attempt.commit("files.read", tokens(2, None))]);
    let case = case.when(Issue::default()).rejected(Rejection::Superseded);
    case.and([Issue { generation: 2, ..Issue::default() }]);
}

#[test]
fn a_lease_ends_no_later_than_its_token() {
    let facts = tokens(1, Some(START + mins(3)));
    let outcome = given(consented(&Setting { facts, ..Setting::default() })).when(Issue::default());
    assert_eq!(issued_until(&outcome), Some(START + mins(3)));
}

#[test]
fn a_lease_ends_no_later_than_the_token_that_names_its_subject() {
    let basis = Basis::SubjectToken { expires_at: START + mins(2) };
    let outcome = granted().when(Issue { basis, ..Issue::default() });
    assert_eq!(issued_until(&outcome), Some(START + mins(2)));
}

#[test]
fn a_lease_lives_for_an_hour_at_most() {
    let outcome = granted().when(Issue { ttl: mins(600), ..Issue::default() });
    assert_eq!(issued_until(&outcome), Some(START + TTL_MAX));
    assert_eq!(TTL_MAX, mins(60));
}

#[test]
fn a_token_of_unstated_life_is_leased_for_as_long_as_was_asked() {
    let facts = tokens(1, None);
    let outcome = given(consented(&Setting { facts, ..Setting::default() })).when(Issue::default());
    assert_eq!(issued_until(&outcome), Some(START + mins(5)));
}

#[test]
fn nothing_is_leased_of_what_has_ended() {
    let facts = tokens(1, Some(START + mins(3)));
    let case = given(consented(&Setting { facts, ..Setting::default() })).after(mins(3));
    case.when(Issue::default()).rejected(Rejection::TokenExpired);
    let basis = Basis::SubjectToken { expires_at: START };
    granted().when(Issue { basis, ..Issue::default() }).rejected(Rejection::TokenExpired);
    granted().when(Issue { ttl: Span::ZERO, ..Issue::default() }).rejected(Rejection::TokenExpired);
}

#[test]
fn a_lease_names_what_exists() {
    let case = granted()
        .when(Issue { grant: GRANT_2, ..Issue::default() })
        .rejected(Rejection::Unknown(Kind::Grant));
    let case = case
        .when(Issue { mcp_server: NO_SERVER, ..Issue::default() })
        .rejected(Rejection::Unknown(Kind::McpServer));
    let mut stranger = gateway();
    stranger.principal = leasehold_domain::actor::Principal::Workload(crate::fixture::NO_WORKLOAD);
    case.when(step(Issue::default()).by(stranger)).rejected(Rejection::Unknown(Kind::Workload));
}

#[test]
fn nothing_is_leased_while_something_is_disabled() {
    let disabled = |kind, step: Step| {
        granted().and([step]).when(Issue::default()).rejected(Rejection::Disabled(kind));
    };
    disabled(Kind::Workload, workload::Command::Disable { workload: GATEWAY }.into());
    disabled(Kind::McpServer, mcp_server::Command::Disable { mcp_server: FILES }.into());
    disabled(Kind::Connector, connector::Command::Disable { connector: DRIVE }.into());
    let case = granted().and([subject::Command::Disable { subject: ALICE, note: None }]);
    case.when(Issue::default()).rejected(Rejection::GrantRevoked);
}

#[test]
fn a_grant_consented_while_its_subject_was_enabled_again_is_leased() {
    let case = granted()
        .and([subject::Command::Disable { subject: ALICE, note: None }])
        .and([subject::Command::Enable { subject: ALICE }]);
    let case = case.when(Issue::default()).rejected(Rejection::GrantRevoked);
    let again = Start { authorization: CONSENT_2, ..Start::default() };
    case.and(consent(again, 1, GRANT_2, 1, tokens(2, None)))
        .and([Issue { grant: GRANT_2, ..Issue::default() }]);
}

#[test]
fn an_id_that_is_in_use_is_refused_until_it_is_forgotten() {
    let case = granted().and([Issue::default()]);
    let other = || step(Issue { mcp_server: MAIL, ..Issue::default() });
    let case = case.when(other()).rejected(Rejection::Exists(Kind::Lease));
    let case = case.after(mins(15)).when(other()).rejected(Rejection::Exists(Kind::Lease));
    case.after(secs(1)).and([other()]);
}

#[test]
fn a_grant_that_is_waiting_for_a_refresh_is_still_leased() {
    granted().and([Attempt::default().intend(), Issue::default().into()]);
}

#[test]
fn a_consent_that_nobody_confirmed_is_not_leased() {
    let facts = TokenFacts { refresh: None, ..tokens(1, None) };
    given(catalogue(&Setting::default()))
        .and(crate::worlds::exchanged(Start::default(), 1, facts))
        .when(Issue::default())
        .rejected(Rejection::Unknown(Kind::Grant));
}

#[test]
fn for_how_many_subjects_a_workload_vouched_is_counted_for_an_hour_from_the_newest_lease() {
    let case = granted().and([Issue { ttl: mins(60), ..Issue::default() }]);
    let count = |case: &Case| case.state.recent.vouched_besides(&GATEWAY, crate::fixture::BOB, case.now);
    assert_eq!(count(&case), 1);
    assert_eq!(case.state.recent.vouched_besides(&GATEWAY, ALICE, case.now), 0);
    assert_eq!(case.state.recent.vouched_besides(&FILES_WORKLOAD, ALICE, case.now), 0);
    let newer = Issue { lease: crate::fixture::LEASE_2, mcp_server: MAIL, ..Issue::default() };
    let report = leasehold_domain::lease::Command::ReportRejected { lease: LEASE, status: 401 };
    let case = case.and([step(newer).after(mins(30)), Step::from(report).after(mins(1))]);
    let case = case.after(mins(58));
    assert_eq!(count(&case), 1, "a report about the older lease hid the newer one");
    assert_eq!(count(&case.after(mins(1))), 0);
}
