//! A revocation that overtakes a refresh wins.

use leasehold_domain::{
    connector,
    grant::{Event, Phase, UpstreamTarget},
    provider::ProviderFailure,
    rejection::Rejection,
    revocation::Selector,
    state::BlobKey,
};

use crate::{
    fixture::{ALICE, DRIVE, GRANT, START, mins, tokens},
    harness::{Case, given},
    worlds::{Attempt, Issue, Setting, close, consented, revoke},
};

fn overtaken() -> Case {
    given(consented(&Setting::default())).and([Attempt::default().intend(), revoke(Selector::Subject(ALICE))])
}

fn told() -> Case {
    overtaken().and([close(Selector::Subject(ALICE), [GRANT])])
}

#[test]
fn late_tokens_never_become_leasable_and_are_queued_for_revocation_upstream() {
    for case in [overtaken(), told()] {
        let facts = tokens(2, Some(START + mins(180)));
        let outcome = case.when(Attempt::default().commit("files.read", facts.clone()));
        assert_eq!(outcome.blob(BlobKey::Tokens(GRANT, 2)), Some(Some(&b"next tokens"[..])));
        let case = outcome.then([Event::LateTokensKept { grant: GRANT, generation: 2, tokens: facts }]);
        let case = case.when(Issue { generation: 2, ..Issue::default() }).rejected(Rejection::GrantRevoked);
        let case = case.when(Issue::default()).rejected(Rejection::GrantRevoked);
        let target = UpstreamTarget::Grant(GRANT);
        assert_eq!(case.state.upstream_tasks.get(&target).map(|task| task.due_at), Some(START));
    }
}

#[test]
fn late_tokens_are_queued_again_where_the_older_ones_were_revoked_already() {
    let target = UpstreamTarget::Grant(GRANT);
    let case = told().and([leasehold_domain::grant::Command::ConfirmUpstream { target }]);
    assert!(case.state.upstream_tasks.is_empty());
    let case = case.and([Attempt::default().commit("files.read", tokens(2, None))]);
    assert!(case.state.upstream_tasks.contains(&target));
}

#[test]
fn a_late_verdict_leaves_a_revoked_grant_revoked() {
    let before = overtaken().and([Attempt::default().fail(ProviderFailure::GrantDead)]);
    let before = before.and([close(Selector::Subject(ALICE), [GRANT])]);
    let after = told().and([Attempt::default().fail(ProviderFailure::GrantDead)]);
    for case in [before, after] {
        let phase = case.state.grants.get(&GRANT).map(|known| known.phase);
        assert!(matches!(phase, Some(Phase::Revoked { .. })), "{phase:?}");
        assert!(case.state.grants_to_close(Selector::Subject(ALICE), 1).is_empty());
    }
}

#[test]
fn a_late_loss_leaves_a_revoked_grant_revoked() {
    let case = told().and([Attempt::default().lose()]);
    let case = case.when(Attempt::number(2).intend()).rejected(Rejection::GrantRevoked);
    assert!(matches!(case.state.grants.get(&GRANT).map(|known| known.phase), Some(Phase::Revoked { .. })));
}

#[test]
fn a_refresh_overtaken_by_a_disabled_connector_still_lands_and_is_leased_when_it_is_enabled() {
    let case = given(consented(&Setting::default())).and([Attempt::default().intend()]);
    let case = case.and([connector::Command::Disable { connector: DRIVE }]);
    let facts = tokens(2, Some(START + mins(180)));
    let case = case.when(Attempt::default().commit("files.read", facts.clone())).then([Event::Refreshed {
        grant: GRANT,
        generation: 2,
        attempt: 1,
        tokens: facts,
    }]);
    case.and([connector::Command::Enable { connector: DRIVE }])
        .and([Issue { generation: 2, ..Issue::default() }]);
}
