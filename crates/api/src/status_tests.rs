use leasehold_domain::{scope::ScopeSet, time::Span};

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn scopes() -> ScopeSet {
    "files.read files.write".parse().unwrap()
}

fn rejections() -> Vec<(Rejection, Code)> {
    use Code::{
        Aborted, AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied,
        ResourceExhausted, Unavailable,
    };
    vec![
        (Rejection::AlreadyFounded, FailedPrecondition),
        (Rejection::NotFounded, Unavailable),
        (Rejection::Unknown(Kind::Subject), NotFound),
        (Rejection::Unknown(Kind::Lease), NotFound),
        (Rejection::Exists(Kind::Connector), AlreadyExists),
        (Rejection::NameTaken(Kind::Workload), AlreadyExists),
        (Rejection::TooMany { limit: 4 }, ResourceExhausted),
        (Rejection::TooLong { limit: 1000 }, InvalidArgument),
        (Rejection::Disabled(Kind::Subject), FailedPrecondition),
        (Rejection::Unchanged(Kind::McpServer), FailedPrecondition),
        (Rejection::BootstrapClosed, FailedPrecondition),
        (Rejection::WrongPrincipal, PermissionDenied),
        (Rejection::RequestIdReused, InvalidArgument),
        (Rejection::GrantRevoked, FailedPrecondition),
        (Rejection::ConsentNeeded, FailedPrecondition),
        (Rejection::ScopesMissing(scopes()), FailedPrecondition),
        (Rejection::ScopesNotRegistered(scopes()), FailedPrecondition),
        (Rejection::Superseded, Aborted),
        (Rejection::RefreshInFlight, Aborted),
        (Rejection::TooEarly(NOW + Span::from_secs(7)), ResourceExhausted),
        (Rejection::NoRefreshToken, FailedPrecondition),
        (Rejection::ResendForbidden, FailedPrecondition),
        (Rejection::TokenExpired, FailedPrecondition),
        (Rejection::InjectOnly, PermissionDenied),
        (Rejection::SubjectCapReached, PermissionDenied),
        (Rejection::LastAdministrator, FailedPrecondition),
        (Rejection::LeaseEnded, FailedPrecondition),
        (Rejection::WrongPhase, FailedPrecondition),
        (Rejection::AuthorizationExpired, FailedPrecondition),
        (Rejection::StateMismatch, PermissionDenied),
        (Rejection::SessionMismatch, PermissionDenied),
        (Rejection::SubjectMismatch, PermissionDenied),
        (Rejection::AccountMismatch, FailedPrecondition),
        (Rejection::IdentifierMismatch, PermissionDenied),
        (Rejection::Unknown(Kind::Key), NotFound),
        (Rejection::CurrentKey, FailedPrecondition),
        (Rejection::KeyInUse { count: 3 }, FailedPrecondition),
        (Rejection::SubjectErased, FailedPrecondition),
    ]
}

fn problems() -> Vec<(Problem, Code)> {
    use Code::{
        Aborted, FailedPrecondition, Internal, InvalidArgument, NotFound, PermissionDenied,
        ResourceExhausted, Unavailable, Unknown,
    };
    let mut all: Vec<(Problem, Code)> = vec![
        (Problem::Denied(DenialReason::Policy), PermissionDenied),
        (Problem::Denied(DenialReason::TokenTooBroad), PermissionDenied),
        (Problem::Denied(DenialReason::WeakCredential), PermissionDenied),
        (Problem::Denied(DenialReason::SubjectCap), PermissionDenied),
        (Problem::Denied(DenialReason::Role), PermissionDenied),
        (Problem::Denied(DenialReason::NotItsOwn), PermissionDenied),
        (Problem::WrongCaller, PermissionDenied),
        (Problem::invalid("page", "what next_page said"), InvalidArgument),
        (Problem::Unknown(Kind::Subject), NotFound),
        (Problem::Unknown(Kind::Connector), NotFound),
        (
            Problem::AccountAmbiguous { accounts: vec!["grt_a".to_owned(), "grt_b".to_owned()] },
            FailedPrecondition,
        ),
        (Problem::ChangedSinceRead, Aborted),
        (Problem::SubjectTokenInvalid, InvalidArgument),
        (Problem::ProviderUnavailable { retry_after: Span::from_secs(5) }, Unavailable),
        (Problem::ConnectorSuspended, FailedPrecondition),
        (Problem::NoLeader { hint: Some(2) }, Unavailable),
        (Problem::NoLeader { hint: None }, Unavailable),
        (Problem::Overloaded, ResourceExhausted),
        (Problem::OutcomeUnknown, Unknown),
        (Problem::Stopped, Unavailable),
        (Problem::Fault, Internal),
    ];
    all.extend(rejections().into_iter().map(|(rejection, code)| (Problem::Rejected(rejection), code)));
    all
}

