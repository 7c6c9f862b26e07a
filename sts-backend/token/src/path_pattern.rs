//! The paths a token may be used on.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// `/a/b` means exactly that path; `/a/*` means every path below `/a/`. The query is never part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern(String);

/// Why a text is no path pattern.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidPathPattern {
    #[error("it does not begin with `/`")]
    Relative,
    #[error("`*` stands elsewhere than alone in the last segment")]
    Wildcard,
    #[error("it can be read in two ways (`.` or `..` segment, `//`, backslash, `?`, `#`, encoded slash or dot)")]
    Ambiguous,
}

impl PathPattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, InvalidPathPattern> {
        if !text.starts_with('/') {
            return Err(InvalidPathPattern::Relative);
        }
        let literal = text.strip_suffix("/*").unwrap_or(text);
        if literal.contains('*') {
            return Err(InvalidPathPattern::Wildcard);
        }
        if !is_unambiguous(literal) || text.contains(['?', '#']) {
            return Err(InvalidPathPattern::Ambiguous);
        }
        Ok(Self(text.to_owned()))
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a request for `path` (query included or not) is inside the pattern. A path that two servers could read
    /// differently is inside none.
    pub fn matches(&self, path: &str) -> bool {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        if !is_unambiguous(path) {
            return false;
        }
        match self.0.strip_suffix('*') {
            Some(prefix) => path.len() > prefix.len() && path.starts_with(prefix),
            None => path == self.0,
        }
    }
}

/// Whether every server reads `path` alike: no dot segments (also before `;`), no empty segment within, no backslash, no
/// encoded slash, backslash, dot, percent or NUL.
fn is_unambiguous(path: &str) -> bool {
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let name = segment.split(';').next().unwrap_or_default();
        let empty_within = segment.is_empty() && segments.peek().is_some();
        if empty_within || name == "." || name == ".." {
            return false;
        }
    }
    let lower = path.to_ascii_lowercase();
    let encoded = ["%2f", "%5c", "%2e", "%25", "%00"].iter().any(|sequence| lower.contains(sequence));
    !encoded && !path.contains('\\') && path.bytes().all(|byte| byte.is_ascii_graphic())
}

impl Serialize for PathPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for PathPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn exact_and_below() {
        let exact = PathPattern::parse("/reports/today").unwrap();
        assert!(exact.matches("/reports/today"));
        assert!(exact.matches("/reports/today?page=2"));
        assert!(!exact.matches("/reports/today/"));
        assert!(!exact.matches("/reports"));
        let below = PathPattern::parse("/reports/*").unwrap();
        assert!(below.matches("/reports/a/b"));
        assert!(!below.matches("/reports/"));
        assert!(!below.matches("/reports"));
        assert!(!below.matches("/reportsx/a"));
        assert!(PathPattern::parse("/*").unwrap().matches("/x"));
    }

    #[test]
    fn a_path_two_servers_could_read_differently_matches_nothing() {
        let all = PathPattern::parse("/reports/*").unwrap();
        for path in [
            "/reports/../admin",
            "/reports/./x",
            "/reports//x",
            "/reports/..;/admin",
            "/reports/%2e%2e/admin",
            "/reports/%2Fadmin",
            "/reports/..%5cadmin",
            "/reports/\\admin",
            "/reports/%252e",
            "/reports/a%00b",
        ] {
            assert!(!all.matches(path), "{path}");
        }
    }

    #[test]
    fn malformed_patterns_are_refused() {
        assert_eq!(PathPattern::parse("reports"), Err(InvalidPathPattern::Relative));
        assert_eq!(PathPattern::parse("/a*"), Err(InvalidPathPattern::Wildcard));
        assert_eq!(PathPattern::parse("/*/a"), Err(InvalidPathPattern::Wildcard));
        assert_eq!(PathPattern::parse("/a/../*"), Err(InvalidPathPattern::Ambiguous));
        assert_eq!(PathPattern::parse("/a?b"), Err(InvalidPathPattern::Ambiguous));
    }

    proptest! {
        #[test]
        fn nothing_outside_the_prefix_matches(path in "[ -~]{0,40}") {
            let pattern = PathPattern::parse("/in/*").unwrap();
            if pattern.matches(&path) {
                prop_assert!(path.starts_with("/in/"));
                prop_assert!(!path.split('?').next().unwrap().contains(".."), "{}", path);
            }
        }
    }
}
