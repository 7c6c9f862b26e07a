//! A tenant of Entra and what hangs on it: apps with federated credentials, and storage accounts.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::delegation::DelegationKey;
use crate::{
    Result,
    federation::{authority::Authority, issuer::Issuer},
    pki::Pki,
};

/// What a tenant is set up with.
#[derive(Clone, Debug)]
pub struct Setup {
    pub id: String,
    pub apps: Vec<App>,
    /// The resources that tokens can be had for, without `/.default`.
    pub resources: Vec<String>,
    /// Storage accounts with their containers.
    pub accounts: BTreeMap<String, BTreeMap<String, Container>>,
    pub assignments: Vec<Assignment>,
}

/// Blobs by their names.
pub type Container = BTreeMap<String, Vec<u8>>;

/// An app registration or a managed identity.
#[derive(Clone, Debug)]
pub struct App {
    pub client_id: String,
    /// Of its service principal.
    pub object_id: String,
    pub credentials: Vec<FederatedCredential>,
}

/// Which assertions speak for an app. All of it is compared letter by letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FederatedCredential {
    pub issuer: String,
    pub subject: String,
    pub audience: String,
}

/// A role that somebody has somewhere.
#[derive(Clone, Debug)]
pub struct Assignment {
    pub object_id: String,
    pub role: Role,
    /// `ACCOUNT`, or `ACCOUNT/CONTAINER`.
    pub scope: String,
}

/// The built-in roles for blobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Storage Blob Delegator
    Delegator,
    /// Storage Blob Data Reader
    Reader,
    /// Storage Blob Data Contributor
    Contributor,
}

/// What can be done with blobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Read,
    List,
    Write,
    Delete,
    /// Have a user delegation key made.
    Delegate,
}

/// The tenant, while it runs.
pub struct Tenant {
    pub id: String,
    pub apps: Vec<App>,
    pub resources: Vec<String>,
    pub issuer: Issuer,
    /// Entra itself, as the issuer of access tokens.
    pub entra: Arc<Authority>,
    assignments: Vec<Assignment>,
    accounts: Mutex<BTreeMap<String, BTreeMap<String, Container>>>,
    keys: Mutex<Vec<DelegationKey>>,
}

impl Setup {
    /// The tenant that [`Self::default`] makes.
    pub const TENANT: &'static str = "c2a4e6f8-1b3d-4f5a-8c7e-9d0b2f4a6c81";
    /// Its one app.
    pub const CLIENT: &'static str = "e7d1c3b5-9f8a-4e6d-b2c4-a6f8e0d2c4b6";
    /// Whom its federated credential names.
    pub const SUBJECT: &'static str = "spiffe://cloakroom.test/destination/entra";
    /// What Entra calls itself to other issuers.
    pub const AUDIENCE: &'static str = "api://AzureADTokenExchange";
    /// Its one storage account.
    pub const ACCOUNT: &'static str = "acmedata";

    /// The default tenant, trusting the issuer at `url`.
    pub fn trusting(url: &str) -> Self {
        let credential = FederatedCredential {
            issuer: url.to_owned(),
            subject: Self::SUBJECT.into(),
            audience: Self::AUDIENCE.into(),
        };
        let object_id = "a1b3c5d7-2e4f-4a6b-9c8d-0e2f4a6b8c0d".to_owned();
        let container = |name: &str| {
            let blob = |team: &str| {
                let content = format!("{name} of team {team}\n");
                (format!("team-{team}/q3.txt"), content.into_bytes())
            };
            (name.to_owned(), [blob("a"), blob("b")].into())
        };
        let assignment = |role, scope: &str| Assignment { object_id: object_id.clone(), role, scope: scope.to_owned() };
        Self {
            id: Self::TENANT.into(),
            assignments: vec![assignment(Role::Delegator, Self::ACCOUNT), assignment(Role::Contributor, Self::ACCOUNT)],
            apps: vec![App { client_id: Self::CLIENT.into(), object_id, credentials: vec![credential] }],
            resources: vec!["https://storage.azure.com".into(), "https://vault.azure.net".into()],
            accounts: [(Self::ACCOUNT.to_owned(), [container("reports"), container("ledger")].into())].into(),
        }
    }
}

impl Tenant {
    /// A tenant that reads the keys of the issuer at `url`, whose host's name leads to `address`.
    pub fn new(setup: Setup, url: &str, address: SocketAddr, pki: &Pki) -> Result<Self> {
        Ok(Self {
            issuer: Issuer::new(url, address, pki)?,
            entra: Authority::lasting(&format!("https://sts.windows.net/{}/", setup.id))?,
            id: setup.id,
            apps: setup.apps,
            resources: setup.resources,
            assignments: setup.assignments,
            accounts: Mutex::new(setup.accounts),
            keys: Mutex::default(),
        })
    }

    /// Whether an object of the directory may do that with the blobs of a container, or with an account's where there is none.
    pub fn may(&self, object_id: &str, action: Action, account: &str, container: Option<&str>) -> bool {
        self.assignments.iter().filter(|assignment| assignment.object_id == object_id).any(|assignment| {
            let covers = match assignment.scope.split_once('/') {
                None => assignment.scope == account,
                Some((of_account, of)) => of_account == account && Some(of) == container,
            };
            covers && assignment.role.allows(action)
        })
    }

    /// All storage accounts.
    pub fn accounts(&self) -> MutexGuard<'_, BTreeMap<String, BTreeMap<String, Container>>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All delegation keys.
    pub fn keys(&self) -> MutexGuard<'_, Vec<DelegationKey>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Role {
    fn allows(self, action: Action) -> bool {
        match self {
            Self::Delegator => action == Action::Delegate,
            Self::Reader => matches!(action, Action::Read | Action::List | Action::Delegate),
            Self::Contributor => true,
        }
    }
}
