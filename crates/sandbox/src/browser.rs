//! A person's browser, scripted: cookies, redirects, forms, and the headers by which servers tell a click from an attack.
//!
//! It is stricter than a browser where that catches mistakes: every host and port is a site of its own, so on loopback the
//! parts of a flow are as foreign to each other as they are in production. It runs no scripts and loads no subresources.

use std::time::Duration;

use http::header;
use reqwest::{Client, Method, redirect};
use url::Url;

mod error;
mod form;
mod jar;
mod navigation;
mod page;
mod policy;

pub use error::BrowserError;
pub use form::Form;
pub use page::{Page, Visit};

use jar::Jar;
use navigation::{Initiator, Navigation};
use policy::FormAction;

const REDIRECTS_MAX: usize = 20;
const BODY_MAX: usize = 4 * 1024 * 1024;
const HISTORY_MAX: usize = 10_000;
const TIMEOUT: Duration = Duration::from_secs(60);

/// One browser profile with one window.
pub struct Browser {
    client: Client,
    jar: Jar,
    page: Option<Page>,
    history: Vec<Visit>,
    stops: Vec<String>,
}

impl Browser {
    /// A browser with no cookies and no history.
    pub fn new() -> Result<Self, BrowserError> {
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| BrowserError::Tls)?
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(TIMEOUT)
            .build()
            .map_err(BrowserError::Client)?;
        Ok(Self::with_client(client))
    }

    /// The same over a client of the caller's, for instance one that trusts a test's certificate authority. It must not
    /// follow redirects by itself.
    pub fn with_client(client: Client) -> Self {
        Self { client, jar: Jar::default(), page: None, history: Vec::new(), stops: Vec::new() }
    }

    /// Does not load addresses that begin so: the browser stands still on the redirect that leads there, and `url` is
    /// where it would have gone. For clients whose callback nobody serves.
    pub fn stop_before(&mut self, prefix: impl Into<String>) {
        self.stops.push(prefix.into());
    }

    /// Types an address and presses enter.
    pub async fn goto(&mut self, url: &str) -> Result<&Page, BrowserError> {
        let url = Url::parse(url).map_err(BrowserError::Url)?;
        self.navigate(Navigation::get(url, Initiator::person())).await
    }

    /// Clicks a link of the page, named by its text or its id.
    pub async fn click(&mut self, link: &str) -> Result<&Page, BrowserError> {
        let page = self.page.as_ref().ok_or(BrowserError::NoPage)?;
        let url = page.link(link).ok_or_else(|| BrowserError::NoLink(link.to_owned()))?;
        let initiator = Initiator::page(page);
        self.navigate(Navigation::get(url, initiator)).await
    }

    /// Fills in a form of the page and submits it. What the page's policy forbids (`form-action`) fails here, also for the
    /// redirects that follow.
    pub async fn submit(&mut self, form: &Form) -> Result<&Page, BrowserError> {
        let page = self.page.as_ref().ok_or(BrowserError::NoPage)?;
        let submission = form.resolve(page)?;
        let mut navigation = match submission.body {
            Some(body) => Navigation::post(submission.url, body, Initiator::page(page)),
            None => Navigation::get(submission.url, Initiator::page(page)),
        };
        navigation.form_action = FormAction::of(&page.headers, &page.url);
        self.navigate(navigation).await
    }

    /// Submits a form that a page of another origin made: a forgery, with the cookies such a request would carry.
    pub async fn submit_forged(
        &mut self,
        from: &str,
        url: &str,
        fields: &[(&str, &str)],
    ) -> Result<&Page, BrowserError> {
        let from = Url::parse(from).map_err(BrowserError::Url)?;
        let url = Url::parse(url).map_err(BrowserError::Url)?;
        let body = form::encode(fields.iter().map(|(name, value)| (*name, *value)));
        self.navigate(Navigation::post(url, body, Initiator::other(from))).await
    }

    /// Follows a link on a page of another origin.
    pub async fn follow_from(&mut self, from: &str, url: &str) -> Result<&Page, BrowserError> {
        let from = Url::parse(from).map_err(BrowserError::Url)?;
        let url = Url::parse(url).map_err(BrowserError::Url)?;
        self.navigate(Navigation::get(url, Initiator::other(from))).await
    }

    /// The page in the window.
    pub fn page(&self) -> Option<&Page> {
        self.page.as_ref()
    }

    /// The address in the window.
    pub fn url(&self) -> Option<&Url> {
        self.page.as_ref().map(|page| &page.url)
    }

    /// A parameter of the address in the window.
    pub fn query(&self, name: &str) -> Option<String> {
        let url = self.url()?;
        url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// Every request made, oldest first.
    pub fn history(&self) -> &[Visit] {
        &self.history
    }

    /// The value of a cookie, if the browser has it for that address.
    pub fn cookie(&self, url: &str, name: &str) -> Option<String> {
        self.jar.value(&Url::parse(url).ok()?, name)
    }

    /// Plants a cookie as if the address had set it by this `Set-Cookie` line. Answers whether it was accepted.
    pub fn plant_cookie(&mut self, url: &str, line: &str) -> Result<bool, BrowserError> {
        Ok(self.jar.store(&Url::parse(url).map_err(BrowserError::Url)?, line))
    }

    /// Names of cookies that servers tried to set and a browser refuses.
    pub fn rejected_cookies(&self) -> &[String] {
        self.jar.rejected()
    }

    /// Forgets all cookies.
    pub fn clear_cookies(&mut self) {
        self.jar = Jar::default();
    }

    async fn navigate(&mut self, mut navigation: Navigation) -> Result<&Page, BrowserError> {
        for _ in 0..=REDIRECTS_MAX {
            navigation.permitted()?;
            let page = self.load(&navigation).await?;
            let Some(target) = page.redirect_target() else {
                return Ok(self.page.insert(page));
            };
            if self.stops.iter().any(|stop| target.as_str().starts_with(stop)) {
                let stopped = Page { url: target, stopped: true, ..page };
                return Ok(self.page.insert(stopped));
            }
            navigation.redirect(&page, target);
        }
        Err(BrowserError::TooManyRedirects)
    }

    async fn load(&mut self, navigation: &Navigation) -> Result<Page, BrowserError> {
        let url = navigation.url.clone();
        if !matches!(url.scheme(), "http" | "https") {
            return Err(BrowserError::Scheme(url.scheme().to_owned()));
        }
        let cookies = self.jar.matching(&url, navigation.is_same_site(), navigation.method == Method::GET);
        let headers = navigation.headers();
        let unreachable = |source: reqwest::Error| BrowserError::Unreachable {
            origin: url.origin().ascii_serialization(),
            source: source.without_url(),
        };
        let mut request =
            self.client.request(navigation.method.clone(), url.clone()).headers(headers.clone());
        if !cookies.is_empty() {
            let line: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(header::COOKIE, line.join("; "));
        }
        if let Some(body) = &navigation.body {
            request =
                request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(body.clone());
        }
        let mut response = request.send().await.map_err(unreachable)?;
        for line in response.headers().get_all(header::SET_COOKIE) {
            self.jar.store(&url, &String::from_utf8_lossy(line.as_bytes()));
        }
        let (status, received) = (response.status(), response.headers().clone());
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if bytes.len().saturating_add(chunk.len()) > BODY_MAX {
                return Err(BrowserError::BodyTooLarge);
            }
            bytes.extend_from_slice(&chunk);
        }
        if self.history.len() < HISTORY_MAX {
            self.history.push(Visit::new(navigation, status, &headers, &cookies));
        }
        Ok(Page {
            url,
            status,
            headers: received,
            text: String::from_utf8_lossy(&bytes).into_owned(),
            stopped: false,
        })
    }
}
