//! Two policies of a page that a browser obeys: `Referrer-Policy`, and the `form-action` of its content security policy.

use http::{HeaderMap, header};
use url::Url;

/// The referrer policies of the W3C recommendation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ReferrerPolicy {
    NoReferrer,
    NoReferrerWhenDowngrade,
    Origin,
    OriginWhenCrossOrigin,
    SameOrigin,
    StrictOrigin,
    #[default]
    StrictOriginWhenCrossOrigin,
    UnsafeUrl,
}

impl ReferrerPolicy {
    /// The last policy of the header that is known.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let lines = headers.get_all(header::REFERRER_POLICY).iter().filter_map(|line| line.to_str().ok());
        lines.flat_map(|line| line.split(',')).filter_map(|word| Self::parse(word.trim())).next_back()
    }

    fn parse(word: &str) -> Option<Self> {
        let known = [
            ("no-referrer", Self::NoReferrer),
            ("no-referrer-when-downgrade", Self::NoReferrerWhenDowngrade),
            ("origin", Self::Origin),
            ("origin-when-cross-origin", Self::OriginWhenCrossOrigin),
            ("same-origin", Self::SameOrigin),
            ("strict-origin", Self::StrictOrigin),
            ("strict-origin-when-cross-origin", Self::StrictOriginWhenCrossOrigin),
            ("unsafe-url", Self::UnsafeUrl),
        ];
        known.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, policy)| policy)
    }

    /// What a request from one address to another carries as `Referer`.
    pub(crate) fn referer(self, from: &Url, to: &Url) -> Option<String> {
        let same = from.origin() == to.origin();
        let downgrade = from.scheme() == "https" && to.scheme() == "http";
        let origin = || Some(format!("{}/", from.origin().ascii_serialization()));
        let whole = || {
            let mut url = from.clone();
            url.set_fragment(None);
            let _opaque = url.set_username("").and_then(|()| url.set_password(None));
            Some(url.into())
        };
        match self {
            Self::NoReferrer => None,
            Self::NoReferrerWhenDowngrade if downgrade => None,
            Self::StrictOrigin | Self::StrictOriginWhenCrossOrigin if downgrade => None,
            Self::SameOrigin if !same => None,
            Self::Origin | Self::StrictOrigin => origin(),
            Self::OriginWhenCrossOrigin | Self::StrictOriginWhenCrossOrigin if !same => origin(),
            Self::NoReferrerWhenDowngrade
            | Self::SameOrigin
            | Self::OriginWhenCrossOrigin
            | Self::StrictOriginWhenCrossOrigin
            | Self::UnsafeUrl => whole(),
        }
    }

    /// Whether a POST carries its origin, or `null` (Fetch standard, "append a request `Origin` header").
    pub(crate) fn tells_origin(self, from: &Url, to: &Url) -> bool {
        let downgrade = from.scheme() == "https" && to.scheme() == "http";
        match self {
            Self::NoReferrer => false,
            Self::NoReferrerWhenDowngrade | Self::StrictOrigin | Self::StrictOriginWhenCrossOrigin => {
                !downgrade
            }
            Self::SameOrigin => from.origin() == to.origin(),
            Self::Origin | Self::OriginWhenCrossOrigin | Self::UnsafeUrl => true,
        }
    }
}

/// Where the forms of a page may lead, redirects included: one list of sources for each policy that has the directive.
#[derive(Clone, Debug, Default)]
pub(crate) struct FormAction {
    page: Option<Url>,
    policies: Vec<Vec<String>>,
}

impl FormAction {
    pub(crate) fn of(headers: &HeaderMap, page: &Url) -> Self {
        let lines =
            headers.get_all(header::CONTENT_SECURITY_POLICY).iter().filter_map(|line| line.to_str().ok());
        let policies = lines.flat_map(|line| line.split(',')).filter_map(|policy| {
            policy.split(';').find_map(|directive| {
                let mut words = directive.split_whitespace();
                let named = words.next()?.eq_ignore_ascii_case("form-action");
                named.then(|| words.map(str::to_ascii_lowercase).collect())
            })
        });
        Self { page: Some(page.clone()), policies: policies.collect() }
    }

