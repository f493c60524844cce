//! Saying of single grants that a revocation ended them: bounded batches until the epoch closes.

use leasehold_domain::{
    event::Event as AnyEvent,
    grant::{CLOSE_BATCH_MAX, Command, Event, Phase, UpstreamTarget},
    id::{AuthorizationId, GrantId},
    machine::Write,
    rejection::Rejection,
    revocation::Selector,
    work,
};

use crate::{
    fixture::{ALICE, BOB, CONSENT_2, DRIVE, GRANT, GRANT_2, OTHER_ACCOUNT, START, TOKEN_LIFE, tokens},
    harness::{Case, given},
    worlds::{Setting, Start, catalogue, close, consent, consented, revoke},
};

const fn grant(n: u8) -> GrantId {
    GrantId::from_bytes([n; 16])
}

/// Alice's grants for so many accounts.
fn many(count: u8) -> Case {
    let one = |n: u8| {
        let start = Start { authorization: AuthorizationId::from_bytes([n; 16]), ..Start::default() };
        consent(start, n, grant(n), 1, tokens(n, None))
    };
    given(catalogue(&Setting::default())).and((0..count).flat_map(one))
}

fn is_open(case: &Case, selector: Selector) -> bool {
    case.state.epoch(selector).open
}

#[test]
fn a_grant_is_said_to_have_ended_with_how_long_its_token_may_still_work() {
    let case = given(consented(&Setting::default()));
    let by = case.next_seq();
    let outcome = case.and([revoke(Selector::Grant(GRANT))]).when(close(Selector::Grant(GRANT), [GRANT]));
    assert!(outcome.writes.iter().any(|write| matches!(write, Write::EpochClosed(_))));
    let case = outcome.then([Event::Revoked {
        grant: GRANT,
        subject: ALICE,
        connector: DRIVE,
        by,
        residual_exposure_until: Some(START + TOKEN_LIFE),
    }]);
    assert_eq!(case.state.grants.get(&GRANT).map(|known| known.phase), Some(Phase::Revoked { by }));
    assert!(case.state.upstream_tasks.contains(&UpstreamTarget::Grant(GRANT)));
    assert!(!is_open(&case, Selector::Grant(GRANT)));
}

#[test]
fn a_grant_is_said_to_have_ended_once() {
    let nothing: [Event; 0] = [];
    let selector = Selector::Grant(GRANT);
    given(consented(&Setting::default()))
        .and([revoke(selector), close(selector, [GRANT])])
        .when(close(selector, [GRANT]))
        .then(nothing);
}

#[test]
fn a_grant_that_nothing_revoked_is_left_alone() {
    let nothing: [Event; 0] = [];
    let selector = Selector::Subject(ALICE);
    let case = given(consented(&Setting::default())).when(close(selector, [GRANT, GRANT_2])).then(nothing);
    assert_eq!(case.state.grants.get(&GRANT).map(|known| known.phase), Some(Phase::Active));
}

#[test]
fn a_grant_that_is_named_twice_is_said_to_have_ended_once() {
    let selector = Selector::Grant(GRANT);
    let outcome =
        given(consented(&Setting::default())).and([revoke(selector)]).when(close(selector, [GRANT, GRANT]));
    assert_eq!(outcome.events().len(), 1);
}

#[test]
fn a_batch_has_at_most_32_grants() {
    let grants = vec![GRANT; CLOSE_BATCH_MAX + 1];
    given(consented(&Setting::default()))
        .when(Command::Close { selector: Selector::Subject(ALICE), grants })
        .rejected(Rejection::TooMany { limit: CLOSE_BATCH_MAX });
    assert_eq!(CLOSE_BATCH_MAX, 32);
}

#[test]
fn a_revocation_is_continued_in_batches_until_its_epoch_closes() {
    let selector = Selector::Subject(ALICE);
    let mut case = many(70).and([revoke(selector)]);
    let mut said = Vec::new();
    while let Some((due, grants)) = work::closures_due(&case.state, 1).pop() {
        assert!(is_open(&case, selector) && due == selector);
        let outcome = case.when(Command::Close { selector, grants });
        said.push(outcome.events().len());
        assert!(outcome.events().iter().all(|event| matches!(event, AnyEvent::Grant(Event::Revoked { .. }))));
        case = outcome.applied();
    }
    assert_eq!(said, [32, 32, 6]);
    assert!(!is_open(&case, selector));
    assert_eq!(case.state.grants_of(ALICE).count(), 0);
    assert_eq!(case.state.upstream_tasks.len(), 70);
}

#[test]
fn an_epoch_that_covers_no_grant_closes_with_an_empty_batch() {
    let selector = Selector::Subject(BOB);
    let case = given(consented(&Setting::default())).and([revoke(selector)]);
    assert_eq!(work::closures_due(&case.state, 9), [(selector, Vec::new())]);
    let case = case.and([close(selector, [])]);
    assert!(work::closures_due(&case.state, 9).is_empty());
}

#[test]
fn an_epoch_stays_open_while_a_grant_that_it_covers_is_left() {
    let selector = Selector::Subject(ALICE);
    let case = many(2).and([revoke(selector), close(selector, [grant(0)])]);
    assert!(is_open(&case, selector));
    assert_eq!(work::closures_due(&case.state, 9), [(selector, vec![grant(1)])]);
}

#[test]
fn a_second_revocation_opens_the_epoch_again() {
    let selector = Selector::Subject(ALICE);
    let again = Start { authorization: CONSENT_2, ..Start::default() };
    let case = given(consented(&Setting::default()))
        .and([revoke(selector), close(selector, [GRANT])])
        .and(consent(again, OTHER_ACCOUNT, GRANT_2, 1, tokens(2, None)))
        .and([revoke(selector)]);
    assert_eq!(work::closures_due(&case.state, 9), [(selector, vec![GRANT_2])]);
}

#[test]
fn revoking_a_grant_that_is_said_to_have_ended_is_refused() {
    let selector = Selector::Grant(GRANT);
    given(consented(&Setting::default()))
        .and([revoke(selector), close(selector, [GRANT])])
        .when(revoke(selector))
        .rejected(Rejection::GrantRevoked);
}
