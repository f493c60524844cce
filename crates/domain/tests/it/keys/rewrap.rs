//! What is sealed moves under the current keys; what has gone meanwhile stays gone.

use leasehold_domain::{
    connector,
    grant::{Command as GrantCommand, UpstreamTarget},
    id::SecretId,
    identity_provider,
    organisation::{Command, Event, KeyPurpose, REWRAP_BATCH_MAX, Rewrapped, SealedPlace},
    rejection::Rejection,
    revocation::Selector,
    state::BlobKey,
    subject::{self, TOKENS_KEPT},
};

use super::add;
use crate::{
    fixture::{ACCOUNT, ALICE, CONSENT, DRIVE, GRANT, SIGN_IN, sealed, tokens},
    harness::{Case, given},
    worlds::{
        Attempt, Setting, Start, approve, catalogue, close, complete_exchange, consented, exchanging,
        intend_exchange, revoke, sign_in_registration,
    },
};

const SECRET: SecretId = SecretId::from_bytes([3; 16]);

fn rewrap<const N: usize>(places: [SealedPlace; N]) -> Command {
    let items = places.into_iter().map(|place| Rewrapped { place, sealed: sealed("anew") }).collect();
    Command::Rewrap { items }
}

fn set(generation: u64) -> SealedPlace {
    SealedPlace::Tokens { grant: GRANT, generation }
}

fn event(token_sets: u32, secrets: u32) -> Event {
    Event::SecretsRewrapped { access_tokens: 2, refresh_tokens: 0, token_sets, secrets }
}

/// What is not to be moved any more: nothing is written, and no event says that anything was.
#[track_caller]
fn stays(case: Case, place: SealedPlace) -> Case {
    case.when(rewrap([place])).already(leasehold_domain::machine::Answer::Done)
}

fn rotated(case: Case) -> Case {
    let command = add(&case, KeyPurpose::AccessTokens);
    case.and([command])
}

#[test]
fn everything_that_is_there_moves_and_is_counted() {
    let case = rotated(given(consented(&Setting::default())));
    let add_secret =
        connector::Command::AddSecret { connector: DRIVE, secret: SECRET, sealed: sealed("secret") };
    let case = case.and([add_secret]);
    let secret = SealedPlace::ClientSecret { connector: DRIVE, secret: SECRET };
    let outcome = case.when(rewrap([set(1), SealedPlace::Account(GRANT), secret, SealedPlace::SigningKey]));
    for key in [
        BlobKey::Tokens(GRANT, 1),
        BlobKey::Account(GRANT),
        BlobKey::ClientSecret(DRIVE, SECRET),
        BlobKey::SigningKey,
    ] {
        assert_eq!(outcome.blob(key), Some(Some(&b"anew"[..])), "{key:?}");
    }
    outcome.then([event(1, 3)]);
}

#[test]
fn a_refresh_that_came_meanwhile_wins() {
    let attempt = Attempt::default();
    let case = rotated(given(consented(&Setting::default())));
    let case = case.and([attempt.intend(), attempt.commit("files.read", tokens(2, None))]);
    // The set before stays until the next one: it moves, and the new one is not touched.
    let outcome = case.when(rewrap([set(1)]));
    assert_eq!(outcome.blob(BlobKey::Tokens(GRANT, 2)), None);
    let case = outcome.then([event(1, 0)]);
    let next = Attempt { generation: 2, attempt: 2, ..attempt };
    let case =
        case.after(crate::fixture::mins(2)).and([next.intend(), next.commit("files.read", tokens(3, None))]);
    stays(case, set(1));
}

#[test]
fn tokens_that_their_provider_revoked_do_not_come_back() {
    let selector = Selector::Grant(GRANT);
    let case = rotated(given(consented(&Setting::default())));
    let case = case.and([revoke(selector), close(selector, [GRANT])]);
    let case = case.when(rewrap([set(1)])).then([event(1, 0)]);
    let target = UpstreamTarget::Grant(GRANT);
    stays(case.and([GrantCommand::ConfirmUpstream { target }]), set(1));
}

#[test]
fn a_client_secret_that_was_retired_does_not_come_back() {
    let case = rotated(given(consented(&Setting::default())));
    let place = SealedPlace::ClientSecret { connector: DRIVE, secret: SECRET };
    stays(case, place);
}

#[test]
fn the_secret_of_an_identity_provider_that_is_not_the_one_that_was_read_stays() {
    let registered = identity_provider::Command::Register {
        identity_provider: SIGN_IN,
        registration: sign_in_registration(),
        secret: sealed("secret"),
    };
    let case = rotated(given(consented(&Setting::default())));
    let has = case.state.identity_providers.contains(&SIGN_IN);
    let case = if has { case } else { case.and([registered]) };
    let revision = case.state.identity_providers.get(&SIGN_IN).unwrap().revision;
    let place = SealedPlace::IdentityProviderSecret { identity_provider: SIGN_IN, revision };
    let case = case.when(rewrap([place])).then([event(0, 1)]);
    let other = SealedPlace::IdentityProviderSecret { identity_provider: SIGN_IN, revision: revision + 1 };
    stays(case, other);
}

#[test]
fn what_a_consent_has_sealed_moves_while_it_waits_and_not_after() {
    let case = rotated(given(catalogue(&Setting::default())));
    let case = case.and([Start::default().into(), approve(CONSENT)]);
    let verifier = SealedPlace::Verifier(CONSENT);
    let case = case.when(rewrap([verifier])).then([event(0, 1)]);
    let case = stays(case.and([intend_exchange(CONSENT)]), verifier);
    let case = case.and([complete_exchange(CONSENT, ACCOUNT, tokens(1, None))]);
    let places = [SealedPlace::PendingTokens(CONSENT), SealedPlace::PendingAccount(CONSENT)];
    let case = case.when(rewrap(places)).then([event(0, 2)]);
    let case = case.and([crate::worlds::confirm(CONSENT, GRANT, 1, tokens(1, None))]);
    places.into_iter().fold(case, stays);
}

#[test]
fn nothing_of_an_erased_subject_is_put_back() {
    let selector = Selector::Subject(ALICE);
    let case = rotated(given(consented(&Setting::default())));
    let case = case.and([subject::Command::Erase { subject: ALICE }.into(), close(selector, [GRANT])]);
    let case = stays(case, SealedPlace::Account(GRANT));
    // Its tokens still wait for their provider, and hold up no key meanwhile.
    let case = case.when(rewrap([set(1)])).then([event(1, 0)]);
    let case = stays(case.after(TOKENS_KEPT), set(1));
    let target = UpstreamTarget::Grant(GRANT);
    stays(case.and([GrantCommand::ConfirmUpstream { target }]), set(1));
    let case = rotated(given(catalogue(&Setting::default())).and(exchanging(Start::default())));
    let case = case.and([complete_exchange(CONSENT, ACCOUNT, tokens(1, None))]);
    let case = case.and([subject::Command::Erase { subject: ALICE }]);
    stays(case.after(TOKENS_KEPT), SealedPlace::PendingTokens(CONSENT));
}

#[test]
fn a_batch_is_bounded() {
    let items = (0..=REWRAP_BATCH_MAX).map(|_| Rewrapped { place: set(1), sealed: sealed("anew") }).collect();
    let case = given(consented(&Setting::default()));
    case.when(Command::Rewrap { items }).rejected(Rejection::TooMany { limit: REWRAP_BATCH_MAX });
}
