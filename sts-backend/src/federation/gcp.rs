//! Google Cloud: workload identity federation, a service account, and a boundary of one bucket or prefix.
//!
//! Up to three calls: our assertion for a federated token, which is kept for the workload's next order ([`kept`]); that for a token
//! of the service account ([`service_account`]); that for one that opens a single bucket or folder ([`boundary`]). A service
//! account's token is not kept: it is made with the life of one order, and what is made of it ends with it.

mod boundary;
mod exchange;
mod kept;
mod names;
mod refusals;
mod service_account;

use std::collections::{BTreeMap, BTreeSet};

use http::Uri;
use token::{claims::Scope, digest::FieldDigest, jws::Algorithm};

pub use self::kept::Kept;
use self::{
    exchange::Given,
    kept::{Federated, Had},
    service_account::ServiceAccount,
};
use super::{
    assertion::Assertion,
    credential::{Credential, CredentialKind},
    means::Means,
    order::Order,
    permission::Permission,
    trouble::Trouble,
};

/// The longest `google.subject`, in bytes.
const LONGEST_SUBJECT: usize = 127;

/// How long a kept token must last at least, in seconds: the calls that it is for take a few.
const MARGIN: u64 = 60;

/// How long a service account's token is asked to live, in seconds. Nothing documents what less Google takes; more needs a
/// policy of the organisation.
const SHORTEST: u64 = 300;
const LONGEST: u64 = 3600;

/// The most scopes a destination has, and the longest audience of an ID token.
const MOST_SCOPES: usize = 32;
const LONGEST_AUDIENCE: usize = 2048;

/// What a federated token must be good for to impersonate a service account, and for nothing else.
const IMPERSONATE: &str = "https://www.googleapis.com/auth/iam";

/// What objects need.
const READ_OBJECTS: &str = "https://www.googleapis.com/auth/devstorage.read_only";
const WRITE_OBJECTS: &str = "https://www.googleapis.com/auth/devstorage.read_write";

/// What Google says to a token that is good no more.
const STALE: [&str; 2] = ["UNAUTHENTICATED", "invalid_grant"];

/// What to do about an order that nothing can be made of.
const CONFIGURE: &str = "ask for permissions that the destination has, and for `delete` only along with `write` and `list`; \
                         `cloakroom validate` says what is wrong with its configuration";

/// One workload identity pool's provider, and the service account it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The full resource name of the pool's provider: `//iam.googleapis.com/projects/...`.
    pub provider: String,
    /// `aud` of our assertions, if not the provider's full resource name with `https:`.
    pub audience: Option<String>,
    /// The service account that is impersonated; without one the federated token itself is used.
    pub service_account: Option<String>,
    /// Where Google's STS is asked, if not at its public address. Without path.
    pub sts_endpoint: Option<Uri>,
    /// Where IAM Credentials are asked, if not at their public address. Without path.
    pub iam_endpoint: Option<Uri>,
    /// Federated tokens, kept for the next order: none to begin with.
    pub kept: Kept,
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

/// What settings, opening and permissions come to.
struct Plan<'s> {
    token_endpoint: Uri,
    /// With it begin the names of those the pool lets in.
    pool: &'s str,
    account: Option<(Uri, &'s str)>,
    wanted: Wanted,
}

enum Wanted {
    Objects { scope: &'static str, boundary: String },
    Scopes(Vec<String>),
    IdToken { audience: String },
}

impl Settings {
    /// What is wrong with a destination of this provider, in words for the configuration's findings.
    pub fn check(&self, opening: &Opening, permissions: &Scope) -> Result<(), String> {
        self.plan(opening, permissions).map(drop)
    }