    pub(crate) fn allows(&self, target: &Url) -> bool {
        self.policies.iter().all(|sources| sources.iter().any(|source| self.matches(source, target)))
    }

    fn matches(&self, source: &str, target: &Url) -> bool {
        if source == "'self'" {
            return self.page.as_ref().is_some_and(|page| page.origin() == target.origin());
        }
        if source == "*" {
            return matches!(target.scheme(), "http" | "https");
        }
        if let Some(scheme) = source.strip_suffix(':') {
            return target.scheme() == scheme;
        }
        let (scheme, rest) = match source.split_once("://") {
            Some((scheme, rest)) => (Some(scheme), rest),
            None => (None, source),
        };
        if scheme.is_some_and(|scheme| scheme != target.scheme()) {
            return false;
        }
        let authority = rest.split('/').next().unwrap_or("");
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            Some(_) | None => (authority, None),
        };
        let host_fits = target.host_str().is_some_and(|target| match host.strip_prefix("*.") {
            Some(parent) => target.strip_suffix(parent).is_some_and(|left| left.ends_with('.')),
            None => target == host,
        });
        let port_fits = match port {
            Some("*") => true,
            Some(port) => {
                target.port_or_known_default().map(|known| known.to_string()).as_deref() == Some(port)
            }
            None => target.port().is_none(),
        };
        host_fits && port_fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn policy(text: &'static str) -> FormAction {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_SECURITY_POLICY, text.parse().unwrap());
        FormAction::of(&headers, &url("http://127.0.0.1:1000/page"))
    }

    #[test]
    fn no_referrer_tells_nobody_anything() {
        let (page, same) = (url("https://a.test/x?code=1"), url("https://a.test/y"));
        assert_eq!(ReferrerPolicy::NoReferrer.referer(&page, &same), None);
        assert!(!ReferrerPolicy::NoReferrer.tells_origin(&page, &same));
    }

    #[test]
    fn by_default_another_origin_learns_the_origin_only() {
        let policy = ReferrerPolicy::default();
        let page = url("https://a.test/x?code=1#f");
        assert_eq!(policy.referer(&page, &url("https://b.test/")).as_deref(), Some("https://a.test/"));
        assert_eq!(
            policy.referer(&page, &url("https://a.test/")).as_deref(),
            Some("https://a.test/x?code=1")
        );
        assert_eq!(policy.referer(&page, &url("http://b.test/")), None);
    }

    #[test]
    fn the_last_known_referrer_policy_wins() {
        let mut headers = HeaderMap::new();
        headers.insert(header::REFERRER_POLICY, "origin, no-referrer, future-policy".parse().unwrap());
        assert_eq!(ReferrerPolicy::of(&headers), Some(ReferrerPolicy::NoReferrer));
    }

    #[test]
    fn a_page_without_form_action_sends_its_forms_anywhere() {
        assert!(policy("default-src 'none'").allows(&url("https://b.test/")));
    }

    #[test]
    fn form_action_self_is_the_same_host_and_port() {
        let own = policy("default-src 'none'; form-action 'self'");
        assert!(own.allows(&url("http://127.0.0.1:1000/other")));
        assert!(!own.allows(&url("http://127.0.0.1:1001/other")));
    }

    #[test]
    fn form_action_sources_match_by_scheme_host_and_port() {
        let listed = policy("form-action http://127.0.0.1:* https://app.test https://*.b.test");
        assert!(listed.allows(&url("http://127.0.0.1:1001/")));
        assert!(listed.allows(&url("https://app.test/cb")));
        assert!(listed.allows(&url("https://x.b.test/")));
        assert!(!listed.allows(&url("https://app.test:8443/cb")));
        assert!(!listed.allows(&url("https://xb.test/")));
        assert!(!policy("form-action 'none'").allows(&url("http://127.0.0.1:1000/")));
    }
}