fn told(problem: &Problem) -> Refusal {
    let trace = TraceId::from_bytes([0xab; 16]);
    refusal(problem, Attempt { what: "acquire the lease", trace, at: NOW })
}

#[test]
fn every_problem_has_its_code_and_its_reason() {
    for (problem, code) in problems() {
        let told = told(&problem);
        assert_eq!(told.code, code, "{problem:?}");
        assert_eq!(told.reason, problem.code(), "{problem:?}");
    }
}

#[test]
fn one_reason_has_one_code() {
    let mut codes = BTreeMap::new();
    for (problem, code) in problems() {
        assert_eq!(*codes.entry(problem.code()).or_insert(code), code, "{problem:?}");
    }
}

#[test]
fn a_message_says_what_was_attempted_and_what_to_do_next() {
    for (problem, _) in problems().into_iter().filter(|(problem, _)| *problem != Problem::Fault) {
        let told = told(&problem);
        let rest = told.message.strip_prefix("could not acquire the lease: ");
        let next = rest.and_then(|rest| rest.strip_prefix(&problem.to_string()));
        let next =
            next.and_then(|rest| rest.strip_prefix("; ")).unwrap_or_else(|| panic!("{}", told.message));
        assert!(next.len() > 10, "{}", told.message);
    }
}

#[test]
fn a_fault_shows_the_trace_id_and_nothing_else() {
    let told = told(&Problem::Fault);
    assert_eq!(told.message, format!("an internal fault: quote the trace id {}", "ab".repeat(16)));
    assert_eq!(told.details.metadata, BTreeMap::from([("trace", "ab".repeat(16))]));
    assert_eq!((told.details.retry_after, told.details.field), (None, None));
}

#[test]
fn what_a_retry_helps_says_after_which_time() {
    let waits: Vec<(&str, Duration)> = problems()
        .iter()
        .filter_map(|(problem, _)| told(problem).details.retry_after.map(|wait| (problem.code(), wait)))
        .collect();
    let expected = [
        ("PROVIDER_UNAVAILABLE", Duration::from_secs(5)),
        ("NO_LEADER", LEADER_WAIT),
        ("NO_LEADER", LEADER_WAIT),
        ("OVERLOADED", QUEUE_WAIT),
        ("OUTCOME_UNKNOWN", LEADER_WAIT),
        ("STOPPED", LEADER_WAIT),
        ("NOT_FOUNDED", LEADER_WAIT),
        ("SUPERSEDED", QUEUE_WAIT),
        ("REFRESH_IN_FLIGHT", FLIGHT_WAIT),
        ("TOO_EARLY", Duration::from_secs(7)),
    ];
    assert_eq!(waits, expected);
}

#[test]
fn a_program_learns_the_scopes_the_accounts_and_the_leader() {
    let missing = told(&Problem::Rejected(Rejection::ScopesMissing(scopes())));
    assert_eq!(missing.details.metadata["scopes"], "files.read files.write");
    let ambiguous =
        told(&Problem::AccountAmbiguous { accounts: vec!["grt_a".to_owned(), "grt_b".to_owned()] });
    assert_eq!(ambiguous.details.metadata["accounts"], "grt_a grt_b");
    assert_eq!(told(&Problem::NoLeader { hint: Some(2) }).details.metadata["leader"], "2");
    let invalid = told(&Problem::invalid("scopes", "at most 64 members"));
    assert_eq!(invalid.details.field, Some(("scopes".to_owned(), "at most 64 members".to_owned())));
}