    /// Has the credential that `order` asks for, which opens `opening`.
    pub async fn obtain(
        &self,
        opening: &Opening,
        order: &Order,
        means: Means<'_>,
        now: u64,
    ) -> Result<Credential, Trouble> {
        let plan = self.plan(opening, &order.permissions).map_err(|_| Trouble::unfit(CONFIGURE))?;
        let subject = order.subject.as_str();
        if subject.len() > LONGEST_SUBJECT {
            return Err(Trouble::unfit(
                "give the workload a name of at most 127 bytes: Google takes no longer `google.subject`",
            ));
        }
        let mut had = self.federated(&plan, order, means, now).await?;
        let mut outcome = plan.spend(&had.federated, order, means, now).await;
        // A kept token may have been revoked. A new one is tried once; who is refused with that is refused.
        if had.was_kept && matches!(&outcome, Err(Trouble::Refused { code, .. }) if STALE.contains(&code.as_str())) {
            self.kept.forget(self.key(&plan, subject), &had.federated).await;
            had = self.federated(&plan, order, means, now).await?;
            outcome = plan.spend(&had.federated, order, means, now).await;
        }
        let Given { token, expires_at } = outcome?;
        Ok(Credential {
            kind: CredentialKind::Token { token, token_type: "Bearer".to_owned() },
            expires_at,
            jti: had.federated.jti.clone(),
            provider_reference: Some(format!("principal:{}/subject/{subject}", plan.pool)),
        })
    }

    /// The federated token of the order's workload: a kept one, or a new one.
    async fn federated(&self, plan: &Plan<'_>, order: &Order, means: Means<'_>, now: u64) -> Result<Had, Trouble> {
        let subject = order.subject.as_str();
        // Where it is the credential, or its end is the credential's, it must last as long as the order.
        let needed = if plan.account.is_some() { MARGIN } else { order.life.max(MARGIN) };
        let call = async {
            let signed = means.signer.sign(&self.assertion(subject), now)?;
            let endpoint = plan.token_endpoint.clone();
            let scope = plan.federated_scope();
            let call = exchange::federate(endpoint, &self.provider, &scope, &signed.jwt);
            let given = |answered: &_| exchange::given(answered, &scope, None, now);
            let Given { token, expires_at } = means.calls.ask(&call, given).await?;
            Ok(Federated { token, expires_at, jti: signed.jti })
        };
        self.kept.have(self.key(plan, subject), now.saturating_add(needed), now, call).await
    }

    /// Under what a federated token is kept: all that it was asked for with.
    fn key(&self, plan: &Plan<'_>, subject: &str) -> [u8; 32] {
        FieldDigest::new("google federated token")
            .field(plan.token_endpoint.to_string())
            .field(&self.provider)
            .field(self.audience())
            .field(subject)
            .field(plan.federated_scope())
            .finish()
    }

    fn audience(&self) -> String {
        self.audience.clone().unwrap_or_else(|| format!("https:{}", self.provider))
    }

    fn assertion(&self, subject: &str) -> Assertion {
        Assertion {
            issuer: None,
            subject: subject.to_owned(),
            audience: self.audience(),
            typ: "JWT",
            algorithm: Algorithm::Rs256,
            claims: BTreeMap::new(),
        }
    }

    fn plan<'s>(&'s self, opening: &Opening, permissions: &Scope) -> Result<Plan<'s>, String> {
        let pool = names::pool_of(&self.provider)?;
        // IAM API, `oidc.allowedAudiences`.
        let audience = self.audience();
        if !(1..=256).contains(&audience.len()) || !audience.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("`audience` must be one that the provider allows: 1 to 256 characters, no blanks".to_owned());
        }
        let endpoint = |name, given: &Option<Uri>, public| match given {
            None => Ok(Uri::from_static(public)),
            Some(uri) if matches!(uri.path_and_query().map_or("/", |path| path.as_str()), "" | "/") => Ok(uri.clone()),
            Some(uri) => Err(format!("`{name}` is `{uri}`; the paths are Google's own, leave it out")),
        };
        let sts = endpoint("sts_endpoint", &self.sts_endpoint, "https://sts.googleapis.com")?;
        let iam = endpoint("iam_endpoint", &self.iam_endpoint, "https://iamcredentials.googleapis.com")?;
        self.service_account.as_deref().map_or(Ok(()), names::check_service_account)?;
        let account = self.service_account.as_deref().map(|email| (iam, email));
        let wanted = match opening {
            Opening::Bucket { bucket, prefix } => {
                let permissions = Permission::read_all(permissions)?;
                let boundary = boundary::boundary(bucket, prefix.as_deref(), &permissions)?;
                Wanted::Objects { scope: scope_for(&permissions), boundary }
            }
            Opening::Scopes(scopes) => Wanted::Scopes(scopes_within(scopes, permissions)?),
            Opening::IdToken { .. } if account.is_none() => {
                return Err("`id_token_audience` needs a `service_account`: only accounts have ID tokens".to_owned());
            }
            Opening::IdToken { .. } if !permissions.is_empty() => {
                return Err("`permissions` is not empty; an ID token has none, its service decides alone".to_owned());
            }
            Opening::IdToken { audience } => {
                let fits = (1..=LONGEST_AUDIENCE).contains(&audience.len());
                if !fits || !audience.bytes().all(|byte| byte.is_ascii_graphic()) {
                    return Err("`id_token_audience` must be what the service calls itself, without blanks".to_owned());
                }
                Wanted::IdToken { audience: audience.clone() }
            }
        };
        let token_endpoint = service_account::at(&sts, "/v1/token").ok_or("`sts_endpoint` is no address")?;
        Ok(Plan { token_endpoint, pool, account, wanted })
    }
}

