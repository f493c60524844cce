//! From an answer of the token endpoint to a token set. Pure: the same bytes give the same result, on any node, at any later time.

use std::{collections::BTreeMap, fmt};

use leasehold_domain::{
    provider::ProviderFailure,
    scope::{Scope, ScopeSet},
    time::{Span, Timestamp},
};
use secrecy::SecretString;
use serde_json::{Map, Value};
use url::Url;

use crate::{
    call::{Leg, RawAnswer},
    catalogue::{EmptyScope, HostPattern, Provider, TokenRule},
    classify,
    endpoints::endpoint_url,
    failure::{Code, Failure},
};

/// The longest access, refresh or ID token, in bytes: three of them, sealed, stay below the 64 KiB of a stored value.
const TOKEN_LEN_MAX: usize = 16 * 1024;
/// The longest metadata value, in bytes.
const METADATA_LEN_MAX: usize = 512;
/// The longest token type, in bytes.
const TYPE_LEN_MAX: usize = 32;

/// How a moment of expiry is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpirySource {
    /// The answer states it.
    Stated,
    /// It follows from the provider's entry.
    Derived,
    /// The provider said so when it was asked about the token (RFC 7662).
    Introspected,
}

/// When a token ends, and how that is known. Counted from before the request was sent, so never too late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    /// The moment.
    pub at: Timestamp,
    /// How it is known.
    pub source: ExpirySource,
}

/// Which scopes were granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Granted {
    /// The answer states them.
    Stated(ScopeSet),
    /// The answer says nothing, which means those that were asked for (RFC 6749 section 5.1), or on refresh those of before.
    AsAsked(ScopeSet),
}

impl Granted {
    /// The scopes.
    pub fn scopes(&self) -> &ScopeSet {
        match self {
            Self::Stated(scopes) | Self::AsAsked(scopes) => scopes,
        }
    }
}

/// What a token endpoint gave. Its secrets never print.
pub struct TokenSet {
    /// The access token: visible ASCII.
    pub access_token: SecretString,
    /// A refresh token, if the answer has one. On refresh none means that the old one stays.
    pub refresh_token: Option<SecretString>,
    /// An ID token, if the answer has one. Nothing of it was verified.
    pub id_token: Option<SecretString>,
    /// The token type; `Bearer` in this spelling however it was written, and where the answer names none.
    pub token_type: String,
    /// The scopes.
    pub scopes: Granted,
    /// When the access token ends. Nothing means unknown, not never.
    pub expires_at: Option<Expiry>,
    /// When the refresh token ends if it is not used.
    pub refresh_expires_at: Option<Expiry>,
    /// Those of the entry's metadata fields that the answer has: at most 8, of at most 512 bytes.
    pub metadata: BTreeMap<String, String>,
    /// How many further tokens the answer holds, which the entry says are not kept.
    pub unkept: usize,
}

impl fmt::Debug for TokenSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSet")
            .field("refresh_token", &self.refresh_token.is_some())
            .field("scopes", &self.scopes)
            .field("expires_at", &self.expires_at)
            .field("refresh_expires_at", &self.refresh_expires_at)
            .finish_non_exhaustive()
    }
}

/// Reads an answer of the token endpoint. `asked` are the scopes that were asked for, or on refresh those of the grant; `sent_at`
/// is the moment before the request was sent, from which lifetimes count.
///
/// # Errors
/// [`Failure`] when the provider refused, or when what it says cannot be read ([`ProviderFailure::Malformed`]; then the bytes are
/// worth keeping).
pub fn parse_token_answer(
    provider: &Provider,
    answer: &RawAnswer,
    asked: &ScopeSet,
    sent_at: Timestamp,
) -> Result<TokenSet, Failure> {
    let document = classify::judge(provider, answer)?;
    let rule = &provider.entry.token;
    let mut set = document
        .object(rule.place(answer.leg))
        .and_then(|fields| token_set(provider, fields, asked, sent_at))
        .ok_or(Failure { class: ProviderFailure::Malformed, code: Code::Absent, status: answer.status })?;
    if answer.leg == Leg::Exchange {
        set.unkept = rule.unkept.iter().filter(|at| document.at(at).is_some_and(Value::is_string)).count();
    }
    Ok(set)
}

fn token_set(
    provider: &Provider,
    fields: &Map<String, Value>,
    asked: &ScopeSet,
    sent_at: Timestamp,
) -> Option<TokenSet> {
    let entry = &provider.entry;
    let refresh_token = optional_secret(fields, "refresh_token")?;
    let lifetimes = &entry.lifetimes;
    let idle = [lifetimes.refresh_token_idle_secs, lifetimes.refresh_token_absolute_secs];
    let refresh_expires_at = match &refresh_token {
        Some(_) => expiry(fields, &lifetimes.refresh_token_field, idle.into_iter().flatten().min(), sent_at),
        None => None,
    };
    Some(TokenSet {
        access_token: secret(fields.get("access_token")?.as_str()?, 0x21)?,
        refresh_token,
        // Too large a one is passed over: what matters are the tokens.
        id_token: fields.get("id_token").and_then(Value::as_str).and_then(|text| secret(text, 0x21)),
        token_type: token_type(fields.get("token_type").filter(|_| !entry.token.always_bearer))?,
        scopes: granted(provider, fields.get("scope"), asked)?,
        expires_at: expiry(fields, "expires_in", lifetimes.access_token_secs, sent_at),
        refresh_expires_at,
        metadata: metadata(&entry.token, fields),
        unkept: 0,
    })
}

