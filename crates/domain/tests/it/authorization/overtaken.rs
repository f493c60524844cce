//! Revocations, supersessions and time that overtake a consent: its late tokens never become a grant, and are revoked upstream.

use leasehold_domain::{
    authorization::{Command, End, Event, Phase},
    connector,
    grant::UpstreamTarget,
    id::AuthorizationId,
    machine::Answer,
    mcp_server,
    rejection::Rejection,
    revocation::Selector,
    subject,
};

use crate::{
    fixture::{
        ACCOUNT, ALICE, CONSENT, CONSENT_2, CONSENT_3, DRIVE, FILES, GRANT, GRANT_2, MAIL, START, mins,
        scopes, tokens,
    },
    harness::{Case, Step, given},
    worlds::{
        Setting, Start, approve, catalogue, complete_exchange, confirm, consent, consented, exchanged,
        exchanging, intend_exchange, revoke, tick,
    },
};

/// Everything whose end ends an open consent, and how each begins again.
fn ends() -> Vec<(Step, Vec<Step>)> {
    let mcp_server = FILES;
    vec![
        (revoke(Selector::Subject(ALICE)), Vec::new()),
        (
            subject::Command::Disable { subject: ALICE, note: None }.into(),
            vec![subject::Command::Enable { subject: ALICE }.into()],
        ),
        (revoke(Selector::Connector(DRIVE)), vec![connector::Command::Enable { connector: DRIVE }.into()]),
        (
            connector::Command::Disable { connector: DRIVE }.into(),
            vec![connector::Command::Enable { connector: DRIVE }.into()],
        ),
        (revoke(Selector::McpServer(FILES)), vec![mcp_server::Command::Enable { mcp_server }.into()]),
        (
            mcp_server::Command::Disable { mcp_server }.into(),
            vec![mcp_server::Command::Enable { mcp_server }.into()],
        ),
    ]
}

fn catalogued() -> Case {
    given(catalogue(&Setting::default()))
}

fn complete(authorization: AuthorizationId) -> Step {
    complete_exchange(authorization, ACCOUNT, tokens(1, None))
}

fn discarded(authorization: AuthorizationId) -> Event {
    Event::LateTokensDiscarded { authorization, tokens: tokens(1, None) }
}

#[track_caller]
fn is_queued(case: &Case, authorization: AuthorizationId) {
    let target = UpstreamTarget::Authorization(authorization);
    assert_eq!(case.state.upstream_tasks.get(&target).map(|task| task.failures), Some(0));
}

#[test]
fn a_revocation_during_the_exchange_wins_and_the_late_tokens_are_revoked_upstream() {
    for (end, _) in ends() {
        let case = catalogued()
            .and(exchanging(Start::default()))
            .and([end])
            .when(complete(CONSENT))
            .then([discarded(CONSENT)]);
        is_queued(&case, CONSENT);
        assert!(case.state.grants.is_empty());
    }
}

#[test]
fn a_revocation_before_the_confirmation_wins_and_a_tick_discards_the_tokens() {
    for (end, _) in ends() {
        let case = catalogued()
            .and(exchanged(Start::default(), ACCOUNT, tokens(1, None)))
            .and([end])
            .when(confirm(CONSENT, GRANT, 1, tokens(1, None)))
            .rejected(Rejection::GrantRevoked)
            .and([tick()]);
        is_queued(&case, CONSENT);
        let phase = case.state.authorizations.get(&CONSENT).map(|known| known.phase.clone());
        assert_eq!(phase, Some(Phase::Ended(End::Revoked)));
    }
}

#[test]
fn a_revocation_before_the_approval_wins_and_enabling_does_not_reopen_the_consent() {
    for (end, begin) in ends() {
        let case = catalogued().and([Start::default()]).and([end]).and(begin);
        case.when(approve(CONSENT)).rejected(Rejection::GrantRevoked);
    }
}

#[test]
fn a_revocation_before_the_callback_wins() {
    for (end, begin) in ends() {
        let case = catalogued().and([Start::default().into(), approve(CONSENT), end]).and(begin);
        case.when(intend_exchange(CONSENT)).rejected(Rejection::GrantRevoked);
    }
}

#[test]
fn after_a_revocation_a_consent_is_started_anew() {
    for (end, begin) in ends() {
        let again = Start { authorization: CONSENT_2, ..Start::default() };
        let expected = again.clone().event(START + mins(60));
        let case = catalogued().and([Start::default()]).and([end]).and(begin);
        let case = case.when(again.clone()).then([expected]);
        let repeat = Start { authorization: CONSENT_3, ..again };
        case.when(repeat).already(Answer::Authorization(CONSENT_2));
    }
}

#[test]
fn a_consent_for_another_mcp_server_outlives_the_revocation() {
    let mail = Start { mcp_server: MAIL, ..Start::default() };
    let case = catalogued().and(exchanging(mail)).and([revoke(Selector::McpServer(FILES))]);
    case.and([complete(CONSENT), confirm(CONSENT, GRANT, 1, tokens(1, None))]);
}

#[test]
fn a_revocation_of_the_grant_that_is_being_renewed_wins() {
    let renew = Start { authorization: CONSENT_2, grant: Some(GRANT), ..Start::default() };
    let case = given(consented(&Setting::default()))
        .and(exchanging(renew))
        .and([revoke(Selector::Grant(GRANT))])
        .when(complete(CONSENT_2))
        .then([discarded(CONSENT_2)]);
    is_queued(&case, CONSENT_2);
}

