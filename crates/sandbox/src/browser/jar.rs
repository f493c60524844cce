//! Cookies (RFC 6265bis), by scheme, host and port: stricter than the RFC, which ignores ports, so that one loopback server
//! never sees another's cookies by accident.
//!
//! `Secure` and the `__Host-` prefix work on plain-http loopback, as in browsers. The jar has no clock: `Max-Age` matters
//! only when it is zero or less, and `Expires` not at all.

use std::collections::BTreeMap;

use url::{Host, Url};

const COOKIES_PER_ORIGIN_MAX: usize = 180;
const COOKIE_BYTES_MAX: usize = 4_096;

#[derive(Default)]
pub(crate) struct Jar {
    origins: BTreeMap<String, Vec<Cookie>>,
    rejected: Vec<String>,
}

#[derive(Clone)]
struct Cookie {
    name: String,
    value: String,
    path: String,
    secure: bool,
    same_site: SameSite,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SameSite {
    Strict,
    Lax,
    None,
}

#[derive(Default)]
struct Attributes {
    path: Option<String>,
    domain: Option<String>,
    secure: bool,
    expired: bool,
    same_site: Option<SameSite>,
}

impl Attributes {
    fn parse(parts: std::str::Split<'_, char>) -> Self {
        let mut found = Self::default();
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "path" => found.path = value.starts_with('/').then(|| value.to_owned()),
                "domain" => found.domain = Some(value.trim_start_matches('.').to_ascii_lowercase()),
                "secure" => found.secure = true,
                "max-age" => found.expired = value.parse::<i64>().is_ok_and(|seconds| seconds <= 0),
                "samesite" => {
                    found.same_site = match value.to_ascii_lowercase().as_str() {
                        "strict" => Some(SameSite::Strict),
                        "none" => Some(SameSite::None),
                        _ => Some(SameSite::Lax),
                    };
                }
                _ => {}
            }
        }
        found
    }
}

impl Jar {
    /// Takes a `Set-Cookie` line in. Answers whether a browser would.
    pub(crate) fn store(&mut self, url: &Url, line: &str) -> bool {
        let mut parts = line.split(';');
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
            return false;
        };
        let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
        let attributes = Attributes::parse(parts);
        if name.len() + value.len() > COOKIE_BYTES_MAX || !acceptable(url, &name, &attributes) {
            self.rejected.push(name);
            return false;
        }
        let cookie = Cookie {
            path: attributes.path.unwrap_or_else(|| default_path(url)),
            secure: attributes.secure,
            same_site: attributes.same_site.unwrap_or(SameSite::Lax),
            name,
            value,
        };
        let cookies = self.origins.entry(url.origin().ascii_serialization()).or_default();
        cookies.retain(|known| known.name != cookie.name || known.path != cookie.path);
        if attributes.expired {
            return true;
        }
        if cookies.len() >= COOKIES_PER_ORIGIN_MAX {
            cookies.remove(0);
        }
        cookies.push(cookie);
        true
    }

    /// The cookies of a request, longest path first. `same_site`: nothing foreign is in its chain; `safe`: it is a GET.
    pub(crate) fn matching(&self, url: &Url, same_site: bool, safe: bool) -> Vec<(String, String)> {
        let goes = |cookie: &&Cookie| {
            let site_fits = match cookie.same_site {
                SameSite::None => true,
                SameSite::Lax => same_site || safe,
                SameSite::Strict => same_site,
            };
            site_fits && (!cookie.secure || trustworthy(url)) && path_matches(url.path(), &cookie.path)
        };
        let mut found: Vec<&Cookie> = self.of(url).iter().filter(goes).collect();
        found.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        found.into_iter().map(|cookie| (cookie.name.clone(), cookie.value.clone())).collect()
    }

    pub(crate) fn value(&self, url: &Url, name: &str) -> Option<String> {
        self.matching(url, true, true).into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    pub(crate) fn rejected(&self) -> &[String] {
        &self.rejected
    }

    fn of(&self, url: &Url) -> &[Cookie] {
        self.origins.get(&url.origin().ascii_serialization()).map_or(&[], Vec::as_slice)
    }
}

