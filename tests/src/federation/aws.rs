//! AWS, as a destination is in it: an account with roles that trust our issuer, and buckets, tables and queues that open to
//! requests signed with the keys of its sessions.
//!
//! | host | what it is |
//! |---|---|
//! | `sts.REGION.amazonaws.com`, or none of the others | `AssumeRoleWithWebIdentity` and `AssumeRole` |
//! | `BUCKET.s3.REGION.amazonaws.com`, `s3.REGION.amazonaws.com` | `GetObject`, `HeadObject`, `PutObject`, `DeleteObject`, `ListObjectsV2` |
//! | `dynamodb.REGION.amazonaws.com` | `GetItem`, `PutItem` |
//! | `sqs.REGION.amazonaws.com` | `SendMessage` |

pub mod account;
mod buckets;
mod chain;
mod condition;
mod order;
mod pattern;
mod payload;
mod policy;
mod s3;
mod session;
mod signed;
mod sts;
mod tables;
mod web_identity;

use std::sync::PoisonError;

use super::{platform::Platform, reply::Reply, seen::Seen, switches::Switches};
use crate::asked::Asked;
use account::Account;

pub use account::{RoleSetup, Setup};
pub(super) use s3::decoded;

impl Account {
    /// What was sent to a queue.
    pub fn messages(&self, queue: &str) -> Vec<String> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).messages(queue).to_vec()
    }

    /// An object's content.
    pub fn object(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner).objects(bucket)?.get(key).cloned()
    }
}

impl Platform for Account {
    async fn answer(&self, asked: &Asked, switches: &Switches, seen: &mut Seen, now: i64) -> Reply {
        let host = asked.host();
        let of = |service: &str| host == format!("{service}.{}.amazonaws.com", self.region);
        let is_s3 = of("s3") || host.ends_with(&format!(".s3.{}.amazonaws.com", self.region));
        let (service, answer, refusal): (_, _, fn(&_) -> Reply) = if is_s3 {
            switches.count("s3");
            ("s3", s3::answer(self, asked, seen, now), s3::refusal)
        } else if of("dynamodb") {
            switches.count("dynamodb");
            ("dynamodb", tables::dynamodb(self, asked, seen, now), tables::refusal)
        } else if of("sqs") {
            switches.count("sqs");
            ("sqs", tables::sqs(self, asked, seen, now), tables::refusal)
        } else {
            ("sts", sts::answer(self, asked, switches, seen, now).await, sts::refusal)
        };
        seen.service = service.to_owned();
        answer.unwrap_or_else(|wrong| {
            seen.code.clone_from(&wrong.code);
            refusal(&wrong)
        })
    }
}

#[cfg(test)]
mod tests;
