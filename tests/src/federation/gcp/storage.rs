//! Cloud Storage: objects by the JSON API, and by the paths of the XML API for clients whose proxies refuse escaped slashes.

use serde_json::json;

use super::{
    boundary::Use,
    project::{Bucket, Project},
    roles::{self, CREATE, DELETE, GET, LIST},
};
use crate::{
    asked::Asked,
    federation::{
        aws::decoded,
        reply::{Reply, Wrong, escaped, wrong},
        seen::Seen,
    },
};

/// What is asked for.
struct Order {
    operation: Operation,
    bucket: String,
    /// Empty for listings.
    object: String,
    /// By the XML API, which answers in XML.
    is_xml: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    /// The object itself.
    Content,
    /// What is known of it.
    Metadata,
    List,
    Insert,
    Delete,
}

pub fn answer(project: &Project, asked: &Asked, seen: &mut Seen, now: i64) -> Result<Reply, Wrong> {
    let order = Order::read(asked).ok_or_else(|| wrong(404, "notFound", "Not Found"))?;
    let resource = format!("projects/_/buckets/{}", order.bucket);
    let object = if order.object.is_empty() { String::new() } else { format!("/objects/{}", order.object) };
    seen.operation(order.permission(), format!("{resource}{object}"));
    let token = asked.bearer().and_then(|token| project.token(token, now));
    let token = token.ok_or_else(|| wrong(401, "authError", "Invalid Credentials"))?;
    token.who.note(seen);

    let parameters = asked.parameters();
    let prefix = parameters.pairs().find(|(name, _)| *name == "prefix").map(|(_, prefix)| prefix);
    let mut buckets = project.buckets();
    let exists = buckets.get(&order.bucket).is_some_and(|bucket| bucket.objects.contains_key(&order.object));
    // To write over an object is to delete it too.
    let over = (order.operation == Operation::Insert && exists).then_some(DELETE);
    for permission in [order.permission()].into_iter().chain(over) {
        let usage = Use {
            permission,
            bucket: &order.bucket,
            object: (order.operation != Operation::List).then_some(order.object.as_str()),
            prefix,
        };
        let who = token.who.principal();
        let has = buckets.get(&order.bucket).is_some_and(|bucket| project.has(who, bucket, permission));
        let within = token.boundary.as_ref().is_none_or(|boundary| boundary.allows(usage));
        if !has || !within || !roles::is_in_scope(&token.scopes, permission) {
            let what = if order.operation == Operation::List { "bucket" } else { "object" };
            return Err(wrong(
                403,
                "forbidden",
                format!(
                    "{who} does not have {permission} access to the Google Cloud Storage {what}. Permission '{permission}' denied \
                 on resource (or it may not exist)."
                ),
            ));
        }
    }
    let bucket =
        buckets.get_mut(&order.bucket).ok_or_else(|| wrong(404, "notFound", "The specified bucket does not exist."))?;
    order.carry_out(bucket, asked, prefix.unwrap_or_default())
}

/// A refusal by the JSON API; the XML API's is told by its path.
pub fn refusal(wrong: &Wrong, asked: &Asked) -> Reply {
    if !is_json(asked) {
        let body = format!(
            "<?xml version='1.0' encoding='UTF-8'?><Error><Code>{}</Code><Message>{}</Message></Error>",
            match wrong.status {
                401 => "AuthenticationRequired",
                403 => "AccessDenied",
                404 => "NoSuchKey",
                _ => "InvalidArgument",
            },
            escaped(&wrong.message)
        );
        return Reply::new(wrong.status, "application/xml; charset=UTF-8", body);
    }
    let error = json!({"message": wrong.message, "domain": "global", "reason": wrong.code});
    Reply::json(wrong.status, &json!({"error": {"code": wrong.status, "message": wrong.message, "errors": [error]}}))
}

fn is_json(asked: &Asked) -> bool {
    ["/storage/v1/", "/upload/storage/v1/"].iter().any(|start| asked.path.starts_with(start))
}

