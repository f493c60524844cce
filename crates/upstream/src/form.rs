//! Form-encoded POST requests with client authentication, for the endpoints that the `oauth2` crate does not reach over loopback.

use http::{
    HeaderMap, HeaderValue, Method,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use secrecy::ExposeSecret;
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use crate::{catalogue::ClientAuth, client::Counterpart, transport::Request};

/// A POST of `parameters` to `url`, as the counterpart's client.
pub(crate) fn post(counterpart: &Counterpart<'_>, url: Url, parameters: &[(&str, &str)]) -> Request {
    let (auth, secret) = counterpart.auth();
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    let mut all = parameters.to_vec();
    match (auth, secret) {
        (ClientAuth::Basic, Some(secret)) => {
            if let Some(value) = counterpart.client.basic_encoded(secret) {
                headers.insert(AUTHORIZATION, value);
            }
        }
        (ClientAuth::Post, Some(secret)) => {
            all.push(("client_id", counterpart.client.id()));
            all.push(("client_secret", secret.expose_secret()));
        }
        (ClientAuth::None, _) | (_, None) => all.push(("client_id", counterpart.client.id())),
    }
    // Room for every byte to become an escape, so that the text never moves and leaves a copy behind.
    let room = all.iter().map(|(name, value)| 3 * (name.len() + value.len()) + 2).sum();
    let body = form_urlencoded::Serializer::new(String::with_capacity(room)).extend_pairs(all).finish();
    let answer_len_max = counterpart.provider.entry.limits.max_response_bytes;
    Request { method: Method::POST, url, headers, body: Zeroizing::new(body.into_bytes()), answer_len_max }
}
