//! Erasing a subject: who it was goes at once; what is sealed goes when its provider has answered for good, or its time is over.

use leasehold_domain::{
    actor::Principal,
    grant::{self, UpstreamTarget},
    id::NoteId,
    provider::ProviderFailure,
    rejection::{Kind, Rejection},
    revocation::Selector,
    state::BlobKey,
    subject::{Command, Event, FORGET_BATCH_MAX, TOKENS_KEPT},
};

use crate::{
    fixture::{ACCOUNT, ALICE, BOB, CONSENT, GRANT, NOBODY, administrator, mins, tokens},
    harness::{Case, Outcome, Step, given},
    worlds::{
        Attempt, Setting, Start, catalogue, close, complete_exchange, consented, exchanging, leased,
        register_subject,
    },
};

const TARGET: UpstreamTarget = UpstreamTarget::Grant(GRANT);

const fn erase() -> Command {
    Command::Erase { subject: ALICE }
}

fn forget_grant() -> Command {
    Command::Forget { subject: ALICE, notes: Vec::new(), grants: vec![GRANT], authorizations: Vec::new() }
}

const fn finish() -> Command {
    Command::FinishErasure { subject: ALICE }
}

/// Alice was erased, and her grant is said to have ended.
fn erased() -> Case {
    given(consented(&Setting::default())).and([Step::from(erase()), close(Selector::Subject(ALICE), [GRANT])])
}

#[track_caller]
fn removes(outcome: &Outcome, key: BlobKey, removed: bool) {
    assert_eq!(outcome.blob(key), removed.then_some(None), "{key:?}");
}

#[test]
fn an_erased_subjects_names_are_gone_at_once_and_everything_of_it_has_ended() {
    let case = given(leased(&Setting::default()));
    let (seq, tokens_until) = (case.next_seq(), case.now + TOKENS_KEPT);
    let case = case.when(erase()).then([Event::Erased { subject: ALICE, tokens_until }]);
    assert!(case.state.directory.get(&ALICE).is_none());
    assert!(case.state.subject_named("Alice").is_none());
    assert!(case.state.subjects_with_email("alice@corp.example").is_empty());
    assert!(!case.state.subjects.get(&ALICE).unwrap().enabled);
    let epoch = case.state.epoch(Selector::Subject(ALICE));
    assert_eq!((epoch.leases, epoch.grants, epoch.open), (seq, seq, true));
    // The name is free for somebody else, the id is not.
    let case = case.when(register_subject(ALICE, "Someone")).rejected(Rejection::Exists(Kind::Subject));
    case.when(register_subject(NOBODY, "Alice")).applied();
}

#[test]
fn an_erasure_is_ordered_once_and_never_undone() {
    let case = erased();
    let case = case.when(erase()).rejected(Rejection::SubjectErased);
    let case = case.when(Command::Enable { subject: ALICE }).rejected(Rejection::SubjectErased);
    case.when(Command::Erase { subject: NOBODY }).rejected(Rejection::Unknown(Kind::Subject));
}

#[test]
fn sealed_tokens_wait_for_their_provider_and_the_accounts_name_does_not() {
    let outcome = erased().when(forget_grant());
    removes(&outcome, BlobKey::Account(GRANT), true);
    removes(&outcome, BlobKey::Tokens(GRANT, 1), false);
    let case = outcome.then::<Event, 0>([]);
    let until = case.state.erasures.get(&ALICE).unwrap().tokens_until;
    let case = case.when(finish()).rejected(Rejection::TooEarly(until));

    let case = case.and([grant::Command::ConfirmUpstream { target: TARGET }]);
    let outcome = case.when(forget_grant());
    removes(&outcome, BlobKey::Tokens(GRANT, 1), true);
    removes(&outcome, BlobKey::Tokens(GRANT, 0), true);
    let case = outcome.then::<Event, 0>([]);
    let case = case.when(finish()).then([Event::ErasureFinished { subject: ALICE }]);
    assert!(case.state.is_erased(ALICE));
    let case = case.when(finish()).rejected(Rejection::Unchanged(Kind::Subject));
    case.when(forget_grant()).rejected(Rejection::Unchanged(Kind::Subject));
}

#[test]
fn after_the_stated_time_tokens_go_though_their_provider_did_not_answer() {
    let failed = grant::Command::FailUpstream { target: TARGET, failure: Some(ProviderFailure::Transient) };
    let case = erased().and([failed]).after(mins(72 * 60 - 1));
    let case = case.when(forget_grant()).then::<Event, 0>([]);
    let outcome = case.after(mins(1)).when(forget_grant());
    removes(&outcome, BlobKey::Tokens(GRANT, 1), true);
    let case = outcome.then([Event::TokensAbandoned { subject: ALICE, target: TARGET }]);
    assert!(case.state.upstream_tasks.is_empty());
    case.when(finish()).then([Event::ErasureFinished { subject: ALICE }]);
}

