//! The headers of every answer, whatever it is.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    http::{HeaderName, HeaderValue, header},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{page::STYLE, site::Site};

/// Where the forms of a page may lead. Browsers hold the redirects that follow to it as well.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum FormTargets {
    /// It has none.
    #[default]
    Nowhere,
    /// To this site.
    Own,
    /// To this site, and from there to one of these sources (CSP Level 3, section 2.3.1).
    Beyond(Vec<String>),
}

/// The source that stands for a provider's host, at any port; nothing for a host that is not plain letters, digits, dots and hyphens.
pub(crate) fn source(host: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    (!host.is_empty() && host.bytes().all(plain)).then(|| format!("{host}:*"))
}

const ALWAYS: [(HeaderName, &str); 8] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
];

static STYLE_HASH: LazyLock<String> = LazyLock::new(|| STANDARD.encode(digest(&SHA256, STYLE.as_bytes())));

/// Puts them onto an answer.
pub(crate) fn apply(site: &Site, response: &mut Response) {
    let targets = response.extensions_mut().remove::<FormTargets>().unwrap_or_default();
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if site.secure {
        let value = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
    let policy = HeaderValue::try_from(policy(&targets)).expect("sources are visible ASCII");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
}

fn policy(targets: &FormTargets) -> String {
    let forms = match targets {
        FormTargets::Nowhere => "'none'".to_owned(),
        FormTargets::Own => "'self'".to_owned(),
        FormTargets::Beyond(sources) => {
            sources.iter().fold("'self'".to_owned(), |all, source| format!("{all} {source}"))
        }
    };
    let style = &*STYLE_HASH;
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action {forms}; base-uri 'none'; frame-ancestors 'none'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_allows_one_style_and_the_pages_forms() {
        let policy = policy(&FormTargets::Beyond(vec!["provider.example:*".to_owned()]));
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(policy.contains("; form-action 'self' provider.example:*; "), "{policy}");
        assert!(policy.ends_with("; base-uri 'none'; frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("script") && !policy.contains("unsafe"), "{policy}");
    }

    #[test]
    fn a_host_cannot_write_into_the_policy() {
        assert_eq!(source("accounts.provider-1.example").as_deref(), Some("accounts.provider-1.example:*"));
        for bad in ["", "a; script-src *", "a b", "a,b", "*", "'self'", "a:1", "[::1]", "ä.example"] {
            assert_eq!(source(bad), None, "{bad}");
        }
    }
}
