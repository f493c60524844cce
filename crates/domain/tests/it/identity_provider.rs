//! Identity providers.

use leasehold_domain::{
    id::IdentityProviderId,
    identity_provider::{
        Command, DOMAINS_LEN_MAX, DOMAINS_MAX, Event, Registration, decide::IDENTITY_PROVIDERS_MAX,
    },
    rejection::{Kind, Rejection},
    state::BlobKey,
};

use crate::{
    fixture::{SIGN_IN, label, name, sealed, uri},
    harness::given,
    worlds::{Setting, catalogue, founded, sign_in_registration},
};

const OTHER: IdentityProviderId = IdentityProviderId::from_bytes([0x61; 16]);

fn register(identity_provider: IdentityProviderId, registration: Registration) -> Command {
    Command::Register { identity_provider, registration, secret: sealed("secret") }
}

fn other() -> Registration {
    Registration { name: name("other"), issuer: uri("https://other.example"), ..sign_in_registration() }
}

#[test]
fn an_identity_provider_is_registered_with_its_secret_beside_the_ledger() {
    let outcome = given(founded()).when(register(SIGN_IN, sign_in_registration()));
    assert_eq!(outcome.blob(BlobKey::IdentityProviderSecret(SIGN_IN)), Some(Some(&b"secret"[..])));
    outcome.then([Event::Registered { identity_provider: SIGN_IN, registration: sign_in_registration() }]);
}

#[test]
fn an_identity_provider_whose_id_name_or_issuer_is_taken_is_refused() {
    let case = given(catalogue(&Setting::default()));
    let case = case.when(register(SIGN_IN, other())).rejected(Rejection::Exists(Kind::IdentityProvider));
    let same_name = Registration { name: name("idp"), ..other() };
    let case = case.when(register(OTHER, same_name)).rejected(Rejection::NameTaken(Kind::IdentityProvider));
    let same_issuer = Registration { issuer: uri("https://idp.example"), ..other() };
    case.when(register(OTHER, same_issuer)).rejected(Rejection::NameTaken(Kind::IdentityProvider));
}

#[test]
fn there_is_a_bound_on_identity_providers_and_on_their_domains() {
    let domains = (0..=DOMAINS_MAX).map(|n| label(&format!("d{n}.example"))).collect();
    let case = given(founded())
        .when(register(OTHER, Registration { email_domains: domains, ..other() }))
        .rejected(Rejection::TooMany { limit: DOMAINS_MAX });
    let long = (0..5).map(|n| label(&format!("{n}{}", "x".repeat(220)))).collect();
    let case = case
        .when(register(OTHER, Registration { email_domains: long, ..other() }))
        .rejected(Rejection::TooLong { limit: DOMAINS_LEN_MAX });
    let many = (0u8..16).map(|n| {
        let issuer = uri(&format!("https://{n}.example"));
        let registration = Registration { name: name(&format!("n{n}")), issuer, ..other() };
        register(IdentityProviderId::from_bytes([n; 16]), registration)
    });
    case.and(many)
        .when(register(OTHER, other()))
        .rejected(Rejection::TooMany { limit: IDENTITY_PROVIDERS_MAX });
}

#[test]
fn our_secret_at_an_identity_provider_is_replaced() {
    let replace = |identity_provider| Command::ReplaceSecret { identity_provider, secret: sealed("new") };
    let outcome = given(catalogue(&Setting::default())).when(replace(SIGN_IN));
    assert_eq!(outcome.blob(BlobKey::IdentityProviderSecret(SIGN_IN)), Some(Some(&b"new"[..])));
    let case = outcome.then([Event::SecretReplaced { identity_provider: SIGN_IN }]);
    case.when(replace(OTHER)).rejected(Rejection::Unknown(Kind::IdentityProvider));
}

#[test]
fn the_first_identity_provider_stays_the_first_when_its_secret_is_replaced() {
    let replace = Command::ReplaceSecret { identity_provider: SIGN_IN, secret: sealed("new") };
    let case = given(founded())
        .and([register(SIGN_IN, sign_in_registration()), register(OTHER, other())])
        .and([replace]);
    let all = case.state.identity_providers.iter().map(|(_, known)| known);
    assert_eq!(all.min_by_key(|known| known.revision).unwrap().id, SIGN_IN);
}
