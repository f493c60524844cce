//! Revocation at the provider: RFC 7009, or a way of the provider's own.

use http::{
    HeaderValue, Method,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName},
};
use leasehold_domain::provider::ProviderFailure;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use std::collections::BTreeMap;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    call::{Call, Leg, RawAnswer},
    catalogue::{Provider, RevocationKind, Success, TemplateError},
    classify,
    client::{Counterpart, bearer},
    document::Document,
    failure::{Code, Failure},
    form,
    transport::Request,
};

/// Which kind of token is to be revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// An access token.
    Access,
    /// A refresh token.
    Refresh,
}

/// Why a token cannot be revoked at its provider.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RevokeError {
    /// The provider has no way to revoke this kind of token.
    #[error("the provider has no way to revoke this kind of token")]
    Unsupported,
    /// The provider's interface wants a client secret, and there is none.
    #[error("revocation needs a client secret")]
    NoSecret,
    /// The token does not fit into a header.
    #[error("the token cannot be put into a header")]
    Token,
    /// The entry's URL cannot be filled.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

/// A revocation.
pub struct Revocation<'a> {
    /// Who speaks to whom.
    pub counterpart: Counterpart<'a>,
    /// The connector's values for the entry's inputs.
    pub inputs: &'a BTreeMap<String, String>,
    /// The token.
    pub token: &'a SecretString,
    /// Which kind it is.
    pub kind: TokenKind,
}

impl Revocation<'_> {
    /// The request.
    ///
    /// # Errors
    /// [`RevokeError`] when the provider does not take one.
    pub fn call(&self) -> Result<Call, RevokeError> {
        let request = match (self.counterpart.provider.entry.revocation.kind, self.kind) {
            (RevocationKind::Rfc7009, _) => self.rfc7009()?,
            (RevocationKind::GithubToken, TokenKind::Access) => self.github("token")?,
            (RevocationKind::GithubGrant, TokenKind::Access) => self.github("grant")?,
            (RevocationKind::Bearer, TokenKind::Access) => self.bearer()?,
            (RevocationKind::None, _)
            | (
                RevocationKind::GithubToken | RevocationKind::GithubGrant | RevocationKind::Bearer,
                TokenKind::Refresh,
            ) => return Err(RevokeError::Unsupported),
        };
        Ok(Call { leg: Leg::Revoke, request })
    }

    /// RFC 7009 section 2.1.
    fn rfc7009(&self) -> Result<Request, RevokeError> {
        let url = self.counterpart.endpoints.revocation.clone().ok_or(RevokeError::Unsupported)?;
        let hint = match self.kind {
            TokenKind::Access => "access_token",
            TokenKind::Refresh => "refresh_token",
        };
        let parameters = [("token", self.token.expose_secret()), ("token_type_hint", hint)];
        Ok(form::post(&self.counterpart, url, &parameters))
    }

    /// A call that the token makes itself, to end itself.
    fn bearer(&self) -> Result<Request, RevokeError> {
        let entry = &self.counterpart.provider.entry;
        let template = entry.revocation.url.as_ref().ok_or(RevokeError::Unsupported)?;
        let url = template.fill(&entry.inputs, self.inputs)?;
        let bearer = bearer(self.token).ok_or(RevokeError::Token)?;
        Ok(Request::new(Method::POST, url, entry.limits.max_response_bytes)
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(AUTHORIZATION, bearer))
    }

    /// GitHub REST, "delete an app token" and "delete an app authorization".
    fn github(&self, what: &str) -> Result<Request, RevokeError> {
        let entry = &self.counterpart.provider.entry;
        let client = self.counterpart.client;
        let base = entry.revocation.url.as_ref().ok_or(RevokeError::Unsupported)?;
        let mut url = base.fill(&entry.inputs, self.inputs)?;
        let id = utf8_percent_encode(client.id(), NON_ALPHANUMERIC);
        url.set_path(&format!("{}/applications/{id}/{what}", url.path().trim_end_matches('/')));
        let secret = client.secret(self.counterpart.secret).ok_or(RevokeError::NoSecret)?;
        let basic = client.basic(secret).ok_or(RevokeError::NoSecret)?;
        let body = json!({ "access_token": self.token.expose_secret() }).to_string();
        let mut request = Request::new(Method::DELETE, url, entry.limits.max_response_bytes)
            .header(ACCEPT, HeaderValue::from_static("application/vnd.github+json"))
            .header(HeaderName::from_static("x-github-api-version"), HeaderValue::from_static("2022-11-28"))
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(AUTHORIZATION, basic);
        request.body = Zeroizing::new(body.into_bytes());
        Ok(request)
    }
}

/// What came of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    /// The token is no longer good, or was not before (RFC 7009 section 2.2 does not tell the two apart).
    Confirmed,
    /// The provider does not revoke tokens of this kind (`unsupported_token_type`).
    KindUnsupported,
}

/// Reads the answer to a revocation.
///
/// # Errors
/// [`Failure`] when the token may still be good.
pub fn parse_revocation(provider: &Provider, answer: &RawAnswer) -> Result<Revoked, Failure> {
    let document = Document::read(answer);
    let rule = &provider.entry.revocation;
    let already = |document: &Document| classify::code_is_among(provider, document, &rule.already);
    if matches!(answer.status, 200..300 | 400..500) && document.as_ref().is_some_and(already) {
        return Ok(Revoked::Confirmed);
    }
    if !(200..300).contains(&answer.status) {
        let failure = classify::refusal(provider, answer, document.as_ref());
        let unsupported = matches!(&failure.code, Code::Listed(code) if code == "unsupported_token_type");
        return if unsupported { Ok(Revoked::KindUnsupported) } else { Err(failure) };
    }
    // The body of a success means nothing (RFC 7009 section 2.2), unless it takes the success back.
    if document.is_some() {
        classify::judge(provider, answer)?;
    }
    let says =
        |says: &Success| document.as_ref().is_some_and(|document| document.says(&says.at, &says.equals));
    if !rule.says.as_ref().is_none_or(says) {
        let class = ProviderFailure::Malformed;
        return Err(Failure { class, code: Code::Absent, status: answer.status });
    }
    Ok(Revoked::Confirmed)
}

#[cfg(test)]
#[path = "revoke_tests.rs"]
mod tests;
