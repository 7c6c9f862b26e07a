//! Azure: a federated credential of an app or managed identity, and shared access signatures of one container.
//!
//! | part | what it is about |
//! |---|---|
//! | [`check`] | what configuration may say |
//! | [`plan`] | which federated credentials the apps need, and whether they have room |
//! | [`entra`], [`aadsts`] | an access token for our assertion, and the codes of refusals |
//! | [`storage`] | the user delegation key, with which signatures are made |
//! | [`kept_keys`] | such keys, kept for a while |
//! | [`sas`], [`permissions`] | the signature itself |
//! | [`correlation`] | one name for a credential in both records: Azure's and ours |

mod aadsts;
mod check;
mod correlation;
mod entra;
mod kept_keys;
mod permissions;
mod plan;
mod sas;
mod storage;

use http::Uri;
use token::{claims::Scope, spiffe::SpiffeId};

pub use self::{
    kept_keys::KeptKeys,
    plan::{AppPlan, FederatedCredential, PlanProblem, plan},
};
use super::{
    credential::{Credential, CredentialKind},
    means::Means,
    order::Order,
    trouble::Trouble,
};
use crate::crypto;

/// `aud` of our assertions in Azure's public cloud.
pub const DEFAULT_AUDIENCE: &str = "api://AzureADTokenExchange";

/// How much earlier than now a signature counts, in seconds: Azure's clocks may be behind ours.
const BACKDATED: u64 = 300;

/// The longest life of a signature, in seconds. Azure's own bound is seven days for the key.
const MAX_SAS_LIFE: u64 = 6 * 24 * 3600;

/// One app registration or user-assigned managed identity that trusts us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub tenant: String,
    pub client_id: String,
    /// `aud` of our assertions.
    pub audience: String,
    /// `sub` of our assertions: one for all workloads, since an app has room for 20 federated credentials.
    pub subject: String,
    /// Workloads with a federated credential of their own, whose name is `sub`.
    pub own_credentials: Vec<String>,
    /// Where Entra is asked, if not at its public address.
    pub authority: Option<Uri>,
    /// Where the storage accounts answer, if not below `blob.core.windows.net`: an address whose host has a dot is what
    /// stands behind the account's name (`https://blob.core.usgovcloudapi.net`); with any other host, or an IP address, the
    /// account's name stands in the path, as emulators have it.
    pub storage_endpoint: Option<Uri>,
    /// What is kept between orders. It begins empty ([`Default`]).
    pub keys: KeptKeys,
}

/// What the credential opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Blobs of one container, by a shared access signature.
    Container { account: String, container: String },
    /// Whatever roles the identity has there: `https://vault.azure.net/.default`.
    Scope(String),
}

impl Settings {
    /// What is wrong with a destination of this provider, in words for the configuration's findings.
    pub fn check(&self, opening: &Opening, permissions: &Scope) -> Result<(), String> {
        check::settings(self)?;
        check::opening(opening, permissions)
    }

    /// Has the credential that `order` asks for, which opens `opening`.
    pub async fn obtain(
        &self,
        opening: &Opening,
        order: &Order,
        means: Means<'_>,
        now: u64,
    ) -> Result<Credential, Trouble> {
        // Account and container become an address and what is signed, whoever made the order.
        check::opening(opening, &order.permissions).map_err(|_| {
            Trouble::unfit("ask for permissions of the destination, some of those it is configured with")
        })?;
        match opening {
            Opening::Container { account, container } => self.signature(account, container, order, means, now).await,
            Opening::Scope(scope) => {
                let entra::Granted { token, life, jti } =
                    entra::access_token(self, scope, &order.subject, means, now).await?;
                Ok(Credential {
                    kind: CredentialKind::Token { token, token_type: "Bearer".to_owned() },
                    expires_at: now.saturating_add(life),
                    provider_reference: Some(correlation::id(&jti)),
                    jti,
                })
            }
        }
    }

    /// A signature for one container. It is made here, for this order alone; the key it is made with may have been used before.
    async fn signature(
        &self,
        account: &str,
        container: &str,
        order: &Order,
        means: Means<'_>,
        now: u64,
    ) -> Result<Credential, Trouble> {
        let permissions = permissions::letters(&order.permissions);
        let life = order.life.min(MAX_SAS_LIFE);
        let holder = self.holder(account, life, &order.subject);
        let asked = storage::delegation_key(self, account, life, &order.subject, means, now);
        let key = self.keys.get(holder, now, asked).await?;
        let expires_at = now.saturating_add(life).min(key.expires_at);
        if expires_at <= now {
            return Err(Trouble::Invalid { code: "a delegation key that ends at once".to_owned() });
        }
        let jti = crypto::random_id().map_err(|error| Trouble::Unavailable { code: error.to_string() })?;
        let correlation = correlation::id(&jti);
        let sas = sas::Sas {
            version: sas::VERSION,
            permissions: &permissions,
            starts_at: Some(&storage::written(now.saturating_sub(BACKDATED).max(key.starts_at))?),
            expires_at: &storage::written(expires_at)?,
            resource: sas::CONTAINER,
            canonical: &format!("/blob/{account}/{container}"),
            correlation: Some(&correlation),
        };
        let kind = CredentialKind::AzureSas(sas.query(&key));
        Ok(Credential { kind, expires_at, jti, provider_reference: Some(correlation) })
    }

    /// `sub` of an assertion about `workload`.
    fn subject_of<'s>(&'s self, workload: &'s SpiffeId) -> &'s str {
        let own = self.own_credentials.iter().any(|name| name == workload.as_str());
        if own { workload.as_str() } else { &self.subject }
    }
}

#[cfg(test)]
mod tests;
