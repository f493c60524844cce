//! Our consent page, and what its form leads to.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use leasehold_control::Problem;
use leasehold_domain::{authorization::STATE_TTL, id::AuthorizationId, rejection::Rejection};
use secrecy::ExposeSecret;

use crate::{
    cookies,
    edge::{Edge, Segments, SignedIn, done_path, see_other, see_other_with},
    form::Form,
    headers::{self, FormTargets},
    page::{self, Consent},
    problem::Refusal,
    sign_in,
    state_cookie::StateCookie,
    text::{all_shown, shown},
    trouble::Trouble,
    visit::Visit,
};

/// For how many consents at most one browser holds a state at a time. Approving one more forgets the oldest.
const STATES_MAX: usize = 8;

/// Shows who asks for what, to the person for whom it was started and to nobody else.
pub(crate) async fn show(
    State(edge): State<Arc<Edge>>,
    visit: Visit,
    segments: Segments,
) -> Result<Response, Refusal> {
    let id = segments.parse("authorization")?;
    let Some(known) = edge.signed_in(&visit).await? else {
        return sign_in::send(&edge, Some(id)).await;
    };
    let page = match edge.control.consent_page(known.person, id).await {
        Ok(page) => page,
        Err(problem) => return further(id, problem),
    };
    let beyond = headers::source(&page.provider_host).into_iter().chain(edge.detours.iter().cloned());
    let greeting = known.subject().map(|subject| edge.control.greeting(subject)).unwrap_or_default();
    let csrf = known.session.csrf_token();
    let consent = Consent {
        frame: edge.frame(visit.trace),
        authorization: id,
        greeting: shown(&greeting),
        asked_by: shown(&page.asked_by),
        mcp_server: shown(&page.mcp_server),
        resource: shown(&page.resource),
        connector: shown(&page.connector),
        provider: shown(&page.provider),
        provider_host: shown(&page.provider_host),
        scopes: all_shown(&page.scopes),
        handed_out: page.handed_out,
        shared: page.shared,
        csrf: &csrf,
    };
    Ok(page::page(StatusCode::OK, &consent, FormTargets::Beyond(beyond.collect())))
}

/// Takes the decision of the person.
pub(crate) async fn decide(
    State(edge): State<Arc<Edge>>,
    visit: Visit,
    segments: Segments,
    mut form: Form,
) -> Result<Response, Refusal> {
    let id = segments.parse("authorization")?;
    let known = edge.sender(&visit, &mut form).await?;
    let decision = form.take("decision")?;
    form.end()?;
    match decision.as_str() {
        "approve" => approve(&edge, &visit, &known, id).await,
        "decline" => match edge.control.decline(known.person, id).await {
            Ok(()) => {
                let forgotten = cookies::clear(&edge.site, &cookies::state_name(&edge.site, id));
                Ok(see_other_with(&done_path(id), [forgotten])?)
            }
            Err(problem) => further(id, problem),
        },
        _ => Err(Trouble::FormInvalid.into()),
    }
}

async fn approve(
    edge: &Edge,
    visit: &Visit,
    known: &SignedIn,
    id: AuthorizationId,
) -> Result<Response, Refusal> {
    let approved = match edge.control.approve(known.person, id).await {
        Ok(approved) => approved,
        Err(problem) => return further(id, problem),
    };
    let kept = StateCookie::new(id, known.person.session, approved.state, edge.control.now());
    let value = kept.seal(&edge.control.keyring(), edge.control.entropy()).map_err(|error| {
        tracing::error!(%error, "a state cannot be sealed");
        Trouble::Internal
    })?;
    let name = cookies::state_name(&edge.site, id);
    let lines = surplus(edge, visit, id)
        .into_iter()
        .map(|other| cookies::clear(&edge.site, &cookies::state_name(&edge.site, other)))
        .chain([cookies::set(&edge.site, &name, &value, STATE_TTL)]);
    Ok(see_other_with(approved.provider_url.expose_secret(), lines)?)
}

/// The states that this browser has to forget for one more: those that are worth nothing any more, and the oldest beyond the bound.
fn surplus(edge: &Edge, visit: &Visit, kept: AuthorizationId) -> Vec<AuthorizationId> {
    let now = edge.control.now();
    let others = visit.cookies.states(&edge.site).into_iter().filter(|other| *other != kept);
    let mut by_end: Vec<_> = others
        .map(|other| {
            let value = visit.cookies.value(&cookies::state_name(&edge.site, other));
            let open = value.and_then(|value| StateCookie::open(&edge.control.keyring(), other, value, now));
            (open.map(|state| state.expires_at), other)
        })
        .collect();
    by_end.sort_unstable();
    let stale = by_end.iter().filter(|(end, _)| end.is_none()).count();
    let beyond = by_end.len().saturating_sub(STATES_MAX - 1).max(stale);
    by_end.into_iter().take(beyond).map(|(_, other)| other).collect()
}

/// A step that a consent is not waiting for leads to where it says how far it is.
pub(crate) fn further(id: AuthorizationId, problem: Problem) -> Result<Response, Refusal> {
    if problem == Problem::Rejected(Rejection::WrongPhase) {
        return Ok(see_other(&done_path(id))?);
    }
    Err(problem.into())
}
