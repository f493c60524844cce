//! What an answer means: the document of a success, or a failure by its class.
//!
//! Order of belief: a status that speaks for itself (429, 408, 5xx), then the provider's code as its entry maps it, then the
//! standard codes, then the status.

use std::borrow::Cow;

use leasehold_domain::{
    provider::{ProviderFailure, RefreshClass},
    time::{Span, Timestamp},
};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use crate::{
    call::{Leg, RawAnswer},
    catalogue::{FailureName, FailureRule, Provider},
    document::Document,
    failure::{Code, Failure},
    transport::Completeness,
};

/// The longest wait that a provider can ask for.
const RETRY_AFTER_MAX: Span = Span::from_secs(24 * 60 * 60);

/// The codes of RFC 6749 section 5.2, RFC 6750, RFC 7009, RFC 8628 and RFC 8707 that a client can meet, by what they mean.
const STANDARD: [(&str, ProviderFailure); 11] = [
    ("invalid_grant", ProviderFailure::GrantDead),
    ("invalid_client", ProviderFailure::ClientFault),
    ("unauthorized_client", ProviderFailure::ClientFault),
    ("invalid_request", ProviderFailure::RequestFault),
    ("invalid_scope", ProviderFailure::RequestFault),
    ("invalid_target", ProviderFailure::RequestFault),
    ("unsupported_grant_type", ProviderFailure::RequestFault),
    ("unsupported_token_type", ProviderFailure::RequestFault),
    ("temporarily_unavailable", ProviderFailure::Transient),
    ("server_error", ProviderFailure::Transient),
    ("slow_down", ProviderFailure::Throttled(None)),
];

/// The document of a success, or what the answer means instead.
pub(crate) fn judge(provider: &Provider, answer: &RawAnswer) -> Result<Document, Failure> {
    let document = Document::read(answer);
    let failures = &provider.entry.failures;
    if !(200..300).contains(&answer.status) {
        return Err(refusal(provider, answer, document.as_ref()));
    }
    let Some(document) = document else {
        let class = match answer.completeness {
            Completeness::BrokenOff => ProviderFailure::Ambiguous,
            Completeness::Whole | Completeness::CutAtLimit => ProviderFailure::Malformed,
        };
        return Err(Failure { class, code: Code::Absent, status: answer.status });
    };
    let (code, mapped) = code(provider, &document);
    let succeeded = match &failures.success {
        Some(success) => document.says(&success.at, &success.equals),
        None => code == Code::Absent,
    };
    if succeeded {
        return Ok(document);
    }
    let has_token = document
        .object(provider.entry.token.place(answer.leg))
        .is_some_and(|fields| fields.get("access_token").is_some_and(Value::is_string));
    let class = match (has_token, &code, mapped) {
        // A token and an error at once: whatever it is, the bytes must not be lost over it.
        (true, _, _) | (false, Code::Absent, _) => ProviderFailure::Malformed,
        (false, Code::Listed(_), Some(class)) => in_doubt(provider, answer.leg, class),
        (false, Code::Listed(_) | Code::Unlisted, _) => ProviderFailure::RequestFault,
    };
    Err(Failure { class: with_wait(class, answer), code, status: answer.status })
}

/// What an answer outside 2xx means.
pub(crate) fn refusal(provider: &Provider, answer: &RawAnswer, document: Option<&Document>) -> Failure {
    let (code, mapped) = document.map_or((Code::Absent, None), |document| code(provider, document));
    let by_entry = match &code {
        Code::Listed(code) => listed(&provider.entry.failures, code).map(|name| name.class()),
        Code::Unlisted | Code::Absent => None,
    };
    let broken_off = document.is_none() && answer.completeness == Completeness::BrokenOff;
    let class = match answer.status {
        429 => ProviderFailure::Throttled(None),
        408 | 421 | 425 => ProviderFailure::Transient,
        300..400 => ProviderFailure::RequestFault,
        500..600 => by_entry.unwrap_or_else(|| {
            let class = in_doubt(provider, answer.leg, ProviderFailure::Transient);
            let says_when = class == ProviderFailure::Transient && retry_after(answer).is_some();
            if says_when { ProviderFailure::Throttled(None) } else { class }
        }),
        400..500 if broken_off => ProviderFailure::Ambiguous,
        400..500 => mapped
            .map_or_else(|| by_status(answer), |class| in_doubt_if_server(provider, answer, &code, class)),
        _ => ProviderFailure::Ambiguous,
    };
    Failure { class: with_wait(class, answer), code, status: answer.status }
}

