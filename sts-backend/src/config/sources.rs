//! `sources`: whom we believe, each for an audience that nobody else uses.

use std::collections::{BTreeMap, BTreeSet};

use token::{jws::Algorithm, spiffe::SpiffeId};

use super::{
    checker::Checker,
    files,
    raw::{RawJwks, RawPreset, RawSource},
};
use crate::identity::{
    self, GithubJobs, JwksSettings, OidcClaims, Preset, SourceSettings, entra, github, google_service_account,
};

mod cluster;
mod server;

mod aws_request;

pub(super) const NAME: &str = "a name of letters, digits, `-`, `.` and `_`";

pub(super) fn check(checker: &mut Checker<'_>, raw: Vec<RawSource>) -> Vec<SourceSettings> {
    if raw.is_empty() {
        checker.wrong("sources", "no source", "one at least", "name the issuers whose tokens are to be believed");
    }
    let before = checker.count();
    let mut sources = Vec::new();
    let mut names = BTreeMap::new();
    for (index, source) in raw.into_iter().enumerate() {
        let at = format!("sources[{index}]");
        once(checker, &mut names, format!("{at}.name"), &source.name);
        if !is_name(&source.name) {
            checker.wrong(format!("{at}.name"), format!("`{}`", source.name), NAME, "it becomes part of names");
        }
        let audience = audience(checker, &format!("{at}.audience"), source.audience);
        let actors = actors(checker, &format!("{at}.actors"), source.actors);
        if matches!(source.preset, RawPreset::Introspection(_)) && source.jwks != RawJwks::default() {
            let remedy = "its server is asked instead: the addresses stand in `introspection` itself";
            checker.wrong(format!("{at}.jwks"), "keys of a source that has none", "no `jwks`", remedy);
        }
        let jwks = jwks(checker, &format!("{at}.jwks"), source.jwks);
        let Some(preset) = preset(checker, &format!("{at}.preset"), source.preset) else { continue };
        if matches!(preset, Preset::AwsSignedRequest(_))
            && jwks.as_ref().is_some_and(|jwks| *jwks != JwksSettings::default())
        {
            let expected = "no keys: AWS is asked, not verified against";
            checker.wrong(format!("{at}.jwks"), "settings of keys", expected, "set `endpoint` of the preset instead");
        }
        let issuer = preset.issuer();
        if audience.as_deref() == Some(issuer.as_str()) {
            let found = format!("`{issuer}`, the issuer's own name");
            let remedy =
                "tokens for the issuer itself, such as every Kubernetes pod has, would be believed: choose another";
            checker.wrong(format!("{at}.audience"), found, "an audience reserved for this service", remedy);
        }
        if let (Some(audience), Some(actors), Some(jwks)) = (audience, actors, jwks) {
            sources.push(SourceSettings { name: source.name, audience, actors, preset, jwks });
        }
    }
    // What only the sources themselves can say: which names they would give, and where their keys come from.
    if checker.count() == before
        && let Err(error) = identity::check_sources(&sources)
    {
        checker.wrong("sources", error.to_string(), "sources that cannot be confused", "correct the source it names");
    }
    sources
}

fn once(checker: &mut Checker<'_>, seen: &mut BTreeMap<String, String>, at: String, value: &str) {
    match seen.get(value) {
        Some(other) => {
            let found = format!("`{value}`, which `{other}` has too");
            checker.wrong(at, found, "a value no other source has", "a token must have one source: merge or rename");
        }
        None => _ = seen.insert(value.to_owned(), at),
    }
}

fn audience(checker: &mut Checker<'_>, at: &str, audience: Option<String>) -> Option<String> {
    let expected = "an audience reserved for this service, such as its issuer";
    let remedy = "set it, and have the workloads ask their platform for tokens with exactly this audience";
    match audience {
        Some(audience) if !audience.trim().is_empty() => {
            if let Some(user) = identity::user_of_audience(&audience) {
                let found = format!("`{audience}`, the audience of {user}");
                let remedy = "tokens made for somebody else would be believed: choose an audience of your own";
                checker.wrong(at, found, expected, remedy);
                return None;
            }
            if audience.len() > 1024 || !audience.bytes().all(|byte| byte.is_ascii_graphic()) {
                let found = "an audience with blanks or other unprintable characters, or of more than 1024 bytes";
                checker.wrong(at, found, expected, remedy);
                return None;
            }
            Some(audience)
        }
        _ => {
            checker.wrong(at, "nothing", expected, remedy);
            None
        }
    }
}

