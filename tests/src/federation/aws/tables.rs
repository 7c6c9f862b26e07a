//! DynamoDB's tables and SQS's queues, in memory, and the two services that open them with JSON.

use std::{collections::BTreeMap, sync::PoisonError};

use serde_json::{Value, json};

use super::{account::Account, policy::Context, signed};
use crate::{
    asked::Asked,
    aws::sigv4::hash,
    federation::{
        random,
        reply::{Reply, Wrong, wrong},
        seen::Seen,
    },
};

/// Tables with their items by the JSON of their keys, and queues with their messages.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    tables: BTreeMap<String, BTreeMap<String, Value>>,
    queues: BTreeMap<String, Vec<String>>,
}

impl Tables {
    /// Empty ones of these names.
    pub fn new(tables: Vec<String>, queues: Vec<String>) -> Self {
        let tables = tables.into_iter().map(|name| (name, BTreeMap::new())).collect();
        Self { tables, queues: queues.into_iter().map(|name| (name, Vec::new())).collect() }
    }

    /// The messages of a queue.
    pub fn messages(&self, queue: &str) -> &[String] {
        self.queues.get(queue).map_or(&[], Vec::as_slice)
    }
}

/// DynamoDB, as far as single items are read and written. Every table's key is `id`.
pub fn dynamodb(account: &Account, asked: &Asked, seen: &mut Seen, now: i64) -> Result<Reply, Wrong> {
    let (target, body) = call(account, asked, "dynamodb", "DynamoDB_20120810.", seen)?;
    let named = body["TableName"].as_str().ok_or_else(|| wrong(400, "ValidationException", "TableName is missing"))?;
    let prefix = format!("arn:aws:dynamodb:{}:{}:table/", account.region, account.id);
    let name = named.strip_prefix(&prefix).unwrap_or(named);
    let arn = format!("{prefix}{name}");
    seen.operation(target, arn.clone());
    authorise(account, asked, "dynamodb", &format!("dynamodb:{target}"), &arn, seen, now)?;

    let mut tables = account.tables.lock().unwrap_or_else(PoisonError::into_inner);
    let items = tables.tables.get_mut(name);
    let items = items.ok_or_else(|| wrong(400, "ResourceNotFoundException", "Requested resource not found"))?;
    let key = |item: &Value| {
        let id = item.get("id").filter(|id| id.is_object());
        id.map(ToString::to_string).ok_or_else(|| wrong(400, "ValidationException", "The key `id` is missing"))
    };
    match target {
        "GetItem" => {
            let item = items.get(&key(&body["Key"])?);
            Ok(written(&item.map_or_else(|| json!({}), |item| json!({"Item": item}))))
        }
        "PutItem" => {
            items.insert(key(&body["Item"])?, body["Item"].clone());
            Ok(written(&json!({})))
        }
        _ => Err(wrong(400, "UnknownOperationException", target)),
    }
}

/// SQS, as far as messages are sent, in its JSON protocol.
pub fn sqs(account: &Account, asked: &Asked, seen: &mut Seen, now: i64) -> Result<Reply, Wrong> {
    let (target, body) = call(account, asked, "sqs", "AmazonSQS.", seen)?;
    let url = body["QueueUrl"].as_str().unwrap_or_default();
    let prefix = format!("https://sqs.{}.amazonaws.com/{}/", account.region, account.id);
    let name = url.strip_prefix(&prefix).ok_or_else(|| wrong(400, "InvalidAddress", "The address is not valid"))?;
    let arn = format!("arn:aws:sqs:{}:{}:{name}", account.region, account.id);
    seen.operation(target, arn.clone());
    authorise(account, asked, "sqs", &format!("sqs:{target}"), &arn, seen, now)?;

    let mut tables = account.tables.lock().unwrap_or_else(PoisonError::into_inner);
    let messages = tables.queues.get_mut(name);
    let messages = messages.ok_or_else(|| wrong(400, "QueueDoesNotExist", "The specified queue does not exist."))?;
    match (target, body["MessageBody"].as_str()) {
        ("SendMessage", Some(message)) => {
            messages.push(message.to_owned());
            Ok(written(&json!({"MessageId": random::guid()})))
        }
        ("SendMessage", None) => Err(wrong(400, "MissingParameter", "MessageBody")),
        _ => Err(wrong(400, "UnsupportedOperation", target)),
    }
}

/// A refusal, as JSON services write it.
pub fn refusal(wrong: &Wrong) -> Reply {
    // To JSON services a refusal by policy is the client's fault too.
    let (status, code) = match wrong.code.as_str() {
        "AccessDenied" => (400, "AccessDeniedException"),
        code => (wrong.status, code),
    };
    let kind = format!("com.amazon.coral.service#{code}");
    let body = json!({"__type": kind, "message": wrong.message});
    Reply::new(status, "application/x-amz-json-1.0", body.to_string())
}

/// The operation and what it is to work on.
fn call<'a>(
    account: &Account,
    asked: &'a Asked,
    service: &str,
    prefix: &str,
    seen: &mut Seen,
) -> Result<(&'a str, Value), Wrong> {
    let target = asked.header("x-amz-target").and_then(|target| target.strip_prefix(prefix));
    let target = target.filter(|_| asked.method == "POST" && asked.path == "/");
    let target = target.ok_or_else(|| wrong(400, "UnknownOperationException", "X-Amz-Target"))?;
    seen.operation(target, format!("arn:aws:{service}:{}:{}", account.region, account.id));
    if asked.header("content-type") != Some("application/x-amz-json-1.0") {
        return Err(wrong(400, "SerializationException", "Content-Type must be application/x-amz-json-1.0"));
    }
    let body = serde_json::from_slice(&asked.body);
    Ok((target, body.map_err(|error| wrong(400, "SerializationException", error.to_string()))?))
}

fn authorise(
    account: &Account,
    asked: &Asked,
    service: &str,
    action: &str,
    arn: &str,
    seen: &mut Seen,
    now: i64,
) -> Result<(), Wrong> {
    let computed = hash(&asked.body);
    let caller =
        signed::caller(account, asked, service, &computed, now).map_err(|stranger| signed::json_code(&stranger))?;
    caller.note(&account.id, seen);
    account.authorise(&caller, action, arn, Context::default())
}

fn written(body: &Value) -> Reply {
    Reply::new(200, "application/x-amz-json-1.0", body.to_string()).header("x-amzn-requestid", random::word(52))
}
