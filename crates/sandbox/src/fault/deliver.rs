//! Carries a request out under a fault: whether it takes effect, and what of the answer reaches the client.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::stream;
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;

use super::{Fault, Faults};
use crate::answer::Answer;
use crate::serve::Connection;

const OVERSIZED_MAX: usize = 64 * 1024 * 1024;
const SLOW_MAX: Duration = Duration::from_secs(600);

/// A request at an endpoint that faults can strike.
pub(crate) trait Exchange {
    /// Carries the request out. The fault is given for what it changes in the work itself, and for the record.
    fn carry_out(&self, fault: Option<&Fault>) -> Answer;
    /// Records that the request came and was not carried out.
    fn left_undone(&self, fault: &Fault);
    /// Tells those who wait that something changed.
    fn announce(&self);
}

/// Answers a request, under the fault if there is one.
pub(crate) async fn deliver(
    faults: &Faults,
    fault: Option<Fault>,
    connection: &Connection,
    exchange: &impl Exchange,
) -> Response {
    let Some(fault) = fault else {
        return exchange.carry_out(None).into_response();
    };
    match &fault {
        Fault::ErrorWithOk { error } => {
            exchange.left_undone(&fault);
            Answer::ok(serde_json::json!({ "ok": false, "error": error })).into_response()
        }
        Fault::Error { status, error, description } => {
            exchange.left_undone(&fault);
            Answer::error(failing(*status), error, description.as_deref().unwrap_or("")).into_response()
        }
        Fault::SpuriousInvalidGrant => {
            exchange.left_undone(&fault);
            Answer::error(StatusCode::BAD_REQUEST, "invalid_grant", "the grant is invalid").into_response()
        }
        Fault::Throttled { retry_after_seconds } => {
            exchange.left_undone(&fault);
            Answer::error(StatusCode::TOO_MANY_REQUESTS, "slow_down", "too many requests")
                .with_header(header::RETRY_AFTER, &retry_after_seconds.to_string())
                .into_response()
        }
        Fault::Html { status } => {
            exchange.left_undone(&fault);
            html(*status)
        }
        Fault::Redirect { status, location } => {
            exchange.left_undone(&fault);
            redirect(*status, location)
        }
        Fault::Drop => {
            exchange.left_undone(&fault);
            gone(connection.sever().await)
        }
        Fault::Hang => {
            faults.hang(|| exchange.announce()).await;
            exchange.carry_out(Some(&fault)).into_response()
        }
        Fault::CommitThenHang => {
            let answer = exchange.carry_out(Some(&fault));
            faults.hang(|| exchange.announce()).await;
            answer.into_response()
        }
        Fault::CommitThenDrop => {
            let _lost = exchange.carry_out(Some(&fault));
            gone(connection.sever().await)
        }
        Fault::CommitThenError { status } => {
            let _lost = exchange.carry_out(Some(&fault));
            Answer::error(failing(*status), "server_error", "something went wrong").into_response()
        }
        Fault::Truncated => truncated(exchange.carry_out(Some(&fault))),
        Fault::Oversized { bytes } => oversized(exchange.carry_out(Some(&fault)), *bytes),
        Fault::Slow { millis } => {
            tokio::time::sleep(Duration::from_millis(*millis).min(SLOW_MAX)).await;
            exchange.carry_out(Some(&fault)).into_response()
        }
        Fault::FormEncoded => form_encoded(exchange.carry_out(Some(&fault))),
        Fault::CommaScopes => comma_scopes(exchange.carry_out(Some(&fault))).into_response(),
        Fault::OmitExpiresIn => {
            let mut answer = exchange.carry_out(Some(&fault));
            answer.body.remove("expires_in");
            answer.into_response()
        }
        Fault::NarrowScope { .. } | Fault::OmitRefreshToken => {
            exchange.carry_out(Some(&fault)).into_response()
        }
    }
}

fn gone(never: Infallible) -> Response {
    match never {}
}

fn failing(status: u16) -> StatusCode {
    StatusCode::from_u16(status)
        .ok()
        .filter(|status| status.is_client_error() || status.is_server_error())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn html(status: u16) -> Response {
    let mut response = Response::new(Body::from(
        "<!doctype html><title>Gateway</title><h1>Something stands between you and the provider</h1>",
    ));
    *response.status_mut() = StatusCode::from_u16(status)
        .ok()
        .filter(|status| !status.is_informational())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

fn redirect(status: u16, location: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() =
        StatusCode::from_u16(status).ok().filter(StatusCode::is_redirection).unwrap_or(StatusCode::FOUND);
    if let Ok(target) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, target);
    }
    response
}

fn truncated(answer: Answer) -> Response {
    let bytes = Bytes::from(answer.json());
    let announced = bytes.len();
    let half = bytes.slice(..announced / 2);
    // The pause between the two lets the connection flush the half before it breaks.
    let body = stream::unfold(0_u8, move |step| {
        let half = half.clone();
        async move {
            match step {
                0 => Some((Ok(half), 1)),
                1 => {
                    tokio::task::yield_now().await;
                    Some((Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted)), 2))
                }
                _ => None,
            }
        }
    });
    let mut response = answer.response("application/json", Body::from_stream(body));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(announced));
    response
}

fn oversized(mut answer: Answer, bytes: usize) -> Response {
    let padding = bytes.min(OVERSIZED_MAX);
    answer.body.insert("padding".to_owned(), Value::from("x".repeat(padding)));
    answer.into_response()
}

fn form_encoded(answer: Answer) -> Response {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in &answer.body {
        match value.as_str() {
            Some(text) => form.append_pair(name, text),
            None => form.append_pair(name, &value.to_string()),
        };
    }
    let body = Body::from(form.finish());
    answer.response("application/x-www-form-urlencoded", body)
}

fn comma_scopes(mut answer: Answer) -> Answer {
    if let Some(Value::String(scope)) = answer.body.get_mut("scope") {
        *scope = scope.replace(' ', ",");
    }
    answer
}
