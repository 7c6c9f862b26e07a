//! Google Cloud: workload identity federation, a service account, and a boundary of one bucket or prefix.

use http::Uri;
use token::claims::Scope;

use super::{credential::Credential, means::Means, order::Order, trouble::Trouble};

/// One workload identity pool's provider, and the service account it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The full resource name of the pool's provider: `//iam.googleapis.com/projects/...`.
    pub provider: String,
    /// `aud` of our assertions, if not the provider's full resource name with `https:`.
    pub audience: Option<String>,
    /// The service account that is impersonated; without one the federated token itself is used.
    pub service_account: Option<String>,
    /// Where Google's STS is asked, if not at its public address.
    pub sts_endpoint: Option<Uri>,
    /// Where IAM Credentials are asked, if not at their public address.
    pub iam_endpoint: Option<Uri>,
}

/// What the credential opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Objects of one bucket, below `prefix` if there is one.
    Bucket { bucket: String, prefix: Option<String> },
    /// Whatever these scopes allow the identity (no narrowing by resource exists outside Cloud Storage).
    Scopes(Vec<String>),
    /// One service that takes Google ID tokens for this audience.
    IdToken { audience: String },
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
