//! `aws`: the role that trusts us.

use super::{form, raw::RawAws};
use crate::{config::checker::Checker, federation::aws::Settings};

/// The audience that AWS's own documentation gives OIDC providers.
const AUDIENCE: &str = "sts.amazonaws.com";

pub(super) fn settings(checker: &mut Checker<'_>, at: &str, raw: RawAws, private: bool) -> Option<Settings> {
    let role_arn = role(checker, format!("{at}.role_arn"), raw.role_arn);
    let then_roles: Vec<_> = raw
        .then_roles
        .into_iter()
        .enumerate()
        .map(|(index, arn)| role(checker, format!("{at}.then_roles[{index}]"), arn))
        .collect();
    let region_fits = !raw.region.is_empty()
        && raw.region.len() <= 32
        && raw.region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !region_fits {
        let at = format!("{at}.region");
        checker.wrong(
            at,
            format!("`{}`", raw.region),
            "a region, as `eu-central-1`",
            "its STS is the one that is asked",
        );
    }
    let audience = raw.audience.unwrap_or_else(|| AUDIENCE.to_owned());
    let expected = "the audience that the account's OIDC provider lists";
    let audience = form::piece(checker, &format!("{at}.audience"), audience, expected);
    let endpoint = form::endpoint_if_any(checker, &format!("{at}.endpoint"), raw.endpoint.as_deref(), private);
    Some(Settings {
        role_arn: role_arn?,
        then_roles: then_roles.into_iter().collect::<Option<_>>()?,
        region: Some(raw.region).filter(|_| region_fits)?,
        audience: audience?,
        endpoint: endpoint?,
    })
}

fn role(checker: &mut Checker<'_>, at: String, arn: String) -> Option<String> {
    if is_role(&arn) {
        return Some(arn);
    }
    let expected = "a role's ARN, as `arn:aws:iam::123456789012:role/cloakroom`";
    checker.wrong(at, format!("`{arn}`"), expected, "copy it: `aws iam get-role --role-name NAME --query Role.Arn`");
    None
}

fn is_role(arn: &str) -> bool {
    let parts: Vec<_> = arn.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, role] = parts.as_slice() else { return false };
    let digits = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let name = role.strip_prefix("role/").unwrap_or_default();
    digits && partition.starts_with("aws") && !name.is_empty() && arn.bytes().all(|byte| byte.is_ascii_graphic())
}
