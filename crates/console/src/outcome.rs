//! How far a consent is: over, and how, or at a step with a page of its own.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use leasehold_control::Problem;
use leasehold_domain::{
    actor::Principal,
    authorization::{End, Phase},
    id::AuthorizationId,
    provider::ProviderFailure,
    rejection::{Kind, Rejection},
    state::State as Known,
    time::Timestamp,
};

use crate::{
    edge::{Edge, Segments, account_path, connect_path, see_other},
    headers::FormTargets,
    page::{self, Outcome},
    problem::Refusal,
    sign_in,
    text::{all_shown, shown},
    trouble::Notice,
    visit::Visit,
};

/// How far a consent is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    ToApprove,
    Exchanging,
    ToConfirm,
    Ended(End),
}

/// What the page says of a consent.
struct Told {
    progress: Progress,
    connector: String,
    mcp_server: String,
    granted: Vec<String>,
}

/// Shows how a consent ended, to the person for whom it was started.
pub(crate) async fn show(
    State(edge): State<Arc<Edge>>,
    visit: Visit,
    segments: Segments,
) -> Result<Response, Refusal> {
    let id = segments.parse("authorization")?;
    let Some(known) = edge.signed_in(&visit).await? else {
        return sign_in::send(&edge, Some(id)).await;
    };
    let now = edge.control.now();
    let principal = known.person.actor.principal;
    let told = edge.control.read(|state| tell(state, principal, id, now)).await??;
    let (notice, tone) = match told.progress {
        Progress::ToApprove => return Ok(see_other(&connect_path(id))?),
        Progress::ToConfirm => return Ok(see_other(&account_path(id))?),
        Progress::Exchanging => (EXCHANGING, Tone::Waiting),
        Progress::Ended(End::Confirmed(_)) => (CONNECTED, Tone::Good),
        Progress::Ended(end) => (notice(end), Tone::Bad),
    };
    let outcome = Outcome {
        frame: edge.frame(visit.trace),
        authorization: id,
        notice,
        tone,
        connector: shown(&told.connector),
        mcp_server: shown(&told.mcp_server),
        granted: all_shown(&told.granted),
    };
    Ok(page::page(StatusCode::OK, &outcome, FormTargets::Nowhere))
}

fn tell(state: &Known, principal: Principal, id: AuthorizationId, now: Timestamp) -> Result<Told, Problem> {
    let known = state.authorizations.get(&id).ok_or(Problem::Unknown(Kind::Authorization))?;
    if principal != Principal::Person(known.subject) {
        return Err(Rejection::SubjectMismatch.into());
    }
    let late = known.expires_at <= now.max(state.clock.time);
    let progress = match known.phase {
        Phase::Ended(end) => Progress::Ended(end),
        Phase::Open | Phase::Approved | Phase::Exchanging { .. } | Phase::Exchanged { .. }
            if known.is_revoked(state) =>
        {
            Progress::Ended(End::Revoked)
        }
        Phase::Open | Phase::Approved | Phase::Exchanged { .. } if late => Progress::Ended(End::Expired),
        Phase::Open | Phase::Approved => Progress::ToApprove,
        Phase::Exchanging { .. } => Progress::Exchanging,
        Phase::Exchanged { .. } => Progress::ToConfirm,
    };
    let granted = match progress {
        Progress::Ended(End::Confirmed(grant)) => state.grants.get(&grant).map(|grant| grant.granted.clone()),
        Progress::Ended(_) | Progress::ToApprove | Progress::Exchanging | Progress::ToConfirm => None,
    };
    let connector = state.connectors.get(&known.connector);
    let mcp_server = state.mcp_servers.get(&known.mcp_server);
    Ok(Told {
        progress,
        connector: connector.map(|known| known.registration.name.to_string()).unwrap_or_default(),
        mcp_server: mcp_server.map(|known| known.name.to_string()).unwrap_or_default(),
        granted: granted.iter().flat_map(|scopes| scopes.iter()).map(ToString::to_string).collect(),
    })
}

/// How a page of an outcome looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// It worked.
    Good,
    /// It is not over.
    Waiting,
    /// It did not work.
    Bad,
}

/// What is said while the code is being exchanged.
pub(crate) const EXCHANGING: Notice = Notice {
    title: "Waiting for the provider",
    happened: "You agreed, and the provider has not finished yet.",
    next: "Reload this page in a moment.",
    code: "EXCHANGING",
};

/// What is said once the grant is active.
pub(crate) const CONNECTED: Notice = Notice {
    title: "Your account is connected",
    happened: "Access works from now on.",
    next: "You can close this window and go back to where you were asked.",
    code: "CONNECTED",
};

/// What is said of a consent that ended.
pub(crate) const fn notice(end: End) -> Notice {
    match end {
        End::Confirmed(_) => CONNECTED,
        End::Declined => Notice {
            title: "You declined",
            happened: "No access was given, and you were not sent to the provider.",
            next: "You can close this window. If you change your mind, ask for a new link.",
            code: "DECLINED",
        },
        End::RefusedByProvider => Notice {
            title: "The provider did not agree",
            happened: "You said no there, or the provider refused. No access was given.",
            next: "If you want access, ask for a new link and agree at the provider. If it refuses again, ask your administrator.",
            code: "PROVIDER_REFUSED",
        },
        End::ExchangeFailed(failure) => failed(failure),
        End::AccountMismatch => Notice {
            title: "This was not the right account",
            happened: "The account is another one than the one whose access is renewed, or you said that it is not yours. Its tokens are being revoked.",
            next: "Sign in to the right account at the provider, then ask for a new link.",
            code: "ACCOUNT_MISMATCH",
        },
        End::Superseded => Notice {
            title: "A newer request took its place",
            happened: "Access was asked for again, with more scopes. This request has ended.",
            next: "Use the newer link.",
            code: "SUPERSEDED",
        },
        End::Revoked => Notice {
            title: "This request was withdrawn",
            happened: "Access that it rests on was revoked after it was started. No access was given.",
            next: "If you still need access, ask for a new link, or ask your administrator.",
            code: "GRANT_REVOKED",
        },
        End::Expired => Notice {
            title: "This request has expired",
            happened: "It was not finished in time. No access was given.",
            next: "Go back to where you were asked for access, and ask for a new link.",
            code: "AUTHORIZATION_EXPIRED",
        },
    }
}

const fn failed(failure: ProviderFailure) -> Notice {
    let (happened, next) = match failure {
        ProviderFailure::ClientFault | ProviderFailure::RequestFault => (
            "You agreed, but the provider refused our request for the token. No access was given.",
            "Ask your administrator, and give the code and the trace below.",
        ),
        ProviderFailure::Transient | ProviderFailure::Throttled(_) | ProviderFailure::TooEarly => (
            "You agreed, but the provider could not be reached for the token. No access was given.",
            "Ask for a new link in a few minutes.",
        ),
        ProviderFailure::GrantDead | ProviderFailure::Ambiguous | ProviderFailure::Malformed => (
            "You agreed, but what the provider answered could not be used. No access was given.",
            "Ask for a new link. If it happens again, ask your administrator.",
        ),
    };
    Notice { title: "The token could not be fetched", happened, next, code: "EXCHANGE_FAILED" }
}
