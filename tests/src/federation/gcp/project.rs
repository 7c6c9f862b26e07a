//! A Google Cloud project: whom it trusts, its service accounts, and what it holds.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{boundary::Boundary, expression::Expression, roles};
use crate::{
    Result,
    federation::{authority::Authority, issuer::Issuer, random, seen::Seen},
    pki::Pki,
};

/// What a project is set up with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The full resource name of the pool's provider.
    pub provider: String,
    /// What `aud` may be. By default the provider's name, with or without `https:`.
    pub allowed_audiences: Vec<String>,
    /// Of the assertions that are let in, in CEL.
    pub attribute_condition: Option<String>,
    pub service_accounts: Vec<ServiceAccount>,
    pub buckets: BTreeMap<String, Bucket>,
    pub services: Vec<Service>,
}

/// A service account.
#[derive(Clone, Debug)]
pub struct ServiceAccount {
    pub email: String,
    /// Who may use it: `principal://...` or `principalSet://.../*`.
    pub users: Vec<String>,
}

/// A bucket of Cloud Storage.
#[derive(Clone, Debug, Default)]
pub struct Bucket {
    pub objects: BTreeMap<String, Vec<u8>>,
    /// Role and member: an e-mail address of a service account, or as in [`ServiceAccount::users`].
    pub bindings: Vec<(String, String)>,
}

/// A service of Cloud Run that wants Google's ID tokens.
#[derive(Clone, Debug)]
pub struct Service {
    pub host: String,
    /// The service accounts that may call it.
    pub invokers: Vec<String>,
}

/// The project, while it runs.
pub struct Project {
    pub provider: String,
    pub pool: String,
    pub issuer: Issuer,
    pub allowed_audiences: Vec<String>,
    pub attribute_condition: Option<Expression>,
    pub service_accounts: Vec<ServiceAccount>,
    pub services: Vec<Service>,
    /// Google itself, as the issuer of ID tokens.
    pub google: Arc<Authority>,
    buckets: Mutex<BTreeMap<String, Bucket>>,
    tokens: Mutex<BTreeMap<String, Token>>,
}

/// What an access token is worth.
#[derive(Clone, Debug)]
pub struct Token {
    pub who: Who,
    pub scopes: Vec<String>,
    /// In seconds since the epoch.
    pub expires: i64,
    pub boundary: Option<Boundary>,
}

/// Who is behind a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// A workload, by its `principal://` name.
    Federated(String),
    /// A service account, and the workload that uses it.
    ServiceAccount { email: String, user: String },
}

impl Setup {
    /// The project's number.
    pub const NUMBER: &'static str = "543210987654";
    /// Its one service account.
    pub const SERVICE_ACCOUNT: &'static str = "cloakroom@acme-data.iam.gserviceaccount.com";
    /// Its one service.
    pub const SERVICE: &'static str = "reports-x2k4q-ew.a.run.app";
}

/// One service account that every workload of ours may use, and that may do everything with both buckets. Workloads may read
/// both in their own names too.
impl Default for Setup {
    fn default() -> Self {
        let pool =
            format!("iam.googleapis.com/projects/{}/locations/global/workloadIdentityPools/cloakroom", Self::NUMBER);
        let everybody = format!("principalSet://{pool}/*");
        let bucket = |name: &str| {
            let object = |team: &str| {
                let content = format!("{name} of team {team}\n");
                (format!("team-{team}/q3.txt"), content.into_bytes())
            };
            let bucket = Bucket {
                objects: [object("a"), object("b")].into(),
                bindings: vec![
                    ("roles/storage.objectUser".into(), Self::SERVICE_ACCOUNT.into()),
                    ("roles/storage.objectViewer".into(), everybody.clone()),
                ],
            };
            (name.to_owned(), bucket)
        };
        Self {
            provider: format!("//{pool}/providers/sts"),
            allowed_audiences: Vec::new(),
            attribute_condition: Some("assertion.sub.startsWith('spiffe://cloakroom.test/')".into()),
            service_accounts: vec![ServiceAccount {
                email: Self::SERVICE_ACCOUNT.into(),
                users: vec![everybody.clone()],
            }],
            buckets: [bucket("acme-reports"), bucket("acme-ledger")].into(),
            services: vec![Service { host: Self::SERVICE.into(), invokers: vec![Self::SERVICE_ACCOUNT.into()] }],
        }
    }
}

impl Project {
    /// A project that trusts the issuer at `url`, whose host's name leads to `address`.
    pub fn new(setup: Setup, url: &str, address: SocketAddr, pki: &Pki) -> Result<Self> {
        let (pool, _) = setup.provider.split_once("/providers/").ok_or("a provider's name has /providers/ in it")?;
        let pool = pool.trim_start_matches('/').to_owned();
        let allowed_audiences = if setup.allowed_audiences.is_empty() {
            vec![setup.provider.clone(), format!("https:{}", setup.provider)]
        } else {
            setup.allowed_audiences
        };
        Ok(Self {
            pool,
            issuer: Issuer::new(url, address, pki)?,
            allowed_audiences,
            attribute_condition: setup.attribute_condition.as_deref().map(Expression::read).transpose()?,
            provider: setup.provider,
            service_accounts: setup.service_accounts,
            services: setup.services,
            google: Authority::lasting("https://accounts.google.com")?,
            buckets: Mutex::new(setup.buckets),
            tokens: Mutex::default(),
        })
    }

    /// Remembers what `token` is worth and gives it a name. `kind` is what such tokens begin with.
    pub fn issue(&self, kind: &str, token: Token) -> String {
        let name = format!("{kind}{}", random::word(180));
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), token);
        name
    }

    /// What a token is worth, if anything.
    pub fn token(&self, name: &str, now: i64) -> Option<Token> {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.get(name).filter(|token| now < token.expires).cloned()
    }

    /// Whether `member` of a binding is `principal`, or a set that it is in.
    pub fn is_member(&self, member: &str, principal: &str) -> bool {
        let in_pool = principal.starts_with(&format!("principal://{}/subject/", self.pool));
        member == principal || (in_pool && member == format!("principalSet://{}/*", self.pool))
    }

    /// All buckets.
    pub fn buckets(&self) -> MutexGuard<'_, BTreeMap<String, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `principal` has a role at `bucket` with that permission.
    pub fn has(&self, principal: &str, bucket: &Bucket, permission: &str) -> bool {
        bucket.bindings.iter().any(|(role, member)| {
            self.is_member(member, principal) && roles::permissions(role).is_some_and(|all| all.contains(&permission))
        })
    }
}

impl Who {
    /// By what name its rights are given.
    pub fn principal(&self) -> &str {
        match self {
            Self::Federated(name) => name,
            Self::ServiceAccount { email, .. } => email,
        }
    }

    /// Notes who calls, as Cloud Audit Logs would.
    pub fn note(&self, seen: &mut Seen) {
        seen.principal = self.principal().to_owned();
        if let Self::ServiceAccount { user, .. } = self {
            seen.fact("delegated_by", user.clone());
        }
    }
}
