//! The account that the person confirms, and the grant that becomes of it.

use leasehold_domain::{
    actor::Actor,
    authorization::{Command, End, Event, Phase},
    connector::Isolation,
    event::Event as AnyEvent,
    grant::{self, UpstreamTarget},
    provider::ProviderFailure,
    rejection::Rejection,
    revocation::Selector,
    scope::ScopeSet,
    state::BlobKey,
};

use crate::{
    fixture::{
        ACCOUNT, ALICE, BOB, CONSENT, CONSENT_2, DRIVE, FILES, GRANT, GRANT_2, MAIL, OTHER_ACCOUNT, SESSION,
        account, administrator, cluster, digest, gateway, mins, person, scopes, sealed, secs, tokens,
    },
    harness::{Case, Step, given},
    worlds::{
        Attempt, Setting, Start, approve, catalogue, close, confirm, consent, consented, exchanged,
        exchanging, revoke,
    },
};

fn waiting() -> Case {
    given(catalogue(&Setting::default())).and(exchanged(Start::default(), ACCOUNT, tokens(1, None)))
}

fn confirm_new() -> Step {
    confirm(CONSENT, GRANT, 1, tokens(1, None))
}

fn reject() -> Step {
    Command::RejectAccount { authorization: CONSENT, session: digest(SESSION) }.into()
}

fn again() -> Start {
    Start { authorization: CONSENT_2, ..Start::default() }
}

fn activated(authorization: leasehold_domain::id::AuthorizationId, generation: u64) -> AnyEvent {
    let granted: ScopeSet = scopes("files.read");
    AnyEvent::Grant(grant::Event::Activated {
        grant: GRANT,
        authorization,
        subject: ALICE,
        connector: DRIVE,
        isolation: None,
        account: account(ACCOUNT),
        generation,
        requested: granted.clone(),
        granted,
        tokens: tokens(1, None),
    })
}

fn confirmed(authorization: leasehold_domain::id::AuthorizationId) -> AnyEvent {
    let account = account(ACCOUNT);
    AnyEvent::Authorization(Event::AccountConfirmed { authorization, subject: ALICE, account })
}

#[test]
fn a_confirmed_account_activates_the_grant() {
    let outcome = waiting().when(confirm_new());
    assert_eq!(outcome.blob(BlobKey::Tokens(GRANT, 1)), Some(Some(&b"tokens"[..])));
    assert_eq!(outcome.blob(BlobKey::Account(GRANT)), Some(Some(&b"alice@drive"[..])));
    assert_eq!(outcome.blob(BlobKey::PendingTokens(CONSENT)), Some(None));
    assert_eq!(outcome.blob(BlobKey::PendingAccount(CONSENT)), Some(None));
    let case = outcome.then([confirmed(CONSENT), activated(CONSENT, 1)]);
    let phase = case.state.authorizations.get(&CONSENT).map(|known| known.phase.clone());
    assert_eq!(phase, Some(Phase::Ended(End::Confirmed(GRANT))));
    assert!(case.state.bindings.is_empty(), "the browser's part is over");
}

#[test]
fn an_account_is_confirmed_once() {
    let case = waiting().and([confirm_new()]);
    let case = case.when(confirm_new()).rejected(Rejection::WrongPhase);
    case.when(reject()).rejected(Rejection::WrongPhase);
}

#[test]
fn an_account_is_confirmed_by_the_person_who_consents_alone() {
    let strangers: [Actor; 4] = [person(BOB), administrator(), gateway(), cluster()];
    strangers.into_iter().fold(waiting(), |case, stranger| {
        let case = case.when(confirm_new().by(stranger)).rejected(Rejection::SubjectMismatch);
        case.when(reject().by(stranger)).rejected(Rejection::SubjectMismatch)
    });
}

