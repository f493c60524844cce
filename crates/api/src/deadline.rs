//! How long a call may take: what the caller says in `grpc-timeout`, and no longer than this node allows.

use std::time::Duration;

use http::HeaderMap;

/// The longest that it may take until a call is answered, or its stream begins. A wait for a consent takes up to 59 s.
pub(crate) const ANSWER_WAIT_MAX: Duration = Duration::from_secs(75);
/// The most digits of a timeout (gRPC over HTTP/2, "Timeout").
const DIGITS_MAX: usize = 8;

/// A `grpc-timeout` that is not of its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadTimeout;

/// The caller's timeout; `None` where it gives none.
///
/// # Errors
/// [`BadTimeout`] for more than one, and for anything but 1 to 8 digits and a unit.
pub(crate) fn given(headers: &HeaderMap) -> Result<Option<Duration>, BadTimeout> {
    let mut all = headers.get_all("grpc-timeout").iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => read(value.as_bytes()).map(Some).ok_or(BadTimeout),
        (Some(_), Some(_)) => Err(BadTimeout),
    }
}

fn read(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > DIGITS_MAX || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count: u64 = str::from_utf8(digits).ok()?.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(count * 3600),
        b'M' => Duration::from_secs(count * 60),
        b'S' => Duration::from_secs(count),
        b'm' => Duration::from_millis(count),
        b'u' => Duration::from_micros(count),
        b'n' => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("grpc-timeout", value.parse().unwrap());
        }
        headers
    }

    fn read_all(values: &[&str]) -> Result<Option<Duration>, BadTimeout> {
        given(&headers(values))
    }

    #[test]
    fn a_timeout_is_read_in_each_of_its_units() {
        for (text, span) in [
            ("1H", Duration::from_secs(3600)),
            ("2M", Duration::from_secs(120)),
            ("3S", Duration::from_secs(3)),
            ("99999999m", Duration::from_millis(99_999_999)),
            ("5u", Duration::from_micros(5)),
            ("0n", Duration::ZERO),
        ] {
            assert_eq!(read_all(&[text]), Ok(Some(span)), "{text}");
        }
        assert_eq!(read_all(&[]), Ok(None));
    }

    #[test]
    fn a_timeout_of_another_form_is_refused() {
        for bad in ["", "S", "1", "100000000S", "-1S", "+1S", "1s", "1 S", "1.5S"] {
            assert_eq!(read_all(&[bad]), Err(BadTimeout), "{bad}");
        }
        assert_eq!(read_all(&["1S", "1S"]), Err(BadTimeout));
    }
}
