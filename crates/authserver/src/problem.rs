//! The one place where a use case's [`Problem`], or a consent that is needed, becomes an error code of OAuth's.
//!
//! `invalid_request` also for a subject token that is not believed (RFC 8693 section 2.2.2, and not `invalid_grant`); `invalid_target` for
//! whatever keeps the pair of MCP server and connector from having a token; `temporarily_unavailable` where a repeat may help.

use axum::http::StatusCode;
use leasehold_control::{ConsentReason, Problem, StartedAuthorization};
use leasehold_domain::{
    policy::DenialReason,
    rejection::{Kind, Rejection},
    scope::ScopeSet,
    time::Timestamp,
};
use tokio::time::Duration;

use crate::refusal::Refusal;

/// How long to wait for a leader, or for something in flight, or to look again at what has moved on.
const WAIT: Duration = Duration::from_secs(1);

/// What a problem means to the client, and what to do next.
pub(crate) fn refusal(problem: &Problem, now: Timestamp) -> Refusal {
    let Verdict { status, error, next, wait } = verdict(problem, now);
    if *problem == Problem::Fault {
        return Refusal::fault();
    }
    let mut refusal = Refusal::new(status, error, problem.code(), format!("{problem}; {next}"));
    refusal.retry_after = wait;
    if let Problem::AccountAmbiguous { accounts } = problem {
        refusal.details.accounts.clone_from(accounts);
    }
    refusal
}

/// A consent is needed: the client sends the subject to the address, and repeats its request afterwards. OpenID Connect's code for a
/// request that cannot go on without its user (Core section 3.1.2.6), which token endpoints answer with as well.
pub(crate) fn interaction_required(
    reason: ConsentReason,
    missing: &ScopeSet,
    started: StartedAuthorization,
) -> Refusal {
    let (reason, why) = match reason {
        ConsentReason::NoGrant => ("NO_GRANT", "the subject has not consented"),
        ConsentReason::ScopesMissing => ("SCOPES_MISSING", "the subject has consented to fewer scopes"),
        ConsentReason::Reauthentication => ("REAUTHENTICATION", "the consent has ended at the provider"),
    };
    let description = format!("{why}: send the subject to connect_url, and repeat the request afterwards");
    let mut refusal = Refusal::new(StatusCode::BAD_REQUEST, "interaction_required", reason, description);
    refusal.details.connect_url = Some(started.connect_url);
    refusal.details.authorization = Some(started.authorization.to_string());
    refusal.details.missing_scopes = missing.iter().map(ToString::to_string).collect();
    refusal
}

struct Verdict {
    status: StatusCode,
    error: &'static str,
    next: &'static str,
    wait: Option<Duration>,
}

const fn refused(error: &'static str, next: &'static str) -> Verdict {
    Verdict { status: StatusCode::BAD_REQUEST, error, next, wait: None }
}

const fn after(wait: Duration, next: &'static str) -> Verdict {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    Verdict { status, error: "temporarily_unavailable", next, wait: Some(wait) }
}

fn verdict(problem: &Problem, now: Timestamp) -> Verdict {
    match problem {
        Problem::Rejected(rejection) => rejected(rejection, now),
        Problem::Denied(reason) => denied(*reason),
        Problem::WrongCaller => refused("unauthorized_client", "only workloads lease"),
        // The connector where the MCP server needs nothing there, the resource where several are registered with it.
        Problem::Invalid { field: "connector" | "resource", .. } => {
            refused("invalid_target", "name a pair that is registered; nothing was changed")
        }
        Problem::Invalid { .. } => refused("invalid_request", "correct it; nothing was changed"),
        Problem::Unknown(kind) => unknown(*kind),
        Problem::AccountAmbiguous { .. } => refused("invalid_request", "send one of them as account"),
        Problem::SubjectTokenInvalid => refused(
            "invalid_request",
            "send a token of a registered identity provider that is addressed to this workload or its MCP server alone",
        ),
        Problem::ProviderUnavailable { retry_after } => {
            after(Duration::from_millis(retry_after.as_millis()), "try again later")
        }
        Problem::ConnectorSuspended => refused(
            "invalid_target",
            "an administrator has to give the connector a client secret that is valid",
        ),
        Problem::NoLeader { .. } | Problem::Stopped => after(WAIT, "try again, or another node"),
        Problem::Overloaded => after(WAIT, "try again with fewer at a time"),
        Problem::OutcomeUnknown => after(WAIT, "repeat it: what was done is found again"),
        // Nothing that is asked for here rests on a revision.
        Problem::Fault | Problem::ChangedSinceRead => fault(),
        // A problem of a later version than this edge knows.
        _ => fault(),
    }
}

