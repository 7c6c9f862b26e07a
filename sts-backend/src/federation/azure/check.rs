//! What the configuration of Azure may say.

use std::{collections::BTreeSet, net::IpAddr};

use http::Uri;
use token::{claims::Scope, spiffe::SpiffeId};

use super::{Opening, Settings};
use crate::{federation::permission::Permission, identity::entra::is_guid};

/// The longest issuer, subject and audience of a federated credential, in bytes.
const MAX_LENGTH: usize = 600;

/// Containers whose names keep to no rule.
const SPECIAL_CONTAINERS: [&str; 3] = ["$root", "$web", "$logs"];

/// What is wrong with `settings`.
pub fn settings(settings: &Settings) -> Result<(), String> {
    for (what, id) in [("tenant", &settings.tenant), ("client_id", &settings.client_id)] {
        if !is_guid(id) {
            return Err(format!("`{what}` is `{id}`; give the id, a GUID in lower case"));
        }
    }
    name("audience", &settings.audience)?;
    name("subject", &settings.subject)?;
    own_credentials(settings)?;
    for (what, uri) in [("authority", &settings.authority), ("storage_endpoint", &settings.storage_endpoint)] {
        let Some(uri) = uri else { continue };
        let plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@')) && uri.query().is_none();
        if uri.scheme_str() != Some("https") || !plain {
            return Err(format!(
                "`{what}` is `{uri}`; give an https address without a user's name and without a query"
            ));
        }
    }
    Ok(())
}

fn own_credentials(settings: &Settings) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for workload in &settings.own_credentials {
        if let Err(problem) = SpiffeId::parse(workload) {
            return Err(format!("`own_credentials` has `{workload}`, which is no workload's name: {problem}"));
        }
        if workload.len() > MAX_LENGTH {
            return Err(format!(
                "`own_credentials` has `{workload}`, which is longer than the {MAX_LENGTH} bytes that the subject of a \
                 federated credential may have; leave it out, so that it goes by `subject`"
            ));
        }
        if *workload == settings.subject {
            return Err(format!(
                "`subject` is `{workload}`, which is in `own_credentials` too: every workload would come as this one; give \
                 `subject` another name"
            ));
        }
        if !seen.insert(workload) {
            return Err(format!("`own_credentials` has `{workload}` twice; leave one out"));
        }
    }
    Ok(())
}

/// What is wrong with `opening`, and with `permissions` for it.
pub fn opening(opening: &Opening, permissions: &Scope) -> Result<(), String> {
    match opening {
        Opening::Container { account, container } => {
            if !is_account(account) {
                return Err(format!("`account` is `{account}`; give a storage account's name: 3 to 24 of a-z and 0-9"));
            }
            if !is_container(container) {
                return Err(format!(
                    "`container` is `{container}`; give a container's name: 3 to 63 of a-z, 0-9 and single hyphens between them"
                ));
            }
            Permission::read_all(permissions).map(|_| ())
        }
        Opening::Scope(scope) => {
            let one = Scope::parse(scope).ok().filter(|one| one.iter().eq([scope.as_str()]));
            let resource = scope.strip_suffix("/.default").filter(|resource| !resource.is_empty());
            let (Some(one), Some(_)) = (one, resource) else {
                return Err(format!(
                    "`scope` is `{scope}`; give one that ends in `/.default`, as https://vault.azure.net/.default: without a \
                     person, Entra knows no other"
                ));
            };
            if permissions.is_within(&one) {
                return Ok(());
            }
            Err(format!(
                "`permissions` is `{permissions}`; give none, or `{scope}`: what a token of Entra opens is narrowed by the roles \
                 of the identity alone, so give destinations with other permissions identities of their own"
            ))
        }
    }
}

fn name(what: &str, value: &str) -> Result<(), String> {
    if value.is_empty() || value.len() > MAX_LENGTH || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!(
            "`{what}` is empty, longer than {MAX_LENGTH} bytes, or has other characters than visible ASCII; give it exactly as \
             the federated credential has it"
        ));
    }
    Ok(())
}

fn is_account(name: &str) -> bool {
    (3..=24).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

fn is_container(name: &str) -> bool {
    let word =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    SPECIAL_CONTAINERS.contains(&name) || ((3..=63).contains(&name.len()) && name.split('-').all(word))
}

/// Whether the host of `endpoint` is one that an account's name can stand before: a name with a dot in it.
pub fn is_named_host(endpoint: &Uri) -> bool {
    endpoint.host().is_some_and(|host| host.contains('.') && !host.starts_with('[') && host.parse::<IpAddr>().is_err())
}

#[cfg(test)]
mod tests;
