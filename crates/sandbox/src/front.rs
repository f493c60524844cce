//! The part of an issuer that people see: `/authorize`, the login page, and the way on from there.
//!
//! Both issuers share it. What follows a sign-in (a code at once, or a consent page) is the issuer's own: `Site::proceed`.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

use crate::authorize::{self, IssuerParameter, Problem};
use crate::clients::Clients;
use crate::clock::Clock;
use crate::page;
use crate::params::Params;
use crate::people::People;
use crate::secret;
use crate::visits::{Session, Transaction, Visits};

/// What both issuers have.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) issuer: String,
    /// Shown at the top of each page.
    pub(crate) name: &'static str,
    pub(crate) clock: Clock,
    pub(crate) people: People,
    pub(crate) clients: Clients,
    pub(crate) visits: Visits,
    pub(crate) issuer_parameter: Mutex<IssuerParameter>,
    /// Metadata fields that a test has replaced, or removed (null).
    pub(crate) metadata_edits: Mutex<Map<String, Value>>,
}

/// The request does not go on; this is where its sender is sent instead.
pub(crate) struct Detour(Box<Response>);

impl From<Response> for Detour {
    fn from(response: Response) -> Self {
        Self(Box::new(response))
    }
}

impl IntoResponse for Detour {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// An issuer, as its front sees it.
pub(crate) trait Site: Send + Sync + 'static {
    fn front(&self) -> &Front;
    /// The scopes that a request stands for, or why not.
    fn admit(&self, asked: Vec<String>) -> Result<Vec<String>, Problem>;
    /// The person is known: on to the code, or to consent.
    fn proceed(&self, transaction: &Transaction, session: &Session) -> Response;
    /// Whether a request with `prompt=none` can be answered for someone signed in.
    fn proceeds_silently(&self) -> bool;
}

pub(crate) fn routes<S: Site>() -> Router<Arc<S>> {
    Router::new()
        .route("/authorize", get(authorize::<S>))
        .route("/login", get(login_page::<S>).post(login::<S>))
        .route("/style.css", get(page::style))
}

impl Front {
    /// Sends an authorization response to the client.
    pub(crate) fn respond(&self, request: &authorize::Request, fields: &[(&str, &str)]) -> Response {
        let parameter = self.issuer_parameter.lock().unwrap_or_else(PoisonError::into_inner).clone();
        page::see_other(&authorize::response(request, &self.issuer, &parameter, fields))
    }

    pub(crate) fn refuse(&self, request: &authorize::Request, problem: Problem) -> Response {
        let fields = [("error", problem.error), ("error_description", problem.description)];
        self.respond(request, &fields)
    }

    /// The metadata with the edits of a test applied.
    pub(crate) fn edited(&self, metadata: Value) -> Value {
        let edits = self.metadata_edits.lock().unwrap_or_else(PoisonError::into_inner);
        let mut metadata = metadata;
        if let Value::Object(fields) = &mut metadata {
            for (name, value) in edits.iter() {
                if value.is_null() {
                    fields.remove(name);
                } else {
                    fields.insert(name.clone(), value.clone());
                }
            }
        }
        metadata
    }

    /// The transaction that a request of this browser names.
    pub(crate) fn transaction(&self, headers: &HeaderMap, id: Option<&str>) -> Result<Transaction, Detour> {
        let browser = self.visits.browser(headers);
        browser
            .zip(id)
            .and_then(|(browser, id)| self.visits.transaction(id, &browser, self.clock.now()))
            .ok_or_else(|| self.lost().into())
    }

    fn lost(&self) -> Response {
        let text =
            "It was begun in another browser, or too long ago. Go back to the application and start again.";
        page::notice(StatusCode::BAD_REQUEST, self.name, "This sign-in is not under way", text)
    }

    /// Refuses a form that another site submitted. With `Referrer-Policy: no-referrer` a browser's own form posts carry
    /// `Origin: null`, so that value proves nothing either way; `Sec-Fetch-Site` and the transaction's cookie do.
    pub(crate) fn same_origin(&self, headers: &HeaderMap) -> Result<(), Detour> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let site_fits = text("sec-fetch-site").is_none_or(|site| site == "same-origin");
        let own = text("host").map(|host| format!("http://{host}"));
        let origin_fits = text("origin")
            .is_none_or(|origin| origin == "null" || origin == self.issuer || Some(origin) == own.as_deref());
        if site_fits && origin_fits {
            Ok(())
        } else {
            let text = "The form was sent from another site.";
            Err(page::notice(StatusCode::FORBIDDEN, self.name, "Refused", text).into())
        }
    }

    pub(crate) fn login_step(transaction: &Transaction) -> Response {
        page::see_other(&format!("/login?transaction={}", transaction.id))
    }
}

