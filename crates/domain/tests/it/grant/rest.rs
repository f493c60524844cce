//! A token is left alone for a while after a refresh, whatever callers ask for; the schedule and administrators may ask sooner.

use leasehold_domain::{
    grant::Occasion,
    provider::ProviderFailure,
    rejection::Rejection,
    time::{Span, Timestamp},
};

use crate::{
    fixture::{START, mins, secs, tokens},
    harness::{Case, given},
    worlds::{Attempt, Setting, consented},
};

const CALLERS: [Occasion; 2] = [Occasion::Demand, Occasion::Recheck];

fn with(access_expires_at: Option<Timestamp>) -> Case {
    given(consented(&Setting { facts: tokens(1, access_expires_at), ..Setting::default() }))
}

const fn second() -> Attempt {
    Attempt { generation: 2, ..Attempt::number(2) }
}

/// A first refresh, an hour after the consent, that an administrator ordered.
fn refreshed() -> Case {
    let first = Attempt::number(1);
    let facts = tokens(2, Some(START + mins(180)));
    with(Some(START + mins(120)))
        .after(mins(60))
        .and([first.intend_for(Occasion::Ordered), first.commit("files.read", facts)])
}

/// Callers are refused until `rest` has passed, and then are not.
#[track_caller]
fn rests(begin: impl Fn() -> Case, attempt: Attempt, rest: Span) {
    for occasion in CALLERS {
        let case = begin();
        let rested_at = case.now + rest;
        let ask = || attempt.intend_for(occasion);
        let case = case.when(ask()).rejected(Rejection::TooEarly(rested_at));
        let nearly = case.now.until(rested_at.minus(Span::from_millis(1)));
        let case = case.after(nearly).when(ask()).rejected(Rejection::TooEarly(rested_at));
        case.after(Span::from_millis(1)).and([ask()]);
    }
}

#[test]
fn a_caller_cannot_force_a_refresh_per_call_while_an_order_can() {
    rests(refreshed, second(), mins(1));
    refreshed().and([second().intend_for(Occasion::Ordered)]);
    refreshed().and([second().intend_for(Occasion::Due)]);
}

#[test]
fn a_consent_is_followed_by_the_same_rest() {
    rests(|| with(Some(START + mins(120))), Attempt::number(1), mins(1));
}

#[test]
fn a_short_token_rests_for_half_of_its_life() {
    rests(|| with(Some(START + secs(40))), Attempt::number(1), secs(20));
}

#[test]
fn a_token_of_unstated_life_rests_for_a_minute() {
    rests(|| with(None), Attempt::number(1), mins(1));
}

#[test]
fn a_token_that_came_without_any_life_left_does_not_rest() {
    for occasion in CALLERS {
        with(Some(START)).and([Attempt::number(1).intend_for(occasion)]);
    }
}

#[test]
fn an_order_waits_for_the_refresh_in_flight_and_for_the_pause_after_a_failure() {
    let second = second();
    let order = || second.intend_for(Occasion::Ordered);
    let case = refreshed().and([order()]);
    let case = case.when(order()).rejected(Rejection::RefreshInFlight);
    let case = case.and([second.fail(ProviderFailure::Transient)]);
    let retry_at = case.now + secs(5);
    case.when(order()).rejected(Rejection::TooEarly(retry_at));
}
