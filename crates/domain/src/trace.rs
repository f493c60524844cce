//! Reading trace ids as edges receive them (W3C Trace Context).

use crate::text::TraceId;

impl TraceId {
    /// The trace id of a `traceparent` (W3C Trace Context, section 3.2); `None` for what is not exactly of the form that it gives.
    pub fn of_traceparent(text: &str) -> Option<Self> {
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
        Self::of_digits(trace).filter(|_| version != [0xff])
    }

    /// Reads 32 lower-case hexadecimal digits that are not all zero.
    pub fn of_digits(digits: &str) -> Option<Self> {
        hex::<16>(digits).filter(|id| *id != [0; 16]).map(Self::from_bytes)
    }
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
    use alloc::{
        borrow::ToOwned,
        format,
        string::{String, ToString},
    };

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn read(text: &str) -> Option<String> {
        TraceId::of_traceparent(text).map(|trace| trace.to_string())
    }

    #[test]
    fn the_trace_id_of_a_traceparent_is_kept() {
        assert_eq!(read(&format!("00-{TRACE}-00f067aa0ba902b7-01")).as_deref(), Some(TRACE));
        assert_eq!(read(&format!("cc-{TRACE}-00f067aa0ba902b7-01-later")).as_deref(), Some(TRACE));
    }

    #[test]
    fn what_is_not_a_traceparent_is_not_taken() {
        for bad in [
            String::new(),
            TRACE.to_owned(),
            format!("00-{TRACE}"),
            format!("00-{TRACE}-00f067aa0ba902b7"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-+{}-00f067aa0ba902b7-01", &TRACE[1..]),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{}-00f067aa0ba902b7-01", &TRACE[1..]),
            format!("00-{TRACE}0-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-1"),
        ] {
            assert_eq!(read(&bad), None, "{bad}");
        }
    }
}
