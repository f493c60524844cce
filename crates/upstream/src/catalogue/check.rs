//! The rules between an entry's fields, judged once when the entry is loaded.

use std::collections::BTreeMap;

use leasehold_domain::scope::Scope;

use super::entry::{AccountMethod, AccountSource, ClassName, Entry, FailureName, RevocationKind, WithinLegs};
use crate::endpoints::endpoint_url;

/// Parameters that this crate sets itself, which an entry therefore must not.
const RESERVED: [&str; 15] = [
    "client_id",
    "client_secret",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "grant_type",
    "nonce",
    "redirect_uri",
    "refresh_token",
    "resource",
    "response_type",
    "scope",
    "state",
    "token",
];

/// A field and what is wrong with it.
pub(super) type Fault = (String, String);

type Checked = Result<(), Fault>;

/// Judges an entry.
pub(super) fn check(entry: &Entry) -> Checked {
    let length = entry.display_name.chars().count();
    require((1..=64).contains(&length), "display_name", "must have 1 to 64 characters")?;
    endpoints(entry)?;
    authorize(entry)?;
    token(entry)?;
    refresh(entry)?;
    account(entry)?;
    revocation(entry)?;
    failures(entry)?;
    let bytes = entry.limits.max_response_bytes;
    require((1024..=1024 * 1024).contains(&bytes), "limits.max_response_bytes", "must be 1024 to 1048576")?;
    require(entry.limits.token_calls_per_minute > 0, "limits.token_calls_per_minute", "must be positive")?;
    require(entry.limits.token_calls_burst > 0, "limits.token_calls_burst", "must be positive")
}

fn require(holds: bool, field: &str, rule: &str) -> Checked {
    if holds { Ok(()) } else { Err((field.to_owned(), rule.to_owned())) }
}

fn endpoints(entry: &Entry) -> Checked {
    let rule = &entry.endpoints;
    for (name, template) in [
        ("endpoints.issuer", &rule.issuer),
        ("endpoints.authorize", &rule.authorize),
        ("endpoints.token", &rule.token),
        ("endpoints.revocation", &rule.revocation),
        ("endpoints.introspection", &rule.introspection),
        ("endpoints.userinfo", &rule.userinfo),
        ("account.url", &entry.account.url),
        ("revocation.url", &entry.revocation.url),
    ] {
        if let Some(template) = template {
            template.check(&entry.inputs).map_err(|error| (name.to_owned(), error.to_string()))?;
        }
    }
    let fixed = rule.authorize.is_some();
    require(fixed == rule.token.is_some(), "endpoints.token", "goes together with endpoints.authorize")?;
    require(!(fixed && rule.discovery.is_some()), "endpoints.discovery", "excludes fixed endpoints")?;
    let has_issuer = rule.issuer.is_some() || rule.connector_issuer;
    require(rule.discovery.is_none() || has_issuer, "endpoints.issuer", "is needed for discovery")?;
    let both = rule.issuer.is_some() && rule.connector_issuer;
    require(!both, "endpoints.connector_issuer", "excludes a fixed issuer")?;
    let pinned = rule.connector_issuer || rule.issuer_hosts.is_empty();
    require(pinned, "endpoints.issuer_hosts", "goes together with an issuer that the connector states")?;
    require(rule.issuer_hosts.len() <= 16, "endpoints.issuer_hosts", "must be at most 16")?;
    let shared = rule.shared_issuer.as_deref();
    let shared_fits = shared.is_none_or(|text| {
        let (before, after) = text.split_once("{tenantid}").unwrap_or_default();
        rule.connector_issuer
            && !before.contains('{')
            && !after.contains('{')
            && endpoint_url(&format!("{before}x{after}")).is_ok()
    });
    require(
        shared_fits,
        "endpoints.shared_issuer",
        "must be a url with {tenantid} in it, for a stated issuer",
    )?;
    let reachable = fixed || rule.discovery.is_some() || rule.connector_endpoints;
    require(reachable, "endpoints.discovery", "or endpoints are needed")?;
    let hosts_fit = rule.extra_hosts.len() <= 16 && rule.extra_hosts.iter().all(|host| is_host(host));
    require(hosts_fit, "endpoints.extra_hosts", "must be at most 16 lower-case host names")
}

fn is_host(host: &str) -> bool {
    url::Host::parse(host).is_ok_and(|parsed| parsed.to_string() == host)
}

fn authorize(entry: &Entry) -> Checked {
    let rule = &entry.authorize;
    params("authorize.params", rule.params.iter())?;
    let scopes_fit = rule.scopes.len() <= 16 && rule.scopes.iter().all(|scope| Scope::new(scope).is_ok());
    require(scopes_fit, "authorize.scopes", "must be at most 16 scopes")?;
    let named = rule.scope_param.as_deref().is_none_or(|name| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        let taken = rule.params.contains_key(name) || RESERVED.contains(&name);
        (1..=64).contains(&name.len()) && name.bytes().all(plain) && !taken
    });
    require(named, "authorize.scope_param", "must be a parameter that nothing else sets")
}

