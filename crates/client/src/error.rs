//! Why a call failed: the cluster's stable reason where it gave one, and what stands in its place where no node answered.

use std::{collections::BTreeMap, error::Error as _, fmt, time::Duration};

use leasehold_proto::v1::StreamError;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// A failed call.
///
/// `Display` gives the message and the reason; neither ever carries a secret. Clones are cheap.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    code: Code,
    answered: bool,
    reason: String,
    message: String,
    metadata: BTreeMap<String, String>,
    retry_after: Option<Duration>,
}

impl Error {
    /// The stable reason: of `google.rpc.ErrorInfo` where the cluster gave one (`POLICY_DENIED`, `NO_LEADER`, …), otherwise
    /// `UNREACHABLE`, or the name of the gRPC status code (`UNIMPLEMENTED`, `DEADLINE_EXCEEDED`, …).
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// What the cluster says about it, for people.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The gRPC status code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What `google.rpc.ErrorInfo` says beside the reason.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.0.metadata
    }

    /// After which time another try may help, where the cluster says so (`google.rpc.RetryInfo`).
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Whether the same call may succeed later without anybody changing anything. A call that changes something is repeated under the
    /// same request id.
    pub fn is_retryable(&self) -> bool {
        self.0.retry_after.is_some()
            || matches!(
                self.0.code,
                Code::Unavailable
                    | Code::DeadlineExceeded
                    | Code::Cancelled
                    | Code::ResourceExhausted
                    | Code::Aborted
            )
            || self.is_unreachable()
            || self.reason() == "OUTCOME_UNKNOWN"
    }

    /// Whether no node answered: nothing is known about whether a change was made.
    pub fn is_unreachable(&self) -> bool {
        !self.0.answered
    }

    /// An answer that this version of the interface does not allow.
    pub(crate) fn malformed(what: &str) -> Self {
        Self::of_our_own(Code::Internal, "MALFORMED_ANSWER", format!("the answer has no {what}"))
    }

    /// Leases that end faster than their answers arrive.
    pub(crate) fn overtaken() -> Self {
        let message = "the lease ended before its answer arrived, again and again".to_owned();
        Self::of_our_own(Code::Aborted, "OVERTAKEN", message)
    }

    fn of_our_own(code: Code, reason: &str, message: String) -> Self {
        let reason = reason.to_owned();
        Self(Box::new(Inner {
            code,
            answered: true,
            reason,
            message,
            metadata: BTreeMap::new(),
            retry_after: None,
        }))
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        // Details that do not decode are as good as none: the status code still says what kind of failure it is.
        let details = status.check_error_details().unwrap_or_default();
        let retry_after = details.retry_info().and_then(|retry| retry.retry_delay);
        let info = details.error_info().filter(|info| !info.reason.is_empty());
        // A status that tonic made of a failed connection or a passed deadline has a cause; one that a node sent has none.
        let answered = info.is_some() || (status.source().is_none() && status.code() != Code::Unavailable);
        let (reason, metadata) = match info {
            Some(info) => (
                info.reason.clone(),
                info.metadata.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
            ),
            None if !answered => ("UNREACHABLE".to_owned(), BTreeMap::new()),
            None => (screaming(status.code()), BTreeMap::new()),
        };
        let message = if answered { status.message().to_owned() } else { innermost(&status) };
        Self(Box::new(Inner { code: status.code(), answered, reason, message, metadata, retry_after }))
    }
}

