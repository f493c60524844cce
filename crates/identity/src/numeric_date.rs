//! Moments as JWTs write them (NumericDate, RFC 7519 section 2): seconds since 1970, perhaps with a fraction.

use leasehold_domain::time::Timestamp;

/// The moment, to the millisecond; nothing for one before 1970 or what is no number.
pub(crate) fn moment(seconds: f64) -> Option<Timestamp> {
    // The cast saturates, and the moment is clamped to the last one there is.
    (seconds.is_finite() && seconds >= 0.0).then(|| Timestamp::from_millis((seconds * 1000.0) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_moments_and_what_is_none_becomes_nothing() {
        assert_eq!(moment(0.0), Some(Timestamp::from_millis(0)));
        assert_eq!(moment(1.25), Some(Timestamp::from_millis(1250)));
        assert_eq!(moment(1_893_456_000.0), Some(Timestamp::from_millis(1_893_456_000_000)));
        assert_eq!(moment(f64::MAX), Some(Timestamp::MAX));
        for bad in [-1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(moment(bad), None, "{bad}");
        }
    }
}
