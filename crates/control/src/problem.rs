//! Why a use case did not do what was asked, in three kinds that are never mixed: it may not be, it cannot be now, or we are broken.

use leasehold_consensus::{ProposeError, ReadError};
use leasehold_domain::{
    policy::DenialReason,
    rejection::{Kind, Rejection},
    time::Span,
};
use thiserror::Error;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Problem {
    /// The domain says no.
    #[error("{0}")]
    Rejected(#[from] Rejection),
    /// The caller may not.
    #[error("the caller may not do this")]
    Denied(DenialReason),
    /// The caller is not who it has to be to ask this at all: nobody, or of another kind.
    #[error("this call is not for this kind of caller")]
    WrongCaller,
    /// A field of the request is not what it must be.
    #[error("{field}: {expected}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// What it must be.
        expected: String,
    },
    /// There is nothing by this name.
    #[error("no such {0}")]
    Unknown(Kind),
    /// The caller named the revision that it had read, and that is not the current one.
    #[error("it was changed since it was read")]
    ChangedSinceRead,
    /// The subject has several accounts at the connector, and the request names none.
    #[error("the subject has several accounts at this connector: name one of {}", accounts.join(", "))]
    AccountAmbiguous {
        /// The grants to choose from.
        accounts: Vec<String>,
    },
    /// The subject's token is not one that this call can be made with.
    #[error("the subject token is not valid for this caller")]
    SubjectTokenInvalid,
    /// The provider does not do what is needed now.
    #[error("the provider is unavailable")]
    ProviderUnavailable {
        /// After which time another try may help.
        retry_after: Span,
    },
    /// The connector's provider is not called for now, for a fault of the connector's.
    #[error("the connector is suspended: its credentials or its entry were refused by the provider")]
    ConnectorSuspended,
    /// This node cannot decide now; another may.
    #[error("no leader can answer now")]
    NoLeader {
        /// The node that leads, as far as this one knows.
        hint: Option<u64>,
    },
    /// Too much waits already.
    #[error("overloaded")]
    Overloaded,
    /// The request was proposed, and nobody knows yet what became of it.
    #[error("the outcome is not known: repeat with the same request id")]
    OutcomeUnknown,
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopped,
    /// We are broken. The log says how, under the request's id.
    #[error("an internal fault")]
    Fault,
}

impl Problem {
    /// A field that is not what it must be.
    pub fn invalid(field: &'static str, expected: impl ToString) -> Self {
        Self::Invalid { field, expected: expected.to_string() }
    }

    /// The stable reason: what `google.rpc.ErrorInfo` carries.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Rejected(rejection) => rejection.code(),
            Self::Denied(reason) => match reason {
                DenialReason::Policy => "POLICY_DENIED",
                DenialReason::TokenTooBroad => "TOKEN_TOO_BROAD",
                DenialReason::WeakCredential => "CREDENTIAL_TOO_WEAK",
                DenialReason::SubjectCap => "SUBJECT_CAP_REACHED",
                DenialReason::Role => "ROLE_MISSING",
                DenialReason::NotItsOwn => "NOT_ITS_OWN",
            },
            Self::WrongCaller => "WRONG_CALLER",
            Self::Invalid { .. } => "INVALID_ARGUMENT",
            Self::Unknown(Kind::Subject) => "SUBJECT_UNKNOWN",
            Self::Unknown(_) => "UNKNOWN",
            Self::ChangedSinceRead => "CHANGED_SINCE_READ",
            Self::AccountAmbiguous { .. } => "ACCOUNT_AMBIGUOUS",
            Self::SubjectTokenInvalid => "SUBJECT_TOKEN_INVALID",
            Self::ProviderUnavailable { .. } => "PROVIDER_UNAVAILABLE",
            Self::ConnectorSuspended => "CONNECTOR_SUSPENDED",
            Self::NoLeader { .. } => "NO_LEADER",
            Self::Overloaded => "OVERLOADED",
            Self::OutcomeUnknown => "OUTCOME_UNKNOWN",
            Self::Stopped => "STOPPED",
            Self::Fault => "INTERNAL",
        }
    }

    /// A fault of ours, logged here with its cause and shown to nobody.
    pub(crate) fn fault(what: &'static str, cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(what, cause = %cause, "internal fault");
        Self::Fault
    }
}

impl From<ProposeError> for Problem {
    fn from(error: ProposeError) -> Self {
        match error {
            ProposeError::NoLeader { hint } => Self::NoLeader { hint },
            ProposeError::Overloaded | ProposeError::Expired => Self::Overloaded,
            ProposeError::TooLarge { .. } => Self::invalid("request", "smaller than one log entry"),
            ProposeError::OutcomeUnknown => Self::OutcomeUnknown,
            ProposeError::Stopped => Self::Stopped,
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NoLeader { hint } => Self::NoLeader { hint },
            ReadError::NoQuorum | ReadError::Behind => Self::NoLeader { hint: None },
            ReadError::Overloaded => Self::Overloaded,
            ReadError::Stopped => Self::Stopped,
        }
    }
}
