//! The control handle over HTTP: JSON under `/control`, on its own loopback port, behind a bearer secret.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Control, ControlError, Issuer};
use crate::authorize::IssuerParameter;
use crate::bearer;
use crate::behaviour::Behaviour;
use crate::fault::FaultRule;
use crate::front::Site as _;
use crate::idp::IdTokenFlaw;
use crate::options::{Client, Person};
use crate::secret;

const PAGE_DEFAULT: usize = 100;
const PAGE_MAX: usize = 1_000;
const ADVANCE_SECONDS_MAX: f64 = 1e9;

pub(crate) fn router(control: Control, secret: Arc<SecretString>) -> Router {
    Router::new()
        .route("/control/status", get(status))
        .route("/control/advance", post(advance))
        .route("/control/faults", get(faults).post(push_fault).delete(clear_faults))
        .route("/control/faults/release", post(release))
        .route("/control/clients/{issuer}", post(register))
        .route("/control/clients/{issuer}/{client}/secrets", post(add_secret).put(replace_secrets))
        .route("/control/clients/{issuer}/{client}/redirect-uris", post(add_redirect_uri))
        .route("/control/behaviour/{client}", get(behaviour).put(set_behaviour))
        .route("/control/people/{issuer}", post(add_person))
        .route("/control/people/{issuer}/{username}/sign-out", post(sign_out))
        .route("/control/people/provider/{username}/withdraw", post(withdraw))
        .route("/control/issuer-parameter/{issuer}", put(set_issuer_parameter))
        .route("/control/metadata/{issuer}", put(edit_metadata).delete(restore_metadata))
        .route("/control/id-token-flaws", post(flaw))
        .route("/control/signing-key/rotate", post(rotate))
        .route("/control/summary", get(summary))
        .route("/control/issued", get(issued))
        .route("/control/presentations", get(presentations))
        .route("/control/families", get(families))
        .route("/control/active", post(active))
        .route("/control/secrets", get(secrets))
        .layer(middleware::from_fn_with_state(secret, authenticated))
        .with_state(control)
}

async fn authenticated(State(secret): State<Arc<SecretString>>, request: Request, next: Next) -> Response {
    let shown = bearer::token(request.headers()).unwrap_or("");
    if secret::same(shown, secret.expose_secret()) {
        next.run(request).await
    } else {
        bearer::invalid().into_response()
    }
}

fn done(result: Result<(), ControlError>) -> Response {
    match result {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refused(StatusCode::BAD_REQUEST, &error),
    }
}

fn refused(status: StatusCode, error: &dyn std::error::Error) -> Response {
    (status, Json(json!({ "error": error.to_string() }))).into_response()
}

