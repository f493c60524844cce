//! What the browser shows, and what it remembers of each request.

use http::{HeaderMap, StatusCode, header};
use scraper::{ElementRef, Html, Selector};
use url::Url;

use super::navigation::Navigation;

/// A loaded page.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page {
    /// Its address. If `stopped`, the address that was not loaded.
    pub url: Url,
    /// Status of the last response.
    pub status: StatusCode,
    /// Headers of the last response.
    pub headers: HeaderMap,
    /// Body of the last response, invalid UTF-8 replaced.
    pub text: String,
    /// Whether the browser stands still on a redirect (`Browser::stop_before`).
    pub stopped: bool,
}

/// One request the browser made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Visit {
    /// GET or POST.
    pub method: http::Method,
    /// Where.
    pub url: Url,
    /// Status of the response.
    pub status: StatusCode,
    /// `Origin` sent.
    pub origin: Option<String>,
    /// `Referer` sent, as the referrer policy of the page allowed.
    pub referer: Option<String>,
    /// `Sec-Fetch-Site` sent.
    pub fetch_site: String,
    /// Names of the cookies sent.
    pub cookies: Vec<String>,
}

impl Visit {
    pub(crate) fn new(
        navigation: &Navigation,
        status: StatusCode,
        sent: &HeaderMap,
        cookies: &[(String, String)],
    ) -> Self {
        let text = |name: &str| sent.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Self {
            method: navigation.method.clone(),
            url: navigation.url.clone(),
            status,
            origin: text("origin"),
            referer: text("referer"),
            fetch_site: text("sec-fetch-site").unwrap_or_default(),
            cookies: cookies.iter().map(|(name, _)| name.clone()).collect(),
        }
    }
}

impl Page {
    /// A header, if there is one and it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The text of every element that a CSS selector finds, white space folded. An invalid selector finds nothing.
    pub fn select(&self, css: &str) -> Vec<String> {
        let Ok(selector) = Selector::parse(css) else {
            return Vec::new();
        };
        Html::parse_document(&self.text).select(&selector).map(text_of).collect()
    }

    /// Whether there is a form of this id.
    pub fn has_form(&self, id: &str) -> bool {
        let Ok(selector) = Selector::parse("form") else {
            return false;
        };
        Html::parse_document(&self.text).select(&selector).any(|form| form.attr("id") == Some(id))
    }

    /// Where a link leads, named by its text or its id.
    pub(crate) fn link(&self, name: &str) -> Option<Url> {
        let selector = Selector::parse("a[href]").ok()?;
        let document = Html::parse_document(&self.text);
        let found = document
            .select(&selector)
            .find(|link| link.attr("id") == Some(name) || text_of(*link) == name)?;
        self.url.join(found.attr("href")?).ok()
    }

    /// Where a redirect leads; the fragment of the old address goes along (RFC 9110 section 10.2.2).
    pub(crate) fn redirect_target(&self) -> Option<Url> {
        if !matches!(self.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            return None;
        }
        let mut target = self.url.join(self.headers.get(header::LOCATION)?.to_str().ok()?).ok()?;
        if target.fragment().is_none() {
            target.set_fragment(self.url.fragment());
        }
        Some(target)
    }
}

pub(crate) fn text_of(element: ElementRef<'_>) -> String {
    element.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}
