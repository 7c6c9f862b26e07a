//! The destinations tokens are issued for (RFC 8707, RFC 8693 section 2.1 `resource` and `audience`).

use std::collections::BTreeMap;

use thiserror::Error;
use token::{claims::Scope, reason::Reason};

use crate::{loan::Lender, refusal::Refusal};

/// The longest `resource` or `audience`, in bytes.
const MAX_IDENTIFIER: usize = 1024;

/// One destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name in configuration, policy (`resource.name`) and records.
    pub name: String,
    /// The absolute URI that is `aud` of its tokens and its entity id in policy.
    pub resource: String,
    /// A logical name that callers may ask for instead.
    pub audience: Option<String>,
    /// The longest life of a token for it, in seconds.
    pub max_life: u64,
    /// What may be opened there: a ceiling on the scope of tokens of our own, where there is one; all that a provider's
    /// credential may open.
    pub permissions: Option<Scope>,
    /// Whose credential it takes, if not a token of ours.
    pub lender: Option<Lender>,
}

/// The destinations of one configuration.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    by_resource: BTreeMap<String, Target>,
    by_audience: BTreeMap<String, String>,
}

/// Why targets cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TargetError {
    #[error("target `{0}` stands twice")]
    RepeatedName(String),
    #[error(
        "target `{target}`: `resource` `{resource}` is not an absolute https URI without fragment (RFC 8707, section 2)"
    )]
    Resource { target: String, resource: String },
    #[error("target `{target}`: `{identifier}` also names target `{other}`")]
    Ambiguous { target: String, identifier: String, other: String },
    #[error("target `{target}`: `max_life_seconds` is {life}; 1 to 86400 is accepted")]
    Life { target: String, life: u64 },
    #[error("target `{0}`: `audience` is empty or longer than {MAX_IDENTIFIER} bytes")]
    Audience(String),
}

impl Targets {
    /// Checks and indexes `targets`. No two of them may be named by the same identifier.
    pub fn new(targets: Vec<Target>) -> Result<Self, TargetError> {
        let mut index = Self::default();
        for target in targets {
            index.insert(target)?;
        }
        Ok(index)
    }

    fn insert(&mut self, target: Target) -> Result<(), TargetError> {
        let name = target.name.clone();
        if self.by_resource.values().any(|other| other.name == name) {
            return Err(TargetError::RepeatedName(name));
        }
        if !is_resource(&target.resource) {
            return Err(TargetError::Resource { target: name, resource: target.resource });
        }
        if !(1..=86_400).contains(&target.max_life) {
            return Err(TargetError::Life { target: name, life: target.max_life });
        }
        if target.audience.as_ref().is_some_and(|audience| audience.is_empty() || audience.len() > MAX_IDENTIFIER) {
            return Err(TargetError::Audience(name));
        }
        for identifier in std::iter::once(&target.resource).chain(target.audience.as_ref()) {
            if let Some(other) = self.find(identifier) {
                return Err(TargetError::Ambiguous {
                    target: name,
                    identifier: identifier.clone(),
                    other: other.name.clone(),
                });
            }
        }
        if let Some(audience) = &target.audience {
            self.by_audience.insert(audience.clone(), target.resource.clone());
        }
        self.by_resource.insert(target.resource.clone(), target);
        Ok(())
    }

    /// The one destination that a request names. Naming none, two, or an unknown one is refused (RFC 8707, section 2).
    pub fn choose(&self, resources: &[String], audiences: &[String]) -> Result<&Target, Refusal> {
        if resources.len() > 1 || audiences.len() > 1 {
            return Err(unknown("more than one `resource` or `audience`: a token is for one destination")
                .got(format!("{} `resource` and {} `audience` values", resources.len(), audiences.len())));
        }
        let by_resource = resources.first().map(|name| self.named("resource", name, self.by_resource.get(name)));
        let by_audience = audiences.first().map(|name| self.named("audience", name, self.find(name)));
        match (by_resource.transpose()?, by_audience.transpose()?) {
            (Some(target), None) | (None, Some(target)) => Ok(target),
            (Some(target), Some(other)) if target == other => Ok(target),
            (Some(_), Some(_)) => Err(unknown("`resource` and `audience` name two destinations").claim("audience")),
            (None, None) => Err(unknown("the request names no destination: send `resource` or `audience`")
                .claim("resource")
                .wanted(self.names())),
        }
    }

