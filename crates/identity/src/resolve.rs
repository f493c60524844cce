//! Which subject a person, an identifier or a name stands for. Pure: a function of the state.
//!
//! A pinned identifier decides. An email resolves somebody only before their first sign-in, only if the identity provider is
//! authoritative for its domain, and only if it leads to exactly one entry. Ambiguity is refused, and never guessed at.

use std::collections::BTreeSet;

use leasehold_domain::{
    id::SubjectId,
    identity_provider::IdentityProvider,
    state::State,
    subject::{Identifier, Kind, Subject},
};
use thiserror::Error;

use crate::person::{Person, plain_email};

/// Whom a person resolved to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved {
    /// The subject.
    pub subject: SubjectId,
    /// Whether it was found by email, so that the identifier is to be pinned with this sign-in.
    pub pin: bool,
}

/// Why nobody was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ResolveError {
    /// Nobody, or more than one: which of the two is nobody's business.
    #[error("no subject is known by this")]
    SubjectUnknown,
    /// The subject exists, and nothing may be done for it.
    #[error("the subject is disabled")]
    SubjectDisabled,
}

/// Finds the subject of a person who signed in at an identity provider.
///
/// # Errors
/// [`ResolveError`].
pub fn resolve(
    state: &State,
    provider: &IdentityProvider,
    person: &Person,
) -> Result<Resolved, ResolveError> {
    if person.identifier.issuer != provider.registration.issuer {
        return Err(ResolveError::SubjectUnknown);
    }
    if let Some(subject) = state.subject_identified(&person.identifier) {
        return Ok(Resolved { subject: live_person(subject)?, pin: false });
    }
    let subject = by_email(state, provider, person).ok_or(ResolveError::SubjectUnknown)?;
    Ok(Resolved { subject: live_person(subject)?, pin: true })
}

/// Finds the subject to which an identifier is pinned, as a subject token gives one. An email never helps here.
///
/// # Errors
/// [`ResolveError`].
pub fn by_identifier(state: &State, identifier: &Identifier) -> Result<SubjectId, ResolveError> {
    live(state.subject_identified(identifier).ok_or(ResolveError::SubjectUnknown)?)
}

/// Finds the subject that a text names: by id, by user name or by email. Where these lead to different subjects, to none.
///
/// This is a look-up and proves nothing about who asks.
///
/// # Errors
/// [`ResolveError`].
pub fn by_name(state: &State, text: &str) -> Result<SubjectId, ResolveError> {
    let mut found = plain_email(text).map(|email| with_email(state, email.as_str())).unwrap_or_default();
    found.extend(text.parse::<SubjectId>().ok().filter(|id| state.subjects.contains(id)));
    found.extend(state.subject_named(text).map(|subject| subject.id));
    live(only(state, &found).ok_or(ResolveError::SubjectUnknown)?)
}

fn by_email<'a>(state: &'a State, provider: &IdentityProvider, person: &Person) -> Option<&'a Subject> {
    // The field is public, so the rule is applied again to what stands in it.
    let email = person.email.as_ref().and_then(|email| plain_email(email.as_str()))?;
    let (_, domain) = email.as_str().split_once('@')?;
    let domains = &provider.registration.email_domains;
    if !domains.iter().any(|listed| listed.as_str().eq_ignore_ascii_case(domain)) {
        return None;
    }
    let subject = only(state, &with_email(state, email.as_str()))?;
    let entry = state.directory.get(&subject.id)?;
    let known_here = entry.identifiers.iter().any(|pinned| pinned.issuer == provider.registration.issuer);
    (!subject.pinned && !known_here).then_some(subject)
}

/// Whose entry has this email. The index folds case by Unicode's rules, under which other letters become ASCII ones; an entry with
/// such a letter still counts, so that it makes the email ambiguous, and [`same_email`] keeps it from being the answer.
fn with_email(state: &State, email: &str) -> BTreeSet<SubjectId> {
    let found = state.subjects_with_email(email);
    if found.len() == 1 {
        found.into_iter().filter(|id| same_email(state, *id, email)).collect()
    } else {
        found
    }
}

fn same_email(state: &State, id: SubjectId, email: &str) -> bool {
    let entry = state.directory.get(&id);
    entry
        .and_then(|entry| entry.email.as_ref())
        .is_some_and(|known| known.as_str().eq_ignore_ascii_case(email))
}

fn only<'a>(state: &'a State, found: &BTreeSet<SubjectId>) -> Option<&'a Subject> {
    let id = found.first().filter(|_| found.len() == 1)?;
    state.subjects.get(id)
}

fn live(subject: &Subject) -> Result<SubjectId, ResolveError> {
    if subject.enabled { Ok(subject.id) } else { Err(ResolveError::SubjectDisabled) }
}

/// Services and shared accounts do not sign in.
fn live_person(subject: &Subject) -> Result<SubjectId, ResolveError> {
    match subject.kind {
        Kind::Person => live(subject),
        Kind::Service { .. } | Kind::Shared { .. } => Err(ResolveError::SubjectUnknown),
    }
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
