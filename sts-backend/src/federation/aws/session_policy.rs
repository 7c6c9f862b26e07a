//! The session policy: what remains of a role for one order (IAM User Guide, "Session policies"). AWS allows what the role's own
//! policies and this one both allow.
//!
//! What the words open is a table of this module and of the docs. Resources are one bucket's folder, one table with its
//! indexes, or one queue; the only wildcard is the one that ends a folder or the indexes.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Opening, arn};
use crate::{
    aws::partition::Partition,
    federation::{
        object_prefix,
        permission::Permission::{self, Delete, List, Read, Write},
    },
};

/// The most characters that AWS takes.
const LONGEST: usize = 2048;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    version: &'static str,
    statement: Vec<Statement>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    effect: &'static str,
    action: Vec<&'static str>,
    resource: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Condition>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Condition {
    string_like: ListedPrefix,
}

#[derive(Serialize)]
struct ListedPrefix {
    #[serde(rename = "s3:prefix")]
    prefix: String,
}

/// The policy that opens `opening` for `permissions`, as it is sent: JSON without a blank. What it cannot be made of is said
/// in words for the configuration's findings.
pub fn session_policy(
    opening: &Opening,
    permissions: &BTreeSet<Permission>,
    partition: Partition,
) -> Result<String, String> {
    let statement = match opening {
        Opening::Bucket { bucket, prefix } => {
            check_bucket(bucket)?;
            prefix.as_deref().map_or(Ok(()), object_prefix::check)?;
            of_bucket(&format!("arn:{}:s3:::{bucket}", partition.name()), prefix.as_deref(), permissions)
        }
        Opening::Table { arn } => {
            arn::check_table(arn, partition)?;
            of_table(arn, permissions)
        }
        Opening::Queue { arn } => {
            arn::check_queue(arn, partition)?;
            vec![allow(of_queue(permissions), vec![arn.clone()])]
        }
    };
    let policy = Policy { version: "2012-10-17", statement };
    let policy = serde_json::to_string(&policy).map_err(|error| format!("no policy can be written: {error}"))?;
    if policy.len() > LONGEST {
        return Err(format!(
            "the session policy has {} characters, AWS takes {LONGEST}; shorten `prefix`",
            policy.len()
        ));
    }
    Ok(policy)
}

fn of_bucket(bucket: &str, prefix: Option<&str>, permissions: &BTreeSet<Permission>) -> Vec<Statement> {
    let prefix_pattern = format!("{}*", prefix.unwrap_or_default());
    let objects = actions(permissions, |permission| match permission {
        Read => &["s3:GetObject"],
        Write => &["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
        // Not of versions: what is deleted by mistake can be had back where the bucket keeps them.
        Delete => &["s3:DeleteObject"],
        List => &[],
    });
    let mut statements = Vec::new();
    if !objects.is_empty() {
        statements.push(allow(objects, vec![format!("{bucket}/{prefix_pattern}")]));
    }
    if permissions.contains(&List) {
        let condition = prefix.map(|_| Condition { string_like: ListedPrefix { prefix: prefix_pattern } });
        statements.push(Statement { condition, ..allow(vec!["s3:ListBucket"], vec![bucket.to_owned()]) });
    }
    statements
}

fn of_table(arn: &str, permissions: &BTreeSet<Permission>) -> Vec<Statement> {
    let mut items = actions(permissions, |permission| match permission {
        Read => &["dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem", "dynamodb:GetItem", "dynamodb:Query"],
        List => &["dynamodb:DescribeTable", "dynamodb:Scan"],
        Write => &["dynamodb:PutItem", "dynamodb:UpdateItem"],
        Delete => &["dynamodb:DeleteItem"],
    });
    // One action for both, and it asks for neither of the others: whoever may not delete must not have it.
    if permissions.contains(&Write) && permissions.contains(&Delete) {
        items.push("dynamodb:BatchWriteItem");
    }
    let mut resources = vec![arn.to_owned()];
    if permissions.contains(&Read) || permissions.contains(&List) {
        resources.push(format!("{arn}/index/*"));
    }
    vec![allow(items, resources)]
}

fn of_queue(permissions: &BTreeSet<Permission>) -> Vec<&'static str> {
    actions(permissions, |permission| match permission {
        Read => &["sqs:ReceiveMessage", "sqs:ChangeMessageVisibility"],
        List => &["sqs:GetQueueAttributes", "sqs:GetQueueUrl"],
        Write => &["sqs:SendMessage"],
        Delete => &["sqs:DeleteMessage"],
    })
}

fn actions(permissions: &BTreeSet<Permission>, of: fn(Permission) -> &'static [&'static str]) -> Vec<&'static str> {
    permissions.iter().flat_map(|permission| of(*permission)).copied().collect()
}

fn allow(action: Vec<&'static str>, resource: Vec<String>) -> Statement {
    Statement { effect: "Allow", action, resource, condition: None }
}

/// Amazon S3 User Guide, "General purpose bucket naming rules".
fn check_bucket(bucket: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    let ends = |text: &str| !text.starts_with(['.', '-']) && !text.ends_with(['.', '-']);
    if (3..=63).contains(&bucket.len()) && bucket.bytes().all(allowed) && ends(bucket) {
        return Ok(());
    }
    Err(format!(
        "`bucket` is `{bucket}`; an S3 bucket's name has 3 to 63 of a-z, 0-9, `.` and `-`, no mark at its ends"
    ))
}

#[cfg(test)]
mod tests;
