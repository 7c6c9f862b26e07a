//! `azure`: the app registration or managed identity that trusts us.

use std::collections::BTreeSet;

use token::spiffe::SpiffeId;

use super::{form, raw::RawAzure};
use crate::{
    config::checker::Checker,
    federation::azure::{DEFAULT_AUDIENCE, KeptKeys, Settings},
    identity::entra,
};

/// The `sub` of assertions where none is configured: one that stays, whoever asks.
pub(super) fn subject(trust_domain: &str, provider: &str) -> String {
    format!("spiffe://{trust_domain}/destination/{provider}")
}

/// `usual_subject` is none where the trust domain itself is wrong.
pub(super) fn settings(
    checker: &mut Checker<'_>,
    at: &str,
    raw: RawAzure,
    private: bool,
    usual_subject: Option<String>,
) -> Option<Settings> {
    let tenant = guid(checker, format!("{at}.tenant"), raw.tenant, "the tenant's id, a GUID in lower case");
    let client = "the client id of the app or managed identity, a GUID in lower case";
    let client_id = guid(checker, format!("{at}.client_id"), raw.client_id, client);
    let audience = raw.audience.unwrap_or_else(|| DEFAULT_AUDIENCE.to_owned());
    let expected = "the audience of the federated credential";
    let audience = form::piece(checker, &format!("{at}.audience"), audience, expected);
    let subject = raw.subject.or(usual_subject).and_then(|subject| {
        form::piece(checker, &format!("{at}.subject"), subject, "the subject of the federated credential")
    });
    let own_credentials = own(checker, &format!("{at}.own_credentials"), raw.own_credentials, subject.as_deref());
    let authority = form::endpoint_if_any(checker, &format!("{at}.authority"), raw.authority.as_deref(), private);
    let storage_at = format!("{at}.storage_endpoint");
    let storage = form::endpoint_if_any(checker, &storage_at, raw.storage_endpoint.as_deref(), private);
    Some(Settings {
        tenant: tenant?,
        client_id: client_id?,
        audience: audience?,
        subject: subject?,
        own_credentials: own_credentials?,
        authority: authority?,
        storage_endpoint: storage?,
        keys: KeptKeys::default(),
    })
}

fn guid(checker: &mut Checker<'_>, at: String, text: String, expected: &str) -> Option<String> {
    if entra::is_guid(&text) {
        return Some(text);
    }
    checker.wrong(at, format!("`{text}`"), expected, "copy it from the app's overview in the portal");
    None
}

/// Workloads whose own name is the subject. None of them may have the name that stands for all others.
fn own(checker: &mut Checker<'_>, at: &str, names: Vec<String>, subject: Option<&str>) -> Option<Vec<String>> {
    let (mut seen, before) = (BTreeSet::new(), checker.count());
    for (index, name) in names.iter().enumerate() {
        let at = format!("{at}[{index}]");
        if let Err(error) = SpiffeId::parse(name) {
            let expected = "a workload's name, as `spiffe://TRUST_DOMAIN/k8s/prod/payments/api`";
            checker.wrong(&at, format!("`{name}`: {error}"), expected, "copy it from a record: `subject`");
        }
        if Some(name.as_str()) == subject {
            let remedy = "give the workload, or the provider's `subject`, another name";
            checker.wrong(&at, format!("`{name}`, the subject of all others"), "the name of one workload", remedy);
        }
        if !seen.insert(name) {
            checker.wrong(&at, format!("`{name}` again"), "each workload once", "remove the repetition");
        }
    }
    (checker.count() == before).then_some(names)
}
