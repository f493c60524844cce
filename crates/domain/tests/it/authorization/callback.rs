//! The callback: which browser may bring which state, once, and what the exchange of the code leads to.

use leasehold_domain::{
    authorization::{Command, End, Event, Phase},
    grant::UpstreamTarget,
    provider::ProviderFailure,
    rejection::{Kind, Rejection},
    state::BlobKey,
};

use crate::{
    fixture::{
        ACCOUNT, ALICE, BOB, CONSENT, CONSENT_2, GRANT, NODE, OTHER_ACCOUNT, SESSION, STATE, account, digest,
        mins, person, scopes, sealed, secs, tokens,
    },
    harness::{Case, Step, given},
    worlds::{Setting, Start, approve, catalogue, complete_exchange, consented, exchanging, intend_exchange},
};

fn approved() -> Case {
    given(catalogue(&Setting::default())).and([Start::default().into(), approve(CONSENT)])
}

fn in_exchange() -> Case {
    given(catalogue(&Setting::default())).and(exchanging(Start::default()))
}

/// The callback of an error or of a code, with this state from this browser.
fn callbacks(state: u8, session: u8) -> [Step; 2] {
    let (state, session) = (digest(state), digest(session));
    let authorization = CONSENT;
    [
        Command::IntendExchange { authorization, state, session, node: NODE }.into(),
        Command::RefuseByProvider { authorization, state, session }.into(),
    ]
}

fn refused(case: Case, callbacks: [Step; 2], rejection: &Rejection) -> Case {
    callbacks.into_iter().fold(case, |case, callback| case.when(callback).rejected(rejection.clone()))
}

fn complete(of: u8) -> Step {
    complete_exchange(CONSENT, of, tokens(1, None))
}

fn discard() -> Step {
    Command::DiscardExchange {
        authorization: CONSENT,
        failure: ProviderFailure::Transient,
        tokens: sealed("pending tokens"),
        facts: tokens(1, None),
    }
    .into()
}

fn fail() -> Step {
    let failure = ProviderFailure::GrantDead;
    Command::FailExchange { authorization: CONSENT, failure }.into()
}

#[test]
fn the_state_is_used_up_before_the_code_is_sent() {
    let intended = Event::ExchangeIntended { authorization: CONSENT, node: NODE };
    let case = approved().when(intend_exchange(CONSENT)).then([intended]);
    refused(case, callbacks(STATE, SESSION), &Rejection::WrongPhase);
}

#[test]
fn another_browser_session_is_refused() {
    refused(approved(), callbacks(STATE, SESSION + 1), &Rejection::SessionMismatch);
}

#[test]
fn another_state_is_refused() {
    refused(approved(), callbacks(STATE + 1, SESSION), &Rejection::StateMismatch);
}

#[test]
fn a_state_lives_for_ten_minutes() {
    let case = approved().after(mins(10));
    refused(case, callbacks(STATE, SESSION), &Rejection::AuthorizationExpired);
    approved().after(secs(599)).and([intend_exchange(CONSENT)]);
}

#[test]
fn a_callback_before_the_approval_is_refused() {
    let case = given(catalogue(&Setting::default())).and([Start::default()]);
    refused(case, callbacks(STATE, SESSION), &Rejection::WrongPhase);
}

#[test]
fn a_callback_in_the_browser_of_another_person_is_refused() {
    let theirs = callbacks(STATE, SESSION).map(|callback| callback.by(person(BOB)));
    refused(approved(), theirs, &Rejection::SubjectMismatch);
}

#[test]
fn a_callback_for_an_unknown_consent_is_refused() {
    let case = given(catalogue(&Setting::default()));
    let alices = callbacks(STATE, SESSION).map(|callback| callback.by(person(ALICE)));
    refused(case, alices, &Rejection::Unknown(Kind::Authorization));
}

#[test]
fn an_error_from_the_provider_ends_the_consent() {
    let [_, refusal] = callbacks(STATE, SESSION);
    let outcome = approved().when(refusal);
    assert_eq!(outcome.blob(BlobKey::Verifier(CONSENT)), Some(None));
    let case = outcome.then([Event::RefusedByProvider { authorization: CONSENT, subject: ALICE }]);
    refused(case, callbacks(STATE, SESSION), &Rejection::WrongPhase);
}

