//! The pages: what each template is filled with. Everything is escaped by the templates; nothing but the style is written as it is.

use askama::Template;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{Extension, IntoResponse, Response},
};
use leasehold_domain::{id::AuthorizationId, text::TraceId};

use crate::{
    headers::FormTargets,
    outcome::Tone,
    problem::Refusal,
    trouble::{Notice, Trouble},
};

/// The one style, in every page: what is not loaded cannot be watched or exchanged.
pub(crate) const STYLE: &str = include_str!("../templates/style.css");

/// What stands around a page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    /// Our own host.
    pub(crate) host: &'a str,
    /// Whether the organisation's data are for development only.
    pub(crate) development: bool,
    /// The trace of the request, for finding it in the logs.
    pub(crate) trace: TraceId,
}

/// The home page of a person.
#[derive(Template)]
#[template(path = "home.html")]
pub(crate) struct Home<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) greeting: String,
    pub(crate) csrf: &'a str,
}

/// The home page of nobody, and the page after signing out to go on with a consent.
#[derive(Template)]
#[template(path = "signed_out.html")]
pub(crate) struct SignedOut<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) authorization: Option<AuthorizationId>,
}

/// The consent page.
#[derive(Template)]
#[template(path = "consent.html")]
pub(crate) struct Consent<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) authorization: AuthorizationId,
    pub(crate) greeting: String,
    pub(crate) asked_by: String,
    pub(crate) mcp_server: String,
    pub(crate) resource: String,
    pub(crate) connector: String,
    pub(crate) provider: String,
    pub(crate) provider_host: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) handed_out: bool,
    pub(crate) shared: bool,
    pub(crate) csrf: &'a str,
}

/// The page that asks about the account.
#[derive(Template)]
#[template(path = "account.html")]
pub(crate) struct Account<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) authorization: AuthorizationId,
    pub(crate) account: String,
    pub(crate) connector: String,
    pub(crate) mcp_server: String,
    pub(crate) granted: Vec<String>,
    pub(crate) refused: Vec<String>,
    pub(crate) csrf: &'a str,
}

/// The page that says how far a consent is.
#[derive(Template)]
#[template(path = "outcome.html")]
pub(crate) struct Outcome<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) authorization: AuthorizationId,
    pub(crate) notice: Notice,
    pub(crate) tone: Tone,
    pub(crate) connector: String,
    pub(crate) mcp_server: String,
    pub(crate) granted: Vec<String>,
}

/// A page of trouble.
#[derive(Template)]
#[template(path = "problem.html")]
pub(crate) struct ProblemPage<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) notice: Notice,
    /// The consent to go back to.
    pub(crate) back: Option<AuthorizationId>,
    /// The token of a session that may be ended to go on as somebody else, and the consent to go on with.
    pub(crate) sign_out: Option<(&'a str, Option<AuthorizationId>)>,
}

/// A page as an answer.
pub(crate) fn page(status: StatusCode, template: &impl Template, targets: FormTargets) -> Response {
    let Ok(html) = template.render() else {
        tracing::error!("a page cannot be rendered");
        return Refusal::from(Trouble::Internal).into_response();
    };
    let html_type = [(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))];
    (status, html_type, Extension(targets), html).into_response()
}

/// The page of a refusal.
pub(crate) fn problem(
    frame: Frame<'_>,
    trouble: Trouble,
    authorization: Option<AuthorizationId>,
    csrf: Option<&str>,
) -> Response {
    let targets = if csrf.is_some() { FormTargets::Own } else { FormTargets::Nowhere };
    let template = ProblemPage {
        frame,
        notice: trouble.notice(),
        back: authorization.filter(|_| trouble.offers_return()),
        sign_out: csrf.map(|csrf| (csrf, authorization)),
    };
    let mut response = page(trouble.status(), &template, targets);
    if let Some(seconds) = trouble.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}
