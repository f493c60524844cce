//! Whether a form comes from a page of ours, by what the browser says of it.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::site::Site;

/// Whether a POST was sent by a page of this site, as far as its headers tell. Our pages send no referrer, and under that policy browsers
/// write `Origin: null` even to their own origin (Fetch standard, section 3.2.4); then `Sec-Fetch-Site` has to speak for it. A request of
/// another site says so in the one or the other.
pub(crate) fn is_own(site: &Site, headers: &HeaderMap) -> bool {
    let (Some(origin), Some(fetch_site)) =
        (only(headers, header::ORIGIN.as_str()), only(headers, "sec-fetch-site"))
    else {
        return false;
    };
    let same = fetch_site == Some(b"same-origin".as_slice());
    match origin {
        Some(told) if told == site.origin.as_bytes() => same || fetch_site.is_none(),
        Some(b"null") | None => same,
        Some(_) => false,
    }
}

/// A header's one value, or that there is none; nothing where there are several.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<Option<&'a [u8]>> {
    let mut values = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let first = values.next();
    values.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::Settings;

    fn own(fields: &[(&'static str, &'static str)]) -> bool {
        let site = Settings::new(&"https://leasehold.example".parse().unwrap()).unwrap().site;
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        is_own(&site, &headers)
    }

    #[test]
    fn a_form_of_ours_is_known_by_its_origin_or_by_the_browsers_word() {
        assert!(own(&[("origin", "https://leasehold.example")]));
        assert!(own(&[("origin", "https://leasehold.example"), ("sec-fetch-site", "same-origin")]));
        assert!(own(&[("origin", "null"), ("sec-fetch-site", "same-origin")]));
        assert!(own(&[("sec-fetch-site", "same-origin")]));
    }

    #[test]
    fn any_other_form_is_refused() {
        for forged in [
            &[][..],
            &[("origin", "null")],
            &[("origin", "null"), ("sec-fetch-site", "cross-site")],
            &[("origin", "null"), ("sec-fetch-site", "none")],
            &[("origin", "https://evil.example")],
            &[("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")],
            &[("origin", "https://leasehold.example"), ("sec-fetch-site", "cross-site")],
            &[("origin", "https://leasehold.example"), ("sec-fetch-site", "same-site")],
            &[("origin", "https://leasehold.example.evil.example")],
            &[("origin", "http://leasehold.example")],
            &[("origin", "https://leasehold.example:8443")],
            &[("origin", "https://leasehold.example"), ("origin", "https://evil.example")],
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
        ] {
            assert!(!own(forged), "{forged:?}");
        }
    }
}
