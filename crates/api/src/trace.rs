//! The id under which a request can be found again: the caller's (W3C Trace Context), or a drawn one.

use http::HeaderMap;
use leasehold_domain::text::TraceId;

/// The trace id of a `traceparent`; `None` where there is none, or not exactly one of the form that the specification gives.
pub(crate) fn given(headers: &HeaderMap) -> Option<TraceId> {
    let mut all = headers.get_all("traceparent").iter();
    let text = all.next().filter(|_| all.next().is_none())?.to_str().ok()?;
    let (version, rest) = text.split_once('-')?;
    let (trace, rest) = rest.split_once('-')?;
    let (parent, rest) = rest.split_once('-')?;
    let flags = match (version, rest.split_once('-')) {
        // Only a later version may add fields.
        ("00", Some(_)) => return None,
        (_, Some((flags, _))) => flags,
        (_, None) => rest,
    };
    let version = hex::<1>(version)?;
    hex::<8>(parent).filter(|id| *id != [0; 8])?;
    hex::<1>(flags)?;
    let trace = hex::<16>(trace).filter(|id| *id != [0; 16])?;
    (version != [0xff]).then(|| TraceId::from_bytes(trace))
}

/// Bytes from lower-case hexadecimal digits of exactly that length.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut out = [0; N];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in out.iter_mut().zip(pairs) {
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(out)
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
    fn the_callers_trace_id_is_kept() {
        assert_eq!(read(&[&format!("00-{TRACE}-00f067aa0ba902b7-01")]).as_deref(), Some(TRACE));
        assert_eq!(read(&[&format!("cc-{TRACE}-00f067aa0ba902b7-01-later")]).as_deref(), Some(TRACE));
    }

    #[test]
    fn what_is_not_a_traceparent_is_not_taken() {
        for bad in [
            String::new(),
            TRACE.to_owned(),
            format!("00-{TRACE}-00f067aa0ba902b7"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{}-00f067aa0ba902b7-01", &TRACE[1..]),
            format!("00-{TRACE}0-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-1"),
        ] {
            assert_eq!(read(&[&bad]), None, "{bad}");
        }
        let good = format!("00-{TRACE}-00f067aa0ba902b7-01");
        assert_eq!(read(&[&good, &good]), None);
        assert_eq!(read(&[]), None);
    }
}