fn token(entry: &Entry) -> Checked {
    params("token.params", entry.token.params.iter())?;
    params("token.refresh_params", entry.token.refresh_params.iter())?;
    let secret = |name: &String| name.contains("token") || name == "code";
    let kept = &entry.token.metadata;
    let fits = kept.len() <= 8 && kept.iter().all(|name| (1..=64).contains(&name.len()) && !secret(name));
    require(fits, "token.metadata", "must be at most 8 names that are no tokens")?;
    let pinned = entry
        .token
        .metadata_hosts
        .iter()
        .all(|(name, hosts)| kept.contains(name) && (1..=16).contains(&hosts.len()));
    require(pinned, "token.metadata_hosts", "must be 1 to 16 hosts for fields of token.metadata")?;
    let placed = entry.token.within.is_some() || entry.token.within_on == WithinLegs::Every;
    require(placed, "token.within_on", "goes together with token.within")?;
    let unkept = &entry.token.unkept;
    require(unkept.len() <= 4, "token.unkept", "must be at most 4")?;
    require(
        unkept.is_empty() || entry.token.within.is_some(),
        "token.unkept",
        "goes together with token.within",
    )?;
    let aliases = &entry.token.scope_aliases;
    let scopes = aliases.len() <= 16
        && aliases.iter().all(|(said, meant)| Scope::new(said).is_ok() && Scope::new(meant).is_ok());
    require(scopes, "token.scope_aliases", "must be at most 16 scopes for scopes")
}

fn params<'a>(field: &str, params: impl Iterator<Item = (&'a String, &'a String)>) -> Checked {
    let mut count = 0;
    for (name, value) in params {
        count += 1;
        let field = format!("{field}.{name}");
        require(!RESERVED.contains(&name.as_str()), &field, "is set by leasehold itself")?;
        require((1..=64).contains(&name.len()) && value.len() <= 512, &field, "is too long")?;
    }
    require(count <= 16, field, "must be at most 16")
}

fn refresh(entry: &Entry) -> Checked {
    let is_grace = entry.refresh.class == ClassName::Grace;
    let stated = entry.refresh.grace_secs.is_some_and(|secs| secs > 0);
    require(is_grace == stated, "refresh.grace_secs", "goes together with the class grace, and is positive")
}

fn account(entry: &Entry) -> Checked {
    let by_url = entry.account.source == AccountSource::Url;
    require(by_url == entry.account.url.is_some(), "account.url", "goes together with the source url")?;
    let by_path = entry.account.source == AccountSource::IssuerPath;
    let path = entry.account.path.as_deref();
    require(by_path == path.is_some(), "account.path", "goes together with the source issuer_path")?;
    require(path.is_none_or(is_path), "account.path", "must be a plain path that begins with a slash")?;
    require(entry.account.labels.len() <= 8, "account.labels", "must be at most 8")?;
    let asks = by_url || entry.account.method == AccountMethod::Get;
    require(asks, "account.method", "is for the source url")
}

fn is_path(path: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.');
    path.len() <= 128 && path.starts_with('/') && path.bytes().all(inner) && !path.contains("/.")
}

fn revocation(entry: &Entry) -> Checked {
    let rule = &entry.revocation;
    let own = match rule.kind {
        RevocationKind::GithubToken | RevocationKind::GithubGrant | RevocationKind::Bearer => true,
        RevocationKind::None | RevocationKind::Rfc7009 => false,
    };
    require(
        own == rule.url.is_some(),
        "revocation.url",
        "goes together with the kinds of github and with bearer",
    )?;
    let bearer = rule.kind == RevocationKind::Bearer;
    require(
        bearer || !rule.spares_refresh_token,
        "revocation.spares_refresh_token",
        "is for the kind bearer",
    )?;
    let some = rule.kind != RevocationKind::None || (rule.already.is_empty() && rule.says.is_none());
    require(some, "revocation.already", "and revocation.says need a way to revoke")?;
    let codes = rule.already.len() <= 8 && rule.already.iter().all(|code| is_word(code, 64));
    require(codes, "revocation.already", "must be at most 8 codes of printable ascii")?;
    let told = entry.introspection.supported || !entry.introspection.decides_expiry;
    require(told, "introspection.decides_expiry", "needs introspection.supported")
}

fn failures(entry: &Entry) -> Checked {
    let rule = &entry.failures;
    let fit = |words: &BTreeMap<String, FailureName>, len_max: usize| {
        words.len() <= 64 && words.keys().all(|word| is_word(word, len_max))
    };
    let spaced = rule.map.keys().any(|code| code.contains(' '));
    require(fit(&rule.map, 64) && !spaced, "failures.map", "must be at most 64 codes of visible ascii")?;
    require(fit(&rule.details, 128), "failures.details", "must be at most 64 texts of printable ascii")?;
    let both = rule.detail.is_some() != rule.details.is_empty();
    require(both, "failures.details", "goes together with failures.detail")
}

fn is_word(text: &str, len_max: usize) -> bool {
    (1..=len_max).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, 0x20..=0x7e))
}
