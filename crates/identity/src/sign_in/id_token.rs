//! Verifying an ID token (OpenID Connect Core section 3.1.3.7).
//!
//! The client library checks type, issuer, audience, algorithm, signature, end and nonce. What it leaves to its callers is added here:
//! the list of algorithms, the authorized party, the beginning, and a clock that is passed in.

use chrono::{DateTime, Utc};
use leasehold_domain::{
    identity_provider::IdentityProvider,
    text::Label,
    time::{Span, Timestamp},
};
use openidconnect::{
    ClaimsVerificationError, ClientId, IdTokenClaims, IdTokenVerifier, IssuerUrl, Nonce,
    SignatureVerificationError,
    core::{CoreGenderClaim, CoreJsonWebKey, CoreJwsSigningAlgorithm},
};
use thiserror::Error;

use super::library::IdToken;
use crate::{
    metadata::Metadata,
    numeric_date::moment,
    person::{ExtraClaims, NoJoinClaim, Person, identifier, plain_email},
};

/// By how much the identity provider's clock may differ from ours.
const LEEWAY: Span = Span::from_secs(60);

/// What is accepted: asymmetric signatures. With symmetric ones anybody who holds our client secret could sign, and `none` is none.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// Why an ID token is not believed. None of these carries anything out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IdTokenError {
    /// The token endpoint gave none.
    #[error("the token endpoint gave no id token")]
    Absent,
    /// It is encrypted, nested, of another type, or asks for what is not known here.
    #[error("the id token is of a form that is not accepted")]
    Form,
    /// It was issued by another issuer.
    #[error("the id token is of another issuer")]
    Issuer,
    /// It is for another client, or not for us alone.
    #[error("the id token is not for this client alone")]
    Audience,
    /// It was issued to another client.
    #[error("the id token was issued to another party")]
    AuthorizedParty,
    /// It is not signed, or by an algorithm that is not accepted.
    #[error("the id token's algorithm is not accepted")]
    Algorithm,
    /// It names a key that the identity provider does not publish.
    #[error("the id token's key is not known")]
    UnknownKey,
    /// Its signature is not good.
    #[error("the id token's signature is wrong")]
    Signature,
    /// It has expired, or is not valid yet.
    #[error("the id token is not valid at this time")]
    Time,
    /// It answers another sign-in.
    #[error("the id token's nonce is of another sign-in")]
    Nonce,
    /// It does not say who signed in.
    #[error(transparent)]
    Person(#[from] NoJoinClaim),
}

/// Verifies an ID token and reads who it speaks of.
pub(super) fn verify(
    provider: &IdentityProvider,
    metadata: &Metadata,
    token: &IdToken,
    nonce: &Nonce,
    now: Timestamp,
) -> Result<Person, IdTokenError> {
    let client_id = ClientId::new(provider.registration.client_id.as_str().to_owned());
    let earliest = date_time(now.minus(LEEWAY));
    let latest = date_time(now + LEEWAY);
    let issuer = IssuerUrl::new(metadata.issuer().as_str().to_owned()).map_err(|_| IdTokenError::Issuer)?;
    // As for a client without a secret: then the library has no key for symmetric algorithms either.
    let verifier: IdTokenVerifier<'_, CoreJsonWebKey> =
        IdTokenVerifier::new_public_client(client_id.clone(), issuer, metadata.keys.set().clone())
            .set_allowed_algs(ALGORITHMS)
            .set_time_fn(move || earliest)
            .set_issue_time_verifier_fn(
                move |issued_at| {
                    if issued_at <= latest { Ok(()) } else { Err(String::new()) }
                },
            );
    let claims = token.claims(&verifier, nonce).map_err(|error| sort(&error))?;
    if claims.authorized_party().is_some_and(|party| *party != client_id) {
        return Err(IdTokenError::AuthorizedParty);
    }
    let begun = |at: f64| moment(at).is_some_and(|at| at <= now + LEEWAY);
    if !claims.additional_claims().nbf.is_none_or(begun) {
        return Err(IdTokenError::Time);
    }
    person(provider, claims)
}

fn person(
    provider: &IdentityProvider,
    claims: &IdTokenClaims<ExtraClaims, CoreGenderClaim>,
) -> Result<Person, IdTokenError> {
    let sub = claims.subject().as_str();
    let identifier = identifier(&provider.registration, Some(sub), claims.additional_claims())?;
    let verified = claims.email_verified() == Some(true);
    let email = claims.email().filter(|_| verified).and_then(|email| plain_email(email.as_str()));
    let name = claims.name().and_then(|name| name.get(None)).and_then(|name| Label::new(name.as_str()).ok());
    Ok(Person { identifier, email, name })
}

/// A moment as the client library wants it.
fn date_time(at: Timestamp) -> DateTime<Utc> {
    let millis = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Sorts an error of the client library. Its text quotes the token, and goes no further.
fn sort(error: &ClaimsVerificationError) -> IdTokenError {
    if let ClaimsVerificationError::SignatureVerification(error) = error {
        sort_signature(error)
    } else if let ClaimsVerificationError::Expired(_) = error {
        IdTokenError::Time
    } else if let ClaimsVerificationError::InvalidAudience(_) = error {
        IdTokenError::Audience
    } else if let ClaimsVerificationError::InvalidIssuer(_) = error {
        IdTokenError::Issuer
    } else if let ClaimsVerificationError::InvalidNonce(_) = error {
        IdTokenError::Nonce
    } else {
        IdTokenError::Form
    }
}

fn sort_signature(error: &SignatureVerificationError) -> IdTokenError {
    if let SignatureVerificationError::NoMatchingKey = error {
        IdTokenError::UnknownKey
    } else if matches!(
        error,
        SignatureVerificationError::DisallowedAlg(_)
            | SignatureVerificationError::NoSignature
            | SignatureVerificationError::UnsupportedAlg(_)
    ) {
        IdTokenError::Algorithm
    } else {
        IdTokenError::Signature
    }
}
