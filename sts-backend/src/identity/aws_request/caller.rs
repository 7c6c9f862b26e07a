//! Whom AWS's answer names.
//!
//! A role is named by account and role: a session's name is chosen by whoever starts it and names nobody. The role's path is
//! not in the answer; names are unique in an account without it. What a name cannot say is whether a role was deleted and
//! made again: its unique id (`AROA...`) can, so policy may read it and a source may insist on it.

use token::reason::Reason;

use super::{AwsRequestSettings, answer::CallerIdentity};
use crate::{
    identity::preset::{Identified, aws},
    refusal::Refusal,
};

/// How the unique ids of roles begin.
pub const ROLE: &str = "AROA";

/// How those of users do.
const USER: &str = "AIDA";

/// The workload that `caller` is, where these settings know it.
pub fn identify(settings: &AwsRequestSettings, caller: &CallerIdentity) -> Result<Identified, Refusal> {
    let partition = settings.partition().map_err(|problem| mismatch("regions", "regions", problem))?.name();
    let wanted = || format!("arn:{partition}:sts::ACCOUNT:assumed-role/ROLE/SESSION");
    let unknown = || mismatch("Arn", &caller.arn, wanted());
    let parts: Vec<_> = caller.arn.splitn(6, ':').collect();
    let ["arn", in_partition, service, "", account, resource] = *parts.as_slice() else { return Err(unknown()) };
    if in_partition != partition {
        return Err(unknown());
    }
    if !settings.accounts.contains(account) || caller.account != account {
        return Err(mismatch("Account", &caller.account, format!("one of {}", join(&settings.accounts)))
            .help("add the account under `accounts` of the source if its roles are to be believed"));
    }
    let id = caller.user_id.split_once(':').map_or(caller.user_id.as_str(), |(id, _session)| id);
    let (kind, name) = match (service, resource.split('/').collect::<Vec<_>>().as_slice()) {
        ("sts", ["assumed-role", role, session]) if !session.is_empty() && is_unique_id(id, ROLE) => ("role", *role),
        ("iam", ["user", .., user]) if settings.allow_users && is_unique_id(id, USER) => ("user", *user),
        ("iam", ["user", ..]) => return Err(unknown().help("use a role; `allow_users` lets IAM users in")),
        _ => return Err(unknown().help("use a role: root and federated users are nobody's workload")),
    };
    if kind == "role" && !settings.role_ids.is_empty() && !settings.role_ids.contains(id) {
        return Err(mismatch("UserId", id, format!("one of {}", join(&settings.role_ids)))
            .help("the role was made anew, or is not listed: compare with `aws iam get-role` and correct `role_ids`"));
    }
    if !aws::is_name(name) {
        return Err(unknown());
    }
    Ok(Identified {
        segments: aws::segments(account, kind, name),
        subject: format!("arn:{partition}:iam::{account}:{kind}/{name}"),
        attributes: vec![("account", account.to_owned()), ("unique_id", id.to_owned())],
    })
}

/// Whether `text` is a unique id of IAM that begins so.
pub fn is_unique_id(text: &str, prefix: &str) -> bool {
    let rest = text.strip_prefix(prefix).unwrap_or_default();
    (1..=124).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

fn mismatch(claim: &str, got: &str, wanted: impl std::fmt::Display) -> Refusal {
    Refusal::new(Reason::SubjectClaimMismatch, "the signer of the request is not one that this source vouches for")
        .claim(format!("GetCallerIdentity {claim}"))
        .got(got)
        .wanted(wanted)
}

fn join<'t>(texts: impl IntoIterator<Item = &'t String>) -> String {
    texts.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
