//! Cookies: their names, how they are set, and how they are read back.
//!
//! On https every name begins with `__Host-`, so that browsers take the cookie from this very host alone, and only over TLS
//! (draft-ietf-httpbis-rfc6265bis section 4.1.3.2). `SameSite=Lax` lets a cookie come along when the provider sends the browser back, and
//! never with another site's form.

use axum::http::{HeaderMap, HeaderValue, header};
use leasehold_domain::{id::AuthorizationId, time::Span};

use crate::site::Site;

/// The most cookies that are read of one request; there are few of ours.
const COOKIES_MAX: usize = 128;
const SESSION: &str = "leasehold-session";
const STATE: &str = "leasehold-state-";

/// The cookies of a request. Without `Debug`: their values open sessions.
pub(crate) struct Cookies(Vec<(String, String)>);

impl Cookies {
    /// Reads what a request carries.
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        Self(pairs.take(COOKIES_MAX).map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// The value of a cookie. Nothing where two have its name: one of them was planted, and nobody can say which.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let mut named = self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        named.next().filter(|_| named.next().is_none())
    }

    /// The authorizations for which there is a state cookie, each once.
    pub(crate) fn states(&self, site: &Site) -> Vec<AuthorizationId> {
        let prefix = name(site, STATE);
        let named = self.0.iter().filter_map(|(known, _)| known.strip_prefix(&prefix)?.parse().ok());
        let mut ids: Vec<AuthorizationId> = named.collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

/// The name of the cookie that holds the session.
pub(crate) fn session_name(site: &Site) -> String {
    name(site, SESSION)
}

/// The name of the cookie that holds the state of one approved consent.
pub(crate) fn state_name(site: &Site, authorization: AuthorizationId) -> String {
    name(site, &format!("{STATE}{authorization}"))
}

/// A `Set-Cookie` line. The value is one of ours: base64url.
pub(crate) fn set(site: &Site, name: &str, value: &str, ttl: Span) -> HeaderValue {
    let secure = if site.secure { "; Secure" } else { "" };
    let age = ttl.as_secs();
    let line = format!("{name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}");
    let mut line = HeaderValue::try_from(line).expect("names and base64url are visible ASCII");
    line.set_sensitive(true);
    line
}

/// A `Set-Cookie` line that makes the browser forget a cookie.
pub(crate) fn clear(site: &Site, name: &str) -> HeaderValue {
    set(site, name, "", Span::ZERO)
}

fn name(site: &Site, name: &str) -> String {
    if site.secure { format!("__Host-{name}") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::Settings;

    fn site(url: &str) -> Site {
        Settings::new(&url.parse().unwrap()).unwrap().site
    }

    fn cookies(lines: &[&str]) -> Cookies {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, line.parse().unwrap());
        }
        Cookies::read(&headers)
    }

    #[test]
    fn on_https_a_cookie_is_bound_to_the_host_and_to_tls() {
        let site = site("https://leasehold.example");
        let line = set(&site, &session_name(&site), "v", Span::from_mins(30));
        assert_eq!(line, "__Host-leasehold-session=v; Path=/; Max-Age=1800; HttpOnly; SameSite=Lax; Secure");
        assert!(line.is_sensitive());
    }

    #[test]
    fn on_loopback_the_name_is_another_and_the_rest_the_same() {
        let site = site("http://127.0.0.1:8080");
        let id = AuthorizationId::from_bytes([7; 16]);
        let line = clear(&site, &state_name(&site, id));
        assert_eq!(line, format!("leasehold-state-{id}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"));
    }

    #[test]
    fn a_cookie_that_comes_twice_is_none() {
        let sent = cookies(&["a=1; b=2", "b=3; c=x=y"]);
        assert_eq!(sent.value("a"), Some("1"));
        assert_eq!(sent.value("b"), None);
        assert_eq!(sent.value("c"), Some("x=y"));
        assert_eq!(sent.value("d"), None);
    }

    #[test]
    fn state_cookies_are_known_by_the_authorization_in_their_name() {
        let site = site("https://leasehold.example");
        let id = AuthorizationId::from_bytes([7; 16]);
        let line = format!(
            "{0}=1; {0}=2; __Host-leasehold-state-x=3; leasehold-state-{id}=4",
            state_name(&site, id)
        );
        assert_eq!(cookies(&[&line]).states(&site), [id]);
    }
}
