//! Deciding for identity providers.

use super::{Command, DOMAINS_LEN_MAX, DOMAINS_MAX, Event, IdentityProvider};
use crate::{
    event::Event as AnyEvent,
    machine::{Context, Decided, Write},
    rejection::{Kind, Rejection},
    state::{BlobKey, State},
};

/// The most identity providers.
pub const IDENTITY_PROVIDERS_MAX: usize = 16;

/// Decides.
///
/// # Errors
/// The [`Rejection`] that says why nothing may happen.
pub fn decide(state: &State, command: Command) -> Result<Decided, Rejection> {
    match command {
        Command::Register { identity_provider, registration, secret } => {
            if state.identity_providers.contains(&identity_provider) {
                return Err(Rejection::Exists(Kind::IdentityProvider));
            }
            if state.identity_providers.len() >= IDENTITY_PROVIDERS_MAX {
                return Err(Rejection::TooMany { limit: IDENTITY_PROVIDERS_MAX });
            }
            if registration.email_domains.len() > DOMAINS_MAX {
                return Err(Rejection::TooMany { limit: DOMAINS_MAX });
            }
            let domains_len: usize =
                registration.email_domains.iter().map(|domain| domain.as_str().len()).sum();
            if domains_len > DOMAINS_LEN_MAX {
                return Err(Rejection::TooLong { limit: DOMAINS_LEN_MAX });
            }
            let taken = |other: &IdentityProvider| {
                other.registration.name == registration.name
                    || other.registration.issuer == registration.issuer
            };
            if state.identity_providers.iter().any(|(_, other)| taken(other)) {
                return Err(Rejection::NameTaken(Kind::IdentityProvider));
            }
            let event = AnyEvent::IdentityProvider(Event::Registered { identity_provider, registration });
            let key = BlobKey::IdentityProviderSecret(identity_provider);
            Ok(Decided::event(event).with(Write::Blob(key, Some(secret))))
        }
        Command::ReplaceSecret { identity_provider, secret } => {
            if !state.identity_providers.contains(&identity_provider) {
                return Err(Rejection::Unknown(Kind::IdentityProvider));
            }
            let event = AnyEvent::IdentityProvider(Event::SecretReplaced { identity_provider });
            let key = BlobKey::IdentityProviderSecret(identity_provider);
            Ok(Decided::event(event).with(Write::Blob(key, Some(secret))))
        }
    }
}

/// Folds.
pub fn evolve(state: &mut State, context: Context, event: &Event) {
    match event {
        Event::Registered { identity_provider, registration } => {
            let row = IdentityProvider {
                id: *identity_provider,
                registration: registration.clone(),
                revision: context.seq,
            };
            state.identity_providers.put(*identity_provider, row);
        }
        // The secret stands beside the row, and the row's revision says which identity provider came first: it stays.
        Event::SecretReplaced { .. } => {}
    }
}