/// A client error that no code explains.
fn by_status(answer: &RawAnswer) -> ProviderFailure {
    match (answer.status, answer.leg) {
        // Here the bearer of a token is refused and not a client.
        (401, Leg::Account) => ProviderFailure::RequestFault,
        (401, Leg::Exchange | Leg::Refresh | Leg::Revoke | Leg::Introspect) => ProviderFailure::ClientFault,
        (403, _) if answer.retry_after.is_some() => ProviderFailure::Throttled(None),
        _ => ProviderFailure::RequestFault,
    }
}

/// `server_error` under a 4xx is a 5xx in disguise.
fn in_doubt_if_server(
    provider: &Provider,
    answer: &RawAnswer,
    code: &Code,
    class: ProviderFailure,
) -> ProviderFailure {
    let is_server = matches!(code, Code::Listed(code) if code == "server_error");
    if is_server { in_doubt(provider, answer.leg, class) } else { class }
}

/// A server error may follow a commit at the provider. Where sending again could do harm that makes it ambiguous: a code is good
/// once, and so is the refresh token of a strict provider.
fn in_doubt(provider: &Provider, leg: Leg, class: ProviderFailure) -> ProviderFailure {
    let once = match leg {
        Leg::Exchange => true,
        Leg::Refresh => provider.entry.refresh.class() == RefreshClass::Strict,
        Leg::Revoke | Leg::Introspect | Leg::Account => false,
    };
    if once && class == ProviderFailure::Transient { ProviderFailure::Ambiguous } else { class }
}

fn listed(failures: &FailureRule, code: &str) -> Option<FailureName> {
    failures.details.get(code).or_else(|| failures.map.get(code)).copied()
}

/// A text, or an integer as one.
fn word(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text.as_str())),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether the provider's code is one of `codes`.
pub(crate) fn code_is_among(provider: &Provider, document: &Document, codes: &[String]) -> bool {
    let code = document.at(&provider.entry.failures.code).and_then(word);
    code.is_some_and(|code| codes.iter().any(|known| *known == code))
}

/// The provider's code and its meaning: by the entry first, its finer words before its codes, then by the standards.
fn code(provider: &Provider, document: &Document) -> (Code, Option<ProviderFailure>) {
    let failures = &provider.entry.failures;
    let detail = failures.detail.as_ref().and_then(|at| document.at(at)).and_then(word);
    if let Some((known, name)) = detail.and_then(|detail| failures.details.get_key_value(detail.as_ref())) {
        return (Code::Listed(Cow::Owned(known.clone())), Some(name.class()));
    }
    let text = match document.at(&failures.code) {
        None | Some(Value::Null | Value::Bool(false)) => return (Code::Absent, None),
        Some(Value::String(text)) if text.is_empty() => return (Code::Absent, None),
        Some(value) => match word(value) {
            Some(text) => text,
            None => return (Code::Unlisted, None),
        },
    };
    if let Some((listed, name)) = failures.map.get_key_value(text.as_ref()) {
        return (Code::Listed(Cow::Owned(listed.clone())), Some(name.class()));
    }
    match STANDARD.iter().find(|(standard, _)| *standard == text) {
        Some((standard, class)) => (Code::Listed(Cow::Borrowed(standard)), Some(*class)),
        None => (Code::Unlisted, None),
    }
}

/// Adds to a throttling how long it lasts, if the provider says.
fn with_wait(class: ProviderFailure, answer: &RawAnswer) -> ProviderFailure {
    if matches!(class, ProviderFailure::Throttled(_)) {
        ProviderFailure::Throttled(retry_after(answer))
    } else {
        class
    }
}

/// `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date, which is taken relative to the answer's arrival. At most a day.
fn retry_after(answer: &RawAnswer) -> Option<Span> {
    let text = answer.retry_after.as_deref()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().map_or(RETRY_AFTER_MAX, Span::from_secs)
    } else {
        let date = OffsetDateTime::parse(text, &Rfc2822).ok()?;
        let secs = u64::try_from(date.unix_timestamp()).ok()?;
        answer.received.until(Timestamp::from_millis(secs.saturating_mul(1000)))
    };
    Some(wait.min(RETRY_AFTER_MAX))
}
