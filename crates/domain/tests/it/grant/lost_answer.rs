//! A refresh token that was sent, and an answer that nobody has: what may follow depends on the provider.

use leasehold_domain::{
    authorization::TokenFacts,
    grant::{Death, Event, Phase, Refresh},
    provider::{ProviderFailure, RefreshClass},
    rejection::{Kind, Rejection},
    time::{Span, Timestamp},
    work,
};

use crate::{
    fixture::{GRANT, START, TOKEN_LIFE, mins, secs, tokens},
    harness::{Case, given},
    worlds::{Attempt, Issue, Setting, consented},
};

const TOKEN_END: Timestamp = Timestamp::from_millis(START.as_millis() + TOKEN_LIFE.as_millis());

/// What follows the first lost answer at least.
const PAUSE: Span = secs(5);

fn lost(class: RefreshClass, seconds: u64) -> Case {
    given(consented(&Setting { class, ..Setting::default() }))
        .and([Attempt::number(1).intend(), Attempt::number(1).lose().after(secs(seconds))])
}

#[track_caller]
fn forbidden(case: Case) -> Case {
    case.when(Attempt::number(2).intend()).rejected(Rejection::ResendForbidden)
}

fn at(case: Case, moment: Timestamp) -> Case {
    let span = case.now.until(moment);
    case.after(span)
}

fn refresh(case: &Case) -> Option<Refresh> {
    case.state.grants.get(&GRANT).map(|known| known.refresh)
}

#[test]
fn a_lost_answer_is_an_event_and_is_lost_once() {
    let case = given(consented(&Setting::default())).and([Attempt::number(1).intend()]);
    let case = case.when(Attempt::number(1).lose()).then([Event::RefreshUnknown {
        grant: GRANT,
        generation: 1,
        attempt: 1,
    }]);
    case.when(Attempt::number(1).lose()).rejected(Rejection::Unchanged(Kind::Grant));
}

#[test]
fn a_lost_answer_is_followed_by_growing_pauses_where_the_provider_may_be_asked_again() {
    let pauses = [5, 10, 20, 40, 80, 160, 320, 640, 900, 900];
    let mut case = given(consented(&Setting { class: RefreshClass::Stable, ..Setting::default() }));
    for (pause, number) in pauses.into_iter().zip(1..) {
        let attempt = Attempt::number(number);
        let retry_at = case.now + secs(pause);
        case = case.and([attempt.intend(), attempt.lose()]);
        let expected = (ProviderFailure::Ambiguous, u32::try_from(number).ok(), retry_at);
        let known = case.state.grants.get(&GRANT).and_then(|known| known.trouble);
        let trouble = known.map(|known| (known.failure, Some(known.failures), known.retry_at));
        assert_eq!(trouble, Some(expected));
        assert!(work::grants_due(&case.state, retry_at.minus(secs(1)), 9, |_| false).is_empty());
        assert_eq!(work::grants_due(&case.state, retry_at, 9, |_| false).len(), 1);
        let early = Attempt::number(number + 1);
        case = case.after(secs(pause - 1)).when(early.intend()).rejected(Rejection::TooEarly(retry_at));
        case = case.after(secs(1));
    }
    let last = Attempt::number(11);
    let case = case.and([last.intend(), last.commit("files.read", tokens(2, None))]);
    assert_eq!(case.state.grants.get(&GRANT).map(|known| known.trouble), Some(None));
}

#[test]
fn lost_answers_and_failures_lengthen_one_another() {
    let (first, second) = (Attempt::number(1), Attempt::number(2));
    let outcomes = [
        [first.lose(), second.fail(ProviderFailure::Transient)],
        [first.fail(ProviderFailure::Transient), second.lose()],
    ];
    for [one, other] in outcomes {
        let case = given(consented(&Setting { class: RefreshClass::Stable, ..Setting::default() }));
        let case = case.and([first.intend(), one, second.intend().after(secs(5)), other]);
        let retry_at = case.now + secs(10);
        let case = case.when(Attempt::number(3).intend()).rejected(Rejection::TooEarly(retry_at));
        at(case, retry_at).and([Attempt::number(3).intend()]);
    }
}

#[test]
fn an_answer_that_cannot_be_told_or_read_is_a_lost_answer() {
    for failure in [ProviderFailure::Ambiguous, ProviderFailure::Malformed] {
        let case = given(consented(&Setting::default())).and([Attempt::number(1).intend()]);
        let case = case.when(Attempt::number(1).fail(failure)).then([Event::RefreshUnknown {
            grant: GRANT,
            generation: 1,
            attempt: 1,
        }]);
        case.when(Attempt::number(1).fail(failure)).rejected(Rejection::Unchanged(Kind::Grant));
    }
}

#[test]
fn a_strict_provider_is_not_asked_again_before_the_access_token_ends() {
    let case = forbidden(lost(RefreshClass::Strict, 1).after(PAUSE));
    let case = forbidden(at(case, TOKEN_END.minus(secs(1))));
    at(case, TOKEN_END).and([Attempt::number(2).intend()]);
}

#[test]
fn meanwhile_the_access_token_is_still_leased() {
    lost(RefreshClass::Strict, 1).and([Issue::default()]);
}

#[test]
fn the_second_look_is_one_and_its_verdict_is_believed() {
    let second = Attempt::number(2);
    let case = at(lost(RefreshClass::Strict, 1), TOKEN_END).and([second.intend()]);
    let case = case.when(Attempt::number(3).intend()).rejected(Rejection::RefreshInFlight);
    let case = case.when(second.fail(ProviderFailure::GrantDead)).then([Event::ConsentNeeded {
        grant: GRANT,
        generation: 1,
        death: Death::AnswerLost,
    }]);
    case.when(Attempt::number(3).intend()).rejected(Rejection::ConsentNeeded);
}

