//! What a caller is told when there is no answer: a gRPC code, a stable reason, a sentence, and what helps.
//!
//! On the wire it is a gRPC status with `google.rpc.ErrorInfo`, and where they apply `RetryInfo` and `BadRequest`; on a stream of many
//! requests it is a `StreamError`. Which problem becomes which refusal is in `status`.

use std::{collections::BTreeMap, time::Duration};

use leasehold_domain::text::TraceId;
use leasehold_proto::v1::StreamError;
use tonic::{Code, Status};
use tonic_types::{BadRequest, ErrorDetail, ErrorInfo, RetryInfo, StatusExt as _};

use crate::strict::Flaw;

/// The domain of every reason.
pub(crate) const DOMAIN: &str = "leasehold";
/// What whoever is not known is told, whatever the cause: nobody learns which credentials exist.
const UNAUTHENTICATED: &str = "the caller is not known: send an API credential that is valid as \
    `authorization: Bearer lh_...`, or connect with a client certificate that is registered for a workload";

/// Why there is no answer, for the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) details: Box<Details>,
}

/// What a program may want to know besides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Details {
    /// The metadata of `google.rpc.ErrorInfo`.
    pub(crate) metadata: BTreeMap<&'static str, String>,
    /// After which time another try may help.
    pub(crate) retry_after: Option<Duration>,
    /// The field that is not what it must be, and what it must be.
    pub(crate) field: Option<(String, String)>,
}

impl Refusal {
    /// A refusal with nothing besides.
    pub(crate) fn new(code: Code, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: Box::default() }
    }

    /// The same, where another try may help after this time.
    #[must_use]
    fn retried(mut self, after: Duration) -> Self {
        self.details.retry_after = Some(after);
        self
    }

    /// The caller is nobody that is known.
    pub(crate) fn unauthenticated() -> Self {
        Self::new(Code::Unauthenticated, "UNAUTHENTICATED", UNAUTHENTICATED)
    }

    /// There is no such method.
    pub(crate) fn no_such_method() -> Self {
        Self::new(Code::Unimplemented, "NO_SUCH_METHOD", "this node has no such method: compare versions")
    }

    /// A compressed message. A length that depends on a secret and on what the caller chose gives the secret away, so nothing is
    /// compressed here.
    pub(crate) fn compressed() -> Self {
        Self::new(Code::Unimplemented, "COMPRESSED", "compressed messages are not taken: send it as it is")
    }

    /// A message above the bound.
    pub(crate) fn too_large(bound: usize) -> Self {
        let message = format!("the message is too large: send at most {bound} bytes");
        Self::new(Code::InvalidArgument, "TOO_LARGE", message)
    }

    /// Bytes that are no request.
    pub(crate) fn damaged(what: &str) -> Self {
        Self::new(Code::InvalidArgument, "MALFORMED", format!("{what}: send the request again"))
    }

    /// A message that says what the interface does not know.
    pub(crate) fn flawed(flaw: &Flaw) -> Self {
        let reason = match flaw {
            Flaw::UnknownField { .. } => "UNKNOWN_FIELD",
            Flaw::Twice { .. } | Flaw::Excluded { .. } => "FIELD_AMBIGUOUS",
            Flaw::WrongType { .. } | Flaw::NotText { .. } | Flaw::Damaged { .. } | Flaw::TooDeep { .. } => {
                "MALFORMED"
            }
        };
        let message = format!("{flaw}; nothing was changed: send what the interface of this version has");
        let mut refusal = Self::new(Code::InvalidArgument, reason, message);
        refusal.details.field = Some((flaw.field(), flaw.to_string()));
        refusal
    }

    /// A `grpc-timeout` that says nothing.
    pub(crate) fn bad_timeout() -> Self {
        let message = "grpc-timeout: 1 to 8 digits and one of H, M, S, m, u, n";
        Self::new(Code::InvalidArgument, "MALFORMED", message)
    }

    /// Too much is on its way already.
    pub(crate) fn overloaded(what: &str) -> Self {
        let message = format!("{what}: wait a little, and send less at a time");
        Self::new(Code::ResourceExhausted, "OVERLOADED", message).retried(Duration::from_millis(200))
    }

    /// The time that the caller, or this node, allows has passed.
    pub(crate) fn deadline_exceeded() -> Self {
        let message = "the time for this call has passed, and its outcome is not known: repeat it with the same request_id";
        Self::new(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", message)
    }

    /// The connection, or the node, ends: streams are to be opened again.
    pub(crate) fn ending() -> Self {
        let message = "this connection is ending: open the stream again on another connection";
        Self::new(Code::Unavailable, "STOPPED", message).retried(Duration::from_millis(100))
    }

    /// The same, with the id under which the log has more.
    #[must_use]
    pub(crate) fn traced(mut self, trace: TraceId) -> Self {
        self.details.metadata.insert("trace", trace.to_string());
        self
    }

    /// The status on the wire.
    pub(crate) fn into_status(self) -> Status {
        let Details { metadata, retry_after, field } = *self.details;
        let metadata = metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let info = ErrorInfo { reason: self.reason.to_owned(), domain: DOMAIN.to_owned(), metadata };
        let mut details: Vec<ErrorDetail> = vec![info.into()];
        details.extend(retry_after.map(|wait| RetryInfo::new(Some(wait)).into()));
        details
            .extend(field.map(|(field, description)| BadRequest::with_violation(field, description).into()));
        Status::with_error_details_vec(self.code, self.message, details)
    }

    /// The same inside a stream.
    pub(crate) fn into_stream_error(self) -> StreamError {
        let retry_after =
            self.details.retry_after.map_or(0, |span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
        StreamError {
            code: self.code.into(),
            reason: self.reason.to_owned(),
            message: self.message,
            retry_after_millis: retry_after,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_carries_reason_domain_retry_and_field() {
        let mut refusal = Refusal::new(Code::InvalidArgument, "INVALID_ARGUMENT", "page");
        refusal.details.field = Some(("page".to_owned(), "what next_page said".to_owned()));
        let refusal = refusal.retried(Duration::from_millis(1500));
        let status = refusal.traced(TraceId::from_bytes([7; 16])).into_status();
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("INVALID_ARGUMENT", "leasehold"));
        assert_eq!(info.metadata.get("trace").unwrap(), &"07".repeat(16));
        assert_eq!(details.retry_info().unwrap().retry_delay, Some(Duration::from_millis(1500)));
        let violation = &details.bad_request().unwrap().field_violations[0];
        assert_eq!(
            (violation.field.as_str(), violation.description.as_str()),
            ("page", "what next_page said")
        );
    }

    #[test]
    fn nobody_learns_why_it_is_not_known() {
        let status = Refusal::unauthenticated().into_status();
        assert_eq!(status.code(), Code::Unauthenticated);
        assert_eq!(status.message(), UNAUTHENTICATED);
        assert_eq!(status.get_error_details().error_info().unwrap().reason, "UNAUTHENTICATED");
    }
}
