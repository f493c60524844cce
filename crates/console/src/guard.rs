//! What stands before and after every handler: who may ask at all, within which bounds, and what every answer carries.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use leasehold_domain::{id::AuthorizationId, text::TraceId};
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use crate::{
    edge::{Edge, see_other},
    headers, origin, page,
    problem::Refusal,
    site::Site,
    trouble::Trouble,
    visit::{self, Visit},
};

/// What is kept of a request for its answer and its line in the log. The address itself is not: its query may carry a code.
struct Asked {
    method: Method,
    route: Option<String>,
    authorization: Option<AuthorizationId>,
    has_query: bool,
    trace: TraceId,
    visit: Option<Visit>,
}

/// Guards a request.
pub(crate) async fn guard(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let (mut parts, body) = request.into_parts();
    let trace = visit::trace(&parts.headers, edge.control.entropy());
    let asked = Asked {
        method: parts.method.clone(),
        route: parts.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned()),
        authorization: authorization_in(parts.uri.path()),
        has_query: parts.uri.query().is_some(),
        trace,
        visit: Visit::read(&parts, trace),
    };
    let response = match admit(&edge.site, &parts, asked.visit.as_ref()) {
        Ok(visit) => {
            parts.extensions.insert(visit.clone());
            let span = tracing::info_span!("browser", %trace);
            edge.bounded(Request::from_parts(parts, body), next).instrument(span).await
        }
        Err(trouble) => Refusal::from(trouble).into_response(),
    };
    let mut response = edge.with_page(&asked, response);
    headers::apply(&edge.site, &mut response);
    let (method, route, status) =
        (&asked.method, asked.route.as_deref().unwrap_or("none"), response.status());
    let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(%method, route, status = status.as_u16(), millis, %trace, "served a browser");
    response
}

/// Lets in what a browser sends when a person follows a link or sends a form of ours.
fn admit<'a>(site: &Site, parts: &Parts, visit: Option<&'a Visit>) -> Result<&'a Visit, Trouble> {
    let Some(visit) = visit else {
        tracing::error!("the server does not say by whose connection a request came");
        return Err(Trouble::Internal);
    };
    if !names_host(site, parts) {
        return Err(Trouble::WrongHost);
    }
    let dest = parts.headers.get("sec-fetch-dest").map(HeaderValue::as_bytes);
    if dest.is_some_and(|dest| dest != b"document") {
        return Err(Trouble::NotAPage);
    }
    match parts.method {
        Method::GET => Ok(visit),
        Method::POST if origin::is_own(site, &parts.headers) => Ok(visit),
        Method::POST => Err(Trouble::CrossSite),
        _ => Err(Trouble::MethodNotAllowed),
    }
}

/// Whether the request is for this site: against names that were made to lead here (DNS rebinding).
fn names_host(site: &Site, parts: &Parts) -> bool {
    let mut named = parts.headers.get_all(header::HOST).iter();
    let (host, further) = (named.next(), named.next());
    let host = host.map(|host| host.to_str().is_ok_and(|host| site.is_named_by(host)));
    let authority = parts.uri.authority().map(|authority| site.is_named_by(authority.as_str()));
    further.is_none() && matches!((host, authority), (Some(true), None | Some(true)) | (None, Some(true)))
}

/// The consent that an address is about.
fn authorization_in(path: &str) -> Option<AuthorizationId> {
    path.strip_prefix("/connect/")?.split('/').next()?.parse().ok()
}

impl Edge {
    async fn bounded(&self, request: Request, next: Next) -> Response {
        let Ok(_permit) = self.in_flight.try_acquire() else {
            return Refusal::from(Trouble::Overloaded).into_response();
        };
        match timeout(self.answer_within, next.run(request)).await {
            Ok(response) => response,
            Err(_) => Refusal::from(Trouble::TimedOut).into_response(),
        }
    }

    /// Gives a refusal its page. Where the address carries a query, which may be a code, the browser is led away from it first.
    fn with_page(&self, asked: &Asked, mut response: Response) -> Response {
        let Some(mut refusal) = response.extensions_mut().remove::<Refusal>() else { return response };
        refusal.authorization = refusal.authorization.or(asked.authorization);
        let (code, trace) = (refusal.trouble.notice().code, refusal.trace.unwrap_or(asked.trace));
        tracing::info!(code, %trace, "a browser was refused");
        let away = asked.has_query && refusal.trouble != Trouble::WrongHost;
        let page = match refusal.authorization {
            Some(id) if away => see_other(&format!("/connect/{id}/problem/{code}/{trace}")).ok(),
            None if away => see_other(&format!("/problem/{code}/{trace}")).ok(),
            Some(_) | None => None,
        };
        let mut page = page.unwrap_or_else(|| self.problem_page(asked, &refusal, trace));
        for line in refusal.cookies {
            page.headers_mut().append(header::SET_COOKIE, line);
        }
        page
    }

    fn problem_page(&self, asked: &Asked, refusal: &Refusal, trace: TraceId) -> Response {
        let session = asked.visit.as_ref().filter(|_| refusal.trouble.offers_sign_out());
        let csrf = session.and_then(|visit| self.session(visit)).map(|session| session.csrf_token());
        let csrf = csrf.as_ref().map(|token| token.as_str());
        page::problem(self.frame(trace), refusal.trouble, refusal.authorization, csrf)
    }
}
