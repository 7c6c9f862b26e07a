//! AWS: `AssumeRoleWithWebIdentity`, narrowed by a session policy to one bucket, table or queue.
//!
//! The workload's name goes with the session wherever AWS writes one down: as the session's name and its source identity,
//! both cut to what AWS takes ([`session_name`]), and whole as the session tag `workload`.

mod arn;
mod assume;
mod refusals;
mod session_name;
mod session_policy;
mod sign;

use std::collections::BTreeMap;

use http::Uri;
use serde_json::{Value, json};
use token::{claims::Scope, jws::Algorithm};

use self::{
    arn::Role,
    assume::{Assumption, Proof},
};
use super::{
    assertion::Assertion,
    credential::{Credential, CredentialKind},
    means::Means,
    order::Order,
    permission::Permission,
    trouble::Trouble,
};
use crate::aws::partition::Partition;

/// The shortest session that AWS opens, in seconds.
const SHORTEST: u64 = 900;

/// The longest, and the longest of a role that is assumed with the keys of another.
const LONGEST: u64 = 43_200;
const LONGEST_CHAINED: u64 = 3600;

/// The most roles that are assumed one after the other. Each costs a call.
const MOST_ROLES: usize = 5;

/// The longest `sub` that AWS takes.
const LONGEST_SUBJECT: usize = 255;

/// What to do about an order that no session policy can be made for.
const CONFIGURE: &str =
    "ask for permissions that the destination has; `cloakroom validate` says what is wrong with its configuration";

/// One role, and how it is assumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The role that trusts us.
    pub role_arn: String,
    /// Roles that are assumed one after the other with the keys of the one before. The last one counts.
    pub then_roles: Vec<String>,
    /// Whose STS is asked.
    pub region: String,
    /// `aud` of our assertions, as the account's OIDC provider lists it.
    pub audience: String,
    /// Where the STS is asked, if not at its public address.
    pub endpoint: Option<Uri>,
}

/// What the credential opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Objects of one bucket, below `prefix` if there is one.
    Bucket { bucket: String, prefix: Option<String> },
    /// Items of one DynamoDB table, by its ARN.
    Table { arn: String },
    /// Messages of one SQS queue, by its ARN.
    Queue { arn: String },
}

/// What settings, opening and permissions come to.
struct Plan<'s> {
    endpoint: Uri,
    /// At least one.
    roles: Vec<Role<'s>>,
    policy: String,
}

impl Settings {
    /// What is wrong with a destination of this provider, in words for the configuration's findings.
    pub fn check(&self, opening: &Opening, permissions: &Scope) -> Result<(), String> {
        self.plan(opening, permissions).map(drop)
    }

    /// Has the credential that `order` asks for, which opens `opening`.
    ///
    /// Of several roles, each session ends by the end of the one before: the credential ends with the first.
    pub async fn obtain(
        &self,
        opening: &Opening,
        order: &Order,
        means: Means<'_>,
        now: u64,
    ) -> Result<Credential, Trouble> {
        let Plan { endpoint, roles, policy } =
            self.plan(opening, &order.permissions).map_err(|_| Trouble::unfit(CONFIGURE))?;
        let subject = order.subject.as_str();
        if subject.len() > LONGEST_SUBJECT {
            return Err(Trouble::unfit(
                "give the workload a name of at most 255 characters: AWS takes no longer `sub`",
            ));
        }
        let session_name = session_name::session_name(&order.subject, means.trust_domain);
        let longest = if roles.len() > 1 { LONGEST_CHAINED } else { LONGEST };
        let assumption = |role, last| Assumption {
            role,
            session_name: &session_name,
            seconds: order.life.clamp(SHORTEST, longest),
            policy: if last { Some(policy.as_str()) } else { None },
        };
        let signed = means.signer.sign(&self.assertion(subject, &session_name), now)?;

        let mut session: Option<assume::Session> = None;
        for (place, role) in roles.iter().enumerate() {
            let assumption = assumption(*role, place + 1 == roles.len());
            let proof = match &session {
                None => Proof::WebIdentity { jwt: &signed.jwt, subject, audience: &self.audience },
                Some(before) => Proof::Keys(&before.keys),
            };
            let call = assumption.call(&proof, &endpoint, &self.region, now)?;
            let mut next = means.calls.ask(&call, |answered| assumption.judge(&proof, answered, now)).await?;
            if let Some(before) = &session {
                next.expires_at = next.expires_at.min(before.expires_at);
            }
            session = Some(next);
        }
        let session = session.ok_or_else(|| Trouble::unfit(CONFIGURE))?;
        Ok(Credential {
            provider_reference: Some(session.keys.access_key_id.clone()),
            kind: CredentialKind::AwsKeys(session.keys),
            expires_at: session.expires_at,
            jti: signed.jti,
        })
    }

    fn plan<'s>(&'s self, opening: &Opening, permissions: &Scope) -> Result<Plan<'s>, String> {
        let first = Role::parse(&self.role_arn).map_err(|problem| format!("`role_arn`: {problem}"))?;
        let mut roles = vec![first];
        for arn in &self.then_roles {
            roles.push(Role::parse(arn).map_err(|problem| format!("`then_roles`: {problem}"))?);
        }
        if roles.len() > MOST_ROLES {
            return Err(format!("`then_roles` has {}; at most {} are accepted", roles.len() - 1, MOST_ROLES - 1));
        }
        if let Some(other) = roles.iter().find(|role| role.partition != first.partition) {
            return Err(format!("`then_roles` has `{}`, in another partition than `role_arn`", other.arn));
        }
        if Partition::of_region(&self.region) != Some(first.partition) {
            let partition = first.partition.name();
            return Err(format!(
                "`region` is `{}`, which is no region of the role's partition, {partition}",
                self.region
            ));
        }
        // IAM User Guide, "IAM and AWS STS quotas": client ids have at most 255 characters.
        if !(1..=255).contains(&self.audience.len()) || !self.audience.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(
                "`audience` must be one of the OIDC provider's client ids: 1 to 255 characters, no blanks".to_owned()
            );
        }
        let permissions = Permission::read_all(permissions)?;
        let policy = session_policy::session_policy(opening, &permissions, first.partition)?;
        Ok(Plan { endpoint: self.endpoint(first.partition)?, roles, policy })
    }

    fn endpoint(&self, partition: Partition) -> Result<Uri, String> {
        let Some(endpoint) = &self.endpoint else {
            let host = partition.sts_host(&self.region);
            return format!("https://{host}/")
                .parse()
                .map_err(|_| format!("`region` is `{}`, which is none", self.region));
        };
        if !matches!(endpoint.path_and_query().map_or("/", |path| path.as_str()), "" | "/") {
            return Err(format!("`endpoint` is `{endpoint}`; requests are signed for the path `/`, leave it out"));
        }
        Ok(endpoint.clone())
    }

    fn assertion(&self, subject: &str, session_name: &str) -> Assertion {
        let tags: Value = json!({ "principal_tags": { "workload": [subject] }, "transitive_tag_keys": ["workload"] });
        Assertion {
            issuer: None,
            subject: subject.to_owned(),
            audience: self.audience.clone(),
            typ: "JWT",
            algorithm: Algorithm::Rs256,
            claims: BTreeMap::from([
                ("https://aws.amazon.com/tags".to_owned(), tags),
                ("https://aws.amazon.com/source_identity".to_owned(), session_name.into()),
            ]),
        }
    }
}

#[cfg(test)]
mod tests;
