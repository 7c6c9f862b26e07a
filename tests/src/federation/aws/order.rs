//! What a call to assume a role orders, as far as both kinds of calls order the same (STS API Reference).

use super::{
    policy::{Place, Policy},
    session::is_name,
};
use crate::{
    asked::Form,
    federation::reply::{Wrong, wrong},
};

/// An order, within its bounds.
#[derive(Clone, Debug)]
pub struct Order {
    pub role_arn: String,
    pub session_name: String,
    /// In seconds.
    pub duration: i64,
    pub policy: Option<Policy>,
    /// Of its text, in hundredths of what it may have.
    pub packed_size: usize,
}

impl Order {
    /// Reads the parameters that both have; `more` are those that only one has.
    pub fn read(form: &Form, more: &[&str]) -> Result<Self, Wrong> {
        if let Some(name) = form.doubled(&[]) {
            return Err(invalid(format!("Duplicate parameter: {name}")));
        }
        let known = ["Action", "Version", "RoleArn", "RoleSessionName", "DurationSeconds", "Policy"];
        let is_known = |name: &str| {
            known.contains(&name)
                || more
                    .iter()
                    .any(|more| name == *more || more.strip_suffix('*').is_some_and(|start| name.starts_with(start)))
        };
        if let Some((name, _)) = form.pairs().find(|(name, _)| !is_known(name)) {
            return Err(invalid(format!("{name} is no parameter of this action")));
        }
        if form.get("Version") != Some("2011-06-15") {
            return Err(wrong(400, "InvalidAction", "Could not find operation for the given version"));
        }
        let text = |name: &str, shortest, longest| {
            let value = form.get(name).ok_or_else(|| {
                wrong(400, "MissingParameter", format!("The request must contain the parameter {name}"))
            })?;
            if (shortest..=longest).contains(&value.len()) {
                Ok(value)
            } else {
                Err(invalid(format!(
                    "Value at '{name}' failed to satisfy constraint: {shortest} to {longest} characters"
                )))
            }
        };
        let role_arn = text("RoleArn", 20, 2048)?;
        if !role_arn.starts_with("arn:aws:iam::") {
            return Err(invalid(format!("{role_arn} is invalid")));
        }
        let session_name = text("RoleSessionName", 2, 64)?;
        if !is_name(session_name) {
            return Err(invalid("Value at 'roleSessionName' failed to satisfy constraint: [\\w+=,.@-]*".into()));
        }
        let duration = match form.get("DurationSeconds") {
            None => 3600,
            Some(seconds) => {
                seconds.parse().ok().filter(|seconds| (900..=43_200).contains(seconds)).ok_or_else(|| {
                    invalid(format!(
                        "Value '{seconds}' at 'durationSeconds' failed to satisfy constraint: 900 to 43200"
                    ))
                })?
            }
        };
        let policy = form.get("Policy").map(|_| text("Policy", 1, 2048)).transpose()?;
        Ok(Self {
            role_arn: role_arn.to_owned(),
            session_name: session_name.to_owned(),
            duration,
            packed_size: policy.map_or(0, |policy| policy.len() * 100 / 2048),
            policy: policy.map(session_policy).transpose()?,
        })
    }

    /// Refuses to last longer than the role may.
    pub fn at_most(&self, longest: i64, why: &str) -> Result<(), Wrong> {
        if self.duration <= longest {
            Ok(())
        } else {
            Err(invalid(format!("The requested DurationSeconds exceeds {why}.")))
        }
    }
}

fn session_policy(text: &str) -> Result<Policy, Wrong> {
    let malformed = |why: String| wrong(400, "MalformedPolicyDocument", why);
    let allowed = |letter: char| matches!(letter, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}');
    if !text.chars().all(allowed) {
        return Err(malformed("Syntax errors in policy: a character that policies cannot have".into()));
    }
    let json =
        serde_json::from_str(text).map_err(|error| malformed(format!("This policy contains invalid Json: {error}")))?;
    Policy::read(&json, Place::Rights).map_err(malformed)
}

pub(super) fn invalid(message: String) -> Wrong {
    wrong(400, "ValidationError", message)
}
