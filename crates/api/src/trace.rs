//! The id under which a request can be found again: the caller's (W3C Trace Context), or a drawn one.

use http::HeaderMap;
use leasehold_domain::text::TraceId;

/// The trace id of a `traceparent`; `None` where there is none, or not exactly one.
pub(crate) fn given(headers: &HeaderMap) -> Option<TraceId> {
    let mut all = headers.get_all("traceparent").iter();
    let text = all.next().filter(|_| all.next().is_none())?.to_str().ok()?;
    TraceId::of_traceparent(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn read(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("traceparent", value.parse().unwrap());
        }
        given(&headers).map(|trace| trace.to_string())
    }

    #[test]
    fn the_callers_trace_id_is_kept_where_it_sends_exactly_one() {
        let good = format!("00-{TRACE}-00f067aa0ba902b7-01");
        assert_eq!(read(&[&good]).as_deref(), Some(TRACE));
        assert_eq!(read(&[&good, &good]), None);
        assert_eq!(read(&[TRACE]), None);
        assert_eq!(read(&[]), None);
    }
}
