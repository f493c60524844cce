//! Subject tokens: a JWT by which a workload shows that a person is present (RFC 8693 section 2.1), verified and never kept.
//!
//! It must come from a configured identity provider and be addressed to exactly one audience, which is the calling workload's or its
//! MCP server's: a token for others as well could be theirs to misuse. Whom it speaks of is found by pinned identifier alone.

use std::sync::Arc;

use jsonwebtoken::{
    Algorithm, Header, Validation, dangerous::insecure_decode_claims, decode, decode_header,
    errors::ErrorKind,
};
use leasehold_domain::{
    id::IdentityProviderId,
    identity_provider::IdentityProvider,
    state::State,
    subject::Identifier,
    time::{Span, Timestamp},
};
use serde::Deserialize;
use thiserror::Error;

use crate::{
    metadata::{Metadata, MetadataCache, MetadataError, NoKey},
    numeric_date::moment,
    person::{ExtraClaims, NoJoinClaim, identifier},
};

/// The longest token, in bytes.
pub const TOKEN_LEN_MAX: usize = 16 * 1024;

/// By how much the issuer's clock may differ from ours.
const LEEWAY: Span = Span::from_secs(60);

/// What is accepted: asymmetric signatures.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// The types that are accepted, in lower case and without `application/`: plain JWTs and access tokens (RFC 9068 section 2.1). Logout
/// tokens, security events, proofs and client assertions have types of their own and say other things.
const TYPES: [&str; 2] = ["jwt", ACCESS_TOKEN_TYPE];
/// The type of a JWT that is an access token. Many issuers sign theirs as plain JWTs.
const ACCESS_TOKEN_TYPE: &str = "at+jwt";

/// What whoever shows a token says that it is (RFC 8693 section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declared {
    /// A JWT, of either kind.
    Jwt,
    /// An ID token.
    IdToken,
    /// An access token.
    AccessToken,
}

/// What a subject token proved.
pub struct SubjectToken {
    /// Which identity provider issued it.
    pub identity_provider: IdentityProviderId,
    /// Whom it speaks of. Personal data.
    pub identifier: Identifier,
    /// When it ends, without leeway. Nothing given out on its strength lasts longer.
    pub expires_at: Timestamp,
}

/// Why a subject token is not believed. None of these carries anything out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubjectTokenError {
    /// It is no signed JWT of at most 16 KiB, or has critical or nested parts.
    #[error("the subject token is malformed")]
    Malformed,
    /// It is a JWT of another type.
    #[error("the subject token is of a type that is not accepted")]
    Type,
    /// It is not signed, or by an algorithm that is not accepted.
    #[error("the subject token's algorithm is not accepted")]
    Algorithm,
    /// Its issuer is no configured identity provider.
    #[error("the subject token's issuer is not known")]
    Issuer,
    /// The issuer's keys could not be had.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// It names a key that the issuer does not publish, or none where there are several.
    #[error("the subject token's key is not known")]
    UnknownKey,
    /// Its signature is not good.
    #[error("the subject token's signature is wrong")]
    Signature,
    /// It has expired, or is not valid yet.
    #[error("the subject token is not valid at this time")]
    Time,
    /// It is not addressed to exactly one audience, and that one of the expected.
    #[error("the subject token is not addressed to the caller alone")]
    Audience,
    /// It names who may act for its subject (`may_act`, RFC 8693 section 4.4), and that is not the caller.
    #[error("the subject token lets somebody else act for its subject")]
    MayAct,
    /// It does not say whom it speaks of.
    #[error(transparent)]
    Person(#[from] NoJoinClaim),
}

/// A subject token that was read and is not believed yet. Without `Debug`: it carries the token.
pub struct Presented<'a> {
    token: &'a str,
    header: Header,
    provider: IdentityProvider,
}

impl<'a> Presented<'a> {
    /// Reads a token and finds the identity provider that it says issued it. Nothing is fetched, so a stranger's token costs nothing.
    ///
    /// # Errors
    /// [`SubjectTokenError`], by the first check that fails.
    pub fn read(state: &State, token: &'a str, declared: Declared) -> Result<Self, SubjectTokenError> {
        let header = header(token, declared)?;
        let named: Named = insecure_decode_claims(token).map_err(|_| SubjectTokenError::Malformed)?;
        let issued = |provider: &&IdentityProvider| provider.registration.issuer.as_str() == named.iss;
        let provider = state.identity_providers.iter().map(|(_, provider)| provider).find(issued);
        let provider = provider.ok_or(SubjectTokenError::Issuer)?.clone();
        Ok(Self { token, header, provider })
    }

