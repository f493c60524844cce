//! The account lookup: which of a person's accounts at the provider a token belongs to.

use std::{collections::BTreeMap, fmt};

mod id_token;

use http::{
    HeaderValue, Method,
    header::{ACCEPT, AUTHORIZATION},
};
use leasehold_domain::provider::ProviderFailure;
use secrecy::SecretString;
use serde_json::Value;
use thiserror::Error;

pub use self::id_token::account_in_id_token;
use crate::{
    call::{Call, Leg, RawAnswer},
    catalogue::{AccountMethod, AccountRule, AccountSource, Provider, TemplateError},
    classify,
    client::bearer,
    document::Document,
    endpoints::Endpoints,
    failure::{Code, Failure},
    transport::Request,
};

/// The longest account id, in bytes.
const ID_LEN_MAX: usize = 255;
/// The longest label, in characters.
const LABEL_LEN_MAX: usize = 128;

/// Why an account cannot be looked up.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AccountLookupError {
    /// The provider has no such call: the account stays unnamed, unless an ID token names it.
    #[error("the provider does not tell the account")]
    Unsupported,
    /// The access token does not fit into a header.
    #[error("the access token cannot be put into a header")]
    Token,
    /// The entry's URL cannot be filled.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

/// An account lookup.
pub struct AccountLookup<'a> {
    /// The provider.
    pub provider: &'a Provider,
    /// Where it is.
    pub endpoints: &'a Endpoints,
    /// The connector's values for the entry's inputs.
    pub inputs: &'a BTreeMap<String, String>,
    /// A fresh access token.
    pub access_token: &'a SecretString,
}

impl AccountLookup<'_> {
    /// The request, with the token as bearer (RFC 6750 section 2.1).
    ///
    /// # Errors
    /// [`AccountLookupError`] when there is nothing to ask.
    pub fn call(&self) -> Result<Call, AccountLookupError> {
        let entry = &self.provider.entry;
        let rule = &entry.account;
        let url = match rule.source {
            AccountSource::None | AccountSource::IdToken => None,
            AccountSource::Userinfo => self.endpoints.userinfo.clone(),
            AccountSource::Url => {
                rule.url.as_ref().map(|template| template.fill(&entry.inputs, self.inputs)).transpose()?
            }
            AccountSource::IssuerPath => {
                let issuer = self.endpoints.issuer.as_ref();
                issuer.zip(rule.path.as_deref()).map(|(issuer, path)| issuer.below(path))
            }
        };
        let url = url.ok_or(AccountLookupError::Unsupported)?;
        let bearer = bearer(self.access_token).ok_or(AccountLookupError::Token)?;
        let method = match rule.method {
            AccountMethod::Get => Method::GET,
            AccountMethod::Post => Method::POST,
        };
        let request = Request::new(method, url, entry.limits.max_response_bytes)
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(AUTHORIZATION, bearer);
        Ok(Call { leg: Leg::Account, request })
    }
}

/// An account at a provider. Personal data: it never prints.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The immutable id, 1 to 255 bytes of visible ASCII; behind that of its tenant and a slash where the entry has one.
    pub id: String,
    /// What people recognise it by: up to 128 characters, without control characters and without those that turn the direction of
    /// writing. Still the provider's words.
    pub label: Option<String>,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Account([redacted])")
    }
}

/// Reads the answer to an account lookup.
///
/// # Errors
/// [`Failure`] when the provider refused, or its answer has no usable id. A refused token is a
/// [`ProviderFailure::RequestFault`] here: the lookup never ends a grant.
pub fn parse_account(provider: &Provider, answer: &RawAnswer) -> Result<Account, Failure> {
    let document = classify::judge(provider, answer)?;
    named(&provider.entry.account, &document).ok_or(Failure {
        class: ProviderFailure::Malformed,
        code: Code::Absent,
        status: answer.status,
    })
}

/// The account that a document names.
fn named(rule: &AccountRule, document: &Document) -> Option<Account> {
    let own = id(document.at(&rule.id)?)?;
    let id = match &rule.realm {
        None => own,
        Some(at) => {
            let realm = id(document.at(at)?)?;
            let fits =
                realm.len() + own.len() < ID_LEN_MAX && ![&realm, &own].iter().any(|id| id.contains('/'));
            fits.then(|| format!("{realm}/{own}"))?
        }
    };
    let label = rule.labels.iter().find_map(|pointer| label(document.at(pointer)?.as_str()?));
    Some(Account { id, label })
}

fn id(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let fits = (1..=ID_LEN_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then_some(text)
}

fn label(text: &str) -> Option<String> {
    let turns = |c: char| matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    let shown: String = text.chars().filter(|c| !c.is_control() && !turns(*c)).take(LABEL_LEN_MAX).collect();
    let shown = shown.trim();
    (!shown.is_empty()).then(|| shown.to_owned())
}

#[cfg(test)]
#[path = "account_tests.rs"]
mod tests;
