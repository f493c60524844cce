//! Revoking ended tokens at the provider.

use leasehold_domain::{
    grant::{Command, Event, UpstreamTarget},
    provider::ProviderFailure,
    rejection::{Kind, Rejection},
    revocation::Selector,
    state::BlobKey,
    time::Timestamp,
    work,
};

use crate::{
    fixture::{ACCOUNT, ALICE, CONSENT, CONSENT_2, GRANT, GRANT_2, OTHER_ACCOUNT, START, mins, secs, tokens},
    harness::{Case, given},
    worlds::{
        Attempt, Setting, Start, catalogue, close, complete_exchange, consent, consented, exchanging, revoke,
    },
};

const TARGET: UpstreamTarget = UpstreamTarget::Grant(GRANT);

fn ended() -> Case {
    let selector = Selector::Grant(GRANT);
    given(consented(&Setting::default())).and([revoke(selector), close(selector, [GRANT])])
}

fn due(case: &Case, moment: Timestamp) -> Vec<UpstreamTarget> {
    work::upstream_due(&case.state, moment, 9, |_| false)
}

fn fail(failure: Option<ProviderFailure>) -> Command {
    Command::FailUpstream { target: TARGET, failure }
}

#[test]
fn ended_tokens_are_due_at_once_and_forgotten_when_the_provider_revoked_them() {
    let case = ended();
    assert_eq!(due(&case, START), [TARGET]);
    let outcome = case.when(Command::ConfirmUpstream { target: TARGET });
    assert_eq!(outcome.blob(BlobKey::Tokens(GRANT, 1)), Some(None));
    let case = outcome.then([Event::UpstreamRevoked { target: TARGET }]);
    assert!(due(&case, START).is_empty());
    case.when(Command::ConfirmUpstream { target: TARGET }).rejected(Rejection::Unknown(Kind::UpstreamTask));
}

#[test]
fn late_tokens_are_forgotten_with_the_ones_before_them() {
    let selector = Selector::Grant(GRANT);
    let attempt = Attempt::default();
    let outcome = given(consented(&Setting::default()))
        .and([attempt.intend(), revoke(selector), close(selector, [GRANT])])
        .and([attempt.commit("files.read", tokens(2, None))])
        .when(Command::ConfirmUpstream { target: TARGET });
    assert_eq!(outcome.blob(BlobKey::Tokens(GRANT, 1)), Some(None));
    assert_eq!(outcome.blob(BlobKey::Tokens(GRANT, 2)), Some(None));
}

#[test]
fn a_provider_that_did_not_revoke_is_asked_again_later_and_at_last_once_a_day() {
    let failure = ProviderFailure::Transient;
    let pauses = [secs(10), secs(20), secs(40), secs(80), secs(160), mins(1440), mins(1440)];
    let mut case = ended();
    for (pause, failures) in pauses.into_iter().zip(1..) {
        let retry_at = case.now + pause;
        case = case.when(fail(Some(failure))).then([Event::UpstreamRevocationFailed {
            target: TARGET,
            failure,
            failures,
            retry_at,
        }]);
        assert!(due(&case, retry_at.minus(secs(1))).is_empty());
        assert_eq!(due(&case, retry_at), [TARGET]);
        case = case.after(pause);
    }
}

#[test]
fn a_provider_without_a_way_to_revoke_is_not_asked_again() {
    let outcome = ended().when(fail(None));
    assert_eq!(outcome.blob(BlobKey::Tokens(GRANT, 1)), Some(None));
    let case = outcome.then([Event::UpstreamRevocationUnsupported { target: TARGET }]);
    assert!(case.state.upstream_tasks.is_empty());
    let case = case.when(fail(None)).rejected(Rejection::Unknown(Kind::UpstreamTask));
    case.when(fail(Some(ProviderFailure::Transient))).rejected(Rejection::Unknown(Kind::UpstreamTask));
}

#[test]
fn discarded_tokens_of_a_consent_are_forgotten_with_their_account() {
    let target = UpstreamTarget::Authorization(CONSENT);
    let outcome = given(catalogue(&Setting::default()))
        .and(exchanging(Start::default()))
        .and([revoke(Selector::Subject(ALICE)), complete_exchange(CONSENT, ACCOUNT, tokens(1, None))])
        .when(Command::ConfirmUpstream { target });
    assert_eq!(outcome.blob(BlobKey::PendingTokens(CONSENT)), Some(None));
    assert_eq!(outcome.blob(BlobKey::PendingAccount(CONSENT)), Some(None));
    outcome.then([Event::UpstreamRevoked { target }]);
}

#[test]
fn an_upstream_revocation_waits_for_a_refresh_in_flight() {
    let selector = Selector::Grant(GRANT);
    let attempt = Attempt::default();
    let outcomes = [
        attempt.commit("files.read", tokens(2, None)),
        attempt.fail(ProviderFailure::Transient),
        attempt.fail(ProviderFailure::GrantDead),
        attempt.lose(),
    ];
    for outcome in outcomes {
        let case = given(consented(&Setting::default()));
        let case = case.and([attempt.intend(), revoke(selector), close(selector, [GRANT])]);
        assert!(case.state.upstream_tasks.contains(&TARGET));
        assert_eq!(due(&case, START), [], "tokens that are on their way would be left at the provider");
        let case = case.and([outcome]);
        assert_eq!(due(&case, START), [TARGET]);
    }
}

#[test]
fn tokens_of_a_consent_wait_for_no_refresh() {
    let target = UpstreamTarget::Authorization(CONSENT);
    let case = given(catalogue(&Setting::default()))
        .and(exchanging(Start::default()))
        .and([revoke(Selector::Subject(ALICE)), complete_exchange(CONSENT, ACCOUNT, tokens(1, None))]);
    assert_eq!(due(&case, START), [target]);
}

#[test]
fn an_upstream_revocation_that_is_being_worked_on_holds_up_no_other() {
    let second = Start { authorization: CONSENT_2, ..Start::default() };
    let selector = Selector::Subject(ALICE);
    let case = given(consented(&Setting::default()))
        .and(consent(second, OTHER_ACCOUNT, GRANT_2, 1, tokens(2, None)))
        .and([revoke(selector), close(selector, [GRANT, GRANT_2])]);
    let other = UpstreamTarget::Grant(GRANT_2);
    let one = |skipped| work::upstream_due(&case.state, START, 1, |target| *target == skipped);
    assert_eq!(one(TARGET), [other]);
    assert_eq!(one(other), [TARGET]);
}
