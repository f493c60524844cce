//! A navigation on its way: who started it, where it has been, and the headers that tell servers so (Fetch standard).

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::{Origin, Url};

use super::error::BrowserError;
use super::page::Page;
use super::policy::{FormAction, ReferrerPolicy};

/// Who started a navigation.
pub(crate) struct Initiator {
    /// The page; none if the person typed the address.
    page: Option<Url>,
    policy: ReferrerPolicy,
}

impl Initiator {
    pub(crate) fn person() -> Self {
        Self { page: None, policy: ReferrerPolicy::default() }
    }

    pub(crate) fn page(page: &Page) -> Self {
        Self { page: Some(page.url.clone()), policy: ReferrerPolicy::of(&page.headers).unwrap_or_default() }
    }

    pub(crate) fn other(page: Url) -> Self {
        Self { page: Some(page), policy: ReferrerPolicy::default() }
    }
}

pub(crate) struct Navigation {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) body: Option<String>,
    pub(crate) form_action: FormAction,
    initiator: Initiator,
    /// Whether every address so far is of the initiator's origin.
    same_origin: bool,
    /// Whether a foreign server redirected to yet another origin: the initiator's origin is no longer told.
    tainted: bool,
}

impl Navigation {
    pub(crate) fn get(url: Url, initiator: Initiator) -> Self {
        Self::new(Method::GET, url, None, initiator)
    }

    pub(crate) fn post(url: Url, body: String, initiator: Initiator) -> Self {
        Self::new(Method::POST, url, Some(body), initiator)
    }

    fn new(method: Method, url: Url, body: Option<String>, initiator: Initiator) -> Self {
        let same_origin = initiator.page.as_ref().is_none_or(|page| page.origin() == url.origin());
        Self { method, url, body, form_action: FormAction::default(), initiator, same_origin, tainted: false }
    }

    /// Whether the page that started it lets it go here.
    pub(crate) fn permitted(&self) -> Result<(), BrowserError> {
        if self.form_action.allows(&self.url) {
            Ok(())
        } else {
            Err(BrowserError::FormActionForbids { origin: self.url.origin().ascii_serialization() })
        }
    }

    pub(crate) fn redirect(&mut self, response: &Page, target: Url) {
        // 307 and 308 repeat the request; after 301 and 302 every browser turns a POST into a GET, as 303 demands.
        if !matches!(response.status.as_u16(), 307 | 308) {
            self.method = Method::GET;
            self.body = None;
        }
        if let Some(policy) = ReferrerPolicy::of(&response.headers) {
            self.initiator.policy = policy;
        }
        let leaves = target.origin() != self.url.origin();
        self.tainted |= leaves && self.origin().is_some_and(|origin| origin != self.url.origin());
        let initiator_fits = self.origin().is_none_or(|origin| origin == target.origin());
        self.same_origin &= initiator_fits;
        self.url = target;
    }

    fn origin(&self) -> Option<Origin> {
        self.initiator.page.as_ref().map(Url::origin)
    }

    /// Whether `SameSite=Strict` cookies go along. Redirects count (RFC 6265bis section 5.2).
    pub(crate) fn is_same_site(&self) -> bool {
        self.same_origin
    }

    pub(crate) fn headers(&self) -> HeaderMap {
        let site = match (&self.initiator.page, self.same_origin) {
            (None, _) => "none",
            (Some(_), true) => "same-origin",
            (Some(_), false) => "cross-site",
        };
        let mut headers = HeaderMap::new();
        let fixed = [
            ("accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
            ("user-agent", "Mozilla/5.0 (scripted)"),
            ("upgrade-insecure-requests", "1"),
            ("sec-fetch-dest", "document"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-user", "?1"),
            ("sec-fetch-site", site),
        ];
        for (name, value) in fixed {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let told = [("referer", self.referer()), ("origin", self.told_origin())];
        for (name, value) in told {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        headers
    }

    fn referer(&self) -> Option<String> {
        self.initiator.policy.referer(self.initiator.page.as_ref()?, &self.url)
    }

    /// The `Origin` of a POST. Under `no-referrer` browsers send `null`, even to their own origin.
    fn told_origin(&self) -> Option<String> {
        if self.method == Method::GET {
            return None;
        }
        let page = self.initiator.page.as_ref()?;
        let told = !self.tainted && self.initiator.policy.tells_origin(page, &self.url);
        Some(if told { page.origin().ascii_serialization() } else { "null".to_owned() })
    }
}