#[test]
fn an_account_is_confirmed_in_the_browser_that_approved_alone() {
    let confirm = Command::ConfirmAccount {
        authorization: CONSENT,
        session: digest(SESSION + 1),
        grant: GRANT,
        generation: 1,
        tokens: sealed("tokens"),
        account_label: sealed("label"),
        facts: tokens(1, None),
    };
    let reject = Command::RejectAccount { authorization: CONSENT, session: digest(SESSION + 1) };
    let case = waiting().when(confirm).rejected(Rejection::SessionMismatch);
    case.when(reject).rejected(Rejection::SessionMismatch);
}

#[test]
fn an_account_waits_ten_minutes_for_its_confirmation() {
    waiting().after(secs(599)).and([confirm_new()]);
    let case = waiting().after(mins(10));
    let case = case.when(confirm_new()).rejected(Rejection::AuthorizationExpired);
    case.when(reject()).rejected(Rejection::AuthorizationExpired);
}

#[test]
fn there_is_nothing_to_confirm_before_the_exchange() {
    let case = given(catalogue(&Setting::default())).and([Start::default().into(), approve(CONSENT)]);
    let case = case.when(confirm_new()).rejected(Rejection::WrongPhase);
    case.when(reject()).rejected(Rejection::WrongPhase);
}

#[test]
fn an_account_that_the_person_does_not_want_is_revoked_upstream() {
    let account = account(ACCOUNT);
    let mismatched = Event::AccountMismatched { authorization: CONSENT, account, expected: None };
    let case = waiting().when(reject()).then([mismatched]);
    assert!(case.state.grants.is_empty());
    assert!(case.state.upstream_tasks.contains(&UpstreamTarget::Authorization(CONSENT)));
}

#[test]
fn a_new_consent_for_the_same_account_renews_the_grant() {
    let outcome = given(consented(&Setting::default()))
        .and(exchanged(again(), ACCOUNT, tokens(1, None)))
        .when(confirm(CONSENT_2, GRANT, 2, tokens(1, None)));
    assert_eq!(outcome.blob(BlobKey::Tokens(GRANT, 0)), Some(None));
    let case = outcome.then([confirmed(CONSENT_2), activated(CONSENT_2, 2)]);
    assert_eq!(case.state.grants.len(), 1);
}

#[test]
fn the_tokens_of_former_consents_are_kept_until_they_are_revoked_with_the_grant() {
    let third = Start { authorization: crate::fixture::CONSENT_3, ..Start::default() };
    let id = third.authorization;
    let outcome = given(consented(&Setting::default()))
        .and(consent(again(), ACCOUNT, GRANT, 2, tokens(1, None)))
        .and(exchanged(third, ACCOUNT, tokens(1, None)))
        .when(confirm(id, GRANT, 3, tokens(1, None)));
    assert_eq!(outcome.blob(BlobKey::Tokens(GRANT, 1)), None);
    assert_eq!(outcome.blob(BlobKey::Tokens(GRANT, 2)), None);
    let case = outcome.applied();
    let grant = case.state.grants.get(&GRANT).unwrap();
    assert_eq!(grant.generations_to_revoke().collect::<Vec<_>>(), [1, 2, 3]);
    let case = case.and([revoke(Selector::Grant(GRANT)), close(Selector::Grant(GRANT), [GRANT])]);
    let outcome = case.when(grant::Command::ConfirmUpstream { target: UpstreamTarget::Grant(GRANT) });
    for generation in 1..=3 {
        assert_eq!(outcome.blob(BlobKey::Tokens(GRANT, generation)), Some(None), "{generation}");
    }
}

#[test]
fn tokens_that_were_sealed_for_another_grant_or_generation_are_refused() {
    let case = given(consented(&Setting::default())).and(exchanged(again(), ACCOUNT, tokens(1, None)));
    let facts = || tokens(1, None);
    let case = case.when(confirm(CONSENT_2, GRANT, 1, facts())).rejected(Rejection::Superseded);
    let case = case.when(confirm(CONSENT_2, GRANT, 3, facts())).rejected(Rejection::Superseded);
    let case = case.when(confirm(CONSENT_2, GRANT_2, 1, facts())).rejected(Rejection::Superseded);
    case.and([confirm(CONSENT_2, GRANT, 2, facts())]);
}

