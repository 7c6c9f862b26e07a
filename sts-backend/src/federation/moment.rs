//! Moments as providers write them: `2026-11-22T08:09:09Z` (RFC 3339), with or without fractions of a second.

use time::{OffsetDateTime, PrimitiveDateTime, format_description::BorrowedFormatItem, macros::format_description};

const FORM: &[BorrowedFormatItem<'_>] = format_description!(
    version = 2,
    "[year]-[month]-[day]T[hour]:[minute]:[second][optional [.[subsecond digits:1+]]]Z"
);

const WHOLE_SECONDS: &[BorrowedFormatItem<'_>] =
    format_description!(version = 2, "[year]-[month]-[day]T[hour]:[minute]:[second]Z");

/// The moment so many seconds after the epoch; nothing after the year 9999.
pub fn text(seconds: u64) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(seconds.try_into().ok()?).ok()?.format(WHOLE_SECONDS).ok()
}

/// Whole seconds since the epoch; nothing where `text` is not a moment of this form since 1970, in UTC.
pub fn parse(text: &str) -> Option<u64> {
    // A year may have a sign, by what the library calls a year.
    let unsigned = text.starts_with(|first: char| first.is_ascii_digit());
    let moment = PrimitiveDateTime::parse(text, FORM).ok().filter(|_| unsigned)?;
    moment.assume_utc().unix_timestamp().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_exactly() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59Z", 951_868_799),
            ("2026-11-22T07:30:00Z", 1_795_332_600),
            ("2026-11-22T07:30:00.999999Z", 1_795_332_600),
            ("2026-11-22T07:30:00.123456789Z", 1_795_332_600),
        ] {
            assert_eq!(parse(text), Some(seconds), "{text}");
        }
    }

    #[test]
    fn moments_are_written_as_they_are_read() {
        for seconds in [0, 951_868_799, 1_795_332_600, 253_402_300_799] {
            assert_eq!(parse(&text(seconds).unwrap()), Some(seconds));
        }
        assert_eq!(text(1_795_332_600).unwrap(), "2026-11-22T07:30:00Z");
        assert_eq!((text(253_402_300_800), text(u64::MAX)), (None, None));
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "2026-11-22",
            "2026-11-22T07:30:00",
            "2026-11-22t07:30:00z",
            "2026-11-22 07:30:00Z",
            "2026-11-22T07:30:00+00:00",
            "2026-11-22T07:30:00.Z",
            "2026-11-22T07:30Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T07:30:60Z",
            "2026-11-31T07:30:00Z",
            "+2026-11-22T07:30:00Z",
            "1969-12-31T23:59:59Z",
            "20261122T073000Z",
            "1795332600",
            " 2026-11-22T07:30:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
