//! When a provider's word that a grant is dead is believed, and when time ends a grant.

use leasehold_domain::{
    authorization::TokenFacts,
    grant::{Death, Event, Phase},
    provider::{ProviderFailure, RefreshClass},
    rejection::{Kind, Rejection},
    time::Span,
};

use crate::{
    fixture::{GRANT, GRANT_2, START, TOKEN_LIFE, mins, secs, tokens},
    harness::{Case, given},
    worlds::{Attempt, Issue, Setting, consented, expire},
};

fn granted(class: RefreshClass) -> Case {
    given(consented(&Setting { class, ..Setting::default() }))
}

fn dead(death: Death) -> Event {
    Event::ConsentNeeded { grant: GRANT, generation: 1, death }
}

fn phase(case: &Case) -> Option<Phase> {
    case.state.grants.get(&GRANT).map(|known| known.phase)
}

/// The provider says again, so much later, that the grant is dead.
fn hears(case: Case, number: u64, after: Span) -> Case {
    let attempt = Attempt::number(number);
    case.and([attempt.intend().after(after), attempt.fail(ProviderFailure::GrantDead)])
}

#[test]
fn a_verdict_is_believed_at_once_where_asking_again_could_kill_what_lives() {
    let classes = [
        RefreshClass::Static,
        RefreshClass::Grace(secs(30)),
        RefreshClass::UntilSuccessorUsed,
        RefreshClass::Strict,
    ];
    for class in classes {
        let case = granted(class).and([Attempt::number(1).intend()]);
        let verdict = Attempt::number(1).fail(ProviderFailure::GrantDead);
        case.when(verdict).then([dead(Death::ProviderVerdict)]);
    }
}

#[test]
fn where_repeats_are_harmless_a_verdict_is_believed_after_three_words_over_ten_minutes() {
    for class in [RefreshClass::Stable, RefreshClass::NonRevoking] {
        let case = hears(granted(class), 1, Span::ZERO);
        assert_eq!(phase(&case), Some(Phase::Active));
        let case = case.when(Attempt::number(2).intend()).rejected(Rejection::TooEarly(START + mins(5)));
        let case = hears(case, 2, mins(5));
        assert_eq!(phase(&case), Some(Phase::Active));
        let case = case.after(mins(5)).and([Attempt::number(3).intend()]);
        let verdict = Attempt::number(3).fail(ProviderFailure::GrantDead);
        case.when(verdict).then([dead(Death::ProviderVerdict)]);
    }
}

#[test]
fn a_success_in_between_takes_the_words_back() {
    let facts = tokens(2, Some(START + mins(600)));
    let case = hears(hears(granted(RefreshClass::Stable), 1, Span::ZERO), 2, mins(5));
    let case = case
        .and([Attempt::number(3).intend().after(mins(5)), Attempt::number(3).commit("files.read", facts)]);
    let fourth = Attempt { generation: 2, attempt: 4, ..Attempt::default() };
    let case = case.and([fourth.intend(), fourth.fail(ProviderFailure::GrantDead)]);
    assert_eq!(phase(&case), Some(Phase::Active));
}

#[test]
fn a_verdict_after_a_lost_answer_of_a_harmless_provider_is_its_verdict() {
    let case = granted(RefreshClass::Stable).and([Attempt::number(1).intend(), Attempt::number(1).lose()]);
    let case = hears(hears(case, 2, secs(5)), 3, mins(5));
    let case = hears(case, 4, mins(5));
    assert_eq!(phase(&case), Some(Phase::NeedsConsent(Death::ProviderVerdict)));
}

#[test]
fn a_dead_grant_is_neither_leased_nor_refreshed() {
    let case = hears(granted(RefreshClass::Strict), 1, Span::ZERO);
    let case = case.when(Issue::default()).rejected(Rejection::ConsentNeeded);
    case.when(Attempt::number(2).intend()).rejected(Rejection::ConsentNeeded);
}

#[test]
fn a_grant_ends_with_its_refresh_token() {
    let end = START + mins(60);
    let facts = TokenFacts { refresh_expires_at: Some(end), ..tokens(1, Some(START + TOKEN_LIFE)) };
    let case = given(consented(&Setting { facts, ..Setting::default() })).after(secs(3599));
    let case = case.when(expire(GRANT)).rejected(Rejection::Unchanged(Kind::Grant));
    case.after(secs(1)).when(expire(GRANT)).then([dead(Death::Expired)]);
}

#[test]
fn a_grant_without_a_refresh_token_ends_with_its_access_token() {
    let facts = TokenFacts { refresh: None, ..tokens(1, Some(START + mins(60))) };
    let case = given(consented(&Setting { facts, ..Setting::default() })).after(secs(3599));
    let case = case.when(expire(GRANT)).rejected(Rejection::Unchanged(Kind::Grant));
    case.after(secs(1)).when(expire(GRANT)).then([dead(Death::Expired)]);
}

#[test]
fn a_grant_whose_access_token_ended_lives_as_long_as_its_refresh_token() {
    let case = granted(RefreshClass::Strict).after(mins(100_000));
    case.when(expire(GRANT)).rejected(Rejection::Unchanged(Kind::Grant));
}

#[test]
fn a_grant_of_unstated_life_does_not_expire() {
    let facts = TokenFacts { refresh: None, ..tokens(1, None) };
    let case = given(consented(&Setting { facts, ..Setting::default() })).after(mins(100_000));
    case.when(expire(GRANT)).rejected(Rejection::Unchanged(Kind::Grant));
}

#[test]
fn a_grant_does_not_expire_while_the_answer_to_its_refresh_may_still_come() {
    let facts =
        TokenFacts { refresh_expires_at: Some(START + mins(60)), ..tokens(1, Some(START + TOKEN_LIFE)) };
    let case = given(consented(&Setting { facts, ..Setting::default() }))
        .and([Attempt::number(1).intend().after(mins(59))])
        .after(mins(2));
    let case = case.when(expire(GRANT)).rejected(Rejection::RefreshInFlight);
    case.and([Attempt::number(1).commit("files.read", tokens(2, None))]);
}

#[test]
fn a_grant_expires_once_and_only_if_it_is_known() {
    let facts = TokenFacts { refresh: None, ..tokens(1, Some(START)) };
    let case = given(consented(&Setting { facts, ..Setting::default() })).and([expire(GRANT)]);
    let case = case.when(expire(GRANT)).rejected(Rejection::ConsentNeeded);
    case.when(expire(GRANT_2)).rejected(Rejection::Unknown(Kind::Grant));
}
