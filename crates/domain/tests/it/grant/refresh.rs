//! Refreshing: an intent before each send, and an outcome only of the present generation and attempt.

use leasehold_domain::{
    authorization::TokenFacts,
    connector,
    grant::{Command, Event, Occasion, Phase, Refresh, schedule::BACKOFF_MAX},
    machine::Answer,
    machine::Reply,
    provider::{ProviderFailure, RefreshClass},
    rejection::{Kind, Rejection},
    revocation::Selector,
    state::BlobKey,
    time::{Span, Timestamp},
};

use crate::{
    fixture::{
        ALICE, DRIVE, GRANT, GRANT_2, NODE, START, administrator, gateway, mins, person, scopes, secs, tokens,
    },
    harness::{Case, given},
    worlds::{Attempt, Setting, close, consented, expire, revoke},
};

fn granted() -> Case {
    given(consented(&Setting::default()))
}

fn first() -> Attempt {
    Attempt::default()
}

fn in_flight() -> Case {
    granted().and([first().intend()])
}

fn next() -> TokenFacts {
    tokens(2, Some(START + mins(180)))
}

fn failed(failure: ProviderFailure, attempt: u64, retry_at: Timestamp) -> Event {
    Event::RefreshFailed { grant: GRANT, generation: 1, attempt, failure, retry_at }
}

#[test]
fn an_intent_allows_one_send_by_one_node() {
    let outcome = granted().when(first().intend());
    assert!(matches!(outcome.reply, Reply::Applied { answer: Answer::Attempt(1), .. }));
    outcome.then([Event::RefreshIntended {
        grant: GRANT,
        generation: 1,
        attempt: 1,
        node: NODE,
        occasion: Occasion::Due,
    }]);
}

#[test]
fn a_second_intent_is_refused_while_the_first_has_no_outcome() {
    in_flight().when(first().intend()).rejected(Rejection::RefreshInFlight);
    in_flight().after(mins(600)).when(first().intend()).rejected(Rejection::RefreshInFlight);
}

#[test]
fn a_refresh_brings_the_next_generation_and_keeps_the_one_before() {
    let outcome = in_flight().when(first().commit("files.read", next()));
    assert_eq!(outcome.blob(BlobKey::Tokens(GRANT, 2)), Some(Some(&b"next tokens"[..])));
    assert_eq!(outcome.blob(BlobKey::Tokens(GRANT, 1)), None);
    assert_eq!(outcome.blob(BlobKey::Tokens(GRANT, 0)), Some(None));
    let case = outcome.then([Event::Refreshed { grant: GRANT, generation: 2, attempt: 1, tokens: next() }]);
    let known = case.state.grants.get(&GRANT).map(|known| (known.generation, known.refresh, known.trouble));
    assert_eq!(known, Some((2, Refresh::Idle, None)));
}

#[test]
fn a_narrower_token_is_an_event_of_its_own() {
    let refreshed = Event::Refreshed { grant: GRANT, generation: 2, attempt: 1, tokens: next() };
    let case = in_flight().when(first().commit("", next())).then([
        refreshed,
        Event::ScopesNarrowed {
            grant: GRANT,
            generation: 2,
            granted: scopes(""),
            lost: scopes("files.read"),
        },
    ]);
    assert_eq!(case.state.grants.get(&GRANT).map(|known| known.granted.clone()), Some(scopes("")));
}

#[test]
fn a_wider_token_is_an_event_of_its_own() {
    let refreshed = Event::Refreshed { grant: GRANT, generation: 2, attempt: 1, tokens: next() };
    in_flight().when(first().commit("files.read files.write", next())).then([
        refreshed,
        Event::ScopesWidened { grant: GRANT, generation: 2, granted: scopes("files.read files.write") },
    ]);
}