/// The proxies that a source vouches to. That each of them is registered is not asked: a source may outlive a proxy.
#[allow(clippy::option_option, reason = "no list and a list that cannot be used are two things")]
fn actors(checker: &mut Checker<'_>, at: &str, raw: Option<Vec<String>>) -> Option<Option<BTreeSet<SpiffeId>>> {
    let Some(raw) = raw else { return Some(None) };
    let expected = "the SPIFFE IDs of the proxies that this source vouches to";
    if raw.is_empty() {
        checker.wrong(at, "no proxy", expected, "name one at least, or leave the list out: then it vouches to all");
        return None;
    }
    let mut actors = BTreeSet::new();
    for (index, id) in raw.iter().enumerate() {
        match SpiffeId::parse(id) {
            Ok(id) => _ = actors.insert(id),
            Err(error) => {
                checker.wrong(format!("{at}[{index}]"), format!("`{id}`: {error}"), expected, "correct it");
            }
        }
    }
    (actors.len() == raw.len()).then_some(Some(actors))
}

fn jwks(checker: &mut Checker<'_>, at: &str, raw: RawJwks) -> Option<JwksSettings> {
    let uri = match raw.uri.as_deref().map(str::parse::<http::Uri>) {
        None => None,
        Some(Ok(uri)) if uri.scheme_str() == Some("https") && uri.host().is_some_and(|host| !host.is_empty()) => {
            Some(uri)
        }
        Some(_) => {
            let found = format!("`{}`", raw.uri.unwrap_or_default());
            checker.wrong(format!("{at}.uri"), found, "an absolute https URL", "keys are fetched over TLS only");
            return None;
        }
    };
    let ca = files::authorities(checker, at, raw.ca_file.as_deref())?;
    // Read when keys are needed, and again while the service runs: that it is there now is all that is asked.
    let file = raw.file.map(|path| checker.resolve(&path));
    if let Some(missing) = file.as_ref().filter(|file| !file.is_file()) {
        let remedy = "paths are relative to the configuration file's folder";
        checker.wrong(format!("{at}.file"), format!("no file {}", missing.display()), "a readable file", remedy);
        return None;
    }
    for (index, host) in raw.hosts.iter().enumerate() {
        let authority = host.parse::<http::uri::Authority>().ok().filter(|_| !host.contains(['@', '*']));
        if authority.is_none_or(|authority| authority.host().is_empty()) {
            let remedy = "write it as the discovery document's `jwks_uri` has it";
            checker.wrong(format!("{at}.hosts[{index}]"), format!("`{host}`"), "HOST or HOST:PORT", remedy);
            return None;
        }
    }
    let allow_private_addresses = raw.allow_private_addresses;
    Some(JwksSettings { uri, file, hosts: raw.hosts, ca, allow_private_addresses })
}

