//! Google Cloud, as a destination is in it: a project whose workload identity pool trusts our issuer, with service accounts,
//! buckets and a service.
//!
//! | path | what it is |
//! |---|---|
//! | `POST /v1/token` | Google's STS: for an assertion of ours, or for a token that is to open less |
//! | `POST /v1/projects/-/serviceAccounts/EMAIL:METHOD` | IAM Credentials: `generateAccessToken`, `generateIdToken` |
//! | `/storage/v1/...`, `/upload/storage/v1/...`, `/BUCKET/OBJECT` | Cloud Storage |
//! | anything, where the host is a service's | Cloud Run |

mod boundary;
mod credentials;
mod expression;
pub mod project;
mod roles;
mod run;
mod storage;
mod sts;

use serde_json::json;

use super::{
    platform::Platform,
    reply::{Reply, Wrong},
    seen::Seen,
    switches::Switches,
};
use crate::asked::Asked;
use project::Project;

pub use project::Setup;

impl Platform for Project {
    async fn answer(&self, asked: &Asked, switches: &Switches, seen: &mut Seen, now: i64) -> Reply {
        let service = self.services.iter().find(|service| service.host == asked.host());
        let (name, answer, refusal): (_, _, fn(&Wrong) -> Reply) = if let Some(service) = service {
            switches.count("run");
            ("run", run::answer(self, service, asked, seen, now), run::refusal)
        } else if asked.path == "/v1/token" && asked.method == "POST" {
            ("sts", sts::answer(self, asked, switches, seen, now).await, sts::refusal)
        } else if asked.path.starts_with("/v1/projects/") {
            ("iamcredentials", credentials::answer(self, asked, switches, seen, now).await, refusal)
        } else {
            switches.count("storage");
            let answer = storage::answer(self, asked, seen, now);
            let answer = answer.or_else(|wrong| {
                seen.code.clone_from(&wrong.code);
                Ok(storage::refusal(&wrong, asked))
            });
            ("storage", answer, refusal)
        };
        seen.service = name.to_owned();
        answer.unwrap_or_else(|wrong| {
            seen.code.clone_from(&wrong.code);
            refusal(&wrong)
        })
    }
}

/// A refusal in Google's own form (Google APIs, "Errors").
fn refusal(wrong: &Wrong) -> Reply {
    let error = json!({"code": wrong.status, "message": wrong.message, "status": wrong.code});
    Reply::json(wrong.status, &json!({"error": error}))
}

#[cfg(test)]
mod tests;
