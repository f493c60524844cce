//! A forward proxy of the operator's, and what is still judged here when requests go through one.
//!
//! The proxy resolves the names that it is asked for, so what it dials is out of our sight. Addresses written as literals are judged as ever. A name
//! is resolved here first, and refused where any of its addresses may not be reached; only hosts that the operator lists are handed over unresolved.
//! Between our lookup and the proxy's a name can change its addresses. What is left to somebody who makes it do so is a TLS handshake that the
//! other side cannot complete: nothing is sent before it has shown a certificate for the name, and plain HTTP is never sent through a proxy.

use std::{fmt, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderValue;
use reqwest::Proxy;
use secrecy::{ExposeSecret as _, SecretString};
use url::{Host, Url};
use zeroize::Zeroizing;

use super::{
    NotSent, TransportError,
    egress::{Egress, EgressRefusal},
    resolve::Lookup,
};

/// The longest name of a host, in bytes (RFC 1035 section 2.3.4).
const HOST_LEN_MAX: usize = 253;

/// A forward proxy that is asked by CONNECT.
#[derive(Clone)]
pub struct ForwardProxy {
    /// Where it is: http or https, with a host and a port, and without credentials. It is the operator's own, and not judged.
    pub url: Url,
    /// What it asks for.
    pub credentials: Option<ProxyCredentials>,
    /// Hosts that it may be asked for although they were not resolved and judged here. Default: none.
    pub unresolved: Vec<HostPattern>,
}

/// A user name and a password for a proxy. Neither prints.
#[derive(Clone)]
pub struct ProxyCredentials(SecretString);

impl ProxyCredentials {
    /// Reads `user:password`: visible ASCII and spaces, with a user name before the first colon.
    pub fn parse(text: &str) -> Option<Self> {
        let (user, _) = text.split_once(':')?;
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        (!user.is_empty() && printable).then(|| Self(text.into()))
    }

    /// The header's value (RFC 7617), kept out of what is printed.
    fn header(&self) -> Result<HeaderValue, TransportError> {
        let encoded = Zeroizing::new(STANDARD.encode(self.0.expose_secret()));
        let value = Zeroizing::new(format!("Basic {}", *encoded));
        let mut value = HeaderValue::from_str(&value).map_err(|_| TransportError::Proxy)?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for ProxyCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxyCredentials")
    }
}

/// Hosts by name: one, or with `*.` in front whatever ends in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    name: String,
    below: bool,
}

impl HostPattern {
    /// Reads `login.example` or `*.login.example`: names of two labels at least, of letters, digits and hyphens. Addresses are not names.
    pub fn new(text: &str) -> Option<Self> {
        let (name, below) = text.strip_prefix("*.").map_or((text, false), |name| (name, true));
        let label = |label: &str| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let fits = name.len() <= HOST_LEN_MAX && name.contains('.') && name.split('.').all(label);
        // The URL parser's own idea of what is an address, such as 127.1, is the one that counts.
        let is_name = matches!(Host::parse(name), Ok(Host::Domain(_)));
        (fits && is_name).then(|| Self { name: name.to_ascii_lowercase(), below })
    }

    /// Whether a host's name, as it stands in a URL, is one of these.
    pub fn covers(&self, host: &str) -> bool {
        if self.below {
            host.strip_suffix(self.name.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
        } else {
            host == self.name
        }
    }
}

impl ForwardProxy {
    /// The client's side of it.
    pub(super) fn into_client(self) -> Result<(Proxy, Way), TransportError> {
        let bare = self.url.username().is_empty() && self.url.password().is_none();
        let host = self.url.host_str().filter(|_| bare).ok_or(TransportError::Proxy)?.to_owned();
        let mut proxy = Proxy::https(self.url).map_err(|_| TransportError::Proxy)?;
        if let Some(credentials) = &self.credentials {
            proxy = proxy.custom_http_auth(credentials.header()?);
        }
        Ok((proxy, Way { host, unresolved: self.unresolved }))
    }
}

/// What a transport remembers of its proxy.
#[derive(Debug, Clone)]
pub(super) struct Way {
    /// The proxy's own host. Its name is exempt from the resolver's rule, so no request may name it.
    pub(super) host: String,
    unresolved: Vec<HostPattern>,
}

impl Way {
    /// Judges where the proxy would be asked to connect to. Literals were judged before.
    ///
    /// # Errors
    /// [`NotSent`]: a forbidden address, or no address within `wait`.
    pub(super) async fn judge(
        &self,
        url: &Url,
        egress: &Egress,
        lookup: &dyn Lookup,
        wait: Duration,
    ) -> Result<(), NotSent> {
        if url.host_str() == Some(self.host.as_str()) {
            return Err(NotSent::Refused(EgressRefusal::Address));
        }
        let Some(Host::Domain(name)) = url.host().filter(|_| url.scheme() == "https") else { return Ok(()) };
        if self.unresolved.iter().any(|pattern| pattern.covers(name)) {
            return Ok(());
        }
        let found = tokio::time::timeout(wait, lookup.lookup(name)).await;
        let found = found.map_err(|_| NotSent::ConnectTimeout)?.map_err(|_| NotSent::Dns)?;
        if found.is_empty() {
            return Err(NotSent::Dns);
        }
        let permitted = found.iter().all(|address| egress.permits_named(name, *address));
        if permitted { Ok(()) } else { Err(NotSent::Refused(EgressRefusal::Address)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_a_name_or_what_ends_in_it_and_nothing_that_resembles_it() {
        let one = HostPattern::new("Login.example").unwrap();
        assert!(one.covers("login.example"));
        for other in ["a.login.example", "xlogin.example", "login.example.", "example", ""] {
            assert!(!one.covers(other), "{other}");
        }
        let below = HostPattern::new("*.okta.example").unwrap();
        assert!(below.covers("acme.okta.example") && below.covers("a.b.okta.example"));
        for other in ["okta.example", ".okta.example", "acmeokta.example", "acme.okta.example.evil.example"] {
            assert!(!below.covers(other), "{other}");
        }
    }

    #[test]
    fn what_is_not_a_name_of_two_labels_is_no_pattern() {
        for bad in [
            "",
            "*",
            "*.",
            "*.example",
            "localhost",
            "*.*.example",
            "a..example",
            "10.0.0.1",
            "127.1",
            "[::1]",
            "a.example/x",
        ] {
            let parsed = HostPattern::new(bad);
            assert_eq!(parsed, None, "{bad}");
        }
    }

    #[test]
    fn credentials_have_a_user_and_never_print() {
        for bad in ["", "user", ":secret", "user:sec\nret", "user:s\u{e4}cret"] {
            assert!(ProxyCredentials::parse(bad).is_none(), "{bad:?}");
        }
        let good = ProxyCredentials::parse("user:se:cret").unwrap();
        assert_eq!(format!("{good:?}"), "ProxyCredentials");
        let header = good.header().unwrap();
        assert_eq!(header.to_str().unwrap(), "Basic dXNlcjpzZTpjcmV0");
        assert!(header.is_sensitive());
    }
}
