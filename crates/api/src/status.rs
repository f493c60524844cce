//! From a problem to what the caller is told: the one place where it is decided which gRPC code a problem has.

use std::{collections::BTreeMap, time::Duration};

use leasehold_control::Problem;
use leasehold_domain::{
    policy::DenialReason,
    rejection::{Kind, Rejection},
    text::TraceId,
    time::Timestamp,
};
use tonic::Code;

use crate::refusal::{Details, Refusal};

/// How long to wait for a leader to be there.
const LEADER_WAIT: Duration = Duration::from_millis(500);
/// How long to wait for a queue to be shorter.
const QUEUE_WAIT: Duration = Duration::from_millis(200);
/// How long to wait for something in flight to land.
const FLIGHT_WAIT: Duration = Duration::from_secs(1);

/// What was attempted, and when: a refusal says so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    /// In words, after "could not".
    pub(crate) what: &'static str,
    /// Under which id the log has more.
    pub(crate) trace: TraceId,
    /// When the answer is made.
    pub(crate) at: Timestamp,
}

/// A problem, for the caller. A fault of ours shows the trace id and nothing else.
pub(crate) fn refusal(problem: &Problem, attempt: Attempt) -> Refusal {
    let Verdict { code, next, retry_after } = verdict(problem, attempt.at);
    let message = if *problem == Problem::Fault {
        format!("an internal fault: quote the trace id {}", attempt.trace)
    } else {
        format!("could not {}: {problem}; {next}", attempt.what)
    };
    let details = Details { metadata: metadata(problem), retry_after, field: field(problem) };
    Refusal { code, reason: problem.code(), message, details: Box::new(details) }.traced(attempt.trace)
}

/// What a problem means to the caller.
struct Verdict {
    code: Code,
    /// What to do next.
    next: &'static str,
    retry_after: Option<Duration>,
}

const fn is(code: Code, next: &'static str) -> Verdict {
    Verdict { code, next, retry_after: None }
}

const fn after(code: Code, wait: Duration, next: &'static str) -> Verdict {
    Verdict { code, next, retry_after: Some(wait) }
}

fn verdict(problem: &Problem, now: Timestamp) -> Verdict {
    match problem {
        Problem::Rejected(rejection) => rejected(rejection, now),
        Problem::Denied(reason) => is(Code::PermissionDenied, denied(*reason)),
        Problem::WrongCaller => is(
            Code::PermissionDenied,
            "workloads lease, administrators administer, and a bootstrap credential names the first of them",
        ),
        Problem::Invalid { .. } => is(Code::InvalidArgument, "correct the field; nothing was changed"),
        Problem::Unknown(kind) => unknown(*kind),
        Problem::ChangedSinceRead => {
            is(Code::Aborted, "read it again, and decide again; nothing was changed")
        }
        Problem::AccountAmbiguous { .. } => {
            is(Code::FailedPrecondition, "set `account` to the grant that is meant")
        }
        Problem::SubjectTokenInvalid => is(
            Code::InvalidArgument,
            "send a token of a registered identity provider that is addressed to this caller or its MCP server",
        ),
        Problem::ProviderUnavailable { retry_after } => {
            after(Code::Unavailable, Duration::from_millis(retry_after.as_millis()), "try again later")
        }
        Problem::ConnectorSuspended => is(
            Code::FailedPrecondition,
            "an administrator has to give the connector a client secret that is valid",
        ),
        Problem::NoLeader { .. } => after(Code::Unavailable, LEADER_WAIT, "try again, or another node"),
        Problem::Overloaded => after(Code::ResourceExhausted, QUEUE_WAIT, "try again with fewer at a time"),
        Problem::OutcomeUnknown => {
            after(Code::Unknown, LEADER_WAIT, "without a request_id, look first what became of it")
        }
        Problem::Stopped => after(Code::Unavailable, LEADER_WAIT, "try another node"),
        Problem::Fault => is(Code::Internal, ""),
        // A problem of a later version than this edge knows.
        _ => is(Code::Unknown, "look at the log of the node under the trace id"),
    }
}

const fn denied(reason: DenialReason) -> &'static str {
    match reason {
        DenialReason::Policy => "the policy set has to permit it",
        DenialReason::TokenTooBroad => {
            "the token can do more than the policy set permits this workload: a narrower grant is needed"
        }
        DenialReason::WeakCredential => {
            "naming a subject without its token needs a client certificate, or send a subject_token"
        }
        DenialReason::SubjectCap => {
            "too many distinct subjects were named within the hour: wait, or send a subject_token"
        }
        DenialReason::Role => "an administrator with the role for it has to do this",
        DenialReason::NotItsOwn => {
            "a workload asks for its own MCP server, and only gateways for `inject_only` connectors"
        }
    }
}

const fn unknown(kind: Kind) -> Verdict {
    is(
        Code::NotFound,
        match kind {
            Kind::Subject => "name a subject that is registered and enabled",
            Kind::Lease => "acquire it again",
            Kind::Authorization => "start it again",
            Kind::Administrator
            | Kind::Connector
            | Kind::Credential
            | Kind::Grant
            | Kind::IdentityProvider
            | Kind::Key
            | Kind::McpServer
            | Kind::Secret
            | Kind::UpstreamTask
            | Kind::Workload => "list what there is, and name one of them",
        },
    )
}

