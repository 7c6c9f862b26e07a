//! An AWS account: whom it trusts, its roles, and what it holds.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};

use super::{
    buckets::Buckets,
    policy::{Context, Place, Policy, Verdict},
    session::Session,
    tables::Tables,
};
use crate::{
    Result,
    federation::{
        issuer::Issuer,
        reply::{Wrong, wrong},
    },
    pki::Pki,
};

/// What an account is set up with.
#[derive(Clone, Debug)]
pub struct Setup {
    pub id: String,
    pub region: String,
    /// The audiences that the OIDC provider of our issuer lists.
    pub client_ids: Vec<String>,
    pub roles: Vec<RoleSetup>,
    /// Buckets with their objects: key and content.
    pub buckets: BTreeMap<String, Vec<(String, String)>>,
    pub tables: Vec<String>,
    pub queues: Vec<String>,
}

/// A role.
#[derive(Clone, Debug)]
pub struct RoleSetup {
    pub name: String,
    /// Who may assume it.
    pub trust: Value,
    /// What it may do.
    pub rights: Value,
    /// Its longest session, in seconds.
    pub max_session: i64,
}

/// The account, while it runs.
pub struct Account {
    pub id: String,
    pub region: String,
    pub issuer: Issuer,
    pub client_ids: Vec<String>,
    pub buckets: Mutex<Buckets>,
    pub tables: Mutex<Tables>,
    roles: BTreeMap<String, Role>,
    sessions: Mutex<BTreeMap<String, Arc<Session>>>,
}

/// A role that was read.
pub struct Role {
    pub name: String,
    pub trust: Policy,
    pub max_session: i64,
    rights: Policy,
}

impl Setup {
    /// The account that [`Self::default`] makes.
    pub const ACCOUNT: &'static str = "210987654321";

    /// A role of it.
    pub fn role_arn(&self, name: &str) -> String {
        format!("arn:aws:iam::{}:role/{name}", self.id)
    }
}

/// One role for all workloads of ours, which may use every bucket, table and queue of the account: what is narrower comes from
/// session policies. A second role is assumed from the first.
impl Default for Setup {
    fn default() -> Self {
        let id = Self::ACCOUNT;
        let trust = |principal: Value, action: Value, condition: Value| {
            let mut statement = json!({"Effect": "Allow", "Principal": principal, "Action": action});
            if !condition.is_null() {
                statement["Condition"] = condition;
            }
            json!({"Version": "2012-10-17", "Statement": [statement]})
        };
        let storage = json!({"Effect": "Allow", "Action": ["s3:*", "dynamodb:*", "sqs:*"], "Resource": "*"});
        let next = json!({
            "Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
            "Resource": format!("arn:aws:iam::{id}:role/cloakroom-deep")
        });
        let roles = vec![
            RoleSetup {
                name: "cloakroom".into(),
                trust: trust(
                    json!({"Federated": format!("arn:aws:iam::{id}:oidc-provider/sts.cloakroom.test")}),
                    json!(["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"]),
                    json!({
                        "StringEquals": {"sts.cloakroom.test:aud": "sts.amazonaws.com"},
                        "StringLike": {"sts.cloakroom.test:sub": "spiffe://cloakroom.test/*"}
                    }),
                ),
                rights: json!({"Version": "2012-10-17", "Statement": [storage, next]}),
                max_session: 3600,
            },
            RoleSetup {
                name: "cloakroom-deep".into(),
                trust: trust(
                    json!({"AWS": format!("arn:aws:iam::{id}:role/cloakroom")}),
                    json!(["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]),
                    Value::Null,
                ),
                rights: json!({"Version": "2012-10-17", "Statement": storage}),
                max_session: 43_200,
            },
        ];
        let objects = |name: &str| {
            let object = |team: &str| (format!("team-{team}/q3.txt"), format!("{name} of team {team}\n"));
            (name.to_owned(), vec![object("a"), object("b")])
        };
        Self {
            id: id.into(),
            region: crate::aws::REGION.into(),
            client_ids: vec!["sts.amazonaws.com".into()],
            roles,
            buckets: ["reports", "ledger"].into_iter().map(objects).collect(),
            tables: vec!["orders".into(), "invoices".into()],
            queues: vec!["jobs".into(), "audit".into()],
        }
    }
}

impl Account {
    /// An account that trusts the issuer at `url`, whose host's name leads to `address`.
    pub fn new(setup: Setup, url: &str, address: SocketAddr, pki: &Pki) -> Result<Self> {
        let mut roles = BTreeMap::new();
        for role in setup.roles {
            let trust = Policy::read(&role.trust, Place::Trust)?;
            let rights = Policy::read(&role.rights, Place::Rights)?;
            roles.insert(role.name.clone(), Role { name: role.name, trust, rights, max_session: role.max_session });
        }
        Ok(Self {
            id: setup.id,
            region: setup.region,
            issuer: Issuer::new(url, address, pki)?,
            client_ids: setup.client_ids,
            buckets: Mutex::new(Buckets::new(setup.buckets)),
            tables: Mutex::new(Tables::new(setup.tables, setup.queues)),
            roles,
            sessions: Mutex::default(),
        })
    }

    /// The OIDC provider of our issuer.
    pub fn provider_arn(&self) -> String {
        format!("arn:aws:iam::{}:oidc-provider/{}", self.id, self.issuer.name())
    }

    /// The role of that ARN, if it is one of this account.
    pub fn role(&self, arn: &str) -> Option<&Role> {
        self.roles.get(arn.strip_prefix(&format!("arn:aws:iam::{}:role/", self.id))?)
    }

    /// Remembers a session.
    pub fn open(&self, session: Session) -> Arc<Session> {
        let session = Arc::new(session);
        self.sessions().insert(session.access_key.clone(), Arc::clone(&session));
        session
    }

    /// The session with that access key.
    pub fn session(&self, access_key: &str) -> Option<Arc<Session>> {
        self.sessions().get(access_key).cloned()
    }

    /// Whether `session` may do `action` on `resource`: its role's rights must allow it, and its own policy where it has one.
    pub fn authorise(&self, session: &Session, action: &str, resource: &str, context: Context) -> Result<(), Wrong> {
        let context = session.context(context);
        let refused = |why: &str| {
            let who = session.arn(&self.id);
            let message =
                format!("User: {who} is not authorized to perform: {action} on resource: \"{resource}\" {why}");
            Err(wrong(403, "AccessDenied", message))
        };
        let rights =
            self.roles.get(&session.role).map_or(Verdict::Deny, |role| role.rights.verdict(action, resource, &context));
        let narrowed = session.policy.as_ref().map(|policy| policy.verdict(action, resource, &context));
        match (rights, narrowed) {
            (Verdict::Deny, _) => refused("with an explicit deny in an identity-based policy"),
            (_, Some(Verdict::Deny)) => refused("with an explicit deny in a session policy"),
            (Verdict::Silent, _) => refused(&format!("because no identity-based policy allows the {action} action")),
            (_, Some(Verdict::Silent)) => refused(&format!("because no session policy allows the {action} action")),
            (Verdict::Allow, Some(Verdict::Allow) | None) => Ok(()),
        }
    }

    fn sessions(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