    /// Every destination, ordered by resource.
    pub fn iter(&self) -> impl Iterator<Item = &Target> {
        self.by_resource.values()
    }

    fn find(&self, identifier: &str) -> Option<&Target> {
        let resource = self.by_audience.get(identifier).map_or(identifier, String::as_str);
        self.by_resource.get(resource)
    }

    fn named<'t>(&self, parameter: &str, got: &str, found: Option<&'t Target>) -> Result<&'t Target, Refusal> {
        found.ok_or_else(|| {
            unknown(format!("`{parameter}` names no destination this service issues tokens for"))
                .claim(parameter)
                .got(got)
                .wanted(self.names())
                .help("ask for a configured target, or add it under `targets`")
        })
    }

    fn names(&self) -> String {
        let names: Vec<_> = self.iter().map(|target| target.resource.as_str()).take(8).collect();
        format!("one of {}", names.join(", "))
    }
}

fn is_resource(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://") else { return false };
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    !host.is_empty() && text.len() <= MAX_IDENTIFIER && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

fn unknown(detail: impl std::fmt::Display) -> Refusal {
    Refusal::new(Reason::TargetUnknown, detail)
}

#[cfg(test)]
impl Target {
    /// One that takes tokens of our own.
    pub fn for_tests(name: &str, resource: &str) -> Self {
        Self {
            name: name.into(),
            resource: resource.into(),
            audience: None,
            max_life: 300,
            permissions: None,
            lender: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(name: &str, resource: &str, audience: Option<&str>) -> Target {
        Target { audience: audience.map(Into::into), max_life: 60, ..Target::for_tests(name, resource) }
    }

    fn targets() -> Targets {
        Targets::new(vec![target("a", "https://a.test", Some("a")), target("b", "https://b.test/x", None)]).unwrap()
    }

    fn choose(resources: &[&str], audiences: &[&str]) -> Result<String, Refusal> {
        let own = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        targets().choose(&own(resources), &own(audiences)).map(|target| target.name.clone())
    }

    #[test]
    fn a_destination_is_named_by_resource_audience_or_both() {
        assert_eq!(choose(&["https://a.test"], &[]).unwrap(), "a");
        assert_eq!(choose(&[], &["a"]).unwrap(), "a");
        assert_eq!(choose(&[], &["https://a.test"]).unwrap(), "a");
        assert_eq!(choose(&["https://a.test"], &["a"]).unwrap(), "a");
    }

    #[test]
    fn none_unknown_and_two_destinations_are_refused() {
        for (resources, audiences) in [
            (&[][..], &[][..]),
            (&["https://c.test"], &[]),
            (&["https://a.test/"], &[]),
            (&["a"], &[]),
            (&["https://b.test/x"], &["a"]),
            (&["https://a.test", "https://b.test/x"], &[]),
            (&[], &["a", "a"]),
        ] {
            let refusal = choose(resources, audiences).unwrap_err();
            assert_eq!(refusal.reason(), Reason::TargetUnknown, "{resources:?} {audiences:?}");
        }
    }

    #[test]
    fn targets_that_could_be_confused_do_not_load() {
        let pair = |left, right| Targets::new(vec![left, right]).map(|_| ()).unwrap_err();
        assert_eq!(
            pair(target("a", "https://a.test", None), target("a", "https://b.test", None)),
            TargetError::RepeatedName("a".into())
        );
        assert!(matches!(
            pair(target("a", "https://a.test", Some("x")), target("b", "https://b.test", Some("x"))),
            TargetError::Ambiguous { .. }
        ));
        assert!(matches!(
            pair(target("a", "https://a.test", None), target("b", "https://b.test", Some("https://a.test"))),
            TargetError::Ambiguous { .. }
        ));
        for resource in ["http://a.test", "https://", "https://a.test#x", "a.test", "https://a test"] {
            let error = Targets::new(vec![target("a", resource, None)]).unwrap_err();
            assert!(matches!(error, TargetError::Resource { .. }), "{resource}");
        }
    }
}
