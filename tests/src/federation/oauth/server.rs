//! An authorization server: whom it trusts, what it gives tokens for, and which tokens are worth something.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    Result,
    federation::{
        authority::Authority,
        issuer::Issuer,
        random,
        reply::{Wrong, wrong},
    },
};

/// What a server is set up with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// By what its endpoint is known here: `/NAME/token`.
    pub name: &'static str,
    /// Its issuer identifier (RFC 8414, section 2): what assertions for it have as their audience.
    pub url: &'static str,
    /// What tokens can be had for, and with which scopes.
    pub resources: BTreeMap<String, Vec<String>>,
    /// The clients it knows. Their keys are those of our STS.
    pub clients: Vec<String>,
    /// Whether it answers those alone.
    pub wants_client: bool,
    /// What the names of the subjects it lets in begin with.
    pub subjects: String,
    /// Whether it gives out grants for other servers, and no access tokens.
    pub gives_grants: bool,
}

/// The server, while it runs.
pub struct Server {
    pub setup: Setup,
    /// Whose assertions about others it believes.
    pub trusted: Vec<Issuer>,
    /// Where the clients' keys are.
    pub client_keys: Issuer,
    pub authority: Arc<Authority>,
    spent: Mutex<BTreeMap<(String, String), i64>>,
    tokens: Mutex<BTreeMap<String, Granted>>,
}

/// What an access token opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    pub subject: String,
    pub client_id: Option<String>,
    pub audience: String,
    pub scopes: Vec<String>,
    /// In seconds since the epoch.
    pub expires: i64,
}

impl Server {
    /// A server with the keys that it has for as long as the process runs.
    pub fn new(setup: Setup, trusted: Vec<Issuer>, client_keys: Issuer) -> Result<Self> {
        let authority = Authority::lasting(setup.url)?;
        Ok(Self { setup, trusted, client_keys, authority, spent: Mutex::default(), tokens: Mutex::default() })
    }

    /// Notes that the assertion `jti` of `issuer`, which ends at `ends`, was used.
    ///
    /// # Errors
    /// It was before, or is too long or too lasting to be remembered.
    pub fn spend(&self, issuer: &str, jti: Option<&str>, ends: i64, now: i64) -> Result<(), &'static str> {
        let jti = jti.filter(|jti| jti.len() <= 256).ok_or("jti is missing")?;
        if ends > now + LONGEST {
            return Err("exp is too far in the future");
        }
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.retain(|_, ends| *ends > now);
        match spent.insert((issuer.to_owned(), jti.to_owned()), ends) {
            None => Ok(()),
            Some(_) => Err("jti was used before"),
        }
    }

    /// Gives out a token.
    pub fn issue(&self, granted: Granted) -> String {
        let token = format!("at.{}", random::word(40));
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(token.clone(), granted);
        token
    }

    /// What a token opens, if it is in force.
    pub fn granted(&self, token: &str, now: i64) -> Option<Granted> {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.get(token).filter(|granted| now < granted.expires).cloned()
    }

    /// Takes back every token that it has given out.
    pub fn revoke(&self) {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The audience and the scopes of a token for `targets`, of which there must be one.
    pub fn target(&self, targets: &[&str], scope: Option<&str>) -> Result<(String, Vec<String>), Wrong> {
        let [target] = targets else {
            return Err(wrong(400, "invalid_target", "one resource or audience is expected"));
        };
        let known = self.setup.resources.get(*target);
        let known = known.ok_or_else(|| wrong(400, "invalid_target", format!("{target} is unknown")))?;
        let scopes: Vec<_> = match scope {
            None => known.clone(),
            Some(scope) => scope.split(' ').map(str::to_owned).collect(),
        };
        match scopes.iter().find(|scope| !known.contains(scope)) {
            Some(scope) => Err(wrong(400, "invalid_scope", format!("{scope} is unknown for {target}"))),
            None => Ok(((*target).to_owned(), scopes)),
        }
    }
}

/// The longest that assertions may last, in seconds.
const LONGEST: i64 = 360;
