//! What every handler works with: the use cases, the site, and who is in front of the browser.

use std::{collections::BTreeMap, str::FromStr};

use axum::{
    extract::{FromRequestParts, Path},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use leasehold_control::{BrowserPerson, Control, Problem};
use leasehold_domain::{
    actor::Principal,
    id::{AuthorizationId, SubjectId},
    text::TraceId,
};
use leasehold_identity::session::{self, Session, Standing};
use tokio::{sync::Semaphore, time::Duration};

use crate::{
    cookies,
    form::Form,
    page::Frame,
    problem::Refusal,
    site::{Settings, Site},
    trouble::Trouble,
    visit::Visit,
};

/// This edge.
pub(crate) struct Edge {
    pub(crate) control: Control,
    pub(crate) site: Site,
    /// Sources that `form-action` names beside the provider's.
    pub(crate) detours: Vec<String>,
    pub(crate) in_flight: Semaphore,
    pub(crate) answer_within: Duration,
}

/// A person who is signed in. Without `Debug`: it carries the session.
pub(crate) struct SignedIn {
    pub(crate) session: Session,
    pub(crate) person: BrowserPerson,
}

impl SignedIn {
    /// Which subject the person is.
    pub(crate) fn subject(&self) -> Option<SubjectId> {
        match self.person.actor.principal {
            Principal::Person(subject) => Some(subject),
            Principal::Cluster
            | Principal::Bootstrap(_)
            | Principal::Administrator(_)
            | Principal::Workload(_) => None,
        }
    }
}

impl Edge {
    pub(crate) fn new(control: Control, settings: Settings) -> Self {
        let detours = settings.detours.iter().map(|url| url.origin().ascii_serialization()).collect();
        Self {
            control,
            site: settings.site,
            detours,
            in_flight: Semaphore::new(settings.in_flight_max.min(Semaphore::MAX_PERMITS)),
            answer_within: settings.answer_within,
        }
    }

    /// The browser's session: of a sign-in under way, or of a person.
    pub(crate) fn session(&self, visit: &Visit) -> Option<Session> {
        let value = visit.cookies.value(&cookies::session_name(&self.site))?;
        session::decode(&self.control.keyring(), value, self.control.now())
    }

    /// The person who is signed in, if nothing ended the session.
    pub(crate) async fn signed_in(&self, visit: &Visit) -> Result<Option<SignedIn>, Problem> {
        let Some(session) = self.session(visit) else { return Ok(None) };
        let person = self.control.browser_person(&session, visit.from, Some(visit.trace)).await?;
        Ok(person.map(|person| SignedIn { session, person }))
    }

    /// The person who sent a form, which has to carry the token of that very session.
    pub(crate) async fn sender(&self, visit: &Visit, form: &mut Form) -> Result<SignedIn, Refusal> {
        let session = self.session(visit).ok_or(Trouble::SessionEnded)?;
        if !session.csrf_matches(&form.take("csrf")?) {
            return Err(Trouble::FormForged.into());
        }
        Ok(self.signed_in(visit).await?.ok_or(Trouble::SessionEnded)?)
    }

    /// The `Set-Cookie` line of a session.
    pub(crate) fn session_cookie(&self, session: &Session) -> Result<HeaderValue, Trouble> {
        let sealed = session::encode(&self.control.keyring(), session, self.control.entropy());
        let value = sealed.map_err(|error| {
            tracing::error!(%error, "a session cannot be sealed");
            Trouble::Internal
        })?;
        let ttl = match session.standing() {
            Standing::SigningIn { .. } => session::SIGNING_IN_TTL,
            Standing::SignedIn { .. } => session::SIGNED_IN_TTL,
        };
        Ok(cookies::set(&self.site, &cookies::session_name(&self.site), &value, ttl))
    }

    /// The line that ends the browser's session.
    pub(crate) fn no_session(&self) -> HeaderValue {
        cookies::clear(&self.site, &cookies::session_name(&self.site))
    }

    /// What stands around a page.
    pub(crate) fn frame(&self, trace: TraceId) -> Frame<'_> {
        Frame { host: &self.site.shown, development: self.control.development(), trace }
    }
}

/// Leads the browser on with a GET, whatever it sent (RFC 9110 section 15.4.4).
pub(crate) fn see_other(location: &str) -> Result<Response, Trouble> {
    let mut location = HeaderValue::from_str(location).map_err(|_| Trouble::Internal)?;
    // Some carry a state. Nobody needs any of them in a log.
    location.set_sensitive(true);
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response())
}

/// The same, with `Set-Cookie` lines.
pub(crate) fn see_other_with(
    location: &str,
    lines: impl IntoIterator<Item = HeaderValue>,
) -> Result<Response, Trouble> {
    let mut response = see_other(location)?;
    for line in lines {
        response.headers_mut().append(header::SET_COOKIE, line);
    }
    Ok(response)
}

/// The page of a consent.
pub(crate) fn connect_path(authorization: AuthorizationId) -> String {
    format!("/connect/{authorization}")
}

/// The page that asks about the account.
pub(crate) fn account_path(authorization: AuthorizationId) -> String {
    format!("/connect/{authorization}/account")
}

/// The page that says how a consent ended.
pub(crate) fn done_path(authorization: AuthorizationId) -> String {
    format!("/connect/{authorization}/done")
}

/// The variable segments of the address.
pub(crate) struct Segments(BTreeMap<String, String>);

impl Segments {
    /// One of them, read. What cannot be read leads nowhere.
    pub(crate) fn parse<T: FromStr>(&self, name: &str) -> Result<T, Trouble> {
        self.0.get(name).and_then(|text| text.parse().ok()).ok_or(Trouble::NotFound)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Segments {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let segments = Path::<BTreeMap<String, String>>::from_request_parts(parts, state).await;
        segments.map(|Path(segments)| Self(segments)).map_err(|_| Trouble::NotFound.into())
    }
}
