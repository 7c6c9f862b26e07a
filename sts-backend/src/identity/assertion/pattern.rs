//! Which workloads of a trust domain are meant: one by its name, or all below a path.

use std::fmt;

use token::spiffe::SpiffeId;

/// One workload, or with `/*` at its end all below a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectPattern {
    /// The name, or the path below which all are meant.
    id: SpiffeId,
    below: bool,
}

impl SubjectPattern {
    /// Reads `spiffe://TRUST_DOMAIN/PATH` or `spiffe://TRUST_DOMAIN/PATH/*`. A whole trust domain cannot be meant.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (id, below) = match text.strip_suffix("/*") {
            Some(id) => (id, true),
            None => (text, false),
        };
        let id = SpiffeId::parse(id).map_err(|error| error.to_string())?;
        if id.path().is_empty() {
            return Err("it has no path, so that it would mean a whole trust domain".to_owned());
        }
        Ok(Self { id, below })
    }

    /// The trust domain.
    pub fn trust_domain(&self) -> &str {
        self.id.trust_domain()
    }

    /// Whether `workload` is meant.
    pub fn matches(&self, workload: &SpiffeId) -> bool {
        if !self.below {
            return *workload == self.id;
        }
        let rest = workload.as_str().strip_prefix(self.id.as_str());
        rest.is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'))
    }
}

impl fmt::Display for SubjectPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.id, if self.below { "/*" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_names_and_whole_segments_are_meant() {
        for (pattern, id, meant) in [
            ("spiffe://td/ns/a/sa/api", "spiffe://td/ns/a/sa/api", true),
            ("spiffe://td/ns/a/sa/api", "spiffe://td/ns/a/sa/api2", false),
            ("spiffe://td/ns/a/sa/api", "spiffe://other/ns/a/sa/api", false),
            ("spiffe://td/ns/a/*", "spiffe://td/ns/a/sa/api", true),
            ("spiffe://td/ns/a/*", "spiffe://td/ns/ab/sa/api", false),
            ("spiffe://td/ns/a/*", "spiffe://td/ns/a", false),
            ("spiffe://td/ns/a/*", "spiffe://td2/ns/a/x", false),
        ] {
            let parsed = SubjectPattern::parse(pattern).unwrap();
            assert_eq!(parsed.to_string(), pattern);
            assert_eq!(parsed.matches(&SpiffeId::parse(id).unwrap()), meant, "{pattern} {id}");
        }
    }

    #[test]
    fn a_whole_trust_domain_and_other_wildcards_cannot_be_said() {
        for text in ["spiffe://td/*", "spiffe://td", "spiffe://*/a", "spiffe://td/a*", "spiffe://td/*/a", "td/a", ""] {
            assert!(SubjectPattern::parse(text).is_err(), "{text}");
        }
    }
}