/// Puts the browser's value into its cookie.
pub(crate) fn set_cookie(mut response: Response, line: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(line) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

async fn authorize<S: Site>(
    State(site): State<Arc<S>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let front = site.front();
    let request = match authorize::read(query.as_deref().unwrap_or(""), &front.clients, &|asked| {
        site.admit(asked)
    }) {
        Ok(request) => request,
        Err(unusable) => {
            let text = unusable.to_string();
            return page::notice(StatusCode::BAD_REQUEST, front.name, "This request cannot be used", &text);
        }
    };
    let now = front.clock.now();
    let known = front.visits.browser(&headers);
    let session = known.as_deref().and_then(|browser| front.visits.session(browser, now));
    let silent = request.prompt.iter().any(|prompt| prompt == "none");
    let fresh_login = request.prompt.iter().any(|prompt| prompt == "login" || prompt == "select_account");
    if silent {
        return silently(site.as_ref(), &request, session.as_ref());
    }
    let browser = known.clone().unwrap_or_else(|| secret::random(""));
    let transaction = front.visits.begin(&browser, request, now);
    let response = match session {
        Some(session) if !fresh_login => step(site.as_ref(), &transaction, &session),
        Some(_) | None => Front::login_step(&transaction),
    };
    match known {
        Some(_) => response,
        None => set_cookie(response, &front.visits.set_cookie(&browser)),
    }
}

fn silently<S: Site>(site: &S, request: &authorize::Request, session: Option<&Session>) -> Response {
    let front = site.front();
    if let Some(problem) = request.problem {
        return front.refuse(request, problem);
    }
    let Some(session) = session else {
        return front
            .refuse(request, Problem { error: "login_required", description: "nobody is signed in" });
    };
    if !site.proceeds_silently() {
        let description = "consent is always asked for";
        return front.refuse(request, Problem { error: "consent_required", description });
    }
    let transaction = front.visits.begin(&secret::random(""), request.clone(), front.clock.now());
    site.proceed(&transaction, session)
}

/// Tells the client what is wrong with its request, now that the person is known; else goes on.
fn step<S: Site>(site: &S, transaction: &Transaction, session: &Session) -> Response {
    match transaction.request.problem {
        Some(problem) => {
            site.front().visits.end(&transaction.id);
            site.front().refuse(&transaction.request, problem)
        }
        None => site.proceed(transaction, session),
    }
}

async fn login_page<S: Site>(
    State(site): State<Arc<S>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Detour> {
    let front = site.front();
    let params = Params::parse(query.as_deref().unwrap_or("").as_bytes(), &[]).unwrap_or_default();
    let transaction = front.transaction(&headers, params.get("transaction"))?;
    let username = transaction.request.login_hint.clone().unwrap_or_default();
    Ok(login_form(front, &transaction, &username, false))
}

fn login_form(front: &Front, transaction: &Transaction, username: &str, failed: bool) -> Response {
    let form = page::Login {
        title: "Sign in",
        site: front.name,
        client: &transaction.request.client_name,
        transaction: &transaction.id,
        username,
        failed,
    };
    let status = if failed { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let target = transaction.request.redirect_uri.origin().ascii_serialization();
    page::page(status, &form, Some(&target))
}

async fn login<S: Site>(
    State(site): State<Arc<S>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Detour> {
    let front = site.front();
    front.same_origin(&headers)?;
    let params = Params::of_form(&headers, &body, &[]).unwrap_or_default();
    let mut transaction = front.transaction(&headers, params.get("transaction"))?;
    let username = params.get("username").unwrap_or("");
    let Some(account) = front.people.sign_in(username, params.get("password").unwrap_or("")) else {
        front.visits.failed(&transaction.id);
        return Ok(login_form(front, &transaction, username, true));
    };
    front.visits.sign_out(&transaction.browser);
    let now = front.clock.now();
    let browser = front.visits.sign_in(&account.subject, &transaction.id, now);
    let session = Session { subject: account.subject.clone(), signed_in_at: now };
    transaction.browser.clone_from(&browser);
    Ok(set_cookie(step(site.as_ref(), &transaction, &session), &front.visits.set_cookie(&browser)))
}
