//! One session of a role: its keys, and what goes with it into every call (IAM User Guide, "Pass session tags in AWS STS").

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::policy::{Context, Policy};
use crate::federation::{assertion::Claims, random, seen::Seen};

/// A role that somebody has assumed.
#[derive(Clone, Debug)]
pub struct Session {
    pub access_key: String,
    pub secret_key: String,
    pub token: String,
    /// The role's name.
    pub role: String,
    /// `RoleSessionName`.
    pub name: String,
    /// When the keys end, in seconds since the epoch.
    pub expires: i64,
    pub attributes: Attributes,
    /// What it may do at most.
    pub policy: Option<Policy>,
}

/// What is known of who is behind a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    pub source_identity: Option<String>,
    pub tags: BTreeMap<String, String>,
    /// The tags that go on into the sessions of roles that are assumed from this one.
    pub transitive: BTreeSet<String>,
}

impl Session {
    /// New keys.
    pub fn new(role: &str, name: &str, expires: i64, attributes: Attributes, policy: Option<Policy>) -> Self {
        Self {
            access_key: format!("ASIA{}", random::of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)),
            secret_key: random::of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 40),
            token: format!("IQoJb3JpZ2luX2Vj{}==", random::of(b"ABCDEFabcdef0123456789+/", 362)),
            role: role.to_owned(),
            name: name.to_owned(),
            expires,
            attributes,
            policy,
        }
    }

    /// Who it is in the account's own record.
    pub fn arn(&self, account: &str) -> String {
        format!("arn:aws:sts::{account}:assumed-role/{}/{}", self.role, self.name)
    }

    /// With what is known of its owner.
    pub fn context(&self, context: Context) -> Context {
        let context =
            self.attributes.tags.iter().fold(context.with("aws:SecureTransport", "true"), |context, (key, value)| {
                context.with(&format!("aws:PrincipalTag/{key}"), value)
            });
        self.attributes.source_identity.iter().fold(context, |context, name| context.with("aws:SourceIdentity", name))
    }

    /// Notes who calls.
    pub fn note(&self, account: &str, seen: &mut Seen) {
        seen.principal = self.arn(account);
        seen.fact("access_key", self.access_key.clone());
        if let Some(name) = &self.attributes.source_identity {
            seen.fact("source_identity", name.clone());
        }
        if !self.attributes.tags.is_empty() {
            seen.fact(
                "tags",
                self.attributes.tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect::<Value>(),
            );
        }
    }
}

impl Attributes {
    /// Those that an assertion brings.
    ///
    /// # Errors
    /// They are not of the form that AWS reads, in words.
    pub fn of_assertion(claims: &Claims) -> Result<Self, String> {
        let mut attributes = Self::default();
        if let Some(name) = claims.get("https://aws.amazon.com/source_identity") {
            attributes.source_identity = Some(name.as_str().ok_or("the source identity is no text")?.to_owned());
        }
        if let Some(tags) = claims.get("https://aws.amazon.com/tags") {
            for (key, values) in tags["principal_tags"].as_object().ok_or("`principal_tags` is no object")? {
                let [Value::String(value)] = values.as_array().ok_or("a tag is no array")?.as_slice() else {
                    return Err(format!("the tag `{key}` has not just one value"));
                };
                attributes.tags.insert(key.clone(), value.clone());
            }
            for key in tags.get("transitive_tag_keys").map_or(Some(&Vec::new()), Value::as_array).ok_or("no array")? {
                attributes.transitive.insert(key.as_str().ok_or("a transitive key is no text")?.to_owned());
            }
        }
        attributes.check()?;
        Ok(attributes)
    }

    /// Whether all are of the length and letters that AWS takes.
    pub fn check(&self) -> Result<(), String> {
        if self.source_identity.as_ref().is_some_and(|name| !is_name(name)) {
            return Err("the source identity is not 2 to 64 characters of [\\w+=,.@-]".into());
        }
        if self.tags.len() > 50 {
            return Err("more than 50 tags".into());
        }
        for (key, value) in &self.tags {
            let lengths = (1..=128).contains(&key.chars().count()) && value.chars().count() <= 256;
            if !lengths || key.to_ascii_lowercase().starts_with("aws:") || !is_tag(key) || !is_tag(value) {
                return Err(format!("the tag `{key}` is not of the form that tags have"));
            }
        }
        match self.transitive.iter().find(|key| !self.tags.contains_key(*key)) {
            Some(key) => Err(format!("the transitive key `{key}` is no tag")),
            None => Ok(()),
        }
    }

    /// What the trust of a role must allow besides assuming it.
    pub fn actions(&self) -> impl Iterator<Item = &'static str> + use<> {
        let tags = (!self.tags.is_empty()).then_some("sts:TagSession");
        tags.into_iter().chain(self.source_identity.is_some().then_some("sts:SetSourceIdentity"))
    }

    /// What the trust of a role can ask of them.
    pub fn context(&self, context: Context) -> Context {
        let context = self.tags.iter().fold(context, |context, (key, value)| {
            context.with(&format!("aws:RequestTag/{key}"), value).with("aws:TagKeys", key)
        });
        let context = self.transitive.iter().fold(context, |context, key| context.with("sts:TransitiveTagKeys", key));
        self.source_identity.iter().fold(context, |context, name| context.with("sts:SourceIdentity", name))
    }

    /// Those that go on into the session of a role that is assumed from this one.
    pub fn handed_on(&self) -> Self {
        let tags = self.tags.iter().filter(|(key, _)| self.transitive.contains(*key));
        Self {
            source_identity: self.source_identity.clone(),
            tags: tags.map(|(key, value)| (key.clone(), value.clone())).collect(),
            transitive: self.transitive.clone(),
        }
    }
}

/// Whether a text can be a session's name or a source identity.
pub fn is_name(text: &str) -> bool {
    (2..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte))
}

fn is_tag(text: &str) -> bool {
    text.chars().all(|letter| letter.is_alphanumeric() || " _.:/=+-@".contains(letter))
}
