//! What a client is told when there is no token: an error code of OAuth's, our stable reason, a sentence, and what helps.
//!
//! Which problem of a use case becomes which refusal is in `problem`; what is refused before any use case is asked stands here.

use axum::{
    Extension, Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use leasehold_domain::text::TraceId;
use serde::Serialize;
use tokio::time::Duration;

/// The ways to authenticate, as a 401 names them (RFC 6749 section 5.2).
const CHALLENGES: [&str; 2] = [r#"Basic realm="leasehold", charset="UTF-8""#, r#"Bearer realm="leasehold""#];
/// How long to wait for a queue to be shorter.
const QUEUE_WAIT: Duration = Duration::from_secs(1);

/// Why there is no token, for the client. The guard makes the answer of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// The error code (RFC 6749 section 5.2, RFC 8693 section 2.2.2, RFC 8707 section 2).
    pub(crate) error: &'static str,
    /// The stable reason, the same as in gRPC.
    pub(crate) reason: &'static str,
    /// In words: what is wrong, and what to do about it.
    pub(crate) description: String,
    /// After which time another try may help.
    pub(crate) retry_after: Option<Duration>,
    pub(crate) details: Box<Details>,
}

/// What a program may want to know besides: extension members of the answer (RFC 6749 section 8.2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Details {
    /// Where to send the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connect_url: Option<String>,
    /// Which consent it is that was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) authorization: Option<String>,
    /// Exactly the scopes that are missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) missing_scopes: Vec<String>,
    /// The accounts to choose from, each as `account` takes it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) accounts: Vec<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
    error_description: String,
    reason: &'a str,
    trace: String,
    #[serde(flatten)]
    details: &'a Details,
}

impl Refusal {
    /// A refusal with nothing besides.
    pub(crate) fn new(
        status: StatusCode,
        error: &'static str,
        reason: &'static str,
        description: impl Into<String>,
    ) -> Self {
        let description = description.into();
        Self { status, error, reason, description, retry_after: None, details: Box::default() }
    }

    /// The request is not what it must be.
    pub(crate) fn invalid_request(reason: &'static str, description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", reason, description)
    }

    /// There is no token for this target.
    pub(crate) fn invalid_target(reason: &'static str, description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_target", reason, description)
    }

    /// Nobody is known by what the client shows. Nobody learns which of its parts is wrong.
    pub(crate) fn invalid_client() -> Self {
        let description = "the client is not known: authenticate a workload with its API credential, by Basic \
            with its name or id as the user, or by Bearer";
        Self::new(StatusCode::UNAUTHORIZED, "invalid_client", "UNAUTHENTICATED", description)
    }

    /// It cannot be done now.
    pub(crate) fn unavailable(reason: &'static str, wait: Duration, description: impl Into<String>) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let refusal = Self::new(status, "temporarily_unavailable", reason, description);
        Self { retry_after: Some(wait), ..refusal }
    }

    /// Too much is on its way already.
    pub(crate) fn overloaded() -> Self {
        Self::unavailable("OVERLOADED", QUEUE_WAIT, "too many requests are on their way: wait a little")
    }

    /// It took too long. Repeating it is safe: what was done is found again.
    pub(crate) fn timed_out() -> Self {
        Self::unavailable("DEADLINE_EXCEEDED", QUEUE_WAIT, "this took too long: repeat the request")
    }

    /// We are broken. The log says how, under the trace id.
    pub(crate) fn fault() -> Self {
        let description = "an internal fault: quote the trace";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "INTERNAL", description)
    }

    /// A page in a browser has no business here.
    pub(crate) fn browser() -> Self {
        let description = "this endpoint is for programs and takes nothing from pages: send no Origin";
        Self::new(StatusCode::FORBIDDEN, "invalid_request", "CROSS_SITE", description)
    }

    /// Parameters in the address.
    pub(crate) fn query() -> Self {
        Self::invalid_request("MALFORMED", "parameters go into the body and never into the address")
    }

    /// There is no such address.
    pub(crate) fn not_found() -> Self {
        let description = "there are /oauth2/token and /oauth2/revoke";
        Self::new(StatusCode::NOT_FOUND, "invalid_request", "NO_SUCH_METHOD", description)
    }

    /// Not a POST.
    pub(crate) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "invalid_request", "NO_SUCH_METHOD", "send a POST")
    }

    /// A body above the bound.
    pub(crate) fn too_large(bound: usize) -> Self {
        let description = format!("the body is too large: send at most {bound} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", "TOO_LARGE", description)
    }

    /// A body that is no form.
    pub(crate) fn not_a_form() -> Self {
        let description = "send a body of the type application/x-www-form-urlencoded, in UTF-8";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid_request", "MALFORMED", description)
    }

    /// The answer on the wire (RFC 6749 section 5.2).
    pub(crate) fn render(&self, trace: TraceId) -> Response {
        let body = Body {
            error: self.error,
            error_description: plain(&self.description),
            reason: self.reason,
            trace: trace.to_string(),
            details: &self.details,
        };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            for challenge in CHALLENGES {
                headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
            }
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        if let Some(wait) = self.retry_after {
            headers.insert(
                header::RETRY_AFTER,
                HeaderValue::from(wait.as_millis().div_ceil(1000).max(1) as u64),
            );
        }
        response
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Extension(self)).into_response()
    }
}

/// A description holds the characters that RFC 6749 section 5.2 lets one hold, and no others.
fn plain(text: &str) -> String {
    let allowed = |letter: char| matches!(letter, ' '..='~') && !matches!(letter, '"' | '\\');
    text.chars().map(|letter| if allowed(letter) { letter } else { '\'' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_holds_only_what_the_standard_lets_it_hold() {
        assert_eq!(plain("say `this`, not \"that\"\n\\ or ä"), "say `this`, not 'that''' or '");
    }

    #[test]
    fn a_wait_is_whole_seconds_and_never_none() {
        for (wait, header) in [(0, "1"), (1, "1"), (1000, "1"), (1001, "2"), (90_000, "90")] {
            let refusal = Refusal::unavailable("NO_LEADER", Duration::from_millis(wait), "wait");
            let response = refusal.render(TraceId::from_bytes([7; 16]));
            assert_eq!(response.headers().get(header::RETRY_AFTER).unwrap(), header, "{wait}");
        }
    }

    #[test]
    fn a_client_that_is_not_known_hears_how_to_authenticate() {
        let response = Refusal::invalid_client().render(TraceId::from_bytes([7; 16]));
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let challenges: Vec<_> = response.headers().get_all(header::WWW_AUTHENTICATE).iter().collect();
        assert_eq!(challenges, CHALLENGES);
        let other = Refusal::query().render(TraceId::from_bytes([7; 16]));
        assert!(!other.headers().contains_key(header::WWW_AUTHENTICATE));
    }
}
