//! The sandbox's HTML pages: no scripts, nothing from elsewhere, never framed, never cached (RFC 9700 section 4.16).

use askama::Template;
use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};

const STYLE: &str = include_str!("../templates/style.css");

#[derive(Template)]
#[template(path = "login.html")]
pub(crate) struct Login<'a> {
    pub(crate) title: &'a str,
    pub(crate) site: &'a str,
    pub(crate) client: &'a str,
    pub(crate) transaction: &'a str,
    pub(crate) username: &'a str,
    pub(crate) failed: bool,
}

#[derive(Template)]
#[template(path = "consent.html")]
pub(crate) struct Consent<'a> {
    pub(crate) title: &'a str,
    pub(crate) site: &'a str,
    pub(crate) client: &'a str,
    pub(crate) account: &'a str,
    pub(crate) email: &'a str,
    pub(crate) transaction: &'a str,
    pub(crate) scopes: &'a [crate::options::Scope],
    pub(crate) destination: &'a str,
}

#[derive(Template)]
#[template(path = "logout.html")]
pub(crate) struct Logout<'a> {
    pub(crate) title: &'a str,
    pub(crate) site: &'a str,
    pub(crate) username: &'a str,
    pub(crate) confirm: &'a str,
    pub(crate) client_id: Option<&'a str>,
    pub(crate) target: Option<&'a str>,
    pub(crate) state: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "notice.html")]
struct Notice<'a> {
    title: &'a str,
    site: &'a str,
    heading: &'a str,
    text: &'a str,
}

/// A page. `form_target` is the origin that its form's redirect may lead to: browsers hold redirects to `form-action`,
/// and behind a client's callback there may be another hop on loopback.
pub(crate) fn page(status: StatusCode, template: &impl Template, form_target: Option<&str>) -> Response {
    let Ok(html) = template.render() else {
        return text(StatusCode::INTERNAL_SERVER_ERROR, "the page could not be rendered\n");
    };
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    let policy = format!(
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; \
         form-action 'self' http://127.0.0.1:* http://localhost:*{}{}",
        if form_target.is_some() { " " } else { "" },
        form_target.unwrap_or("")
    );
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    harden(response)
}

/// A page that only says something.
pub(crate) fn notice(status: StatusCode, site: &str, heading: &str, text: &str) -> Response {
    page(status, &Notice { title: heading, site, heading, text }, None)
}

/// A 303: a credential POST must not be repeated at the target (RFC 9700 section 4.12).
pub(crate) fn see_other(target: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(target) else {
        return text(StatusCode::INTERNAL_SERVER_ERROR, "the redirect target is no header value\n");
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(header::LOCATION, location);
    harden(response)
}

pub(crate) async fn style() -> Response {
    let mut response = Response::new(Body::from(STYLE));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn text(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}

fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
