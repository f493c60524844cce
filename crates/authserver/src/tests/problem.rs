use leasehold_domain::{id::AuthorizationId, time::Span};

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn told(problem: Problem) -> (u16, &'static str, &'static str) {
    let refusal = refusal(&problem, NOW);
    (refusal.status.as_u16(), refusal.error, refusal.reason)
}

fn rejection(rejection: Rejection) -> (u16, &'static str, &'static str) {
    told(Problem::Rejected(rejection))
}

#[test]
fn what_is_wrong_with_the_subjects_token_is_wrong_with_the_request() {
    assert_eq!(told(Problem::SubjectTokenInvalid), (400, "invalid_request", "SUBJECT_TOKEN_INVALID"));
    assert_eq!(told(Problem::Unknown(Kind::Subject)), (400, "invalid_request", "SUBJECT_UNKNOWN"));
    assert_eq!(rejection(Rejection::Disabled(Kind::Subject)), (400, "invalid_request", "DISABLED"));
    assert_eq!(rejection(Rejection::SubjectErased), (400, "invalid_request", "SUBJECT_ERASED"));
}

#[test]
fn an_unknown_or_forbidden_target_is_invalid() {
    for kind in [Kind::McpServer, Kind::Connector] {
        assert_eq!(told(Problem::Unknown(kind)), (400, "invalid_target", "UNKNOWN"));
        assert_eq!(rejection(Rejection::Disabled(kind)), (400, "invalid_target", "DISABLED"));
    }
    for (reason, code) in [
        (DenialReason::Policy, "POLICY_DENIED"),
        (DenialReason::TokenTooBroad, "TOKEN_TOO_BROAD"),
        (DenialReason::NotItsOwn, "NOT_ITS_OWN"),
    ] {
        assert_eq!(told(Problem::Denied(reason)), (400, "invalid_target", code));
    }
    for field in ["connector", "resource"] {
        assert_eq!(told(Problem::invalid(field, "one")), (400, "invalid_target", "INVALID_ARGUMENT"));
    }
    assert_eq!(told(Problem::ConnectorSuspended), (400, "invalid_target", "CONNECTOR_SUSPENDED"));
    assert_eq!(rejection(Rejection::InjectOnly), (400, "invalid_target", "INJECT_ONLY"));
}

#[test]
fn scopes_that_are_not_registered_are_invalid_and_named() {
    let problem = Problem::Rejected(Rejection::ScopesNotRegistered("admin".parse().unwrap()));
    let refusal = refusal(&problem, NOW);
    assert_eq!((refusal.error, refusal.reason), ("invalid_scope", "SCOPES_NOT_REGISTERED"));
    assert!(refusal.description.contains("admin"), "{}", refusal.description);
}

#[test]
fn only_workloads_are_authorized_for_the_grant() {
    assert_eq!(told(Problem::WrongCaller), (400, "unauthorized_client", "WRONG_CALLER"));
}

#[test]
fn what_a_repeat_may_help_against_says_after_which_time() {
    for (problem, wait) in [
        (Problem::ProviderUnavailable { retry_after: Span::from_secs(7) }, 7),
        (Problem::NoLeader { hint: Some(2) }, 1),
        (Problem::Overloaded, 1),
        (Problem::OutcomeUnknown, 1),
        (Problem::Stopped, 1),
        (Problem::Rejected(Rejection::Superseded), 1),
        (Problem::Rejected(Rejection::GrantRevoked), 1),
        (Problem::Rejected(Rejection::ScopesMissing("a".parse().unwrap())), 1),
        (Problem::Rejected(Rejection::TooEarly(NOW + Span::from_secs(30))), 30),
    ] {
        let refusal = refusal(&problem, NOW);
        assert_eq!((refusal.status.as_u16(), refusal.error), (503, "temporarily_unavailable"), "{problem}");
        assert_eq!(refusal.retry_after, Some(Duration::from_secs(wait)), "{problem}");
    }
}

#[test]
fn a_fault_of_ours_says_nothing() {
    let refusal = refusal(&Problem::Fault, NOW);
    assert_eq!((refusal.status.as_u16(), refusal.error, refusal.reason), (500, "server_error", "INTERNAL"));
    assert_eq!(refusal.description, "an internal fault: quote the trace");
    assert_eq!(rejection(Rejection::StateMismatch).0, 500);
}

#[test]
fn several_accounts_are_listed_to_choose_from() {
    let accounts = vec!["grt_1".to_owned(), "grt_2".to_owned()];
    let refusal = refusal(&Problem::AccountAmbiguous { accounts: accounts.clone() }, NOW);
    assert_eq!((refusal.error, refusal.reason), ("invalid_request", "ACCOUNT_AMBIGUOUS"));
    assert_eq!(refusal.details.accounts, accounts);
}

#[test]
fn a_consent_that_is_needed_says_where_to_send_the_subject_and_for_what() {
    let authorization = AuthorizationId::from_bytes([7; 16]);
    let started = || StartedAuthorization {
        authorization,
        connect_url: format!("https://leasehold.example/connect/{authorization}"),
        expires_at: NOW,
    };
    for (reason, code) in [
        (ConsentReason::NoGrant, "NO_GRANT"),
        (ConsentReason::ScopesMissing, "SCOPES_MISSING"),
        (ConsentReason::Reauthentication, "REAUTHENTICATION"),
    ] {
        let refusal = interaction_required(reason, &"b a".parse().unwrap(), started());
        assert_eq!((refusal.status.as_u16(), refusal.error), (400, "interaction_required"));
        assert_eq!(refusal.reason, code);
        assert_eq!(refusal.details.connect_url.as_deref(), Some(started().connect_url.as_str()));
        assert_eq!(refusal.details.authorization, Some(authorization.to_string()));
        assert_eq!(refusal.details.missing_scopes, ["a", "b"]);
    }
}

#[test]
fn every_reason_is_the_one_that_grpc_gives() {
    for problem in [
        Problem::Unknown(Kind::Lease),
        Problem::Unknown(Kind::Workload),
        Problem::Unknown(Kind::Grant),
        Problem::invalid("anything", "something"),
        Problem::Rejected(Rejection::SubjectCapReached),
        Problem::Rejected(Rejection::TooMany { limit: 3 }),
        Problem::Rejected(Rejection::NotFounded),
    ] {
        assert_eq!(refusal(&problem, NOW).reason, problem.code());
    }
}
