//! SPIFFE IDs, the one form in which workloads and proxies are named (SPIFFE-ID, section 2).

use std::fmt;

use thiserror::Error;

/// The longest SPIFFE ID, in bytes (SPIFFE-ID, section 2.3).
pub const MAX_LENGTH: usize = 2048;

/// A SPIFFE ID with a path: a trust domain alone names no workload.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpiffeId {
    text: String,
    trust_domain_end: usize,
}

/// Why a text is not the SPIFFE ID of a workload.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidSpiffeId {
    #[error("it does not begin with `spiffe://`")]
    Scheme,
    #[error("it is longer than {MAX_LENGTH} bytes")]
    TooLong,
    #[error("its trust domain holds other characters than a-z, 0-9, `.`, `-` and `_`, or is empty")]
    TrustDomain,
    #[error("it has no path, so it names a trust domain and no workload")]
    NoPath,
    #[error("its path has an empty, `.` or `..` segment")]
    Segment,
    #[error("its path holds other characters than a-z, A-Z, 0-9, `.`, `-` and `_`")]
    PathCharacter,
}

impl SpiffeId {
    /// Reads a SPIFFE ID; nothing is normalised.
    pub fn parse(text: &str) -> Result<Self, InvalidSpiffeId> {
        if text.len() > MAX_LENGTH {
            return Err(InvalidSpiffeId::TooLong);
        }
        let rest = text.strip_prefix("spiffe://").ok_or(InvalidSpiffeId::Scheme)?;
        let (trust_domain, path) = match rest.split_once('/') {
            Some((trust_domain, path)) => (trust_domain, Some(path)),
            None => (rest, None),
        };
        check_trust_domain(trust_domain)?;
        let path = path.ok_or(InvalidSpiffeId::NoPath)?;
        path.split('/').try_for_each(check_segment)?;
        let trust_domain_end = "spiffe://".len().saturating_add(trust_domain.len());
        Ok(Self { text: text.to_owned(), trust_domain_end })
    }

    /// Builds `spiffe://TRUST_DOMAIN/SEGMENT/...`; each segment must be one: nothing in it can open another.
    pub fn from_segments<'a>(
        trust_domain: &str,
        segments: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, InvalidSpiffeId> {
        let mut text = format!("spiffe://{trust_domain}");
        for segment in segments {
            check_segment(segment)?;
            text.push('/');
            text.push_str(segment);
        }
        Self::parse(&text)
    }

    /// The whole ID.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The trust domain, without scheme.
    pub fn trust_domain(&self) -> &str {
        self.text.get("spiffe://".len()..self.trust_domain_end).unwrap_or_default()
    }

    /// The path, with its leading slash.
    pub fn path(&self) -> &str {
        self.text.get(self.trust_domain_end..).unwrap_or_default()
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether `name` is a trust domain.
pub fn check_trust_domain(name: &str) -> Result<(), InvalidSpiffeId> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    if name.is_empty() || name.len() > 255 || !name.bytes().all(allowed) {
        return Err(InvalidSpiffeId::TrustDomain);
    }
    Ok(())
}

fn check_segment(segment: &str) -> Result<(), InvalidSpiffeId> {
    if matches!(segment, "" | "." | "..") {
        return Err(InvalidSpiffeId::Segment);
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if !segment.bytes().all(allowed) {
        return Err(InvalidSpiffeId::PathCharacter);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_apart_a_valid_id() {
        let id = SpiffeId::parse("spiffe://td.example/aws/123456789012/role/app").unwrap();
        assert_eq!(id.trust_domain(), "td.example");
        assert_eq!(id.path(), "/aws/123456789012/role/app");
    }

    #[test]
    fn refuses_each_malformed_id_for_its_reason() {
        for (text, wanted) in [
            ("https://td/x", InvalidSpiffeId::Scheme),
            ("spiffe://TD/x", InvalidSpiffeId::TrustDomain),
            ("spiffe://td:80/x", InvalidSpiffeId::TrustDomain),
            ("spiffe:///x", InvalidSpiffeId::TrustDomain),
            ("spiffe://td", InvalidSpiffeId::NoPath),
            ("spiffe://td/", InvalidSpiffeId::Segment),
            ("spiffe://td/a//b", InvalidSpiffeId::Segment),
            ("spiffe://td/a/../b", InvalidSpiffeId::Segment),
            ("spiffe://td/a%2fb", InvalidSpiffeId::PathCharacter),
            ("spiffe://td/a?b", InvalidSpiffeId::PathCharacter),
        ] {
            assert_eq!(SpiffeId::parse(text), Err(wanted), "{text}");
        }
        let long = format!("spiffe://td/{}", "a".repeat(MAX_LENGTH));
        assert_eq!(SpiffeId::parse(&long), Err(InvalidSpiffeId::TooLong));
    }

    #[test]
    fn a_segment_cannot_open_another() {
        assert_eq!(SpiffeId::from_segments("td", ["a/b"]), Err(InvalidSpiffeId::PathCharacter));
        assert_eq!(SpiffeId::from_segments("td", ["a", ""]), Err(InvalidSpiffeId::Segment));
        let built = SpiffeId::from_segments("td", ["a", "b"]).unwrap();
        assert_eq!(built.as_str(), "spiffe://td/a/b");
    }
}
