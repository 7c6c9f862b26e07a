//! How long a provider wants to be left alone (RFC 9110, section 10.2.3).

use http::{HeaderMap, header};

/// The longest wait that is believed, in seconds.
const MAX: u64 = 3600;

/// Seconds from `now`; nothing where the answer does not say.
pub fn read(headers: &HeaderMap, now: u64) -> Option<u64> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = if digits {
        text.parse().unwrap_or(MAX)
    } else {
        let until = httpdate::parse_http_date(text).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
        until.as_secs().saturating_sub(now)
    };
    Some(seconds.min(MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read_and_bounded() {
        let now = 784_111_777; // Sun, 06 Nov 1994 08:49:37 GMT
        for (text, seconds) in [
            ("0", Some(0)),
            ("17", Some(17)),
            ("99999999999999999999999", Some(MAX)),
            ("Sun, 06 Nov 1994 08:49:57 GMT", Some(20)),
            ("Sun, 06 Nov 1994 08:49:07 GMT", Some(0)),
            ("+5", None),
            ("-5", None),
            ("", None),
            ("soon", None),
        ] {
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, text.parse().unwrap())]);
            assert_eq!(read(&headers, now), seconds, "{text}");
        }
        assert_eq!(read(&HeaderMap::new(), now), None);
    }
}
