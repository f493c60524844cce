//! Whose account it is that came back from the provider: shown, and confirmed or not.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    connect::further,
    edge::{Edge, Segments, done_path, see_other},
    form::Form,
    headers::FormTargets,
    page::{self, Account},
    problem::Refusal,
    sign_in,
    text::{all_shown, shown},
    trouble::Trouble,
    visit::Visit,
};

/// Shows the account, and what was granted of what was asked for.
pub(crate) async fn show(
    State(edge): State<Arc<Edge>>,
    visit: Visit,
    segments: Segments,
) -> Result<Response, Refusal> {
    let id = segments.parse("authorization")?;
    let Some(known) = edge.signed_in(&visit).await? else {
        return sign_in::send(&edge, Some(id)).await;
    };
    let page = match edge.control.account_page(known.person, id).await {
        Ok(page) => page,
        Err(problem) => return further(id, problem),
    };
    let csrf = known.session.csrf_token();
    let account = Account {
        frame: edge.frame(visit.trace),
        authorization: id,
        account: shown(&page.account),
        connector: shown(&page.connector),
        mcp_server: shown(&page.mcp_server),
        granted: all_shown(&page.granted),
        refused: all_shown(&page.refused),
        csrf: &csrf,
    };
    Ok(page::page(StatusCode::OK, &account, FormTargets::Own))
}

/// Takes the person's word for whose account it is.
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
    let taken = match decision.as_str() {
        "confirm" => edge.control.confirm_account(known.person, id).await.map(drop),
        "reject" => edge.control.reject_account(known.person, id).await,
        _ => return Err(Trouble::FormInvalid.into()),
    };
    match taken {
        Ok(()) => Ok(see_other(&done_path(id))?),
        Err(problem) => further(id, problem),
    }
}