#[test]
fn a_failed_exchange_ends_the_consent_and_nothing_else() {
    let failure = ProviderFailure::GrantDead;
    let outcome = in_exchange().when(fail());
    assert_eq!(outcome.blob(BlobKey::Verifier(CONSENT)), Some(None));
    let case = outcome.then([Event::ExchangeFailed { authorization: CONSENT, failure }]);
    let phase = case.state.authorizations.get(&CONSENT).map(|known| known.phase.clone());
    assert_eq!(phase, Some(Phase::Ended(End::ExchangeFailed(failure))));
    let case = case.when(fail()).rejected(Rejection::Superseded);
    case.when(complete(ACCOUNT)).rejected(Rejection::Superseded);
}

#[test]
fn an_exchange_holds_the_tokens_until_the_account_is_confirmed() {
    let outcome = in_exchange().when(complete(ACCOUNT));
    assert_eq!(outcome.blob(BlobKey::Verifier(CONSENT)), Some(None));
    assert_eq!(outcome.blob(BlobKey::PendingTokens(CONSENT)), Some(Some(&b"pending tokens"[..])));
    assert_eq!(outcome.blob(BlobKey::PendingAccount(CONSENT)), Some(Some(&b"alice@drive"[..])));
    let case = outcome.then([Event::Exchanged {
        authorization: CONSENT,
        account: account(ACCOUNT),
        requested: scopes("files.read"),
        granted: scopes("files.read"),
        tokens: tokens(1, None),
    }]);
    assert!(case.state.grants.is_empty(), "nothing is granted before the person confirms");
}

#[test]
fn tokens_of_an_account_that_the_provider_does_not_tell_are_revoked_upstream() {
    let outcome = in_exchange().when(discard());
    assert_eq!(outcome.blob(BlobKey::Verifier(CONSENT)), Some(None));
    assert_eq!(outcome.blob(BlobKey::PendingTokens(CONSENT)), Some(Some(&b"pending tokens"[..])));
    let failure = ProviderFailure::Transient;
    let case = outcome.then([Event::UnclaimedTokensDiscarded {
        authorization: CONSENT,
        failure,
        tokens: tokens(1, None),
    }]);
    assert!(case.state.upstream_tasks.contains(&UpstreamTarget::Authorization(CONSENT)));
    let phase = case.state.authorizations.get(&CONSENT).map(|known| known.phase.clone());
    assert_eq!(phase, Some(Phase::Ended(End::ExchangeFailed(failure))));
    let case = case.when(discard()).rejected(Rejection::Superseded);
    case.when(complete(ACCOUNT)).rejected(Rejection::Superseded);
}

#[test]
fn an_exchange_ends_once() {
    let case = in_exchange().and([complete(ACCOUNT)]);
    let case = case.when(complete(ACCOUNT)).rejected(Rejection::Superseded);
    let case = case.when(discard()).rejected(Rejection::Superseded);
    case.when(fail()).rejected(Rejection::Superseded);
}

#[test]
fn an_exchange_that_was_never_intended_is_refused() {
    let case = approved().when(complete(ACCOUNT)).rejected(Rejection::Superseded);
    let case = case.when(fail()).rejected(Rejection::Superseded);
    let unknown = complete_exchange(CONSENT_2, ACCOUNT, tokens(1, None));
    case.when(unknown).rejected(Rejection::Unknown(Kind::Authorization));
}

#[test]
fn another_account_than_the_one_to_be_renewed_is_a_mismatch_and_its_tokens_are_revoked_upstream() {
    let renew = Start { authorization: CONSENT_2, grant: Some(GRANT), ..Start::default() };
    let case = given(consented(&Setting::default()))
        .and(exchanging(renew))
        .when(complete_exchange(CONSENT_2, OTHER_ACCOUNT, tokens(2, None)))
        .then([Event::AccountMismatched {
            authorization: CONSENT_2,
            account: account(OTHER_ACCOUNT),
            expected: Some(account(ACCOUNT)),
        }]);
    assert!(case.state.upstream_tasks.contains(&UpstreamTarget::Authorization(CONSENT_2)));
    assert_eq!(case.state.grants.get(&GRANT).map(|known| known.generation), Some(1));
}
