//! What a proxy checks on every use of a token: facts a policy may restrict but a cache key does not hold.
//!
//! On the wire and in tokens they are elements of `authorization_details` (RFC 9396, section 2). A list means alternatives:
//! one element that permits the request is enough.

use serde::{Deserialize, Serialize};

use crate::{path_pattern::PathPattern, reason::Reason};

/// The `type` of our elements.
pub const CONSTRAINT_TYPE: &str = "cloakroom_constraint";

/// The most alternatives one token may have.
pub const MAX_CONSTRAINTS: usize = 16;

/// One alternative: all of what it names must hold. A member this version does not know refuses the whole element: a
/// restriction that is not understood cannot be enforced.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Constraint {
    #[serde(rename = "type")]
    kind: ConstraintType,
    /// HTTP methods, upper case. Absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub methods: Option<Vec<String>>,
    /// Paths. Absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paths: Option<Vec<PathPattern>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
enum ConstraintType {
    #[default]
    #[serde(rename = "cloakroom_constraint")]
    Cloakroom,
}

/// The facts of one request that constraints speak of.
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts<'r> {
    /// The method, as sent.
    pub method: &'r str,
    /// The path, as sent, query included.
    pub path: &'r str,
}

impl Constraint {
    /// A constraint on methods and paths.
    pub fn new(methods: Option<Vec<String>>, paths: Option<Vec<PathPattern>>) -> Self {
        Self { kind: ConstraintType::Cloakroom, methods, paths }
    }

    fn check(&self, facts: RequestFacts<'_>) -> Result<(), Reason> {
        if let Some(methods) = &self.methods
            && !methods.iter().any(|method| method == facts.method)
        {
            return Err(Reason::MethodRefused);
        }
        if let Some(paths) = &self.paths
            && !paths.iter().any(|pattern| pattern.matches(facts.path))
        {
            return Err(Reason::PathRefused);
        }
        Ok(())
    }
}

/// Whether a request is inside at least one of `constraints`. No constraints: every request is.
pub fn check(constraints: &[Constraint], facts: RequestFacts<'_>) -> Result<(), Reason> {
    let mut refusal = None;
    for constraint in constraints {
        match constraint.check(facts) {
            Ok(()) => return Ok(()),
            Err(reason) => refusal = refusal.or(Some(reason)),
        }
    }
    refusal.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constraint(methods: &[&str], paths: &[&str]) -> Constraint {
        let methods = methods.iter().map(ToString::to_string).collect();
        let paths = paths.iter().map(|path| PathPattern::parse(path).unwrap()).collect();
        Constraint::new(Some(methods), Some(paths))
    }

    fn facts<'r>(method: &'r str, path: &'r str) -> RequestFacts<'r> {
        RequestFacts { method, path }
    }

    #[test]
    fn all_members_of_one_alternative_must_hold() {
        let list = [constraint(&["GET"], &["/a/*"]), constraint(&["POST"], &["/b"])];
        assert_eq!(check(&list, facts("GET", "/a/x")), Ok(()));
        assert_eq!(check(&list, facts("POST", "/b")), Ok(()));
        assert_eq!(check(&list, facts("POST", "/a/x")), Err(Reason::MethodRefused));
        assert_eq!(check(&list, facts("GET", "/b")), Err(Reason::PathRefused));
    }

    #[test]
    fn no_constraint_refuses_nothing_and_an_empty_list_of_methods_everything() {
        assert_eq!(check(&[], facts("GET", "/")), Ok(()));
        assert_eq!(check(&[constraint(&[], &["/*"])], facts("GET", "/x")), Err(Reason::MethodRefused));
    }

    #[test]
    fn an_unknown_member_or_type_is_refused() {
        let unknown = r#"{"type":"cloakroom_constraint","hours":"9-17"}"#;
        assert!(serde_json::from_str::<Constraint>(unknown).is_err());
        assert!(serde_json::from_str::<Constraint>(r#"{"type":"other"}"#).is_err());
        assert!(serde_json::from_str::<Constraint>(r#"{"methods":["GET"]}"#).is_err());
    }
}
