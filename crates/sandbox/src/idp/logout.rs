//! RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0).
//!
//! With an ID token of the person who is signed in, at once; without one, only after asking.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use jsonwebtoken::{Algorithm, Validation};
use serde::Deserialize;
use url::Url;

use super::Idp;
use crate::front::{Detour, Site as _, set_cookie};
use crate::page;
use crate::params::Params;
use crate::secret;
use crate::visits::Session;

#[derive(Deserialize)]
struct Hint {
    sub: String,
    aud: String,
}

pub(crate) async fn logout(
    State(idp): State<Arc<Idp>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let params = Params::parse(query.as_deref().unwrap_or("").as_bytes(), &[]).unwrap_or_default();
    run(&idp, &headers, &params)
}

pub(crate) async fn logout_form(
    State(idp): State<Arc<Idp>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Detour> {
    let params = Params::of_form(&headers, &body, &[]).unwrap_or_default();
    if params.get("confirm").is_some() {
        idp.front().same_origin(&headers)?;
    }
    Ok(run(&idp, &headers, &params))
}

fn run(idp: &Idp, headers: &HeaderMap, params: &Params) -> Response {
    let front = idp.front();
    let hint = params.get("id_token_hint").and_then(|token| hint(idp, token));
    let client = hint.as_ref().map(|hint| hint.aud.as_str()).or(params.get("client_id"));
    let target = client.and_then(|client| target(idp, client, params));
    if params.get("post_logout_redirect_uri").is_some() && target.is_none() {
        let text = "the address to return to is not one that the client registered";
        return page::notice(StatusCode::BAD_REQUEST, front.name, "This request cannot be used", text);
    }
    let browser = front.visits.browser(headers);
    let session = browser.as_deref().and_then(|value| front.visits.session(value, front.clock.now()));
    if let Some((browser, session)) = browser.zip(session) {
        let vouched = hint.as_ref().is_some_and(|hint| hint.sub == session.subject);
        // Bound to the browser's own value, so that no other site can make the form.
        let ticket = secret::fingerprint(&browser);
        let confirmed = params.get("confirm").is_some_and(|confirm| secret::same(confirm, &ticket));
        if !vouched && !confirmed {
            return ask(idp, &session, &ticket, client, params);
        }
        front.visits.sign_out(&browser);
    }
    let done = match target {
        Some(target) => page::see_other(target.as_str()),
        None => page::notice(StatusCode::OK, front.name, "Signed out", "You can close this page."),
    };
    set_cookie(done, &format!("{}; Max-Age=0", front.visits.set_cookie("")))
}

fn ask(idp: &Idp, session: &Session, ticket: &str, client: Option<&str>, params: &Params) -> Response {
    let front = idp.front();
    let username = front
        .people
        .of_subject(&session.subject)
        .map_or(String::new(), |known| known.person.username.clone());
    let form = page::Logout {
        title: "Sign out",
        site: front.name,
        username: &username,
        confirm: ticket,
        client_id: client,
        target: params.get("post_logout_redirect_uri"),
        state: params.get("state"),
    };
    let target = params
        .get("post_logout_redirect_uri")
        .and_then(|target| Url::parse(target).ok())
        .map(|target| target.origin().ascii_serialization());
    page::page(StatusCode::OK, &form, target.as_deref())
}

/// The subject and client of an ID token of ours, however old.
fn hint(idp: &Idp, token: &str) -> Option<Hint> {
    let mut validation = Validation::new(Algorithm::ES256);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.set_issuer(&[&idp.front().issuer]);
    idp.keys
        .verifying()
        .iter()
        .find_map(|key| jsonwebtoken::decode::<Hint>(token, key, &validation).ok())
        .map(|data| data.claims)
}

fn target(idp: &Idp, client: &str, params: &Params) -> Option<Url> {
    let asked = params.get("post_logout_redirect_uri")?;
    let client = idp.front().clients.get(client)?;
    let known = client.post_logout_redirect_uris.iter().find(|known| known.as_str() == asked)?;
    let mut target = Url::parse(known).ok()?;
    if let Some(state) = params.get("state") {
        target.query_pairs_mut().append_pair("state", state);
    }
    Some(target)
}
