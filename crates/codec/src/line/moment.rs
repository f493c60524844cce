//! Moments as text: RFC 3339 in UTC with three decimals, `2026-11-24T05:29:41.123Z`, and no other form of the
//! same moment.

use leasehold_domain::time::Timestamp;
use time::{Date, Month, OffsetDateTime, Time};

use super::writer::Writer;

const FORM: &[u8; 24] = b"0000-00-00T00:00:00.000Z";

/// Writes a moment as a string.
pub(super) fn render(moment: Timestamp, writer: &mut Writer) {
    let millis = moment.as_millis();
    let seconds = i64::try_from(millis / 1000).ok();
    let date = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    let date = date.expect("a timestamp ends with the year 9999");
    writer.print(format_args!(
        "\"{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z\"",
        date.year(),
        u8::from(date.month()),
        date.day(),
        date.hour(),
        date.minute(),
        date.second(),
        millis % 1000,
    ));
}

/// Reads a moment; `None` for anything that [`render`] would not write.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let bytes: &[u8; 24] = text.as_bytes().try_into().ok()?;
    let formed = bytes.iter().zip(FORM).all(|(byte, form)| match form {
        b'0' => byte.is_ascii_digit(),
        _ => byte == form,
    });
    if !formed {
        return None;
    }
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u16>().ok();
    let small = |range| number(range).and_then(|number| u8::try_from(number).ok());
    let month = Month::try_from(small(5..7)?).ok()?;
    let date = Date::from_calendar_date(i32::from(number(0..4)?), month, small(8..10)?).ok()?;
    let time = Time::from_hms_milli(small(11..13)?, small(14..16)?, small(17..19)?, number(20..23)?).ok()?;
    let moment = OffsetDateTime::new_utc(date, time);
    let seconds = u64::try_from(moment.unix_timestamp()).ok()?;
    Some(Timestamp::from_millis(seconds * 1000 + u64::from(moment.millisecond())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(millis: u64) -> String {
        let mut writer = Writer::new();
        render(Timestamp::from_millis(millis), &mut writer);
        String::from_utf8(writer.into_bytes()).unwrap()
    }

    #[test]
    fn a_moment_is_written_in_utc_with_milliseconds() {
        assert_eq!(text(0), "\"1970-01-01T00:00:00.000Z\"");
        assert_eq!(text(1_795_498_181_123), "\"2026-11-24T05:29:41.123Z\"");
        assert_eq!(text(951_782_400_009), "\"2000-02-29T00:00:00.009Z\"");
        assert_eq!(text(u64::MAX), "\"9999-12-31T23:59:59.999Z\"");
    }

    #[test]
    fn a_moment_reads_back_from_what_it_prints() {
        for millis in [0, 1, 999, 86_399_999, 951_782_400_009, 1_795_498_181_123, Timestamp::MAX.as_millis()]
        {
            assert_eq!(parse(text(millis).trim_matches('"')), Some(Timestamp::from_millis(millis)));
        }
    }

    #[test]
    fn another_form_of_a_moment_or_a_moment_that_never_was_is_refused() {
        for bad in [
            "",
            "2026-11-24T05:29:41Z",
            "2026-11-24T05:29:41.1234Z",
            "2026-11-24T05:29:41.123+00:00",
            "2026-11-24t05:29:41.123Z",
            "2026-11-24 05:29:41.123Z",
            "2026-02-29T00:00:00.000Z",
            "2026-13-01T00:00:00.000Z",
            "2026-11-24T24:00:00.000Z",
            "2026-11-24T23:59:60.000Z",
            "1969-12-31T23:59:59.999Z",
            "+026-11-24T05:29:41.123Z",
            "２026-11-24T05:29:41.12",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
