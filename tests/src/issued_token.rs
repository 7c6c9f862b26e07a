//! What the scripted STS issues and the judge reads: a text that says for whom and until when.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

/// For whom and until when a token was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedToken {
    /// Counts from 0 over one STS.
    pub serial: u64,
    /// See [`key`].
    pub key: String,
    /// Milliseconds since the epoch; it is dead from then on.
    pub expires_ms: u64,
}

impl IssuedToken {
    /// Reads one.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(START)?.split('.');
        let mut part = || parts.next();
        Some(Self { serial: part()?.parse().ok()?, expires_ms: part()?.parse().ok()?, key: part()?.to_owned() })
    }
}

/// As it is written, of the size that an STS's tokens have.
impl fmt::Display for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{START}{}.{}.{}.{:A<600}", self.serial, self.expires_ms, self.key, "")
    }
}

/// Who may use a token where: a workload and a route. Neither holds a dot.
pub fn key(subject: &str, route: &str) -> String {
    format!("{subject}~{route}")
}

/// The resource of a route of the test edge.
pub fn resource(route: &str) -> String {
    format!("https://{route}.test")
}

/// The route whose [`resource`] it is.
pub fn route_of(resource: &str) -> Option<&str> {
    resource.strip_prefix("https://")?.strip_suffix(".test")
}

/// Milliseconds since the epoch.
pub fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

const START: &str = "issued.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let token = IssuedToken { serial: 7, key: key("w-1", "reports"), expires_ms: 1_800_000_000_123 };
        assert_eq!(IssuedToken::parse(&token.to_string()), Some(token));
        assert_eq!(IssuedToken::parse("native.1.2.x"), None);
        assert_eq!(route_of(&resource("reports")), Some("reports"));
    }
}
