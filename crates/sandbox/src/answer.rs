//! What an endpoint answers, as a value: faults may still change or lose it before it becomes a response.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

/// A JSON answer that no cache may keep (RFC 6749 section 5.1).
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Map<String, Value>,
}

impl Answer {
    pub(crate) fn ok(body: Value) -> Self {
        let body = match body {
            Value::Object(fields) => fields,
            other
            @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
                Map::from_iter([("value".to_owned(), other)])
            }
        };
        Self { status: StatusCode::OK, headers: Vec::new(), body }
    }

    /// An OAuth error (RFC 6749 section 5.2).
    pub(crate) fn error(status: StatusCode, error: &str, description: &str) -> Self {
        let mut body = Map::from_iter([("error".to_owned(), Value::from(error))]);
        if !description.is_empty() {
            body.insert("error_description".to_owned(), Value::from(description));
        }
        Self { status, headers: Vec::new(), body }
    }

    pub(crate) fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    pub(crate) fn json(&self) -> Vec<u8> {
        serde_json::to_vec(&self.body).expect("a map of JSON values always serializes")
    }

    /// The same status and headers around other bytes.
    pub(crate) fn response(self, content_type: &'static str, body: Body) -> Response {
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
        headers.extend(self.headers);
        response
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let bytes = self.json();
        self.response("application/json", Body::from(bytes))
    }
}
