//! The time in a signature: `x-amz-date`, as `20261122T073000Z`.

/// A moment to the second, in UTC.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AmzDate([u8; LENGTH]);

impl AmzDate {
    /// The moment of `unix_ms`, in milliseconds since the Unix epoch. `None` beyond the year 9999: a host without a clock shows
    /// such a time.
    pub fn new(unix_ms: u64) -> Option<Self> {
        let seconds = unix_ms / 1000;
        let (days, of_day) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil(days)?;
        let text =
            format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", of_day / 3_600, of_day / 60 % 60, of_day % 60);
        text.as_bytes().try_into().ok().map(Self)
    }

    /// The value of `x-amz-date`.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Its day, as `20261122`.
    pub fn day(&self) -> &str {
        self.as_str().split('T').next().unwrap_or_default()
    }
}

impl std::fmt::Debug for AmzDate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Year, month and day of the Gregorian calendar, so many days after 1970-01-01.
///
/// A year is counted from March, so that a leap day is its last one; eras are of 400 years, after which all repeats.
fn civil(days: u64) -> Option<(u64, u64, u64)> {
    let since_march_of_year_0 = days.checked_add(719_468)?;
    let (era, of_era) = (since_march_of_year_0 / 146_097, since_march_of_year_0 % 146_097);
    let leap_days = (of_era / 1_460).checked_add(of_era / 146_096)?.checked_sub(of_era / 36_524)?;
    let year_of_era = of_era.checked_sub(leap_days)? / 365;
    let before = (year_of_era.checked_mul(365)?.checked_add(year_of_era / 4)?).checked_sub(year_of_era / 100)?;
    let of_year = of_era.checked_sub(before)?;
    let months_from_march = of_year.checked_mul(5)?.checked_add(2)? / 153;
    let day = of_year.checked_sub((months_from_march.checked_mul(153)?.checked_add(2)?) / 5)?.checked_add(1)?;
    let (month, next_year) = match months_from_march {
        0..=9 => (months_from_march.checked_add(3)?, 0),
        _ => (months_from_march.checked_sub(9)?, 1),
    };
    let year = era.checked_mul(400)?.checked_add(year_of_era)?.checked_add(next_year)?;
    (year <= 9_999).then_some((year, month, day))
}

const LENGTH: usize = "20261122T073000Z".len();

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(unix_s: u64) -> String {
        AmzDate::new(unix_s * 1_000 + 999).unwrap().as_str().to_owned()
    }

    #[test]
    fn days_that_calendars_go_wrong_about() {
        for (unix_s, wanted) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (951_868_800, "20000301T000000Z"),
            (1_709_164_799, "20240228T235959Z"),
            (1_709_164_800, "20240229T000000Z"),
            (1_795_332_600, "20261122T073000Z"),
            (1_798_761_599, "20261231T235959Z"),
            (1_798_761_600, "20270101T000000Z"),
            (4_107_542_399, "21000228T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
            (253_402_300_799, "99991231T235959Z"),
        ] {
            assert_eq!(shown(unix_s), wanted);
        }
        assert_eq!(AmzDate::new(1_795_332_600_000).unwrap().day(), "20261122");
        assert_eq!(AmzDate::new(253_402_300_800_000), None);
        assert_eq!(AmzDate::new(u64::MAX), None);
    }

    /// Counts the days one by one.
    #[test]
    fn every_day_of_five_centuries_follows_the_one_before() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..182_000 {
            assert_eq!(civil(days), Some((year, month, day)), "{days}");
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 if leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }

    proptest! {
        #[test]
        fn any_time_has_a_date_of_that_length_or_none(unix_ms: u64) {
            if let Some(date) = AmzDate::new(unix_ms) {
                prop_assert_eq!(date.as_str().len(), LENGTH);
                prop_assert_eq!(date.day().len(), 8);
            }
        }
    }
}
