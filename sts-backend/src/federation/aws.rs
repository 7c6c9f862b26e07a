//! AWS: `AssumeRoleWithWebIdentity`, narrowed by a session policy to one bucket, table or queue.

use http::Uri;
use token::claims::Scope;

use super::{credential::Credential, means::Means, order::Order, trouble::Trouble};

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

impl Settings {
    /// What is wrong with a destination of this provider, in words for the configuration's findings.
    pub fn check(&self, opening: &Opening, permissions: &Scope) -> Result<(), String> {
        _ = (opening, permissions);
        Ok(())
    }

    /// Has the credential that `order` asks for, which opens `opening`.
    pub async fn obtain(
        &self,
        opening: &Opening,
        order: &Order,
        means: Means<'_>,
        now: u64,
    ) -> Result<Credential, Trouble> {
        _ = (opening, order, means, now);
        Err(Trouble::Unavailable { code: "not built".to_owned() })
    }
}
