//! Assuming one role: what AWS's STS is asked (API version 2011-06-15), and what must be true of its answer.

use http::Uri;
use token::{aws_keys::AwsKeys, secret::Secret};

use super::{arn::Role, refusals, sign};
use crate::{
    aws::answer,
    federation::{calls::Call, form, moment, trouble::Trouble},
    outgoing::fetch::Answered,
};

/// What all actions have in common.
const VERSION: (&str, &str) = ("Version", "2011-06-15");

/// By how much an answer may be ahead of our clock, in seconds.
const SKEW: u64 = 300;

/// One role that is to be assumed.
#[derive(Clone, Copy)]
pub struct Assumption<'a> {
    pub role: Role<'a>,
    /// The session's name, and the source identity of all sessions of the chain.
    pub session_name: &'a str,
    /// How long the session is to last.
    pub seconds: u64,
    pub policy: Option<&'a str>,
}

/// By what the role is assumed.
pub enum Proof<'a> {
    /// By an assertion of ours about `subject`, for `audience`.
    WebIdentity { jwt: &'a Secret, subject: &'a str, audience: &'a str },
    /// By the keys of the role before.
    Keys(&'a AwsKeys),
}

/// A session that AWS opened.
#[derive(Debug, PartialEq, Eq)]
pub struct Session {
    pub keys: AwsKeys,
    /// In seconds since the epoch.
    pub expires_at: u64,
}

impl Proof<'_> {
    const fn action(&self) -> &'static str {
        match self {
            Self::WebIdentity { .. } => "AssumeRoleWithWebIdentity",
            Self::Keys(_) => "AssumeRole",
        }
    }
}

impl Assumption<'_> {
    /// The call that assumes the role, at `now`. A proof by keys is signed for `region`; one by web identity is not signed at all.
    pub fn call(&self, proof: &Proof<'_>, endpoint: &Uri, region: &str, now: u64) -> Result<Call, Trouble> {
        let seconds = self.seconds.to_string();
        let mut fields = vec![
            ("Action", proof.action()),
            VERSION,
            ("RoleArn", self.role.arn),
            ("RoleSessionName", self.session_name),
            ("DurationSeconds", &seconds),
        ];
        if let Some(policy) = self.policy {
            fields.push(("Policy", policy));
        }
        if let Proof::WebIdentity { jwt, .. } = proof {
            fields.push(("WebIdentityToken", jwt.expose()));
        }
        let mut call = form::call(endpoint.clone(), &fields, "text/xml");
        if let Proof::Keys(keys) = proof {
            sign::sign(&mut call, keys, region, now)
                .ok_or_else(|| Trouble::Invalid { code: "keys that nothing can be signed with".to_owned() })?;
        }
        Ok(call)
    }

    /// The session in what AWS answered. It must be of this role, under this name, and end when it was asked to.
    pub fn judge(&self, proof: &Proof<'_>, answered: &Answered, now: u64) -> Result<Session, Trouble> {
        if answered.status != http::StatusCode::OK {
            return Err(refusals::trouble(answered, matches!(proof, Proof::Keys(_)), now));
        }
        let invalid = |code: &str| Trouble::Invalid { code: code.to_owned() };
        let result =
            answer::result(&answered.body, proof.action()).ok_or_else(|| invalid("an answer of another form"))?;
        let is = |name: &str, wanted: &str| result.only(name).is_none_or(|found| found.text.as_str() == wanted);
        let user = result.only("AssumedRoleUser").and_then(|user| answer::text(user, "Arn"));
        if user.is_none_or(|arn| **arn != self.role.session(self.session_name)) {
            return Err(invalid("a session of another role, or under another name"));
        }
        // Who is recorded as the source of a session is for nobody else to say.
        if !is("SourceIdentity", self.session_name) {
            return Err(invalid("a session with another source identity"));
        }
        if let Proof::WebIdentity { subject, audience, .. } = proof {
            let provider = format!("arn:{}:iam::{}:oidc-provider/", self.role.partition.name(), self.role.account);
            let ours = result.only("Provider").is_none_or(|found| found.text.starts_with(&provider));
            if !is("SubjectFromWebIdentityToken", subject) || !is("Audience", audience) || !ours {
                return Err(invalid("a session for another assertion"));
            }
        }
        let credentials = result.only("Credentials").ok_or_else(|| invalid("an answer without keys"))?;
        let text = |name| answer::text(credentials, name).map_or("", |text| text.as_str());
        // Keys of sessions begin so (IAM User Guide, "IAM identifiers"); others would be somebody's own, without an end.
        let keys = AwsKeys::new(text("AccessKeyId"), text("SecretAccessKey"), text("SessionToken"))
            .filter(|keys| keys.access_key_id.starts_with("ASIA"))
            .ok_or_else(|| invalid("keys that are none"))?;
        let asked = now.saturating_add(self.seconds);
        let ends = moment::parse(text("Expiration")).filter(|ends| now < *ends && *ends <= asked.saturating_add(SKEW));
        let ends = ends.ok_or_else(|| invalid("keys that end before they begin, or later than asked for"))?;
        Ok(Session { keys, expires_at: ends.min(asked) })
    }
}

#[cfg(test)]
mod tests;
