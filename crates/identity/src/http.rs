//! The OpenID Connect client library's way to the network: the hardened transport, one request at a time.

use std::{future::Future, pin::Pin};

use leasehold_upstream::transport::{
    Answer, Completeness, Exchange, NotSent, Request, Transport, Unanswered,
};
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use thiserror::Error;
use url::Url;
use zeroize::Zeroizing;

/// The most bytes of one answer: metadata, keys or tokens.
const ANSWER_LEN_MAX: usize = 128 * 1024;

/// Why an identity provider could not be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The request was certainly not sent.
    #[error("the request was not sent: {0}")]
    NotSent(NotSent),
    /// Nothing came back.
    #[error("the identity provider did not answer: {0}")]
    Unanswered(Unanswered),
    /// The answer is longer than 128 KiB, or broke off.
    #[error("the answer of the identity provider is not whole")]
    NotWhole,
    /// The request or the answer cannot be put into the form of HTTP.
    #[error("the request or the answer cannot be read as http")]
    Malformed,
}

/// What the client library calls.
pub(crate) struct Http<'a>(pub(crate) &'a Transport);

impl Http<'_> {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string()).map_err(|_| HttpError::Malformed)?;
        let mut outgoing = Request::new(parts.method, url, ANSWER_LEN_MAX);
        outgoing.headers = parts.headers;
        if let Some(credentials) = outgoing.headers.get_mut(http::header::AUTHORIZATION) {
            credentials.set_sensitive(true);
        }
        outgoing.body = Zeroizing::new(body);
        match self.0.send(outgoing).await {
            Exchange::Answered(answer) => response(&answer),
            Exchange::NotSent(reason) => Err(HttpError::NotSent(reason)),
            Exchange::Ambiguous(reason) => Err(HttpError::Unanswered(reason)),
        }
    }
}

impl<'c> AsyncHttpClient<'c> for Http<'_> {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

fn response(answer: &Answer) -> Result<HttpResponse, HttpError> {
    if answer.completeness != Completeness::Whole {
        return Err(HttpError::NotWhole);
    }
    let mut response = http::Response::builder().status(answer.status);
    if let Some(content_type) = &answer.content_type {
        response = response.header(http::header::CONTENT_TYPE, content_type);
    }
    response.body(answer.body.to_vec()).map_err(|_| HttpError::Malformed)
}