impl Plan<'_> {
    /// The scope of the federated token: no more than what comes next needs.
    fn federated_scope(&self) -> String {
        match &self.wanted {
            _ if self.account.is_some() => IMPERSONATE.to_owned(),
            Wanted::Objects { scope, .. } => (*scope).to_owned(),
            Wanted::Scopes(scopes) => scopes.join(" "),
            Wanted::IdToken { .. } => IMPERSONATE.to_owned(),
        }
    }

    /// What `federated` gets that the order asks for.
    async fn spend(&self, federated: &Federated, order: &Order, means: Means<'_>, now: u64) -> Result<Given, Trouble> {
        let account = self.account.as_ref().map(|(endpoint, email)| ServiceAccount { endpoint, email });
        let access = async |scopes: &[&str]| match account {
            None => Ok(Given { token: federated.token.clone(), expires_at: federated.expires_at }),
            Some(account) => {
                let seconds = order.life.clamp(SHORTEST, LONGEST);
                let call = account.access_token(&federated.token, scopes, seconds)?;
                let given = |answered: &_| service_account::given_access_token(answered, seconds, now);
                means.calls.ask(&call, given).await
            }
        };
        match &self.wanted {
            Wanted::Scopes(scopes) => access(&scopes.iter().map(String::as_str).collect::<Vec<_>>()).await,
            Wanted::Objects { scope, boundary } => {
                let wide = access(&[*scope]).await?;
                self.narrow(&wide, scope, boundary, means, now).await
            }
            Wanted::IdToken { audience } => {
                let account = account.ok_or_else(|| Trouble::unfit(CONFIGURE))?;
                let call = account.id_token(&federated.token, audience)?;
                means.calls.ask(&call, |answered| account.given_id_token(answered, audience, now)).await
            }
        }
    }

    async fn narrow(
        &self,
        wide: &Given,
        scope: &str,
        boundary: &str,
        means: Means<'_>,
        now: u64,
    ) -> Result<Given, Trouble> {
        let call = exchange::narrow(self.token_endpoint.clone(), &wide.token, boundary);
        let given = |answered: &_| exchange::given(answered, scope, Some(wide.expires_at), now);
        let narrow = means.calls.ask(&call, given).await?;
        // Nothing else would show that the boundary was passed over.
        if narrow.token == wide.token {
            return Err(exchange::invalid("the token itself, without the boundary"));
        }
        Ok(narrow)
    }
}

fn scope_for(permissions: &BTreeSet<Permission>) -> &'static str {
    let writes = [Permission::Write, Permission::Delete].iter().any(|writing| permissions.contains(writing));
    if writes { WRITE_OBJECTS } else { READ_OBJECTS }
}

/// The scopes that `permissions` has of those that the destination opens.
fn scopes_within(scopes: &[String], permissions: &Scope) -> Result<Vec<String>, String> {
    if permissions.is_empty() {
        return Err("`permissions` is empty; name the scopes there that are to be opened".to_owned());
    }
    if scopes.len() > MOST_SCOPES {
        return Err(format!("`scopes` has {}; at most {MOST_SCOPES} are accepted", scopes.len()));
    }
    match permissions.iter().find(|permission| !scopes.iter().any(|scope| scope == permission)) {
        Some(other) => Err(format!("`permissions` has `{other}`, which is not one of `scopes`")),
        None => Ok(permissions.iter().map(str::to_owned).collect()),
    }
}

#[cfg(test)]
mod tests;
