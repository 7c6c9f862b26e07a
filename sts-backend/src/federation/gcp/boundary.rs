//! The credential access boundary: what remains of a token for one order (Cloud Storage, "Credential Access Boundaries"). Google
//! allows what the token's owner and the boundary both allow.
//!
//! A boundary names roles, not permissions, so each word becomes the smallest role of Google's that has what the word says:
//!
//! | word | role | what is in it |
//! |---|---|---|
//! | `read` | `storage.legacyObjectReader` | `objects.get` |
//! | `list` | `storage.legacyBucketReader` | `objects.list`, `buckets.get` |
//! | `write` | `storage.objectCreator` | `objects.create`, and uploads in parts |
//! | `delete` | `storage.legacyBucketWriter` | `objects.delete`, and all of `write` and `list` |
//!
//! No role deletes and does nothing else. So `delete` is given only along with `write` and `list`: it would give them anyway.

use std::collections::BTreeSet;

use serde::Serialize;

use super::names;
use crate::federation::{
    object_prefix,
    permission::Permission::{self, Delete, List, Read, Write},
};

/// The most characters that Google takes, of a boundary and of an expression in it.
const LONGEST: usize = 2048;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    access_boundary: AccessBoundary,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AccessBoundary {
    access_boundary_rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    available_resource: String,
    available_permissions: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    availability_condition: Option<Condition>,
}

#[derive(Serialize)]
struct Condition {
    expression: String,
}

/// The boundary of one bucket or folder, as it stands in `options`. What it cannot be made of is said in words for the
/// configuration's findings.
pub fn boundary(bucket: &str, prefix: Option<&str>, permissions: &BTreeSet<Permission>) -> Result<String, String> {
    names::check_bucket(bucket)?;
    prefix.map_or(Ok(()), object_prefix::check)?;
    if permissions.contains(&Delete) && !(permissions.contains(&Write) && permissions.contains(&List)) {
        return Err(
            "`permissions` has `delete` without `write` and `list`; Google's smallest role for it has them too"
                .to_owned(),
        );
    }
    let mut rules = Vec::new();
    // Listings are of the bucket, the rest is of objects: each has a rule and a condition of its own. Neither bucket nor prefix
    // has a character that means anything in an expression or could end a text there.
    let objects: Vec<_> = permissions.iter().filter_map(|permission| role_of_objects(*permission)).collect();
    if !objects.is_empty() {
        let below = |prefix| format!("resource.name.startsWith('projects/_/buckets/{bucket}/objects/{prefix}')");
        rules.push(rule(bucket, &objects, prefix.map(below)));
    }
    if permissions.contains(&List) {
        let below =
            |prefix| format!("api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('{prefix}')");
        rules.push(rule(bucket, &["storage.legacyBucketReader"], prefix.map(below)));
    }
    let options = Options { access_boundary: AccessBoundary { access_boundary_rules: rules } };
    let options = serde_json::to_string(&options).map_err(|error| format!("no boundary can be written: {error}"))?;
    if options.len() > LONGEST {
        return Err(format!("the boundary has {} characters, Google takes {LONGEST}; shorten `prefix`", options.len()));
    }
    Ok(options)
}

const fn role_of_objects(permission: Permission) -> Option<&'static str> {
    match permission {
        Read => Some("storage.legacyObjectReader"),
        Write => Some("storage.objectCreator"),
        Delete => Some("storage.legacyBucketWriter"),
        List => None,
    }
}

fn rule(bucket: &str, roles: &[&str], expression: Option<String>) -> Rule {
    Rule {
        available_resource: format!("//storage.googleapis.com/projects/_/buckets/{bucket}"),
        available_permissions: roles.iter().map(|role| format!("inRole:roles/{role}")).collect(),
        availability_condition: expression.map(|expression| Condition { expression }),
    }
}

#[cfg(test)]
mod tests;
