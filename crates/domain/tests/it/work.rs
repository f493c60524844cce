//! What is due, as a function of state and time.

use leasehold_domain::{
    authorization::TokenFacts,
    connector,
    grant::schedule::{INTENT_TTL, MARGIN_MAX},
    provider::{ProviderFailure, RefreshClass},
    revocation::Selector,
    time::Timestamp,
    work::{GrantWork, grants_due, intents_open},
};

use crate::{
    fixture::{
        ALICE, CONSENT_2, DRIVE, GRANT, GRANT_2, NODE, OTHER_ACCOUNT, START, TOKEN_LIFE, mins, secs, tokens,
    },
    harness::{Case, given},
    worlds::{Attempt, Setting, Start, close, consent, consented, revoke},
};

const REFRESH: GrantWork = GrantWork::Refresh { generation: 1 };

fn granted() -> Case {
    given(consented(&Setting::default()))
}

fn with(facts: TokenFacts) -> Case {
    given(consented(&Setting { facts, ..Setting::default() }))
}

fn due(case: &Case, moment: Timestamp) -> Vec<GrantWork> {
    grants_due(&case.state, moment, 9, |_| false).into_iter().map(|(_, work)| work).collect()
}

#[test]
fn a_refresh_is_due_within_the_margin_before_the_end_of_the_token() {
    let case = granted();
    let end = START + TOKEN_LIFE;
    assert_eq!(due(&case, end.minus(mins(6))), []);
    assert_eq!(due(&case, end.minus(MARGIN_MAX.half())), [REFRESH]);
}

#[test]
fn a_short_token_is_not_refreshed_before_half_of_its_life() {
    let case = with(tokens(1, Some(START + mins(2))));
    assert_eq!(due(&case, START + secs(59)), []);
    assert_eq!(due(&case, START + secs(90)), [REFRESH]);
}

#[test]
fn a_refresh_is_due_before_the_refresh_token_ends() {
    for access_expires_at in [None, Some(START + mins(600))] {
        let facts = TokenFacts { refresh_expires_at: Some(START + mins(60)), ..tokens(1, access_expires_at) };
        let case = with(facts);
        assert_eq!(due(&case, START + mins(54)), []);
        assert_eq!(due(&case, START + mins(59)), [REFRESH]);
    }
}

#[test]
fn a_grant_that_nothing_ends_is_never_due() {
    let case = with(TokenFacts { refresh: None, ..tokens(1, None) });
    assert_eq!(due(&case, Timestamp::MAX), []);
    let case = with(tokens(1, None));
    assert_eq!(due(&case, Timestamp::MAX), []);
}

#[test]
fn a_grant_without_a_refresh_token_is_to_expire_at_the_end_of_its_token() {
    let case = with(TokenFacts { refresh: None, ..tokens(1, Some(START + mins(5))) });
    assert_eq!(due(&case, START + secs(299)), []);
    assert_eq!(due(&case, START + mins(5)), [GrantWork::Expire]);
}

#[test]
fn a_grant_whose_refresh_token_has_ended_is_to_expire_and_not_to_be_refreshed() {
    let facts = TokenFacts { refresh_expires_at: Some(START + mins(1)), ..tokens(1, Some(START + mins(5))) };
    assert_eq!(due(&with(facts), START + mins(5)), [GrantWork::Expire]);
}

#[test]
fn an_intent_without_an_outcome_is_to_be_settled_after_a_minute() {
    let case = granted().and([Attempt::default().intend()]);
    assert_eq!(due(&case, START + secs(59)), []);
    let settle = GrantWork::Settle { generation: 1, attempt: 1, node: NODE };
    assert_eq!(due(&case, START + INTENT_TTL), [settle]);
}

#[test]
fn a_failed_refresh_is_due_after_its_pause() {
    let case =
        granted().and([Attempt::default().intend(), Attempt::default().fail(ProviderFailure::Transient)]);
    assert_eq!(due(&case, START + secs(4)), []);
    assert_eq!(due(&case, START + secs(5)), [REFRESH]);
}

#[test]
fn a_lost_answer_is_looked_after_as_its_provider_allows() {
    let lost = |class| {
        given(consented(&Setting { class, ..Setting::default() }))
            .and([Attempt::default().intend(), Attempt::default().lose().after(secs(10))])
    };
    let stable = lost(RefreshClass::Stable);
    assert_eq!(due(&stable, START + secs(14)), []);
    assert_eq!(due(&stable, START + secs(15)), [REFRESH]);
    let end = START + TOKEN_LIFE;
    let strict = lost(RefreshClass::Strict);
    assert_eq!(due(&strict, end.minus(secs(1))), []);
    assert_eq!(due(&strict, end), [REFRESH]);
    let grace = lost(RefreshClass::Grace(secs(30)));
    assert_eq!(due(&grace, START + secs(15)), [REFRESH]);
    assert_eq!(due(&grace, START + secs(16)), [], "the worker would ask for what is refused");
    assert_eq!(due(&grace, end), [REFRESH]);
}

#[test]
fn nothing_is_due_for_what_has_ended_or_whose_provider_is_not_called() {
    let end = START + TOKEN_LIFE;
    let dead = [Attempt::default().intend(), Attempt::default().fail(ProviderFailure::GrantDead)];
    assert_eq!(due(&granted().and(dead), end), []);
    assert_eq!(due(&granted().and([revoke(Selector::Subject(ALICE))]), end), []);
    let selector = Selector::Grant(GRANT);
    assert_eq!(due(&granted().and([revoke(selector), close(selector, [GRANT])]), end), []);
    let failure = ProviderFailure::ClientFault;
    let suspended = granted().and([connector::Command::Suspend { connector: DRIVE, failure }]);
    assert_eq!(due(&suspended, end), []);
    assert_eq!(due(&suspended.and([connector::Command::Resume { connector: DRIVE }]), end), [REFRESH]);
    assert_eq!(due(&granted().and([connector::Command::Disable { connector: DRIVE }]), end), []);
}

/// Alice's grant, and one for another account whose token ends first.
fn two() -> Case {
    let second = Start { authorization: CONSENT_2, ..Start::default() };
    let facts = tokens(2, Some(START + mins(60)));
    granted().and(consent(second, OTHER_ACCOUNT, GRANT_2, 1, facts))
}

#[test]
fn the_longest_waiting_grant_comes_first_and_a_limit_is_kept() {
    let case = two();
    let ids = |limit| -> Vec<_> {
        grants_due(&case.state, START + TOKEN_LIFE, limit, |_| false).into_iter().map(|(id, _)| id).collect()
    };
    assert_eq!(ids(9), [GRANT_2, GRANT]);
    assert_eq!(ids(1), [GRANT_2]);
}

#[test]
fn a_grant_that_is_being_worked_on_holds_up_no_other() {
    let case = two();
    let one = |skipped| {
        let due = grants_due(&case.state, START + TOKEN_LIFE, 1, |grant| grant.id == skipped);
        due.into_iter().map(|(id, _)| id).collect::<Vec<_>>()
    };
    assert_eq!(one(GRANT_2), [GRANT]);
    assert_eq!(one(GRANT), [GRANT_2]);
}

#[test]
fn a_node_that_restarts_finds_the_intents_it_left_open() {
    let case = granted().and([Attempt::default().intend()]);
    assert_eq!(intents_open(&case.state, NODE), [(GRANT, 1, 1)]);
    assert_eq!(intents_open(&case.state, NODE + 1), []);
    let case = case.and([Attempt::default().lose()]);
    assert_eq!(intents_open(&case.state, NODE), []);
}