#[test]
fn a_token_that_lost_and_won_scopes_counts_as_narrower() {
    let refreshed = Event::Refreshed { grant: GRANT, generation: 2, attempt: 1, tokens: next() };
    in_flight().when(first().commit("files.write", next())).then([
        refreshed,
        Event::ScopesNarrowed {
            grant: GRANT,
            generation: 2,
            granted: scopes("files.write"),
            lost: scopes("files.read"),
        },
    ]);
}

#[test]
fn an_outcome_of_another_generation_is_refused() {
    let stale = Attempt { generation: 0, ..first() };
    let early = Attempt { generation: 2, ..first() };
    for wrong in [stale, early] {
        let case = in_flight().when(wrong.commit("files.read", next())).rejected(Rejection::Superseded);
        let case = case.when(wrong.fail(ProviderFailure::GrantDead)).rejected(Rejection::Superseded);
        case.when(wrong.lose()).rejected(Rejection::Superseded);
    }
}

#[test]
fn an_outcome_of_another_attempt_is_refused() {
    for attempt in [0, 2] {
        let wrong = Attempt::number(attempt);
        let case = in_flight().when(wrong.commit("files.read", next())).rejected(Rejection::Superseded);
        let case = case.when(wrong.fail(ProviderFailure::GrantDead)).rejected(Rejection::Superseded);
        case.when(wrong.lose()).rejected(Rejection::Superseded);
    }
}

#[test]
fn an_attempt_has_one_outcome() {
    let outcomes = || {
        [
            first().commit("files.read", next()),
            first().fail(ProviderFailure::Transient),
            first().fail(ProviderFailure::GrantDead),
        ]
    };
    for outcome in outcomes() {
        let case = in_flight().and([outcome]);
        let case =
            outcomes().into_iter().fold(case, |case, again| case.when(again).rejected(Rejection::Superseded));
        case.when(first().lose()).rejected(Rejection::Superseded);
    }
}

#[test]
fn an_outcome_without_an_intent_is_refused() {
    let case = granted().when(first().commit("files.read", next())).rejected(Rejection::Superseded);
    case.when(Attempt { grant: GRANT_2, ..first() }.lose()).rejected(Rejection::Unknown(Kind::Grant));
}

#[test]
fn an_intent_names_the_present_generation() {
    for generation in [0, 2] {
        granted().when(Attempt { generation, ..first() }.intend()).rejected(Rejection::Superseded);
    }
}

#[test]
fn an_attempt_number_is_never_used_again() {
    let second = Attempt { generation: 2, attempt: 2, ..first() };
    let case = in_flight().and([first().commit("files.read", next())]);
    let outcome = case.when(second.intend());
    assert!(matches!(outcome.reply, Reply::Applied { answer: Answer::Attempt(2), .. }));
}

#[test]
fn no_refresh_is_intended_for_what_cannot_be_refreshed() {
    let refused = |case: Case, rejection| {
        case.when(first().intend()).rejected(rejection);
    };
    let unknown = Attempt { grant: GRANT_2, ..first() };
    granted().when(unknown.intend()).rejected(Rejection::Unknown(Kind::Grant));
    let disable = connector::Command::Disable { connector: DRIVE };
    refused(granted().and([disable]), Rejection::Disabled(Kind::Connector));
    let suspend = connector::Command::Suspend { connector: DRIVE, failure: ProviderFailure::ClientFault };
    refused(granted().and([suspend]), Rejection::Disabled(Kind::Connector));
    refused(granted().and([revoke(Selector::Subject(ALICE))]), Rejection::GrantRevoked);
    let closed = close(Selector::Grant(GRANT), [GRANT]);
    refused(granted().and([revoke(Selector::Grant(GRANT)), closed]), Rejection::GrantRevoked);
    let dead = [first().intend(), first().fail(ProviderFailure::GrantDead)];
    refused(granted().and(dead), Rejection::ConsentNeeded);
    let facts = TokenFacts { refresh: None, ..Setting::default().facts };
    refused(given(consented(&Setting { facts, ..Setting::default() })), Rejection::NoRefreshToken);
}

