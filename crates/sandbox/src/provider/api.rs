//! The API that the provider protects: `/api/me` for any live token, `/api/files` by scope.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, Method, StatusCode};
use serde_json::json;

use super::Provider;
use super::files::File;
use super::grants::Family;
use super::shown::Shown;
use crate::answer::Answer;
use crate::bearer;
use crate::fault::{Exchange, Fault, deliver};
use crate::front::Site as _;
use crate::ledger::{Endpoint, Outcome};
use crate::serve::Connection;

const READ: &str = "files.read";
const WRITE: &str = "files.write";

struct Call<'a> {
    provider: &'a Provider,
    token: &'a str,
    endpoint: Endpoint,
    scope: Option<&'static str>,
    /// The body of a POST.
    body: Option<&'a [u8]>,
}

pub(crate) async fn me(
    State(provider): State<Arc<Provider>>,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
) -> Response {
    call(&provider, &connection, &headers, Endpoint::Account, &Method::GET, &[]).await
}

pub(crate) async fn list_files(
    State(provider): State<Arc<Provider>>,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
) -> Response {
    call(&provider, &connection, &headers, Endpoint::Files, &Method::GET, &[]).await
}

pub(crate) async fn add_file(
    State(provider): State<Arc<Provider>>,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    call(&provider, &connection, &headers, Endpoint::Files, &Method::POST, &body).await
}

async fn call(
    provider: &Provider,
    connection: &Connection,
    headers: &HeaderMap,
    endpoint: Endpoint,
    method: &Method,
    body: &[u8],
) -> Response {
    let Some(token) = bearer::token(headers) else {
        return bearer::missing().into_response();
    };
    let writes = method == Method::POST;
    let scope = (endpoint == Endpoint::Files).then_some(if writes { WRITE } else { READ });
    let call = Call { provider, token, endpoint, scope, body: writes.then_some(body) };
    let fault = provider.faults.take(endpoint, None, None);
    deliver(&provider.faults, fault, connection, &call).await
}

impl Exchange for Call<'_> {
    fn carry_out(&self, fault: Option<&Fault>) -> Answer {
        let _turn = self.provider.turn();
        let now = self.provider.front.clock.now();
        let live = self.provider.grants().live_access(self.token, now, true);
        let Some((access, family)) = live else {
            self.record(None, Outcome::Refused, Some("invalid_token"), fault);
            return bearer::invalid();
        };
        if let Some(scope) = self.scope.filter(|scope| !access.scope.iter().any(|has| has == scope)) {
            self.record(Some(&family.client), Outcome::Refused, Some("insufficient_scope"), fault);
            return bearer::insufficient(scope);
        }
        self.record(Some(&family.client), Outcome::Accepted, None, fault);
        if self.endpoint == Endpoint::Files { self.files(&family) } else { self.account(&family) }
    }

    fn left_undone(&self, fault: &Fault) {
        self.record(None, Outcome::Unprocessed, None, Some(fault));
    }

    fn announce(&self) {
        self.provider.ledger.announce();
    }
}

impl Call<'_> {
    fn account(&self, family: &Family) -> Answer {
        match self.provider.front().people.of_subject(&family.subject) {
            Some(account) => Answer::ok(json!({
                "id": account.subject,
                "login": account.person.username,
                "email": account.person.email,
                "name": account.person.name,
            })),
            None => Answer::error(StatusCode::NOT_FOUND, "not_found", "the account is gone"),
        }
    }

    fn files(&self, family: &Family) -> Answer {
        let files = &self.provider.files;
        let Some(body) = self.body else {
            return Answer::ok(json!({ "files": files.of(&family.subject) }));
        };
        match serde_json::from_slice::<File>(body) {
            Ok(file) if files.put(&family.subject, file.clone()) => {
                let mut answer = Answer::ok(json!(file));
                answer.status = StatusCode::CREATED;
                answer
            }
            Ok(_) | Err(_) => {
                Answer::error(StatusCode::BAD_REQUEST, "invalid_request", "not a file within the bounds")
            }
        }
    }

    fn record(&self, client: Option<&str>, outcome: Outcome, error: Option<&str>, fault: Option<&Fault>) {
        self.provider.record(Shown {
            token: self.token,
            endpoint: self.endpoint,
            client,
            outcome,
            error,
            fault,
            resource: Vec::new(),
        });
    }
}