    /// Verifies the token, which must be addressed to one of `audiences`, the caller's names, and to nobody else. Its key is looked for a second time if it
    /// may be newer than the ones at hand.
    ///
    /// # Errors
    /// [`SubjectTokenError`], by the first check that fails.
    pub async fn verify(
        &self,
        cache: &MetadataCache,
        audiences: &[&str],
        now: Timestamp,
    ) -> Result<SubjectToken, SubjectTokenError> {
        let metadata = cache.current(&self.provider, now).await?;
        let first = self.verify_with(&metadata, audiences, now);
        if !matches!(first, Err(SubjectTokenError::UnknownKey | SubjectTokenError::Signature)) {
            return first;
        }
        let newer = cache.newer(&self.provider, &metadata, now).await;
        if Arc::ptr_eq(&newer, &metadata) { first } else { self.verify_with(&newer, audiences, now) }
    }

    fn verify_with(
        &self,
        metadata: &Metadata,
        audiences: &[&str],
        now: Timestamp,
    ) -> Result<SubjectToken, SubjectTokenError> {
        let registration = &self.provider.registration;
        let key = metadata.keys.find(self.header.kid.as_deref(), self.header.alg);
        let key = key.map_err(|NoKey| SubjectTokenError::UnknownKey)?;
        let mut rules = Validation::new(self.header.alg);
        rules.set_issuer(&[registration.issuer.as_str()]);
        // Below, and stricter: the library has a clock of its own, and takes a list of audiences if one of them fits.
        rules.required_spec_claims.clear();
        rules.validate_exp = false;
        rules.validate_aud = false;
        let claims: Claims = decode(self.token, &key, &rules).map_err(|error| sort(&error))?.claims;
        if claims.iss != registration.issuer.as_str() {
            return Err(SubjectTokenError::Issuer);
        }
        let audience = claims.aud.only().ok_or(SubjectTokenError::Audience)?;
        if !audiences.contains(&audience) {
            return Err(SubjectTokenError::Audience);
        }
        if claims.may_act.is_some_and(|actor| !actor.is_one_of(audiences)) {
            return Err(SubjectTokenError::MayAct);
        }
        let expires_at = moment(claims.exp).ok_or(SubjectTokenError::Time)?;
        let begun = |at: Option<f64>| at.is_none_or(|at| moment(at).is_some_and(|at| at <= now + LEEWAY));
        if now >= expires_at + LEEWAY || !begun(claims.nbf) || !begun(claims.iat) {
            return Err(SubjectTokenError::Time);
        }
        let extra = ExtraClaims { tid: claims.tid, oid: claims.oid, nbf: claims.nbf };
        let identifier = identifier(registration, claims.sub.as_deref(), &extra)?;
        Ok(SubjectToken { identity_provider: self.provider.id, identifier, expires_at })
    }
}

#[derive(Deserialize)]
struct Named {
    iss: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: Option<String>,
    aud: Audience,
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
    tid: Option<String>,
    oid: Option<String>,
    may_act: Option<MayAct>,
}

/// Who may act for the subject. One who is named together with an issuer is somebody there, and nobody that is known here.
#[derive(Deserialize)]
struct MayAct {
    sub: Option<String>,
    iss: Option<serde::de::IgnoredAny>,
}

impl MayAct {
    fn is_one_of(&self, names: &[&str]) -> bool {
        self.iss.is_none() && self.sub.as_deref().is_some_and(|sub| names.contains(&sub))
    }
}

/// One audience, or a list of them (RFC 7519 section 4.1.3).
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Listed(Vec<String>),
}

impl Audience {
    fn only(&self) -> Option<&str> {
        match self {
            Self::One(audience) => Some(audience),
            Self::Listed(audiences) => match audiences.as_slice() {
                [audience] => Some(audience),
                _ => None,
            },
        }
    }
}

/// Reads the header and judges what it promises, before any key is looked for.
fn header(token: &str, declared: Declared) -> Result<Header, SubjectTokenError> {
    if token.len() > TOKEN_LEN_MAX {
        return Err(SubjectTokenError::Malformed);
    }
    let header = decode_header(token).map_err(|_| SubjectTokenError::Malformed)?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(SubjectTokenError::Algorithm);
    }
    if header.crit.is_some() || header.cty.is_some() || header.enc.is_some() || header.zip.is_some() {
        return Err(SubjectTokenError::Malformed);
    }
    let stated = header.typ.as_deref().unwrap_or("jwt").to_ascii_lowercase();
    let stated = stated.strip_prefix("application/").unwrap_or(&stated);
    let admitted = match declared {
        Declared::Jwt | Declared::AccessToken => TYPES.contains(&stated),
        Declared::IdToken => TYPES.contains(&stated) && stated != ACCESS_TOKEN_TYPE,
    };
    if admitted { Ok(header) } else { Err(SubjectTokenError::Type) }
}

/// Sorts an error of the library. Its text may quote the token, and goes no further.
fn sort(error: &jsonwebtoken::errors::Error) -> SubjectTokenError {
    if matches!(error.kind(), ErrorKind::InvalidSignature) {
        SubjectTokenError::Signature
    } else if matches!(error.kind(), ErrorKind::InvalidIssuer) {
        SubjectTokenError::Issuer
    } else {
        SubjectTokenError::Malformed
    }
}
