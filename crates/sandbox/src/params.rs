//! Request parameters, read strictly: no duplicates, no empty values, no unbounded lists (RFC 6749 section 3.1).

use std::collections::BTreeMap;

use http::{HeaderMap, header};

const PARAMETERS_MAX: usize = 64;
/// RFC 8707: a client may name several resources.
const RESOURCE: &str = "resource";

/// The parameters of one request.
#[derive(Debug, Default)]
pub(crate) struct Params(BTreeMap<String, Vec<String>>);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum ParamsError {
    #[error("a parameter is repeated")]
    Repeated,
    #[error("too many parameters")]
    TooMany,
    #[error("the body is not application/x-www-form-urlencoded")]
    NotAForm,
}

impl Params {
    /// Parses a query or a form body; only `resource` and the names in `repeatable` may occur more than once.
    pub(crate) fn parse(encoded: &[u8], repeatable: &[&str]) -> Result<Self, ParamsError> {
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (count, (name, value)) in url::form_urlencoded::parse(encoded).enumerate() {
            if count >= PARAMETERS_MAX {
                return Err(ParamsError::TooMany);
            }
            if value.is_empty() {
                continue;
            }
            let may_repeat = name == RESOURCE || repeatable.contains(&name.as_ref());
            let values = found.entry(name.into_owned()).or_default();
            if !values.is_empty() && !may_repeat {
                return Err(ParamsError::Repeated);
            }
            values.push(value.into_owned());
        }
        Ok(Self(found))
    }

    /// Parses a POST body, whose content type must be that of a form.
    pub(crate) fn of_form(
        headers: &HeaderMap,
        body: &[u8],
        repeatable: &[&str],
    ) -> Result<Self, ParamsError> {
        let content_type =
            headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let essence = content_type.split(';').next().unwrap_or("").trim();
        if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(ParamsError::NotAForm);
        }
        Self::parse(body, repeatable)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(|values| values.first()).map(String::as_str)
    }

    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        self.0.get(name).cloned().unwrap_or_default()
    }

    /// A space-separated list, each entry once, in the order given.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        words(self.get(name).unwrap_or(""))
    }
}

/// Splits a space-separated list and drops what is repeated.
pub(crate) fn words(list: &str) -> Vec<String> {
    let mut seen = Vec::new();
    for word in list.split(' ').filter(|word| !word.is_empty()) {
        if !seen.iter().any(|known| known == word) {
            seen.push(word.to_owned());
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_parameter_is_refused_and_an_empty_one_is_absent() {
        assert_eq!(Params::parse(b"a=1&a=2", &[]).unwrap_err(), ParamsError::Repeated);
        assert_eq!(Params::parse(b"a=", &[]).unwrap().get("a"), None);
    }

    #[test]
    fn resource_may_be_repeated() {
        let params = Params::parse(b"resource=https://a.test&resource=https://b.test", &[]).unwrap();
        assert_eq!(params.all("resource").len(), 2);
    }

    #[test]
    fn more_parameters_than_the_bound_are_refused() {
        let many = vec!["a=1"; PARAMETERS_MAX + 1].join("&");
        assert_eq!(Params::parse(many.as_bytes(), &["a"]).unwrap_err(), ParamsError::TooMany);
    }

    #[test]
    fn a_list_keeps_its_order_and_drops_what_is_repeated() {
        assert_eq!(words("b  a b"), ["b", "a"]);
    }
}
