//! Azure: a federated credential of an app or managed identity, and shared access signatures of one container.

use http::Uri;
use token::claims::Scope;

use super::{credential::Credential, means::Means, order::Order, trouble::Trouble};

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
    /// Where the storage accounts answer, if not below `blob.core.windows.net`.
    pub storage_endpoint: Option<Uri>,
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