#[test]
fn a_new_grant_begins_with_generation_one_under_an_unused_id() {
    let case = waiting();
    let case = case.when(confirm(CONSENT, GRANT, 2, tokens(1, None))).rejected(Rejection::Superseded);
    case.and([confirm_new()])
        .and(exchanged(again(), OTHER_ACCOUNT, tokens(2, None)))
        .when(confirm(CONSENT_2, GRANT, 1, tokens(2, None)))
        .rejected(Rejection::Superseded);
}

#[test]
fn a_second_account_of_the_same_person_is_a_second_grant() {
    let case = given(consented(&Setting::default())).and(consent(
        again(),
        OTHER_ACCOUNT,
        GRANT_2,
        1,
        tokens(2, None),
    ));
    let theirs: Vec<_> = case.state.grants_of(ALICE).map(|known| known.id).collect();
    assert_eq!(theirs, [GRANT_2, GRANT]);
}

#[test]
fn one_account_under_two_subjects_can_be_told() {
    let bobs = Start { authorization: CONSENT_2, subject: BOB, ..Start::default() };
    let case = given(consented(&Setting::default())).and(consent(bobs, ACCOUNT, GRANT_2, 1, tokens(2, None)));
    assert_eq!(case.state.subjects_of_account(DRIVE, account(ACCOUNT)), [ALICE, BOB].into());
}

#[test]
fn where_mcp_servers_are_isolated_each_has_a_grant_of_its_own() {
    let setting = Setting { isolation: Isolation::PerMcpServer, ..Setting::default() };
    let mail = Start { mcp_server: MAIL, ..again() };
    let case = given(consented(&setting)).and(consent(mail, ACCOUNT, GRANT_2, 1, tokens(2, None)));
    let isolations: Vec<_> = case.state.grants.iter().map(|(_, known)| known.key.isolation).collect();
    assert_eq!(isolations, [Some(MAIL), Some(FILES)]);
}

#[test]
fn a_grant_that_its_provider_declared_dead_lives_again_by_a_new_consent() {
    let attempt = Attempt::default();
    let case = given(consented(&Setting::default()))
        .and([attempt.intend(), attempt.fail(ProviderFailure::GrantDead)])
        .and(exchanged(again(), ACCOUNT, tokens(1, None)))
        .when(confirm(CONSENT_2, GRANT, 2, tokens(1, None)))
        .then([confirmed(CONSENT_2), activated(CONSENT_2, 2)]);
    assert_eq!(case.state.grants.get(&GRANT).map(|known| known.phase), Some(grant::Phase::Active));
}

#[test]
fn a_new_consent_fences_off_the_refresh_that_was_in_flight() {
    let attempt = Attempt::default();
    let renewed = Attempt { generation: 2, attempt: 2, ..attempt };
    let case = given(consented(&Setting::default())).and([attempt.intend()]).and(consent(
        again(),
        ACCOUNT,
        GRANT,
        2,
        tokens(2, None),
    ));
    let case = case.when(attempt.commit("files.read", tokens(3, None))).rejected(Rejection::Superseded);
    let case = case.and([renewed.intend()]);
    assert_eq!(case.state.grants.get(&GRANT).map(|known| known.attempts), Some(2));
}

#[test]
fn two_consents_of_one_account_at_the_same_time_become_one_grant() {
    let mail = Start { mcp_server: MAIL, ..again() };
    let case = given(catalogue(&Setting::default()))
        .and(exchanged(Start::default(), ACCOUNT, tokens(1, None)))
        .and(exchanging(mail))
        .and([crate::worlds::complete_exchange(CONSENT_2, ACCOUNT, tokens(2, None))])
        .and([confirm(CONSENT_2, GRANT_2, 1, tokens(2, None))]);
    let case = case.when(confirm_new()).rejected(Rejection::Superseded);
    case.and([confirm(CONSENT, GRANT_2, 2, tokens(1, None))]);
}
