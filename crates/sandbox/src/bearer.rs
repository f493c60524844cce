//! Bearer tokens in requests, and the challenges that answer bad ones (RFC 6750).

use http::{HeaderMap, StatusCode, header};

use crate::answer::Answer;

/// The bearer token of the Authorization header, the only place it is accepted in.
pub(crate) fn token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

pub(crate) fn missing() -> Answer {
    Answer::error(StatusCode::UNAUTHORIZED, "invalid_request", "a bearer token is required")
        .with_header(header::WWW_AUTHENTICATE, "Bearer realm=\"sandbox\"")
}

pub(crate) fn invalid() -> Answer {
    Answer::error(StatusCode::UNAUTHORIZED, "invalid_token", "the token is unknown, expired or revoked")
        .with_header(header::WWW_AUTHENTICATE, "Bearer realm=\"sandbox\", error=\"invalid_token\"")
}

pub(crate) fn insufficient(scope: &str) -> Answer {
    let challenge = format!("Bearer realm=\"sandbox\", error=\"insufficient_scope\", scope=\"{scope}\"");
    Answer::error(StatusCode::FORBIDDEN, "insufficient_scope", "the token lacks a scope")
        .with_header(header::WWW_AUTHENTICATE, &challenge)
}
