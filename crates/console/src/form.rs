//! Forms as they arrive: strictly the fields that a page of ours has, each once.

use std::collections::BTreeMap;

use axum::{
    body::{Bytes, to_bytes},
    extract::{FromRequest, Request},
    http::header,
};
use zeroize::Zeroizing;

use crate::{problem::Refusal, trouble::Trouble};

/// The longest body, in bytes.
const BODY_LEN_MAX: usize = 16 * 1024;
/// The most fields.
const FIELDS_MAX: usize = 8;

/// The fields of a form. Without `Debug`: one of them is the session's token.
pub(crate) struct Form(BTreeMap<String, Zeroizing<String>>);

impl Form {
    /// Takes a field out.
    ///
    /// # Errors
    /// [`Trouble::FormInvalid`] where the form does not have it.
    pub(crate) fn take(&mut self, name: &str) -> Result<Zeroizing<String>, Trouble> {
        self.0.remove(name).ok_or(Trouble::FormInvalid)
    }

    /// Takes a field out that the form need not have.
    pub(crate) fn take_optional(&mut self, name: &str) -> Option<Zeroizing<String>> {
        self.0.remove(name)
    }

    /// Says that every field was taken.
    ///
    /// # Errors
    /// [`Trouble::FormInvalid`] where one is left that no page of ours has.
    pub(crate) fn end(self) -> Result<(), Trouble> {
        if self.0.is_empty() { Ok(()) } else { Err(Trouble::FormInvalid) }
    }

    fn parse(body: &Bytes) -> Option<Self> {
        let mut fields = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(body) {
            let value = Zeroizing::new(value.into_owned());
            if fields.len() == FIELDS_MAX || fields.insert(name.into_owned(), value).is_some() {
                return None;
            }
        }
        Some(Self(fields))
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Trouble::FormInvalid.into());
        }
        let body = to_bytes(body, BODY_LEN_MAX).await.map_err(|_| Trouble::TooLarge)?;
        Self::parse(&body).ok_or_else(|| Trouble::FormInvalid.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &'static str) -> Option<Form> {
        Form::parse(&Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn every_field_is_taken_once() {
        let mut form = parse("csrf=t%20k&decision=approve").unwrap();
        assert_eq!(form.take("csrf").unwrap().as_str(), "t k");
        assert_eq!(form.take("csrf").err(), Some(Trouble::FormInvalid));
        assert_eq!(form.take_optional("decision").unwrap().as_str(), "approve");
        assert!(form.take_optional("decision").is_none());
        assert_eq!(form.end(), Ok(()));
    }

    #[test]
    fn a_field_that_no_page_has_is_refused() {
        let mut form = parse("csrf=t&also=this").unwrap();
        assert!(form.take("csrf").is_ok());
        assert_eq!(form.end(), Err(Trouble::FormInvalid));
    }

    #[test]
    fn a_field_that_comes_twice_and_too_many_fields_are_refused() {
        assert!(parse("csrf=a&csrf=b").is_none());
        assert!(parse("1=&2=&3=&4=&5=&6=&7=&8=").is_some());
        assert!(parse("1=&2=&3=&4=&5=&6=&7=&8=&9=").is_none());
    }
}
