//! The moment a request was signed: `x-amz-date`, as `20261122T073000Z`.

use time::{PrimitiveDateTime, format_description::BorrowedFormatItem, macros::format_description};

const FORM: &[BorrowedFormatItem<'_>] = format_description!(version = 2, "[year][month][day]T[hour][minute][second]Z");

/// Seconds since the epoch; nothing where `text` is not a moment of this form since 1970.
pub fn parse(text: &str) -> Option<u64> {
    let moment = PrimitiveDateTime::parse(text, FORM).ok()?;
    moment.assume_utc().unix_timestamp().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_exactly() {
        for (text, seconds) in [
            ("19700101T000000Z", 0),
            ("20000229T235959Z", 951_868_799),
            ("20261122T073000Z", 1_795_332_600),
            ("21000301T000000Z", 4_107_542_400),
        ] {
            assert_eq!(parse(text), Some(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "20261122T073000",
            "20261122 073000Z",
            "20261122T0730Z",
            "2026112T073000Z",
            "20261322T073000Z",
            "20260022T073000Z",
            "20261100T073000Z",
            "20261131T073000Z",
            "20270229T073000Z",
            "20261122T240000Z",
            "20261122T076000Z",
            "20261122T073060Z",
            "19691231T235959Z",
            "2026-11-22T07:30:00Z",
            "+0261122T073000Z",
            "20261122T073000ZZ",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
