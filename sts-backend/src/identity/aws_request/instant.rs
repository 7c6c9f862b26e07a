//! The moment a request was signed: `x-amz-date`, as `20261122T073000Z`.

/// Seconds since the epoch; nothing where `text` is not a moment of this form since 1970.
pub fn parse(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    if date.len() != 8 || time.len() != 6 || !date.bytes().chain(time.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |text: &str, from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(date, 0, 4)?, number(date, 4, 6)?, number(date, 6, 8)?);
    let (hour, minute, second) = (number(time, 0, 2)?, number(time, 2, 4)?, number(time, 4, 6)?);
    let in_month = *days_of_months(year).get(usize::try_from(month.checked_sub(1)?).ok()?)?;
    if year < 1970 || !(1..=in_month).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let years: u64 = (1970..year).map(|year| days_of_months(year).iter().sum::<u64>()).sum();
    let months: u64 = days_of_months(year).iter().take(usize::try_from(month).ok()?.checked_sub(1)?).sum();
    let days = years.checked_add(months)?.checked_add(day)?.checked_sub(1)?;
    days.checked_mul(24)?.checked_add(hour)?.checked_mul(60)?.checked_add(minute)?.checked_mul(60)?.checked_add(second)
}

fn days_of_months(year: u64) -> [u64; 12] {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
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