#[test]
fn a_second_look_that_certainly_was_not_processed_leaves_the_answer_lost() {
    let second = Attempt::number(2);
    let case = at(lost(RefreshClass::Strict, 1), TOKEN_END)
        .and([second.intend(), second.fail(ProviderFailure::Transient)]);
    assert!(matches!(refresh(&case), Some(Refresh::Unknown { .. })));
    let third = Attempt::number(3);
    let case = case.and([third.intend().after(secs(10)), third.fail(ProviderFailure::GrantDead)]);
    let phase = case.state.grants.get(&GRANT).map(|known| known.phase);
    assert_eq!(phase, Some(Phase::NeedsConsent(Death::AnswerLost)));
}

#[test]
fn a_strict_provider_is_given_a_minute_where_there_is_no_access_token_left() {
    for access_expires_at in [None, Some(START)] {
        let facts = TokenFacts { access_expires_at, ..Setting::default().facts };
        let case = given(consented(&Setting { facts, ..Setting::default() }))
            .and([Attempt::number(1).intend(), Attempt::number(1).lose()]);
        let case = forbidden(case.after(secs(59)));
        case.after(secs(1)).and([Attempt::number(2).intend()]);
    }
}

#[test]
fn a_second_look_that_is_lost_too_waits_again() {
    let second = Attempt::number(2);
    let case = at(lost(RefreshClass::Strict, 1), TOKEN_END).and([second.intend(), second.lose()]);
    let refused = case.after(secs(59)).when(Attempt::number(3).intend());
    refused.rejected(Rejection::ResendForbidden).after(secs(1)).and([Attempt::number(3).intend()]);
}

#[test]
fn where_repeats_are_harmless_the_same_refresh_token_is_sent_again_after_a_pause() {
    for class in [RefreshClass::Stable, RefreshClass::NonRevoking, RefreshClass::UntilSuccessorUsed] {
        let retry_at = START + secs(1) + PAUSE;
        let case = at(lost(class, 1), retry_at.minus(secs(1)));
        let case = case.when(Attempt::number(2).intend()).rejected(Rejection::TooEarly(retry_at));
        at(case, retry_at).and([Attempt::number(2).intend()]);
        lost(class, 1).after(mins(600)).and([Attempt::number(2).intend()]);
    }
}

#[test]
fn a_grace_is_used_up_to_its_half_counted_from_the_first_send() {
    let class = RefreshClass::Grace(secs(30));
    lost(class, 10).after(secs(5)).and([Attempt::number(2).intend()]);
    let case = forbidden(lost(class, 10).after(secs(6)));
    let case = forbidden(at(case, TOKEN_END.minus(secs(1))));
    at(case, TOKEN_END).and([Attempt::number(2).intend()]);
}

#[test]
fn a_loss_that_is_noticed_after_half_the_grace_is_a_strict_one() {
    let case = forbidden(lost(RefreshClass::Grace(secs(30)), 16).after(PAUSE));
    let case = forbidden(at(case, TOKEN_END.minus(secs(1))));
    at(case, TOKEN_END).and([Attempt::number(2).intend()]);
}

#[test]
fn a_grace_allows_one_resend() {
    let second = Attempt::number(2);
    let third = Attempt::number(3);
    for end in [second.lose(), second.fail(ProviderFailure::Transient)] {
        let case = lost(RefreshClass::Grace(secs(30)), 1).and([second.intend().after(PAUSE), end]);
        let case = case.after(secs(10)).when(third.intend()).rejected(Rejection::ResendForbidden);
        let case = at(case, TOKEN_END.minus(secs(1)));
        let case = case.when(third.intend()).rejected(Rejection::ResendForbidden);
        at(case, TOKEN_END).and([third.intend()]);
    }
}

#[test]
fn a_late_failure_of_the_resend_says_nothing_of_the_first_send() {
    let second = Attempt::number(2);
    let third = Attempt::number(3);
    let case = lost(RefreshClass::Grace(secs(30)), 1).and([second.intend().after(PAUSE), second.lose()]);
    let case = case.and([second.fail(ProviderFailure::Transient)]);
    let case = at(case, TOKEN_END.minus(secs(1)));
    let case = case.when(third.intend()).rejected(Rejection::ResendForbidden);
    at(case, TOKEN_END).and([third.intend()]);
}

#[test]
fn an_answer_that_turns_up_in_the_outbox_is_taken() {
    let facts = tokens(2, None);
    let case = lost(RefreshClass::Strict, 1)
        .after(mins(5))
        .when(Attempt::number(1).commit("files.read", facts.clone()))
        .then([Event::Refreshed { grant: GRANT, generation: 2, attempt: 1, tokens: facts }]);
    assert_eq!(refresh(&case), Some(Refresh::Idle));
}

#[test]
fn a_failure_that_turns_up_in_the_outbox_settles_the_attempt() {
    let case = lost(RefreshClass::Strict, 1).and([Attempt::number(1).fail(ProviderFailure::Transient)]);
    assert_eq!(refresh(&case), Some(Refresh::Idle));
    case.after(secs(10)).and([Attempt::number(2).intend()]);
    let dead = lost(RefreshClass::Strict, 1).when(Attempt::number(1).fail(ProviderFailure::GrantDead));
    dead.then([Event::ConsentNeeded { grant: GRANT, generation: 1, death: Death::ProviderVerdict }]);
}

#[test]
fn an_answer_that_turns_up_after_the_second_look_was_intended_is_refused() {
    let case = lost(RefreshClass::Stable, 1).and([Attempt::number(2).intend().after(PAUSE)]);
    case.when(Attempt::number(1).commit("files.read", tokens(2, None))).rejected(Rejection::Superseded);
}