#[test]
fn a_refresh_on_its_way_is_waited_for_so_that_what_it_brings_is_revoked() {
    let attempt = Attempt::default();
    let case = given(consented(&Setting::default()))
        .and([attempt.intend(), Step::from(erase()), close(Selector::Subject(ALICE), [GRANT])])
        .and([grant::Command::ConfirmUpstream { target: TARGET }]);
    let outcome = case.when(forget_grant());
    removes(&outcome, BlobKey::Tokens(GRANT, 1), false);
    let case = outcome.then::<Event, 0>([]);
    let until = case.state.erasures.get(&ALICE).unwrap().tokens_until;
    let case = case.when(finish()).rejected(Rejection::TooEarly(until));
    // It comes, and is revoked at the provider before it goes.
    let case = case.and([attempt.commit("files.read", tokens(2, None))]);
    assert!(case.state.upstream_tasks.contains(&TARGET));
    let case = case.and([grant::Command::ConfirmUpstream { target: TARGET }]);
    case.and([forget_grant(), finish()]);
}

#[test]
fn what_comes_after_everything_was_forgotten_is_refused() {
    let attempt = Attempt::default();
    let case = given(consented(&Setting::default()))
        .and([attempt.intend(), Step::from(erase()), close(Selector::Subject(ALICE), [GRANT])])
        .and([grant::Command::ConfirmUpstream { target: TARGET }])
        .after(mins(2))
        .and([forget_grant(), finish()]);
    case.when(attempt.commit("files.read", tokens(2, None))).rejected(Rejection::Superseded);
}

#[test]
fn tokens_of_a_consent_that_was_on_its_way_are_revoked_and_go() {
    let case = given(catalogue(&Setting::default()))
        .and(exchanging(Start::default()))
        .and([Step::from(erase()), complete_exchange(CONSENT, ACCOUNT, tokens(1, None))]);
    let forget = || Command::Forget {
        subject: ALICE,
        notes: Vec::new(),
        grants: Vec::new(),
        authorizations: vec![CONSENT],
    };
    let outcome = case.when(forget());
    removes(&outcome, BlobKey::PendingTokens(CONSENT), false);
    let target = UpstreamTarget::Authorization(CONSENT);
    let case = outcome.applied().and([grant::Command::ConfirmUpstream { target }]);
    let outcome = case.when(forget());
    removes(&outcome, BlobKey::PendingTokens(CONSENT), true);
    removes(&outcome, BlobKey::PendingAccount(CONSENT), true);
    let case = outcome.applied().and([finish()]);
    case.when(complete_exchange(CONSENT, ACCOUNT, tokens(1, None))).rejected(Rejection::Superseded);
}

#[test]
fn notes_go_and_other_subjects_things_stay() {
    let note = NoteId::from_bytes([4; 16]);
    let case = given(consented(&Setting::default()));
    let case = case.and([Command::Erase { subject: BOB }]);
    let command = Command::Forget {
        subject: BOB,
        notes: vec![note],
        grants: vec![GRANT],
        authorizations: vec![CONSENT],
    };
    let outcome = case.when(command);
    removes(&outcome, BlobKey::Note(note), true);
    removes(&outcome, BlobKey::Account(GRANT), false);
    removes(&outcome, BlobKey::Tokens(GRANT, 1), false);
    removes(&outcome, BlobKey::Verifier(CONSENT), false);
}

#[test]
fn only_the_cluster_continues_an_erasure_and_only_one_that_was_ordered() {
    let case = given(consented(&Setting::default()));
    let case = case.when(forget_grant()).rejected(Rejection::Unknown(Kind::Subject));
    let case = case.when(finish()).rejected(Rejection::Unknown(Kind::Subject)).and([erase()]);
    assert!(matches!(administrator().principal, Principal::Administrator(_)));
    for command in [forget_grant(), finish()] {
        let refused = leasehold_domain::machine::decide(
            &case.state,
            leasehold_domain::machine::Context { actor: administrator(), at: case.now, seq: case.next_seq() },
            leasehold_domain::command::Command::Subject(command),
        );
        assert_eq!(refused.err(), Some(Rejection::WrongPrincipal));
    }
    let grants = vec![GRANT; FORGET_BATCH_MAX + 1];
    let many = Command::Forget { subject: ALICE, notes: Vec::new(), grants, authorizations: Vec::new() };
    case.when(many).rejected(Rejection::TooMany { limit: FORGET_BATCH_MAX });
}