fn acceptable(url: &Url, name: &str, attributes: &Attributes) -> bool {
    let host_prefix = name.to_ascii_lowercase().starts_with("__host-");
    let secure_prefix = host_prefix || name.to_ascii_lowercase().starts_with("__secure-");
    if name.is_empty() || (attributes.secure && !trustworthy(url)) {
        return false;
    }
    if secure_prefix && !attributes.secure {
        return false;
    }
    if host_prefix && (attributes.domain.is_some() || attributes.path.as_deref() != Some("/")) {
        return false;
    }
    if attributes.same_site == Some(SameSite::None) && !attributes.secure {
        return false;
    }
    attributes.domain.as_deref().is_none_or(|domain| url.host_str() == Some(domain))
}

/// https, or loopback: browsers treat both as potentially trustworthy.
fn trustworthy(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    };
    url.scheme() == "https" || loopback
}

fn default_path(url: &Url) -> String {
    match url.path().rsplit_once('/') {
        Some((directory, _)) if !directory.is_empty() => directory.to_owned(),
        Some(_) | None => "/".to_owned(),
    }
}

fn path_matches(path: &str, cookie: &str) -> bool {
    path.strip_prefix(cookie)
        .is_some_and(|rest| rest.is_empty() || cookie.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn names(jar: &Jar, to: &str, same_site: bool, safe: bool) -> Vec<String> {
        jar.matching(&url(to), same_site, safe).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn another_port_sees_no_cookie() {
        let mut jar = Jar::default();
        assert!(jar.store(&url("http://127.0.0.1:1000/"), "a=1; Path=/"));
        assert_eq!(names(&jar, "http://127.0.0.1:1000/x", true, true), ["a"]);
        assert!(names(&jar, "http://127.0.0.1:1001/x", true, true).is_empty());
    }

    #[test]
    fn a_host_cookie_needs_secure_and_the_root_path_and_no_domain() {
        let mut jar = Jar::default();
        let here = url("http://127.0.0.1:1000/");
        assert!(jar.store(&here, "__Host-s=1; Secure; Path=/; HttpOnly"));
        assert!(!jar.store(&here, "__Host-t=1; Path=/"));
        assert!(!jar.store(&here, "__Host-u=1; Secure; Path=/x"));
        assert!(!jar.store(&here, "__Host-v=1; Secure; Path=/; Domain=127.0.0.1"));
        assert_eq!(jar.rejected(), ["__Host-t", "__Host-u", "__Host-v"]);
    }

    #[test]
    fn a_secure_cookie_is_not_set_over_http_beyond_loopback() {
        assert!(!Jar::default().store(&url("http://app.test/"), "a=1; Secure"));
    }

    #[test]
    fn a_path_matches_whole_segments_only() {
        let mut jar = Jar::default();
        jar.store(&url("http://127.0.0.1:1/login/form"), "a=1");
        assert_eq!(names(&jar, "http://127.0.0.1:1/login/other", true, true), ["a"]);
        assert!(names(&jar, "http://127.0.0.1:1/loginx", true, true).is_empty());
    }

    #[test]
    fn same_site_decides_what_a_foreign_page_may_send() {
        let mut jar = Jar::default();
        let here = url("http://127.0.0.1:1/");
        jar.store(&here, "strict=1; SameSite=Strict");
        jar.store(&here, "lax=1");
        jar.store(&here, "none=1; SameSite=None; Secure");
        assert_eq!(names(&jar, "http://127.0.0.1:1/", true, false), ["strict", "lax", "none"]);
        assert_eq!(names(&jar, "http://127.0.0.1:1/", false, true), ["lax", "none"]);
        assert_eq!(names(&jar, "http://127.0.0.1:1/", false, false), ["none"]);
    }

    #[test]
    fn a_cookie_of_no_age_is_deleted() {
        let mut jar = Jar::default();
        let here = url("http://127.0.0.1:1/");
        jar.store(&here, "a=1; Path=/");
        jar.store(&here, "a=; Path=/; Max-Age=0");
        assert_eq!(jar.value(&here, "a"), None);
    }
}
