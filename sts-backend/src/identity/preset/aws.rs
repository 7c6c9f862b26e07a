//! AWS IAM outbound identity federation: `sts:GetWebIdentityToken`, one issuer for each account.
//!
//! `sub` is the ARN of the role, not of the session, whose name the caller chooses. `request_tags` are the caller's words
//! too, so nothing is read from them.

use super::Identified;
use crate::{
    identity::{claims::Claims, name},
    refusal::Refusal,
};

/// The claim that holds what AWS itself says of the caller.
const NAMESPACE: &str = "https://sts.amazonaws.com/";

/// How its members are named in refusals.
const PATH: &str = "https://sts.amazonaws.com/ ";

/// The account's key set.
pub fn key_set(issuer: &str) -> String {
    format!("{issuer}/.well-known/jwks.json")
}

/// Refuses what is no account number.
pub fn check_account(account: &str) -> Result<(), String> {
    if account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(format!(
        "`account` is `{account}`; an AWS account number has 12 digits (quote it, or YAML drops leading zeros)"
    ))
}

/// The role the token speaks of. The issuer belongs to the account; that the token says so too costs nothing to ask.
pub fn identify(account: &str, claims: Claims<'_>) -> Result<Identified, Refusal> {
    claims.object(NAMESPACE, PATH)?.expect("aws_account", account)?;
    let arn = claims.text("sub")?;
    let wanted = format!("arn:aws:iam::{account}:role/NAME");
    let role = role_name(arn, account).ok_or_else(|| claims.mismatch("sub", claims.value("sub"), &wanted))?;
    Ok(Identified {
        segments: segments(account, "role", role),
        subject: arn.to_owned(),
        attributes: vec![("account", account.to_owned())],
    })
}

/// The name at the end of a role's ARN: it is unique in its account whatever the path before it.
fn role_name<'a>(arn: &'a str, account: &str) -> Option<&'a str> {
    let mut parts = arn.splitn(6, ':');
    let fixed = (parts.next(), parts.next(), parts.next(), parts.next(), parts.next());
    let (Some("arn"), Some("aws" | "aws-cn" | "aws-us-gov"), Some("iam"), Some(""), Some(owner)) = fixed else {
        return None;
    };
    let path = parts.next()?.strip_prefix("role/").filter(|_| owner == account)?;
    path.rsplit('/').next().filter(|role| is_name(role))
}

/// The parts of a workload's name: of a role, as of any other `kind` of caller.
pub fn segments(account: &str, kind: &str, name: &str) -> Vec<String> {
    let [kind, segment] = if name::is_plain(name) {
        [kind, name].map(str::to_owned)
    } else {
        [format!("{kind}-encoded"), name::encode(name)]
    };
    vec!["aws".into(), account.into(), kind, segment]
}

/// Whether this is a name as IAM gives to roles and users (IAM User Guide, "IAM name requirements").
pub fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    !name.is_empty() && name.len() <= 64 && name.bytes().all(allowed)
}