fn preset(checker: &mut Checker<'_>, at: &str, raw: RawPreset) -> Option<Preset> {
    match raw {
        RawPreset::AwsOutbound { issuer, account } => {
            let issuer = https(checker, format!("{at}.aws_outbound.issuer"), issuer);
            let digits = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
            if !digits {
                let at = format!("{at}.aws_outbound.account");
                checker.wrong(at, format!("`{account}`"), "an AWS account ID, 12 digits in quotes", "correct it");
            }
            Some(Preset::AwsOutbound { issuer: issuer.filter(|_| digits)?, account })
        }
        RawPreset::AwsSignedRequest(raw) => {
            aws_request::check(checker, &format!("{at}.aws_signed_request"), raw).map(Preset::AwsSignedRequest)
        }
        RawPreset::Google { projects } => Some(Preset::Google { projects }),
        RawPreset::EntraV1 { tenant } => {
            Some(Preset::EntraV1 { tenant: guid(checker, format!("{at}.entra_v1.tenant"), tenant)? })
        }
        RawPreset::EntraV2 { tenant } => {
            Some(Preset::EntraV2 { tenant: guid(checker, format!("{at}.entra_v2.tenant"), tenant)? })
        }
        RawPreset::Kubernetes { .. } | RawPreset::Eks { .. } | RawPreset::Gke { .. } | RawPreset::Aks { .. } => {
            cluster::preset(checker, at, raw)
        }
        RawPreset::Introspection(raw) => server::introspection(checker, &format!("{at}.introspection"), raw),
        RawPreset::GoogleServiceAccount { accounts, max_life_seconds } => {
            let max_life = max_life_seconds.unwrap_or(google_service_account::MAX_LIFE);
            sound(checker, format!("{at}.google_service_account"), Preset::GoogleServiceAccount { accounts, max_life })
        }
        RawPreset::Github { issuer, owner_ids, repository_ids, events } => {
            let issuer = issuer.unwrap_or_else(|| github::ISSUER.to_owned());
            let events = events.unwrap_or_else(|| github::EVENTS.map(str::to_owned).to_vec());
            let jobs = GithubJobs { issuer, owner_ids, repository_ids, events };
            sound(checker, format!("{at}.github"), Preset::Github(jobs))
        }
        RawPreset::Spiffe { trust_domain } => sound(checker, format!("{at}.spiffe"), Preset::Spiffe { trust_domain }),
        RawPreset::Oidc { issuer, algorithms, name, subject_claims, require } => {
            let issuer = https(checker, format!("{at}.oidc.issuer"), issuer);
            let algorithms = allowed(checker, &format!("{at}.oidc.algorithms"), &algorithms);
            let usual = OidcClaims::default();
            let claims = OidcClaims {
                name: name.unwrap_or(usual.name),
                subject_claims: subject_claims.unwrap_or(usual.subject_claims),
                require,
            };
            let preset = Preset::Oidc { issuer: issuer?, algorithms: algorithms?, claims };
            sound(checker, format!("{at}.oidc"), preset)
        }
    }
}

/// The preset, if it says of itself that it is one.
fn sound(checker: &mut Checker<'_>, at: String, preset: Preset) -> Option<Preset> {
    match preset.check() {
        Ok(()) => Some(preset),
        Err(problem) => {
            checker.wrong(at, problem, "settings that admit nobody but who is meant", "see docs/subject-tokens.md");
            None
        }
    }
}

fn https(checker: &mut Checker<'_>, at: String, issuer: String) -> Option<String> {
    let host = issuer.parse::<http::Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
    if issuer.starts_with("https://") && host.is_some_and(|host| !host.is_empty()) && !issuer.contains(['?', '#']) {
        return Some(issuer);
    }
    let expected = "the issuer's https URL, exactly as `iss` of its tokens has it";
    checker.wrong(at, format!("`{issuer}`"), expected, "copy it from a token or from the issuer's discovery document");
    None
}

fn guid(checker: &mut Checker<'_>, at: String, tenant: String) -> Option<String> {
    if entra::is_guid(&tenant) {
        return Some(tenant);
    }
    let expected = "the tenant's id, a GUID in lower case";
    checker.wrong(at, format!("`{tenant}`"), expected, "names such as `common` would believe every tenant");
    None
}

fn allowed(checker: &mut Checker<'_>, at: &str, names: &[String]) -> Option<Vec<Algorithm>> {
    let expected = "algorithms of public keys, as [ES256, RS256]";
    if names.is_empty() {
        checker.wrong(at, "no algorithm", expected, "list what the issuer signs with");
        return None;
    }
    let mut fine = true;
    let mut algorithms = Vec::new();
    for (index, name) in names.iter().enumerate() {
        match Algorithm::from_name(name) {
            Some(algorithm) => algorithms.push(algorithm),
            None => {
                checker.wrong(format!("{at}[{index}]"), format!("`{name}`"), expected, "correct it");
                fine = false;
            }
        }
    }
    fine.then_some(algorithms)
}

/// Whether `text` can be the name of a source, or of a provider.
pub(super) fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(is_name_byte)
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._".contains(&byte)
}

#[cfg(test)]
mod tests;
