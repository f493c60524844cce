//! The home page, and signing out.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use leasehold_domain::id::AuthorizationId;

use crate::{
    edge::{Edge, Segments, see_other_with},
    form::Form,
    headers::FormTargets,
    page::{self, Home, SignedOut},
    problem::Refusal,
    text::shown,
    trouble::Trouble,
    visit::Visit,
};

/// Says who is signed in.
pub(crate) async fn show(State(edge): State<Arc<Edge>>, visit: Visit) -> Result<Response, Refusal> {
    let frame = edge.frame(visit.trace);
    let Some(known) = edge.signed_in(&visit).await? else {
        let signed_out = SignedOut { frame, authorization: None };
        return Ok(page::page(StatusCode::OK, &signed_out, FormTargets::Nowhere));
    };
    let greeting = known.subject().map(|subject| edge.control.greeting(subject)).unwrap_or_default();
    let csrf = known.session.csrf_token();
    let home = Home { frame, greeting: shown(&greeting), csrf: &csrf };
    Ok(page::page(StatusCode::OK, &home, FormTargets::Own))
}

/// Ends the browser's session. The form may name the consent to come back to; it names nothing else, so nobody is sent elsewhere by it.
pub(crate) async fn sign_out(
    State(edge): State<Arc<Edge>>,
    visit: Visit,
    mut form: Form,
) -> Result<Response, Refusal> {
    let csrf = form.take("csrf")?;
    let authorization = form.take_optional("authorization");
    form.end()?;
    // Without a session there is nothing to end, and nothing that a forged form could do.
    if edge.session(&visit).is_some_and(|session| !session.csrf_matches(&csrf)) {
        return Err(Trouble::FormForged.into());
    }
    let authorization: Option<AuthorizationId> =
        authorization.map(|text| text.parse().map_err(|_| Trouble::FormInvalid)).transpose()?;
    let location = authorization.map_or_else(|| "/".to_owned(), |id| format!("/connect/{id}/signed-out"));
    Ok(see_other_with(&location, [edge.no_session()])?)
}

/// Says that nobody is signed in, and leads on to a consent as somebody else.
pub(crate) async fn signed_out(
    State(edge): State<Arc<Edge>>,
    visit: Visit,
    segments: Segments,
) -> Result<Response, Refusal> {
    let authorization = Some(segments.parse("authorization")?);
    let signed_out = SignedOut { frame: edge.frame(visit.trace), authorization };
    Ok(page::page(StatusCode::OK, &signed_out, FormTargets::Nowhere))
}
