//! The one place where a use case's [`Problem`] becomes what a person is told; and the refusals that travel from handlers to their page.

use axum::{
    http::HeaderValue,
    response::{Extension, IntoResponse, Response},
};
use leasehold_control::Problem;
use leasehold_domain::{
    id::AuthorizationId,
    rejection::{Kind, Rejection},
    text::TraceId,
};

use crate::trouble::Trouble;

/// A request that was not served. The guard makes the page of it, or, where the address carries a query, leads away from there first.
#[derive(Clone)]
pub(crate) struct Refusal {
    pub(crate) trouble: Trouble,
    /// The consent that it is about, to lead back to.
    pub(crate) authorization: Option<AuthorizationId>,
    /// `Set-Cookie` lines that go along.
    pub(crate) cookies: Vec<HeaderValue>,
    /// The trace of the request that was refused, where it was an earlier one than this.
    pub(crate) trace: Option<TraceId>,
}

impl Refusal {
    /// A refusal that is about this consent.
    #[must_use]
    pub(crate) fn about(self, authorization: AuthorizationId) -> Self {
        Self { authorization: Some(authorization), ..self }
    }

    /// The same, with a `Set-Cookie` line.
    #[must_use]
    pub(crate) fn with_cookie(mut self, line: HeaderValue) -> Self {
        self.cookies.push(line);
        self
    }
}

impl From<Trouble> for Refusal {
    fn from(trouble: Trouble) -> Self {
        Self { trouble, authorization: None, cookies: Vec::new(), trace: None }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let trouble = Trouble::of(&problem);
        tracing::info!(code = problem.code(), ?trouble, "a use case refused a browser");
        trouble.into()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.trouble.status(), Extension(self)).into_response()
    }
}

impl Trouble {
    /// What a use case's problem is to the person in front of the browser.
    pub(crate) fn of(problem: &Problem) -> Self {
        match problem {
            Problem::Rejected(rejection) => Self::of_rejection(rejection),
            Problem::Denied(_) => Self::Denied,
            // Of the use cases that a browser reaches, only the end of a sign-in answers so: nobody stands behind it.
            Problem::WrongCaller => Self::SignInFailed,
            Problem::Invalid { .. } => Self::FormInvalid,
            Problem::Unknown(kind) => Self::of_unknown(*kind),
            Problem::ProviderUnavailable { .. } => Self::ProviderUnavailable,
            Problem::ConnectorSuspended => Self::ConnectorSuspended,
            Problem::NoLeader { .. } => Self::NoLeader,
            Problem::Overloaded => Self::Overloaded,
            Problem::OutcomeUnknown => Self::OutcomeUnknown,
            Problem::Stopped => Self::Stopped,
            // Answers to callers with credentials; no use case gives one to a browser.
            Problem::AccountAmbiguous { .. }
            | Problem::ChangedSinceRead
            | Problem::SubjectTokenInvalid
            | Problem::Fault => Self::Internal,
            _ => Self::Internal,
        }
    }

    fn of_rejection(rejection: &Rejection) -> Self {
        match rejection {
            Rejection::SubjectMismatch => Self::SubjectMismatch,
            Rejection::SessionMismatch => Self::SessionMismatch,
            Rejection::StateMismatch => Self::StateMismatch,
            Rejection::AuthorizationExpired => Self::AuthorizationExpired,
            Rejection::WrongPhase | Rejection::Superseded => Self::AuthorizationNotOpen,
            Rejection::GrantRevoked => Self::Revoked,
            Rejection::AccountMismatch => Self::AccountMismatch,
            Rejection::IdentifierMismatch | Rejection::NameTaken(Kind::Subject) => Self::IdentifierMismatch,
            Rejection::Disabled(_) | Rejection::SubjectErased => Self::Disabled,
            Rejection::Unknown(kind) => Self::of_unknown(*kind),
            Rejection::WrongPrincipal => Self::Denied,
            // What follows is said to other commands than those of a browser.
            Rejection::AlreadyFounded
            | Rejection::NotFounded
            | Rejection::Exists(_)
            | Rejection::NameTaken(_)
            | Rejection::TooMany { .. }
            | Rejection::TooLong { .. }
            | Rejection::Unchanged(_)
            | Rejection::BootstrapClosed
            | Rejection::RequestIdReused
            | Rejection::ConsentNeeded
            | Rejection::ScopesMissing(_)
            | Rejection::ScopesNotRegistered(_)
            | Rejection::RefreshInFlight
            | Rejection::TooEarly(_)
            | Rejection::NoRefreshToken
            | Rejection::ResendForbidden
            | Rejection::TokenExpired
            | Rejection::InjectOnly
            | Rejection::LeaseEnded
            | Rejection::SubjectCapReached
            | Rejection::LastAdministrator
            | Rejection::CurrentKey
            | Rejection::KeyInUse { .. } => Self::Internal,
            _ => Self::Internal,
        }
    }

    fn of_unknown(kind: Kind) -> Self {
        match kind {
            Kind::Authorization => Self::AuthorizationUnknown,
            Kind::Subject => Self::SubjectUnknown,
            Kind::IdentityProvider => Self::NoSignIn,
            // The consent outlived what it was for.
            Kind::Connector | Kind::McpServer | Kind::Grant => Self::Revoked,
            Kind::Administrator
            | Kind::Credential
            | Kind::Key
            | Kind::Lease
            | Kind::Secret
            | Kind::UpstreamTask
            | Kind::Workload => Self::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use leasehold_domain::time::Span;

    use super::*;

    #[test]
    fn what_ends_a_consent_keeps_its_stable_code() {
        for rejection in [
            Rejection::SubjectMismatch,
            Rejection::SessionMismatch,
            Rejection::StateMismatch,
            Rejection::AuthorizationExpired,
            Rejection::WrongPhase,
            Rejection::GrantRevoked,
            Rejection::AccountMismatch,
            Rejection::IdentifierMismatch,
            Rejection::Disabled(Kind::Subject),
            Rejection::Unknown(Kind::Authorization),
            Rejection::Unknown(Kind::Subject),
        ] {
            let problem = Problem::from(rejection);
            assert_eq!(Trouble::of(&problem).notice().code, problem.code());
        }
        for problem in [
            Problem::ProviderUnavailable { retry_after: Span::ZERO },
            Problem::ConnectorSuspended,
            Problem::NoLeader { hint: None },
            Problem::Overloaded,
            Problem::OutcomeUnknown,
            Problem::Stopped,
            Problem::Fault,
        ] {
            assert_eq!(Trouble::of(&problem).notice().code, problem.code());
        }
    }

    #[test]
    fn what_no_browser_should_meet_is_a_fault_and_says_nothing() {
        let problem = Problem::AccountAmbiguous { accounts: vec!["grt_secret".to_owned()] };
        assert_eq!(Trouble::of(&problem), Trouble::Internal);
        assert_eq!(Trouble::of(&Rejection::RequestIdReused.into()), Trouble::Internal);
    }
}