impl From<StreamError> for Error {
    fn from(error: StreamError) -> Self {
        let code = Code::from_i32(error.code);
        let retry_after =
            Some(error.retry_after_millis).filter(|millis| *millis > 0).map(Duration::from_millis);
        let reason = if error.reason.is_empty() { screaming(code) } else { error.reason };
        let message = error.message;
        Self(Box::new(Inner {
            code,
            answered: true,
            reason,
            message,
            metadata: BTreeMap::new(),
            retry_after,
        }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message(), self.reason())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { code, reason, message, retry_after, .. } = &*self.0;
        f.debug_struct("Error")
            .field("code", code)
            .field("reason", reason)
            .field("message", message)
            .field("retry_after", retry_after)
            .finish()
    }
}

impl std::error::Error for Error {}

/// What went wrong underneath: transport errors wrap it in several layers that say nothing.
fn innermost(status: &Status) -> String {
    let mut cause = status.source();
    let mut text = status.message().to_owned();
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    text
}

/// A code's name as it stands in the gRPC specification.
fn screaming(code: Code) -> String {
    let name = format!("{code:?}");
    let mut text = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_uppercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    fn status(code: Code, reason: &str, retry: Option<Duration>) -> Status {
        let mut details = ErrorDetails::new();
        details.set_error_info(reason, "leasehold", [("connector".to_owned(), "con_1".to_owned())]);
        if retry.is_some() {
            details.set_retry_info(retry);
        }
        Status::with_error_details(code, "said by the cluster", details)
    }

    #[test]
    fn the_clusters_reason_message_and_metadata_are_read() {
        let error = Error::from(status(Code::PermissionDenied, "POLICY_DENIED", None));
        assert_eq!((error.reason(), error.message()), ("POLICY_DENIED", "said by the cluster"));
        assert_eq!(error.metadata()["connector"], "con_1");
        assert_eq!(error.to_string(), "said by the cluster (POLICY_DENIED)");
        assert!(!error.is_retryable() && !error.is_unreachable());
        assert_eq!(error.retry_after(), None);
    }

    #[test]
    fn a_stated_delay_makes_a_failure_retryable() {
        let delay = Duration::from_millis(1500);
        let error = Error::from(status(Code::FailedPrecondition, "PROVIDER_UNAVAILABLE", Some(delay)));
        assert!(error.is_retryable());
        assert_eq!(error.retry_after(), Some(delay));
    }

    #[test]
    fn a_node_without_a_leader_is_retryable_and_reachable() {
        let error = Error::from(status(Code::Unavailable, "NO_LEADER", None));
        assert!(error.is_retryable());
        assert!(!error.is_unreachable());
    }

    #[test]
    fn an_unknown_outcome_is_retryable() {
        assert!(Error::from(status(Code::Unknown, "OUTCOME_UNKNOWN", None)).is_retryable());
        assert!(!Error::from(status(Code::Unknown, "INTERNAL", None)).is_retryable());
    }

    #[test]
    fn without_details_the_status_code_is_the_reason() {
        let error = Error::from(Status::new(Code::Unimplemented, "no such method"));
        assert_eq!(error.reason(), "UNIMPLEMENTED");
        assert!(!error.is_unreachable());
        assert_eq!(Error::from(Status::new(Code::InvalidArgument, "")).reason(), "INVALID_ARGUMENT");
    }

    #[test]
    fn details_that_do_not_decode_are_as_good_as_none() {
        let broken = Status::with_details(Code::PermissionDenied, "no", vec![0xff; 8].into());
        assert_eq!(Error::from(broken).reason(), "PERMISSION_DENIED");
    }

    #[test]
    fn a_failed_connection_is_unreachable_and_says_why() {
        let cause = std::io::Error::other("connection refused");
        let mut status = Status::new(Code::Unknown, "transport error");
        status.set_source(std::sync::Arc::new(cause));
        let error = Error::from(status);
        assert!(error.is_unreachable() && error.is_retryable());
        assert_eq!(error.to_string(), "connection refused (UNREACHABLE)");
    }

    #[test]
    fn an_error_on_a_stream_reads_like_a_status() {
        let error = Error::from(StreamError {
            code: Code::Unavailable as i32,
            reason: "NO_LEADER".to_owned(),
            message: "no leader can answer now".to_owned(),
            retry_after_millis: 250,
        });
        assert_eq!((error.reason(), error.retry_after()), ("NO_LEADER", Some(Duration::from_millis(250))));
        assert!(error.is_retryable());
        let bare = Error::from(StreamError { code: Code::NotFound as i32, ..StreamError::default() });
        assert_eq!((bare.reason(), bare.retry_after()), ("NOT_FOUND", None));
    }
}
