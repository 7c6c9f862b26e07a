//! IAM policies, as far as ours use them. What is not known here is refused when a policy is read, so that nothing is granted
//! by being overlooked (IAM User Guide, "IAM JSON policy reference").

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    condition::{Condition, conditions},
    pattern::matches,
};

/// A policy that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    statements: Vec<Statement>,
}

/// Where a policy stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At a role, or given to a session: it names resources.
    Rights,
    /// A role's trust: it names principals.
    Trust,
}

/// What a call is about, by names in any case.
#[derive(Clone, Debug, Default)]
pub struct Context(BTreeMap<String, Vec<String>>);

/// What a policy says of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allow,
    /// A denial outweighs everything.
    Deny,
    Silent,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Statement {
    allow: bool,
    actions: Vec<String>,
    /// Resources; in a trust, principals as `KIND:NAME`.
    targets: Vec<String>,
    conditions: Vec<Condition>,
}

impl Context {
    /// With one more value of a key.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.0.entry(key.to_ascii_lowercase()).or_default().push(value.into());
        self
    }

    /// All values of a key.
    pub fn values(&self, key: &str) -> Option<&[String]> {
        self.0.get(&key.to_ascii_lowercase()).map(Vec::as_slice)
    }

    /// The value of a key that has just one.
    pub fn sole(&self, key: &str) -> Option<&str> {
        match self.values(key)? {
            [value] => Some(value),
            _ => None,
        }
    }
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn read(policy: &Value, place: Place) -> Result<Self, String> {
        let members = only(policy, "the policy", &["Version", "Id", "Statement"])?;
        if policy["Version"] != "2012-10-17" {
            return Err("`Version` is not 2012-10-17: variables would be plain text".into());
        }
        let statements = match members.get("Statement") {
            Some(Value::Array(statements)) => statements.as_slice(),
            Some(statement) => std::slice::from_ref(statement),
            None => &[],
        };
        if statements.is_empty() {
            return Err("no `Statement`".into());
        }
        let statements =
            statements.iter().map(|statement| Statement::read(statement, place)).collect::<Result<_, _>>()?;
        Ok(Self { statements })
    }

    /// What it says of `action` on `target`: a resource, or in a trust the principal that asks, as `KIND:NAME`.
    pub fn verdict(&self, action: &str, target: &str, context: &Context) -> Verdict {
        let mut verdict = Verdict::Silent;
        for statement in &self.statements {
            if statement.speaks_of(action, target, context) {
                if !statement.allow {
                    return Verdict::Deny;
                }
                verdict = Verdict::Allow;
            }
        }
        verdict
    }

    /// Whether it allows that.
    pub fn allows(&self, action: &str, target: &str, context: &Context) -> bool {
        self.verdict(action, target, context) == Verdict::Allow
    }
}

impl Statement {
    fn read(statement: &Value, place: Place) -> Result<Self, String> {
        let names = match place {
            Place::Rights => "Resource",
            Place::Trust => "Principal",
        };
        let members = only(statement, "a statement", &["Sid", "Effect", "Action", "Condition", names])?;
        let allow = match statement["Effect"].as_str() {
            Some("Allow") => true,
            Some("Deny") => false,
            _ => return Err("`Effect` is neither Allow nor Deny".into()),
        };
        let targets = match place {
            Place::Rights => texts(members.get(names), names)?,
            Place::Trust => principals(members.get(names))?,
        };
        if place == Place::Rights && targets.iter().any(|target| target != "*" && !target.starts_with("arn:")) {
            return Err("a `Resource` is neither an ARN nor `*`".into());
        }
        let actions = texts(members.get("Action"), "Action")?;
        if actions.iter().any(|action| action != "*" && !action.contains(':')) {
            return Err("an `Action` has no vendor prefix".into());
        }
        Ok(Self { allow, actions, targets, conditions: conditions(members.get("Condition"))? })
    }

    fn speaks_of(&self, action: &str, target: &str, context: &Context) -> bool {
        let action = action.to_ascii_lowercase();
        self.actions.iter().any(|pattern| matches(&pattern.to_ascii_lowercase(), &action, context))
            && self.targets.iter().any(|pattern| matches(pattern, target, context))
            && self.conditions.iter().all(|condition| condition.holds(context))
    }
}

fn principals(principals: Option<&Value>) -> Result<Vec<String>, String> {
    let principals = principals.and_then(Value::as_object).ok_or("`Principal` is no object")?;
    let mut all = Vec::new();
    for (kind, names) in principals {
        if !["AWS", "Federated"].contains(&kind.as_str()) {
            return Err(format!("a principal of the kind `{kind}`"));
        }
        for name in texts(Some(names), kind)? {
            if name.contains('*') {
                return Err("a wildcard among principals".into());
            }
            all.push(format!("{kind}:{name}"));
        }
    }
    Ok(all)
}

/// One text or several.
pub(super) fn texts(value: Option<&Value>, name: &str) -> Result<Vec<String>, String> {
    let text =
        |value: &Value| value.as_str().map(str::to_owned).ok_or(format!("`{name}` holds something else than text"));
    let texts = match value {
        Some(Value::Array(values)) => values.iter().map(text).collect::<Result<Vec<_>, _>>()?,
        Some(value) => vec![text(value)?],
        None => Vec::new(),
    };
    if texts.is_empty() { Err(format!("no `{name}`")) } else { Ok(texts) }
}

fn only<'v>(value: &'v Value, what: &str, known: &[&str]) -> Result<&'v Map<String, Value>, String> {
    let members = value.as_object().ok_or(format!("{what} is no object"))?;
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!("{what} has an unknown member `{name}`")),
        None => Ok(members),
    }
}

#[cfg(test)]
mod tests;