const fn fault() -> Verdict {
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    Verdict { status, error: "server_error", next: "look at the log of the node under the trace", wait: None }
}

const fn denied(reason: DenialReason) -> Verdict {
    match reason {
        DenialReason::Policy => refused("invalid_target", "the policy set has to permit it"),
        DenialReason::TokenTooBroad => refused(
            "invalid_target",
            "the token can do more than the policy set permits this workload: a narrower grant is needed",
        ),
        DenialReason::NotItsOwn => refused(
            "invalid_target",
            "a workload asks for its own MCP server, and only gateways for inject_only connectors",
        ),
        // What follows is for those who vouch, and for administrators.
        DenialReason::WeakCredential | DenialReason::SubjectCap | DenialReason::Role => {
            refused("unauthorized_client", "this workload may not ask so")
        }
    }
}

const fn unknown(kind: Kind) -> Verdict {
    match kind {
        Kind::McpServer => refused("invalid_target", "send its registered URI as resource, byte for byte"),
        Kind::Connector => refused("invalid_target", "send the name or id of a connector as audience"),
        Kind::Subject => refused(
            "invalid_request",
            "whom the token speaks of has to be registered and enabled, and to have signed in here once",
        ),
        Kind::Lease => refused("invalid_request", "exchange the subject's token again"),
        Kind::Workload => refused("unauthorized_client", "this workload is not registered any more"),
        Kind::Grant => refused("invalid_request", "send as account what an earlier answer called grant"),
        Kind::Administrator
        | Kind::Authorization
        | Kind::Credential
        | Kind::IdentityProvider
        | Kind::Key
        | Kind::Secret
        | Kind::UpstreamTask => refused("invalid_request", "look at what is registered"),
    }
}

fn rejected(rejection: &Rejection, now: Timestamp) -> Verdict {
    match rejection {
        Rejection::Unknown(kind) => unknown(*kind),
        Rejection::Disabled(Kind::Subject) => refused("invalid_request", "an administrator has to enable it"),
        Rejection::SubjectErased => refused("invalid_request", "an erased subject does not come back"),
        Rejection::Disabled(_) => refused("invalid_target", "an administrator has to enable it"),
        Rejection::ScopesNotRegistered(_) => {
            refused("invalid_scope", "register the MCP server as needing them, or ask for fewer")
        }
        Rejection::InjectOnly => refused("invalid_target", "ask through a gateway"),
        Rejection::WrongPrincipal | Rejection::SubjectCapReached => {
            refused("unauthorized_client", "this workload may not ask so")
        }
        Rejection::NotFounded => after(WAIT, "wait until the cluster was founded"),
        Rejection::TooEarly(at) => {
            after(Duration::from_millis(now.until(*at).as_millis()), "wait, and repeat the request")
        }
        // The state moved on beneath the request: a repeat is judged by what it is then, and says so.
        Rejection::GrantRevoked
        | Rejection::ConsentNeeded
        | Rejection::ScopesMissing(_)
        | Rejection::Superseded
        | Rejection::RefreshInFlight
        | Rejection::NoRefreshToken
        | Rejection::ResendForbidden
        | Rejection::TokenExpired
        | Rejection::LeaseEnded => after(WAIT, "repeat the request"),
        Rejection::TooMany { .. } => after(WAIT, "wait until fewer are open"),
        Rejection::TooLong { .. } => refused("invalid_request", "shorten it; nothing was changed"),
        // What follows is said to other commands than those of a workload's exchange.
        Rejection::AlreadyFounded
        | Rejection::Exists(_)
        | Rejection::NameTaken(_)
        | Rejection::Unchanged(_)
        | Rejection::BootstrapClosed
        | Rejection::RequestIdReused
        | Rejection::LastAdministrator
        | Rejection::WrongPhase
        | Rejection::AuthorizationExpired
        | Rejection::StateMismatch
        | Rejection::SessionMismatch
        | Rejection::SubjectMismatch
        | Rejection::AccountMismatch
        | Rejection::IdentifierMismatch
        | Rejection::CurrentKey
        | Rejection::KeyInUse { .. } => fault(),
        // A rejection of a later version than this edge knows.
        _ => fault(),
    }
}

#[cfg(test)]
#[path = "tests/problem.rs"]
mod tests;
