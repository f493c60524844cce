//! Where browsers reach this console, and what an operator decides about it.

use std::net::IpAddr;

use axum::http::uri::Authority;
use thiserror::Error;
use tokio::time::Duration;
use url::{Host, Url};

/// A public URL that browsers could not use safely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PublicUrlError {
    /// Cookies and codes would travel in clear.
    #[error("the public URL must be https, or http on a loopback address for development")]
    Insecure,
    /// It has a path, a query, a fragment or a user name.
    #[error("the public URL must be a scheme, a host and at most a port")]
    NotAnOrigin,
}

/// What an operator decides.
#[derive(Debug, Clone)]
pub struct Settings {
    pub(crate) site: Site,
    /// Origins through which a provider sends browsers before it shows a page, such as its sign-in on another host. Browsers hold every
    /// redirect that follows a form to the page's `form-action`. None by default.
    pub detours: Vec<Url>,
    /// How many requests may be in flight; one more is answered with 503. 256 by default.
    pub in_flight_max: usize,
    /// Within which time a request is answered. The longest is the provider's callback, which waits for the provider. 60 s by default.
    pub answer_within: Duration,
}

impl Settings {
    /// Settings with every default. The public URL is that of `control`: scheme, host and port, without a path.
    ///
    /// # Errors
    /// [`PublicUrlError`] where browsers could not use it safely.
    pub fn new(public_url: &Url) -> Result<Self, PublicUrlError> {
        Ok(Self {
            site: Site::new(public_url)?,
            detours: Vec::new(),
            in_flight_max: 256,
            answer_within: Duration::from_secs(60),
        })
    }
}

/// The one origin at which this console answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Site {
    /// Whether it is https.
    pub(crate) secure: bool,
    /// Scheme, host and port, as browsers write it into `Origin`.
    pub(crate) origin: String,
    /// Host, and port where it is not the scheme's own: for people.
    pub(crate) shown: String,
    host: String,
    port: u16,
}

impl Site {
    fn new(url: &Url) -> Result<Self, PublicUrlError> {
        let (secure, default_port) = match url.scheme() {
            "https" => (true, 443),
            "http" if is_loopback(url) => (false, 80),
            _ => return Err(PublicUrlError::Insecure),
        };
        let bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        let host = url.host_str().filter(|_| bare).ok_or(PublicUrlError::NotAnOrigin)?.to_owned();
        let shown = url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        Ok(Self {
            secure,
            origin: url.origin().ascii_serialization(),
            shown,
            host,
            port: url.port().unwrap_or(default_port),
        })
    }

    /// Whether a request's `Host` or `:authority` names this site.
    pub(crate) fn is_named_by(&self, authority: &str) -> bool {
        let Ok(authority) = authority.parse::<Authority>() else { return false };
        let default_port = if self.secure { 443 } else { 80 };
        !authority.as_str().contains('@')
            && authority.host().eq_ignore_ascii_case(&self.host)
            && authority.port().map_or(Some(default_port), |port| port.as_str().parse().ok())
                == Some(self.port)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(url: &str) -> Result<Site, PublicUrlError> {
        Site::new(&Url::parse(url).map_err(|_| PublicUrlError::NotAnOrigin)?)
    }

    #[test]
    fn only_https_and_loopback_are_served() {
        for good in [
            "https://leasehold.example",
            "https://leasehold.example:8443/",
            "http://127.0.0.1:1",
            "http://[::1]:1",
            "http://localhost",
        ] {
            assert!(site(good).is_ok(), "{good}");
        }
        for bad in
            ["http://leasehold.example", "http://10.0.0.1", "http://127.0.0.1.example", "ftp://127.0.0.1"]
        {
            assert_eq!(site(bad), Err(PublicUrlError::Insecure), "{bad}");
        }
        for bad in [
            "https://a.example/console",
            "https://a.example/?x",
            "https://a.example/#x",
            "https://u:p@a.example/",
        ] {
            assert_eq!(site(bad), Err(PublicUrlError::NotAnOrigin), "{bad}");
        }
    }

    #[test]
    fn a_host_header_names_the_site_with_or_without_its_default_port() {
        let console = site("https://leasehold.example").unwrap();
        for good in ["leasehold.example", "LEASEHOLD.example", "leasehold.example:443"] {
            assert!(console.is_named_by(good), "{good}");
        }
        for bad in [
            "",
            "leasehold.example:80",
            "leasehold.example.",
            "evil.example",
            "leasehold.example@evil.example",
            "u@leasehold.example",
            "leasehold.example:443:443",
            "leasehold.example/x",
        ] {
            assert!(!console.is_named_by(bad), "{bad}");
        }
        let local = site("http://127.0.0.1:8080").unwrap();
        assert!(local.is_named_by("127.0.0.1:8080"));
        for bad in ["127.0.0.1", "localhost:8080", "127.0.0.1:8081", "rebound.example:8080"] {
            assert!(!local.is_named_by(bad), "{bad}");
        }
    }
}