#[test]
fn a_consent_after_a_revocation_becomes_a_new_grant_and_the_old_one_stays_ended() {
    let again = Start { authorization: CONSENT_2, ..Start::default() };
    let facts = || tokens(2, None);
    let case = given(consented(&Setting::default())).and([revoke(Selector::Grant(GRANT))]).and(exchanged(
        again,
        ACCOUNT,
        facts(),
    ));
    let case = case.when(confirm(CONSENT_2, GRANT, 2, facts())).rejected(Rejection::Superseded);
    let case = case.when(confirm(CONSENT_2, GRANT, 1, facts())).rejected(Rejection::Superseded);
    let case = case.and([confirm(CONSENT_2, GRANT_2, 1, facts())]);
    let revoked = |id| case.state.grants.get(&id).map(|known| known.revoked_by(&case.state).is_some());
    assert_eq!((revoked(GRANT), revoked(GRANT_2)), (Some(true), Some(false)));
}

#[test]
fn a_further_consent_renews_the_newer_grant_while_the_end_of_the_older_is_still_untold() {
    let again = |authorization| Start { authorization, ..Start::default() };
    let facts = || tokens(2, None);
    for (older, newer) in [(GRANT, GRANT_2), (GRANT_2, GRANT)] {
        let mut case = given(catalogue(&Setting::default()))
            .and(consent(Start::default(), ACCOUNT, older, 1, facts()))
            .and([revoke(Selector::Grant(older))])
            .and(consent(again(CONSENT_2), ACCOUNT, newer, 1, facts()));
        case.state.reindex();
        let case = case.and(exchanged(again(CONSENT_3), ACCOUNT, facts()));
        let case = case.when(confirm(CONSENT_3, older, 2, facts())).rejected(Rejection::Superseded);
        case.and([confirm(CONSENT_3, newer, 2, facts())]);
    }
}

#[test]
fn a_consent_that_was_widened_during_its_exchange_discards_its_late_tokens() {
    let wider = Start { authorization: CONSENT_2, scopes: scopes("files.write"), ..Start::default() };
    let case = catalogued()
        .and(exchanging(Start::default()))
        .and([wider])
        .when(complete(CONSENT))
        .then([discarded(CONSENT)]);
    is_queued(&case, CONSENT);
    case.when(complete(CONSENT)).rejected(Rejection::Superseded);
}

#[test]
fn a_consent_that_was_widened_while_it_held_tokens_discards_them() {
    let wider = Start { authorization: CONSENT_2, scopes: scopes("files.write"), ..Start::default() };
    let case = catalogued().and(exchanged(Start::default(), ACCOUNT, tokens(1, None))).and([wider]);
    is_queued(&case, CONSENT);
    case.when(confirm(CONSENT, GRANT, 1, tokens(1, None))).rejected(Rejection::WrongPhase);
}

#[test]
fn a_consent_that_was_widened_before_its_exchange_has_nothing_to_revoke() {
    let wider = Start { authorization: CONSENT_2, scopes: scopes("files.write"), ..Start::default() };
    let case = catalogued().and([Start::default().into(), approve(CONSENT), wider.into()]);
    assert!(case.state.upstream_tasks.is_empty());
    case.when(intend_exchange(CONSENT)).rejected(Rejection::WrongPhase);
}

#[test]
fn tokens_that_come_back_after_their_time_are_discarded() {
    let case = catalogued().and(exchanging(Start::default())).and([tick().after(mins(70))]);
    let phase = case.state.authorizations.get(&CONSENT).map(|known| known.phase.clone());
    assert_eq!(phase, Some(Phase::Ended(End::Expired)));
    let case = case.when(complete(CONSENT)).then([discarded(CONSENT)]);
    is_queued(&case, CONSENT);
}

#[test]
fn tokens_of_no_known_account_that_come_back_after_a_supersession_are_discarded_too() {
    let wider = Start { authorization: CONSENT_2, scopes: scopes("files.write"), ..Start::default() };
    let discard = Command::DiscardExchange {
        authorization: CONSENT,
        failure: leasehold_domain::provider::ProviderFailure::Transient,
        tokens: crate::fixture::sealed("tokens"),
        facts: tokens(1, None),
    };
    let case = catalogued().and(exchanging(Start::default())).and([wider]).and([discard]);
    is_queued(&case, CONSENT);
}

#[test]
fn a_failed_exchange_of_a_revoked_consent_leaves_nothing_to_revoke() {
    let failure = leasehold_domain::provider::ProviderFailure::Transient;
    let case = catalogued()
        .and(exchanging(Start::default()))
        .and([revoke(Selector::Subject(ALICE))])
        .when(Command::FailExchange { authorization: CONSENT, failure })
        .then([Event::ExchangeFailed { authorization: CONSENT, failure }]);
    assert!(case.state.upstream_tasks.is_empty());
}

#[test]
fn a_revocation_does_not_reach_a_grant_that_was_consented_after_it() {
    let again = Start { authorization: CONSENT_2, ..Start::default() };
    let case = given(consented(&Setting::default())).and([revoke(Selector::Subject(ALICE))]).and(consent(
        again,
        ACCOUNT,
        GRANT_2,
        1,
        tokens(2, None),
    ));
    let selector = Selector::Subject(ALICE);
    assert_eq!(case.state.grants_to_close(selector, 10), [GRANT]);
}
