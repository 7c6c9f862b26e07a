//! Kubernetes' TokenReview: does the API server still know the pod and the service account of a token?
//!
//! A signature says that a token was given, and nothing of what became of whom it was given to. Only the cluster knows that
//! a pod is gone. It is asked after everything that can be checked here holds, so that nobody can make us carry garbage to
//! it, and only the cluster of the one source that vouches for the token is ever asked.
//!
//! Source: Kubernetes API reference, `authentication.k8s.io/v1` TokenReview.

use std::collections::HashMap;

use http::StatusCode;
use rustls::RootCertStore;
use serde::Deserialize;
use serde_json::{Value, json};
use token::{json as strict, reason::Reason, secret::Secret};

use super::{
    claims::{self, Claims},
    inquiry::{Inquiry, Question, ServerSettings, Trouble},
};
use crate::refusal::Refusal;

/// Where an API server reviews tokens, below its own address.
pub const PATH: &str = "/apis/authentication.k8s.io/v1/tokenreviews";

/// The extra fact that names the pod a token is bound to.
const POD: &str = "authentication.kubernetes.io/pod-uid";

/// The API server of one cluster.
pub struct TokenReview {
    inquiry: Inquiry<()>,
    audience: String,
}

/// What is read of an answer. Kubernetes leaves out what is false or empty.
#[derive(Deserialize)]
struct Review {
    kind: Option<String>,
    status: Status,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    authenticated: bool,
    #[serde(default)]
    audiences: Vec<String>,
    #[serde(default)]
    user: User,
    error: Option<String>,
}

#[derive(Default, Deserialize)]
struct User {
    #[serde(default)]
    username: String,
    uid: Option<String>,
    #[serde(default)]
    extra: HashMap<String, Vec<String>>,
}

impl TokenReview {
    /// The API server at `settings`, asked about tokens for `audience`.
    pub fn new(
        source: &str,
        audience: &str,
        settings: ServerSettings,
        authorities: RootCertStore,
    ) -> Result<Self, rustls::Error> {
        Ok(Self { inquiry: Inquiry::new(source, settings, authorities)?, audience: audience.to_owned() })
    }

    /// Refuses `token`, which has these verified `claims`, unless its cluster vouches for it at `now`.
    pub async fn confirm(&self, token: &Secret, claims: Claims<'_>, now: u64) -> Result<(), Refusal> {
        let body = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token.expose(), "audiences": [self.audience]},
        });
        let question = Question {
            content_type: "application/json",
            body: body.to_string().into(),
            answered: StatusCode::CREATED,
            permission: "to create `tokenreviews` (ClusterRole `system:auth-delegator`)",
        };
        self.inquiry
            .ask(token, now, question, |answer| {
                let status = read(answer).ok_or(Trouble::Answer("a TokenReview with a status"))?;
                Ok(self.judge(&status, claims, token))
            })
            .await
    }

    fn judge(&self, status: &Status, claims: Claims<'_>, token: &Secret) -> Result<(), Refusal> {
        if !status.authenticated {
            return Err(revoked(status.error.as_deref(), token));
        }
        // An empty list is that of a server which knows no audiences and has checked none.
        if !status.audiences.contains(&self.audience) {
            return Err(Refusal::new(
                Reason::SubjectAudienceMismatch,
                "the cluster does not say that the token is for this service",
            )
            .claim("TokenReview status.audiences")
            .got(json!(status.audiences))
            .wanted(&self.audience)
            .help("ask an API server that checks audiences; one without them cannot be used"));
        }
        same("TokenReview status.user.username", Some(&status.user.username), claims.value("sub"))?;
        // Old API servers say nothing of the objects that a token is bound to. They have looked at them all the same.
        let bound = claims.object("kubernetes.io", "kubernetes.io ")?;
        let uid_of = |object: &str| bound.value(object).and_then(|object| object.get("uid"));
        let pod = status.user.extra.get(POD).map(Vec::as_slice);
        for (name, said, of_token) in [
            ("TokenReview status.user.uid", status.user.uid.as_deref().map(Some), uid_of("serviceaccount")),
            // Several pods are none.
            (
                "TokenReview pod-uid",
                pod.map(|uids| uids.first().map(String::as_str).filter(|_| uids.len() == 1)),
                uid_of("pod"),
            ),
        ] {
            if let (Some(said), Some(_)) = (said, of_token) {
                same(name, said, of_token)?;
            }
        }
        Ok(())
    }
}

fn read(answer: &[u8]) -> Option<Status> {
    let members = strict::parse_object(answer).ok()?;
    let review: Review = serde_json::from_value(Value::Object(members)).ok()?;
    review.kind.is_none_or(|kind| kind == "TokenReview").then_some(review.status)
}

fn same(name: &str, said: Option<&str>, of_token: Option<&Value>) -> Result<(), Refusal> {
    match said {
        Some(said) if of_token.and_then(Value::as_str) == Some(said) => Ok(()),
        said => Err(Refusal::new(Reason::SubjectClaimMismatch, "the cluster knows the token as somebody else's")
            .claim(name)
            .got(said.unwrap_or("nothing"))
            .wanted(claims::describe(of_token))
            .help("`token_review.url` must be the API server of the cluster that issued the token")),
    }
}

/// The API server's own words, unless they hold a piece of the token.
fn revoked(error: Option<&str>, token: &Secret) -> Refusal {
    let leaks = |error: &&str| token.expose().split('.').any(|part| part.len() >= 8 && error.contains(part));
    Refusal::new(Reason::SubjectRevoked, "the cluster no longer vouches for the token")
        .claim("TokenReview status.authenticated")
        .got(error.filter(|error| !leaks(error)).unwrap_or("false"))
        .wanted("a token whose pod and service account exist")
        .help("restart the workload, or let it read the token its pod has now")
}

#[cfg(test)]
mod tests;
