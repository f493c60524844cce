//! The parameters of a request: a bounded form, each parameter once (RFC 6749 section 3.2).
//!
//! What has no value counts as left out, and what nobody here knows is let pass, as that section demands of servers; whatever this edge knows
//! and does not do is refused by the handlers by its name. `resource` and `audience` alone may be repeated (RFC 8693 section 2.1).

use std::collections::BTreeMap;

use axum::{
    body::{Bytes, to_bytes},
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use zeroize::Zeroizing;

use crate::refusal::Refusal;

/// The longest body, in bytes.
pub(crate) const BODY_LEN_MAX: usize = 16 * 1024;
/// The most parameters.
const PARAMETERS_MAX: usize = 32;
/// What may be repeated.
const REPEATABLE: [&str; 2] = ["resource", "audience"];

/// The parameters. Without `Debug`: one of them is a token.
pub(crate) struct Parameters(BTreeMap<String, Vec<Zeroizing<String>>>);

impl Parameters {
    /// Takes a parameter out, if it has a value.
    pub(crate) fn take(&mut self, name: &str) -> Option<Zeroizing<String>> {
        self.0.remove(name)?.pop()
    }

    /// Takes a parameter out that the request has to have.
    pub(crate) fn need(&mut self, name: &'static str) -> Result<Zeroizing<String>, Refusal> {
        self.take(name)
            .ok_or_else(|| Refusal::invalid_request("INVALID_ARGUMENT", format!("{name}: missing")))
    }

    /// Takes the one target out that the request has to have, however often it names it.
    pub(crate) fn need_target(&mut self, name: &'static str) -> Result<Zeroizing<String>, Refusal> {
        let mut values = self.0.remove(name).unwrap_or_default();
        let first = values.pop();
        match first {
            Some(first) if values.iter().all(|other| *other == first) => Ok(first),
            Some(_) => Err(Refusal::invalid_target(
                "INVALID_ARGUMENT",
                format!("{name}: one target; a token has no more"),
            )),
            None => Err(Refusal::invalid_target("INVALID_ARGUMENT", format!("{name}: missing"))),
        }
    }

    /// Whether a parameter is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let mut parameters: BTreeMap<String, Vec<Zeroizing<String>>> = BTreeMap::new();
        let mut count = 0;
        for (name, value) in url::form_urlencoded::parse(body) {
            let value = Zeroizing::new(value.into_owned());
            count += 1;
            if count > PARAMETERS_MAX {
                let text = format!("too many parameters: at most {PARAMETERS_MAX}");
                return Err(Refusal::invalid_request("MALFORMED", text));
            }
            if value.is_empty() {
                continue;
            }
            let values = parameters.entry(name.into_owned()).or_default();
            values.push(value);
        }
        let repeated =
            parameters.iter().any(|(name, all)| all.len() > 1 && !REPEATABLE.contains(&name.as_str()));
        if repeated {
            let text = "a parameter is repeated: only resource and audience may be";
            return Err(Refusal::invalid_request("FIELD_AMBIGUOUS", text));
        }
        Ok(Self(parameters))
    }
}

impl<S: Send + Sync> FromRequest<S> for Parameters {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        if !is_form(&parts.headers) {
            return Err(Refusal::not_a_form());
        }
        let body: Bytes = to_bytes(body, BODY_LEN_MAX).await.map_err(|_| Refusal::too_large(BODY_LEN_MAX))?;
        Self::parse(&body)
    }
}

/// Whether exactly one header says that the body is a form, in no other charset than UTF-8 and in no other coding than none.
fn is_form(headers: &HeaderMap) -> bool {
    let mut all = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(only), None) = (all.next(), all.next()) else { return false };
    let Ok(text) = only.to_str() else { return false };
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let charset = |parameter: &str| {
        parameter.eq_ignore_ascii_case("charset=utf-8") || parameter.eq_ignore_ascii_case("charset=\"utf-8\"")
    };
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        && parts.all(|parameter| parameter.is_empty() || charset(parameter))
        && !headers.contains_key(header::CONTENT_ENCODING)
}

#[cfg(test)]
#[path = "tests/form.rs"]
mod tests;