impl Order {
    fn read(asked: &Asked) -> Option<Self> {
        let parameters = asked.parameters();
        let order = |operation, bucket: &str, object: String| {
            Some(Self { operation, bucket: bucket.to_owned(), object, is_xml: !is_json(asked) })
        };
        if let Some(rest) = asked.path.strip_prefix("/upload/storage/v1/b/") {
            let name = parameters.get("name")?.to_owned();
            let is_simple = asked.method == "POST" && parameters.get("uploadType") == Some("media");
            return is_simple.then_some(order(Operation::Insert, rest.strip_suffix("/o")?, name)?);
        }
        if let Some(rest) = asked.path.strip_prefix("/storage/v1/b/") {
            let (bucket, object) =
                rest.split_once("/o").filter(|(_, rest)| rest.is_empty() || rest.starts_with('/'))?;
            // One segment, slashes encoded.
            let object = object.strip_prefix('/').unwrap_or_default();
            let name = decoded(object).filter(|_| !object.contains('/'))?;
            return match (asked.method.as_str(), name.is_empty(), parameters.get("alt")) {
                ("GET", true, _) => order(Operation::List, bucket, name),
                ("GET", false, Some("media")) => order(Operation::Content, bucket, name),
                ("GET", false, _) => order(Operation::Metadata, bucket, name),
                ("DELETE", false, _) => order(Operation::Delete, bucket, name),
                _ => None,
            };
        }
        let path = decoded(asked.path.strip_prefix('/')?)?;
        let (bucket, object) = path.split_once('/').unwrap_or((&path, ""));
        let operation = match (asked.method.as_str(), object.is_empty()) {
            ("GET", true) => Operation::List,
            ("GET" | "HEAD", false) => Operation::Content,
            ("PUT", false) => Operation::Insert,
            ("DELETE", false) => Operation::Delete,
            _ => return None,
        };
        order(operation, bucket, object.to_owned()).filter(|order| !order.bucket.is_empty())
    }

    fn permission(&self) -> &'static str {
        match self.operation {
            Operation::Content | Operation::Metadata => GET,
            Operation::List => LIST,
            Operation::Insert => CREATE,
            Operation::Delete => DELETE,
        }
    }

    fn carry_out(&self, bucket: &mut Bucket, asked: &Asked, prefix: &str) -> Result<Reply, Wrong> {
        let known = |name: &str, size: usize| json!({"kind": "storage#object", "name": name, "bucket": self.bucket, "size": size.to_string()});
        let missing = || wrong(404, "notFound", format!("No such object: {}/{}", self.bucket, self.object));
        match self.operation {
            Operation::Content => {
                let object = bucket.objects.get(&self.object).ok_or_else(missing)?;
                Ok(Reply::new(200, "application/octet-stream", object.clone()))
            }
            Operation::Metadata => {
                let object = bucket.objects.get(&self.object).ok_or_else(missing)?;
                Ok(Reply::json(200, &known(&self.object, object.len())))
            }
            Operation::List => {
                let found: Vec<_> = bucket.objects.iter().filter(|(name, _)| name.starts_with(prefix)).collect();
                if self.is_xml {
                    let contents = found.iter().map(|(name, object)| {
                        format!("<Contents><Key>{}</Key><Size>{}</Size></Contents>", escaped(name), object.len())
                    });
                    let contents: String = contents.collect();
                    let body = format!(
                        "<?xml version='1.0' encoding='UTF-8'?><ListBucketResult><Name>{}</Name>{contents}</ListBucketResult>",
                        self.bucket
                    );
                    return Ok(Reply::new(200, "application/xml; charset=UTF-8", body));
                }
                let items: Vec<_> = found.into_iter().map(|(name, object)| known(name, object.len())).collect();
                Ok(Reply::json(200, &json!({"kind": "storage#objects", "items": items})))
            }
            Operation::Insert => {
                bucket.objects.insert(self.object.clone(), asked.body.to_vec());
                Ok(if self.is_xml {
                    Reply::empty(200)
                } else {
                    Reply::json(200, &known(&self.object, asked.body.len()))
                })
            }
            Operation::Delete => {
                bucket.objects.remove(&self.object).ok_or_else(missing)?;
                Ok(Reply::empty(204))
            }
        }
    }
}