fn rejected(rejection: &Rejection, now: Timestamp) -> Verdict {
    let failed = |next| is(Code::FailedPrecondition, next);
    match rejection {
        Rejection::AlreadyFounded => failed("nothing is left to do"),
        Rejection::NotFounded => after(Code::Unavailable, LEADER_WAIT, "wait until the cluster was founded"),
        Rejection::Unknown(kind) => unknown(*kind),
        Rejection::Exists(_) => is(Code::AlreadyExists, "use the one that exists"),
        Rejection::NameTaken(_) => is(Code::AlreadyExists, "choose another name, or use the one that exists"),
        Rejection::TooMany { .. } => is(Code::ResourceExhausted, "remove one first"),
        Rejection::TooLong { .. } => is(Code::InvalidArgument, "shorten it; nothing was changed"),
        Rejection::Disabled(_) => failed("an administrator has to enable it"),
        Rejection::Unchanged(_) => failed("nothing is left to do"),
        Rejection::BootstrapClosed => failed("sign in as an administrator that exists"),
        Rejection::WrongPrincipal => is(Code::PermissionDenied, "another kind of caller has to do this"),
        Rejection::RequestIdReused => {
            is(Code::InvalidArgument, "draw a new request_id for each new request; nothing was changed")
        }
        Rejection::GrantRevoked => failed("a new consent of the subject is needed"),
        Rejection::ConsentNeeded => failed("send the subject through a new consent"),
        Rejection::ScopesMissing(_) => failed("send the subject through a consent for these scopes"),
        Rejection::ScopesNotRegistered(_) => {
            failed("register the MCP server as needing them, or ask for fewer")
        }
        Rejection::Superseded => after(Code::Aborted, QUEUE_WAIT, "look again, and repeat"),
        Rejection::RefreshInFlight => after(Code::Aborted, FLIGHT_WAIT, "wait until it has landed"),
        Rejection::TooEarly(at) => {
            let wait = Duration::from_millis(now.until(*at).as_millis());
            after(Code::ResourceExhausted, wait, "wait, and repeat")
        }
        Rejection::NoRefreshToken => failed("only a new consent brings another token"),
        Rejection::ResendForbidden => failed("wait until the outcome is settled, or start a new consent"),
        Rejection::TokenExpired => failed("ask again: a refresh is needed first"),
        Rejection::InjectOnly => is(Code::PermissionDenied, "ask through a gateway"),
        Rejection::SubjectCapReached => is(Code::PermissionDenied, denied(DenialReason::SubjectCap)),
        Rejection::LastAdministrator => failed("give another administrator the role first"),
        Rejection::LeaseEnded => failed("acquire a new one"),
        Rejection::WrongPhase => failed("start a new consent"),
        Rejection::AuthorizationExpired => failed("start a new consent"),
        Rejection::StateMismatch | Rejection::SessionMismatch => {
            is(Code::PermissionDenied, "start again in the browser that is to finish it")
        }
        Rejection::SubjectMismatch => {
            is(Code::PermissionDenied, "the person for whom it was started has to do this")
        }
        Rejection::AccountMismatch => failed("start again, and choose the account whose consent is renewed"),
        Rejection::IdentifierMismatch => {
            is(Code::PermissionDenied, "an administrator has to look at the subject")
        }
        Rejection::CurrentKey => failed("rotate the key first: the version after it seals then"),
        Rejection::KeyInUse { .. } => failed(
            "rewrap, which moves sealed things to the current version, and repeat; what consents on their way hold passes \
             within two hours, and names of accounts stay until their grants have ended",
        ),
        Rejection::SubjectErased => failed("nothing is left to do: an erased subject does not come back"),
        // A rejection of a later version than this edge knows.
        _ => failed("look up the reason in the documentation of this version"),
    }
}

/// What a program may want to know besides.
fn metadata(problem: &Problem) -> BTreeMap<&'static str, String> {
    let one = |key, value: String| BTreeMap::from([(key, value)]);
    if let Problem::Unknown(kind)
    | Problem::Rejected(
        Rejection::Unknown(kind)
        | Rejection::Exists(kind)
        | Rejection::NameTaken(kind)
        | Rejection::Disabled(kind)
        | Rejection::Unchanged(kind),
    ) = problem
    {
        one("kind", kind.to_string())
    } else if let Problem::Rejected(
        Rejection::ScopesMissing(scopes) | Rejection::ScopesNotRegistered(scopes),
    ) = problem
    {
        one("scopes", scopes.to_string())
    } else if let Problem::Rejected(Rejection::TooMany { limit } | Rejection::TooLong { limit }) = problem {
        one("limit", limit.to_string())
    } else if let Problem::Rejected(Rejection::KeyInUse { count }) = problem {
        one("count", count.to_string())
    } else if let Problem::AccountAmbiguous { accounts } = problem {
        one("accounts", accounts.join(" "))
    } else if let Problem::NoLeader { hint: Some(node) } = problem {
        one("leader", node.to_string())
    } else {
        BTreeMap::new()
    }
}

/// The field that is not what it must be.
fn field(problem: &Problem) -> Option<(String, String)> {
    let told = |field: &str| Some((field.to_owned(), problem.to_string()));
    if let Problem::Invalid { field, expected } = problem {
        Some(((*field).to_owned(), expected.clone()))
    } else if let Problem::SubjectTokenInvalid = problem {
        told("subject_token")
    } else if let Problem::Rejected(Rejection::RequestIdReused) = problem {
        told("request_id")
    } else if let Problem::AccountAmbiguous { .. } = problem {
        told("account")
    } else {
        None
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
