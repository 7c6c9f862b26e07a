//! `gcp`: the pool's provider that trusts us, and the service account it leads to.

use super::{form, raw::RawGcp};
use crate::{
    config::checker::Checker,
    federation::gcp::{Kept, Settings},
};

pub(super) fn settings(checker: &mut Checker<'_>, at: &str, raw: RawGcp, private: bool) -> Option<Settings> {
    let provider_fits = is_provider(&raw.provider);
    if !provider_fits {
        let expected =
            "//iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER";
        let remedy =
            "the project's number, not its id; `gcloud iam workload-identity-pools providers describe` tells the name";
        checker.wrong(format!("{at}.provider"), format!("`{}`", raw.provider), expected, remedy);
    }
    let account_fits = raw.service_account.as_deref().is_none_or(is_service_account);
    if !account_fits {
        let found = format!("`{}`", raw.service_account.as_deref().unwrap_or_default());
        let expected = "NAME@PROJECT.iam.gserviceaccount.com";
        checker.wrong(
            format!("{at}.service_account"),
            found,
            expected,
            "leave it out to use the federated token itself",
        );
    }
    let expected = "an audience that the provider allows";
    let audience = match raw.audience {
        None => Some(None),
        Some(audience) => form::piece(checker, &format!("{at}.audience"), audience, expected).map(Some),
    };
    let sts = form::endpoint_if_any(checker, &format!("{at}.sts_endpoint"), raw.sts_endpoint.as_deref(), private);
    let iam = form::endpoint_if_any(checker, &format!("{at}.iam_endpoint"), raw.iam_endpoint.as_deref(), private);
    Some(Settings {
        provider: Some(raw.provider).filter(|_| provider_fits)?,
        audience: audience?,
        service_account: raw.service_account.filter(|_| account_fits),
        sts_endpoint: sts?,
        kept: Kept::default(),
        iam_endpoint: iam?,
    })
}

fn is_provider(text: &str) -> bool {
    let Some(path) = text.strip_prefix("//iam.googleapis.com/") else { return false };
    let parts: Vec<_> = path.split('/').collect();
    let ["projects", project, "locations", "global", "workloadIdentityPools", pool, "providers", provider] =
        parts.as_slice()
    else {
        return false;
    };
    let id = |text: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=64).contains(&text.len()) && text.bytes().all(plain)
    };
    !project.is_empty() && project.bytes().all(|byte| byte.is_ascii_digit()) && id(pool) && id(provider)
}

fn is_service_account(text: &str) -> bool {
    let Some((name, domain)) = text.split_once('@') else { return false };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    !name.is_empty()
        && text.len() <= 256
        && domain.ends_with(".gserviceaccount.com")
        && name.bytes().chain(domain.bytes()).all(plain)
}