#[test]
fn token_sets_are_changed_by_the_cluster_alone() {
    let orders = [
        first().intend(),
        first().commit("files.read", next()),
        first().fail(ProviderFailure::GrantDead),
        first().lose(),
        expire(GRANT),
        close(Selector::Grant(GRANT), [GRANT]),
        Command::ConfirmUpstream { target: leasehold_domain::grant::UpstreamTarget::Grant(GRANT) }.into(),
    ];
    for stranger in [administrator(), gateway(), person(ALICE)] {
        orders
            .clone()
            .into_iter()
            .fold(granted(), |case, order| case.when(order.by(stranger)).rejected(Rejection::WrongPrincipal));
    }
}

#[test]
fn a_failed_refresh_is_tried_again_later_and_later_up_to_a_bound() {
    let failure = ProviderFailure::Transient;
    let pauses = [5, 10, 20, 40, 80, 160, 320, 640, 900, 900];
    let mut case = granted();
    for (pause, number) in pauses.into_iter().zip(1..) {
        let attempt = Attempt::number(number);
        let retry_at = case.now + secs(pause);
        case = case
            .and([attempt.intend()])
            .when(attempt.fail(failure))
            .then([failed(failure, number, retry_at)]);
        let early = Attempt::number(number + 1);
        case = case.after(secs(pause - 1)).when(early.intend()).rejected(Rejection::TooEarly(retry_at));
        case = case.after(secs(1));
    }
    assert_eq!(BACKOFF_MAX, secs(900));
}

#[test]
fn a_provider_that_names_a_pause_is_given_it() {
    let failure = ProviderFailure::Throttled(Some(mins(30)));
    in_flight().when(first().fail(failure)).then([failed(failure, 1, START + mins(30))]);
    let brief = ProviderFailure::Throttled(Some(secs(1)));
    in_flight().when(first().fail(brief)).then([failed(brief, 1, START + secs(5))]);
}

#[test]
fn a_provider_that_names_a_pause_is_given_an_hour_at_most() {
    for asked in [mins(60), mins(61), Span::from_millis(u64::MAX)] {
        let failure = ProviderFailure::Throttled(Some(asked));
        in_flight().when(first().fail(failure)).then([failed(failure, 1, START + mins(60))]);
    }
}

#[test]
fn a_success_ends_the_trouble() {
    let second = Attempt::number(2);
    let case = in_flight().and([
        first().fail(ProviderFailure::Transient),
        second.intend().after(secs(5)),
        second.commit("files.read", next()),
    ]);
    assert_eq!(case.state.grants.get(&GRANT).map(|known| known.trouble), Some(None));
}

#[test]
fn no_failure_but_the_verdict_on_the_grant_itself_ends_it() {
    let failures = [
        ProviderFailure::ClientFault,
        ProviderFailure::RequestFault,
        ProviderFailure::Transient,
        ProviderFailure::Throttled(None),
        ProviderFailure::Throttled(Some(secs(1))),
        ProviderFailure::TooEarly,
        ProviderFailure::Ambiguous,
        ProviderFailure::Malformed,
    ];
    let classes = [
        RefreshClass::Static,
        RefreshClass::Stable,
        RefreshClass::NonRevoking,
        RefreshClass::Grace(secs(30)),
        RefreshClass::UntilSuccessorUsed,
        RefreshClass::Strict,
    ];
    for class in classes {
        for failure in failures {
            let mut case = given(consented(&Setting { class, ..Setting::default() }));
            for number in 1..12 {
                let attempt = Attempt::number(number);
                case = case.and([attempt.intend().after(mins(200)), attempt.fail(failure)]);
                let phase = case.state.grants.get(&GRANT).map(|known| known.phase);
                assert_eq!(phase, Some(Phase::Active), "{failure:?} ended a grant of class {class:?}");
            }
        }
    }
}
