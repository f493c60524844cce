//! Endpoint templates: a URL with `{placeholders}` that a connector fills, and the forms that its values must have.
//!
//! The form is what keeps a value from changing more of the URL than its own part: a label cannot become a host, a segment cannot
//! become a path.

use std::collections::BTreeMap;

use serde::Deserialize;
use thiserror::Error;
use url::Url;

use crate::endpoints::{EndpointUrlError, endpoint_url};

/// What a connector's value for a placeholder must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputForm {
    /// A DNS label: 1 to 63 characters out of a-z, 0-9 and inner hyphens.
    Label,
    /// A host name of at most 253 characters: labels with dots between them, at least two, the last with a letter in it.
    Host,
    /// One path segment: 1 to 64 characters out of letters, digits, `-`, `_`, `.` and `~`, and not `.` or `..`.
    Segment,
}

impl InputForm {
    /// Whether `value` has this form.
    pub fn fits(self, value: &str) -> bool {
        match self {
            Self::Label => is_label(value),
            Self::Host => {
                let named = value
                    .rsplit('.')
                    .next()
                    .is_some_and(|last| last.bytes().any(|byte| byte.is_ascii_lowercase()));
                value.len() <= 253 && value.contains('.') && named && value.split('.').all(is_label)
            }
            Self::Segment => {
                let inner =
                    |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
                (1..=64).contains(&value.len()) && value.bytes().all(inner) && value != "." && value != ".."
            }
        }
    }

    /// A value of this form, to try a template with.
    const fn sample(self) -> &'static str {
        match self {
            Self::Label | Self::Segment => "x",
            Self::Host => "x.example",
        }
    }
}

fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// One value that each connector of a provider states, for example the organisation's own subdomain.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// What an operator is asked for.
    pub title: String,
    /// What the value must look like.
    pub form: InputForm,
}

/// Why a template did not become a URL.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// A placeholder is not closed, or its name is empty.
    #[error("a placeholder is not closed")]
    Unclosed,
    /// A placeholder that the entry does not declare as an input.
    #[error("the placeholder {{{0}}} is not declared under inputs")]
    Undeclared(String),
    /// The connector states no value for a placeholder.
    #[error("the connector states no value for {0}")]
    Missing(String),
    /// The connector's value does not have the declared form.
    #[error("the connector's value for {0} does not have the declared form")]
    Form(String),
    /// What came out is no endpoint.
    #[error(transparent)]
    Url(#[from] EndpointUrlError),
}

/// A URL with placeholders in braces.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Template(String);

impl Template {
    /// Fills the placeholders and reads the result as an endpoint.
    ///
    /// # Errors
    /// [`TemplateError`] when a value is missing or malformed, or no endpoint comes out.
    pub fn fill(
        &self,
        inputs: &BTreeMap<String, Input>,
        values: &BTreeMap<String, String>,
    ) -> Result<Url, TemplateError> {
        Ok(endpoint_url(&self.fill_text(inputs, values)?)?)
    }

    /// Fills the placeholders, byte for byte: an issuer is compared as text and must not be normalised.
    ///
    /// # Errors
    /// [`TemplateError`] when a value is missing or malformed.
    pub fn fill_text(
        &self,
        inputs: &BTreeMap<String, Input>,
        values: &BTreeMap<String, String>,
    ) -> Result<String, TemplateError> {
        self.replace(|name| {
            let input = inputs.get(name).ok_or_else(|| TemplateError::Undeclared(name.to_owned()))?;
            let value = values.get(name).ok_or_else(|| TemplateError::Missing(name.to_owned()))?;
            if input.form.fits(value) { Ok(value.clone()) } else { Err(TemplateError::Form(name.to_owned())) }
        })
    }

    /// Tries the template with sample values, as the catalogue does when it loads an entry.
    pub(super) fn check(&self, inputs: &BTreeMap<String, Input>) -> Result<(), TemplateError> {
        let filled = self.replace(|name| match inputs.get(name) {
            Some(input) => Ok(input.form.sample().to_owned()),
            None => Err(TemplateError::Undeclared(name.to_owned())),
        })?;
        endpoint_url(&filled)?;
        Ok(())
    }

    fn replace(
        &self,
        mut value: impl FnMut(&str) -> Result<String, TemplateError>,
    ) -> Result<String, TemplateError> {
        let mut filled = String::with_capacity(self.0.len());
        let mut rest = self.0.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or(TemplateError::Unclosed)?;
            if name.is_empty() {
                return Err(TemplateError::Unclosed);
            }
            filled.push_str(before);
            filled.push_str(&value(name)?);
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(form: InputForm) -> BTreeMap<String, Input> {
        BTreeMap::from([("at".to_owned(), Input { title: "At".to_owned(), form })])
    }

    fn fill(template: &str, form: InputForm, value: &str) -> Result<String, TemplateError> {
        let values = BTreeMap::from([("at".to_owned(), value.to_owned())]);
        Template(template.to_owned()).fill(&inputs(form), &values).map(String::from)
    }

    #[test]
    fn a_value_of_the_declared_form_fills_its_place() {
        let label = fill("https://{at}.provider.example/token", InputForm::Label, "acme");
        assert_eq!(label.as_deref(), Ok("https://acme.provider.example/token"));
        let host = fill("https://{at}/token", InputForm::Host, "login.acme.example");
        assert_eq!(host.as_deref(), Ok("https://login.acme.example/token"));
    }

    #[test]
    fn a_value_cannot_reach_beyond_its_place() {
        for value in ["", "evil.example/", "evil.example#", "a.b", "a@b", "-a", "a-", "A", "127.0.0.1:80/x"] {
            let filled = fill("https://{at}.provider.example/token", InputForm::Label, value);
            assert_eq!(filled, Err(TemplateError::Form("at".to_owned())), "{value}");
        }
        for value in ["", ".", "..", "a/b", "a?b", "a#b", "a%2fb", "a\\b", &"x".repeat(65)] {
            let filled = fill("https://provider.example/{at}/token", InputForm::Segment, value);
            assert_eq!(filled, Err(TemplateError::Form("at".to_owned())), "{value}");
        }
        for value in ["localhost", "10.0.0.1", "a..b", "evil.example:1", "evil.example/x", ".a", "a."] {
            let filled = fill("https://{at}/token", InputForm::Host, value);
            assert_eq!(filled, Err(TemplateError::Form("at".to_owned())), "{value}");
        }
    }

    #[test]
    fn a_placeholder_must_be_declared_closed_and_stated() {
        let none = BTreeMap::new();
        let template = |text: &str| Template(text.to_owned());
        assert_eq!(
            template("https://{by}.example/").check(&inputs(InputForm::Label)),
            Err(TemplateError::Undeclared("by".to_owned()))
        );
        assert_eq!(template("https://{at").check(&inputs(InputForm::Label)), Err(TemplateError::Unclosed));
        assert_eq!(
            template("https://{at}.example/").fill(&inputs(InputForm::Label), &none),
            Err(TemplateError::Missing("at".to_owned()))
        );
    }
}