async fn status(State(control): State<Control>) -> Json<Value> {
    Json(json!({
        "idp": control.0.idp.front().issuer,
        "provider": control.0.provider.front().issuer,
        "now": control.clock().now(),
        "offset_seconds": control.clock().offset().as_secs(),
        "hanging": control.hanging(),
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: f64,
}

async fn advance(State(control): State<Control>, Json(advance): Json<Advance>) -> Response {
    match Duration::try_from_secs_f64(advance.seconds.min(ADVANCE_SECONDS_MAX)) {
        Ok(by) => {
            control.advance(by);
            Json(json!({ "now": control.clock().now() })).into_response()
        }
        Err(error) => refused(StatusCode::BAD_REQUEST, &error),
    }
}

async fn faults(State(control): State<Control>) -> Json<Value> {
    let rules: Vec<Value> =
        control.pending_faults().into_iter().map(|(id, rule)| json!({ "id": id, "rule": rule })).collect();
    Json(json!({ "faults": rules }))
}

async fn push_fault(State(control): State<Control>, Json(rule): Json<FaultRule>) -> Response {
    match control.push_fault(rule) {
        Ok(id) => (StatusCode::CREATED, Json(json!({ "id": id }))).into_response(),
        Err(error) => refused(StatusCode::BAD_REQUEST, &error),
    }
}

async fn clear_faults(State(control): State<Control>) -> StatusCode {
    control.clear_faults();
    StatusCode::NO_CONTENT
}

async fn release(State(control): State<Control>) -> StatusCode {
    control.release_hanging();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewClient {
    id: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    secrets: Vec<SecretText>,
    redirect_uris: Vec<String>,
    #[serde(default)]
    post_logout_redirect_uris: Vec<String>,
    #[serde(default)]
    behaviour: Behaviour,
}

#[derive(Deserialize)]
#[serde(from = "String")]
struct SecretText(SecretString);

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

async fn register(
    State(control): State<Control>,
    Path(issuer): Path<Issuer>,
    Json(new): Json<NewClient>,
) -> Response {
    let client = Client {
        name: new.name.unwrap_or_else(|| new.id.clone()),
        id: new.id,
        secrets: new.secrets.into_iter().map(|secret| secret.0).collect(),
        redirect_uris: new.redirect_uris,
        post_logout_redirect_uris: new.post_logout_redirect_uris,
        behaviour: new.behaviour,
    };
    done(control.register_client(issuer, client))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSecret {
    secret: SecretText,
}

async fn add_secret(
    State(control): State<Control>,
    Path((issuer, client)): Path<(Issuer, String)>,
    Json(new): Json<NewSecret>,
) -> Response {
    done(control.add_client_secret(issuer, &client, new.secret.0))
}

async fn replace_secrets(
    State(control): State<Control>,
    Path((issuer, client)): Path<(Issuer, String)>,
    Json(new): Json<NewSecret>,
) -> Response {
    done(control.replace_client_secrets(issuer, &client, new.secret.0))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRedirectUri {
    redirect_uri: String,
}

async fn add_redirect_uri(
    State(control): State<Control>,
    Path((issuer, client)): Path<(Issuer, String)>,
    Json(new): Json<NewRedirectUri>,
) -> Response {
    done(control.add_redirect_uri(issuer, &client, &new.redirect_uri))
}

async fn behaviour(State(control): State<Control>, Path(client): Path<String>) -> Response {
    match control.behaviour(&client) {
        Some(behaviour) => Json(behaviour).into_response(),
        None => refused(StatusCode::NOT_FOUND, &ControlError::UnknownClient),
    }
}

async fn set_behaviour(
    State(control): State<Control>,
    Path(client): Path<String>,
    Json(behaviour): Json<Behaviour>,
) -> Response {
    done(control.set_behaviour(&client, behaviour))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPerson {
    username: String,
    password: SecretText,
    email: String,
    #[serde(default = "verified")]
    email_verified: bool,
    name: String,
    #[serde(default)]
    subject: Option<String>,
}

fn verified() -> bool {
    true
}

async fn add_person(
    State(control): State<Control>,
    Path(issuer): Path<Issuer>,
    Json(new): Json<NewPerson>,
) -> Response {
    let person = Person {
        username: new.username,
        password: new.password.0,
        email: new.email,
        email_verified: new.email_verified,
        name: new.name,
        subject: new.subject,
    };
    match control.add_person(issuer, person) {
        Ok(subject) => (StatusCode::CREATED, Json(json!({ "subject": subject }))).into_response(),
        Err(error) => refused(StatusCode::BAD_REQUEST, &error),
    }
}

async fn sign_out(
    State(control): State<Control>,
    Path((issuer, username)): Path<(Issuer, String)>,
) -> Response {
    done(control.sign_out(issuer, &username))
}

async fn withdraw(State(control): State<Control>, Path(username): Path<String>) -> Response {
    match control.withdraw(&username) {
        Ok(ended) => Json(json!({ "ended": ended })).into_response(),
        Err(error) => refused(StatusCode::BAD_REQUEST, &error),
    }
}

async fn set_issuer_parameter(
    State(control): State<Control>,
    Path(issuer): Path<Issuer>,
    Json(parameter): Json<IssuerParameter>,
) -> StatusCode {
    control.set_issuer_parameter(issuer, parameter);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    field: String,
    value: Value,
}

async fn edit_metadata(
    State(control): State<Control>,
    Path(issuer): Path<Issuer>,
    Json(edit): Json<Edit>,
) -> StatusCode {
    control.edit_metadata(issuer, &edit.field, edit.value);
    StatusCode::NO_CONTENT
}

async fn restore_metadata(State(control): State<Control>, Path(issuer): Path<Issuer>) -> StatusCode {
    control.restore_metadata(issuer);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Flaw {
    flaw: IdTokenFlaw,
}

async fn flaw(State(control): State<Control>, Json(order): Json<Flaw>) -> Response {
    done(control.flaw_next_id_token(order.flaw))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotate {
    #[serde(default)]
    forget_old: bool,
}

async fn rotate(State(control): State<Control>, Json(order): Json<Rotate>) -> Response {
    match control.rotate_signing_key(order.forget_old) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, &error),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfClient {
    client: String,
}

async fn summary(State(control): State<Control>, Query(of): Query<OfClient>) -> Json<Value> {
    Json(json!({
        "refresh_requests": control.refresh_requests(&of.client),
        "reuse_detected": control.reuse_detected(),
        "code_reuse_detected": control.code_reuse_detected(),
        "replays": control.replays(),
        "families_revoked_by_reuse": control.families_revoked_by_reuse(),
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    #[serde(default)]
    from: u64,
    limit: Option<usize>,
    fingerprint: Option<String>,
}

impl Page {
    fn of<T: Serialize>(&self, lines: Vec<T>) -> Json<Value> {
        let limit = self.limit.unwrap_or(PAGE_DEFAULT).min(PAGE_MAX);
        let more = lines.len() > limit;
        let shown: Vec<T> = lines.into_iter().take(limit).collect();
        Json(json!({ "lines": shown, "more": more }))
    }

    fn wants(&self, sequence: u64, fingerprint: &str) -> bool {
        sequence >= self.from && self.fingerprint.as_deref().is_none_or(|wanted| wanted == fingerprint)
    }
}

async fn issued(State(control): State<Control>, Query(page): Query<Page>) -> Json<Value> {
    page.of(control.issued(|line| page.wants(line.sequence, &line.fingerprint)))
}

async fn presentations(State(control): State<Control>, Query(page): Query<Page>) -> Json<Value> {
    page.of(control.presentations_where(|line| page.wants(line.sequence, &line.fingerprint)))
}

async fn families(State(control): State<Control>) -> Json<Value> {
    Json(json!({ "families": control.families() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    token: SecretText,
}

async fn active(State(control): State<Control>, Json(named): Json<Token>) -> Json<Value> {
    Json(json!({ "active": control.is_active(named.token.0.expose_secret()) }))
}

async fn secrets(State(control): State<Control>) -> Json<Value> {
    Json(json!({ "secrets": control.all_secrets() }))
}
