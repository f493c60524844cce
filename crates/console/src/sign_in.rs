//! Signing in: off to the identity provider, and back with an answer that is judged elsewhere.

use std::sync::Arc;

use axum::{
    extract::{OriginalUri, State},
    response::Response,
};
use leasehold_domain::id::{AuthorizationId, IdentityProviderId};
use leasehold_identity::session::{LocalPath, Standing};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    edge::{Edge, Segments, connect_path, see_other_with},
    problem::Refusal,
    trouble::Trouble,
    visit::Visit,
};

/// Begins a sign-in that leads to the home page.
pub(crate) async fn begin(State(edge): State<Arc<Edge>>) -> Result<Response, Refusal> {
    send(&edge, None).await
}

/// Sends the browser to the identity provider, from where it comes back to a consent or to the home page.
pub(crate) async fn send(edge: &Edge, authorization: Option<AuthorizationId>) -> Result<Response, Refusal> {
    let return_to = authorization.and_then(|id| LocalPath::new(&connect_path(id)).ok());
    let (url, session) = edge.control.begin_sign_in(return_to).await?;
    Ok(see_other_with(url.expose_secret(), [edge.session_cookie(&session)?])?)
}

/// Takes the identity provider's answer. Whatever comes of it, the sign-in is over, and its session with it: an id that was known before
/// the sign-in is worth nothing afterwards.
pub(crate) async fn finish(
    State(edge): State<Arc<Edge>>,
    visit: Visit,
    OriginalUri(uri): OriginalUri,
    segments: Segments,
) -> Result<Response, Refusal> {
    let identity_provider: IdentityProviderId = segments.parse("identity_provider")?;
    let query = SecretString::from(uri.query().unwrap_or_default().to_owned());
    let session = edge.session(&visit).ok_or(Trouble::SignInLost)?;
    // An answer that this browser does not wait for ends nothing: neither a session nor a sign-in elsewhere.
    let Standing::SigningIn { pending, return_to } = session.into_standing() else {
        return Err(Trouble::SignInLost.into());
    };
    if pending.identity_provider() != identity_provider {
        return Err(Trouble::SignInLost.into());
    }
    let finished =
        edge.control.finish_sign_in(pending, query.expose_secret(), visit.from, Some(visit.trace)).await;
    match finished {
        Ok(session) => {
            let location = return_to.as_ref().map_or("/", LocalPath::as_str);
            Ok(see_other_with(location, [edge.session_cookie(&session)?])?)
        }
        Err(problem) => {
            let consent = return_to.and_then(|path| path.as_str().strip_prefix("/connect/")?.parse().ok());
            let refusal = Refusal { authorization: consent, ..problem.into() };
            Err(refusal.with_cookie(edge.no_session()))
        }
    }
}