/// A secret of visible ASCII (or, from 0x20, printable ASCII), which therefore fits into a header or a form.
fn secret(text: &str, least: u8) -> Option<SecretString> {
    let fits =
        (1..=TOKEN_LEN_MAX).contains(&text.len()) && text.bytes().all(|byte| (least..=0x7e).contains(&byte));
    fits.then(|| SecretString::from(text))
}

fn optional_secret(fields: &Map<String, Value>, name: &str) -> Option<Option<SecretString>> {
    match fields.get(name) {
        None | Some(Value::Null) => Some(None),
        Some(value) => {
            let text = value.as_str()?;
            if text.is_empty() { Some(None) } else { secret(text, 0x20).map(Some) }
        }
    }
}

fn token_type(value: Option<&Value>) -> Option<String> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Some("Bearer".to_owned()) };
    let text = value.as_str()?;
    if text.eq_ignore_ascii_case("bearer") || text.is_empty() {
        return Some("Bearer".to_owned());
    }
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (text.len() <= TYPE_LEN_MAX && text.bytes().all(inner)).then(|| text.to_owned())
}

fn granted(provider: &Provider, value: Option<&Value>, asked: &ScopeSet) -> Option<Granted> {
    let rule = &provider.entry.token;
    let as_asked = || Granted::AsAsked(asked.clone());
    let separates = |c: char| c == ' ' || (rule.comma_scopes && c == ',');
    let words: Vec<&str> = match value {
        None | Some(Value::Null) => return Some(as_asked()),
        Some(Value::String(text)) => text.split(separates).filter(|word| !word.is_empty()).collect(),
        Some(Value::Array(items)) => items.iter().map(Value::as_str).collect::<Option<_>>()?,
        Some(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => return None,
    };
    if words.is_empty() && rule.empty_scope == EmptyScope::AsAsked {
        return Some(as_asked());
    }
    let scopes: Option<Vec<Scope>> = words.into_iter().map(|word| meant(rule, asked, word)).collect();
    ScopeSet::new(scopes?).ok().map(Granted::Stated)
}

/// The scope that a word of an answer means.
fn meant(rule: &TokenRule, asked: &ScopeSet, word: &str) -> Option<Scope> {
    let word = rule.scope_aliases.get(word).map_or(word, String::as_str);
    let same = |scope: &&Scope| scope.as_str().eq_ignore_ascii_case(word);
    match asked.iter().find(same).filter(|_| rule.scopes_ignore_case) {
        Some(scope) => Some(scope.clone()),
        None => Scope::new(word).ok(),
    }
}

/// A lifetime in seconds as a moment. One that is no positive number says nothing, and then the entry's counts.
fn expiry(
    fields: &Map<String, Value>,
    name: &str,
    default: Option<u64>,
    sent_at: Timestamp,
) -> Option<Expiry> {
    let stated = fields.get(name).and_then(seconds).map(|secs| (secs, ExpirySource::Stated));
    let (secs, source) = stated.or(default.map(|secs| (secs, ExpirySource::Derived)))?;
    Some(Expiry { at: sent_at + Span::from_secs(secs), source })
}

/// Whole seconds, rounded down, from a number or from a text that is one.
fn seconds(value: &Value) -> Option<u64> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let whole = text.split_once('.').map_or(text.as_str(), |(whole, _)| whole);
    whole.parse().ok().filter(|secs| *secs > 0)
}

fn metadata(rule: &TokenRule, fields: &Map<String, Value>) -> BTreeMap<String, String> {
    let printable = |text: &&str| {
        (1..=METADATA_LEN_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    rule.metadata
        .iter()
        .filter_map(|name| {
            let text = fields.get(name).and_then(Value::as_str).filter(printable)?;
            let at_home = rule.metadata_hosts.get(name).is_none_or(|hosts| is_at(text, hosts));
            if !at_home {
                tracing::warn!(field = name, "a provider named a host that its entry does not know");
            }
            at_home.then(|| (name.clone(), text.to_owned()))
        })
        .collect()
}

/// Whether a text is an endpoint at one of these hosts.
fn is_at(text: &str, hosts: &[HostPattern]) -> bool {
    let url = endpoint_url(text).ok();
    let host = url.as_ref().and_then(Url::host_str);
    host.is_some_and(|host| hosts.iter().any(|known| known.admits(host)))
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
