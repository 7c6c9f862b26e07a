//! GitHub Actions: tokens of workflow jobs.
//!
//! Anybody can have a repository, and a freed name can be taken by somebody else. So the owner's id decides, never a name; and
//! some events let people start a job who may not change the repository, so events are listed too.

use super::Identified;
use crate::{
    identity::{claims::Claims, name},
    refusal::Refusal,
};

/// The issuer of github.com.
pub const ISSUER: &str = "https://token.actions.githubusercontent.com";

/// The events that only people who may write to the repository can cause, or that run what its protected branches hold.
/// Left out are those that outsiders cause (`pull_request`, `pull_request_target`, `issue_comment`, ...) and `workflow_run`,
/// which follows any of them.
pub const EVENTS: [&str; 7] =
    ["push", "workflow_dispatch", "repository_dispatch", "schedule", "release", "deployment", "merge_group"];

/// The last part of the issuer of a GitHub Enterprise Server.
const SERVER_PATH: &str = "_services/token";

/// The longest name of an owner, a repository or an enterprise.
const MAX_SLUG: usize = 100;

/// What the attributes may hold besides those that every job has.
const OPTIONAL: [&str; 4] = ["environment", "ref", "job_workflow_ref", "runner_environment"];

/// Which jobs are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GithubJobs {
    /// `iss`: that of github.com, of an enterprise there, of an enterprise with data residency, or of a server.
    pub issuer: String,
    /// The ids of the users and organisations whose repositories are believed. Never empty.
    pub owner_ids: Vec<String>,
    /// The ids of the repositories; empty: all of these owners.
    pub repository_ids: Vec<String>,
    /// The events that may have started the job.
    pub events: Vec<String>,
}

/// The key set.
pub fn key_set(issuer: &str) -> String {
    format!("{issuer}/.well-known/jwks")
}

/// The path under which names are made. Ids are given out by each GitHub for itself, so those of another than github.com
/// stand under its host, which no id can be mistaken for.
pub fn name_prefix(issuer: &str) -> String {
    match host(issuer) {
        Some(Some(host)) => format!("github/{host}"),
        _ => "github".to_owned(),
    }
}

/// Refuses settings that admit strangers.
pub fn check(jobs: &GithubJobs) -> Result<(), String> {
    let GithubJobs { issuer, owner_ids, repository_ids, events } = jobs;
    if host(issuer).is_none() {
        return Err(format!(
            "`issuer` is `{issuer}`; the issuers of GitHub are `{ISSUER}`, `{ISSUER}/ENTERPRISE`, \
             `https://token.actions.SUBDOMAIN.ghe.com` and `https://HOST/{SERVER_PATH}`"
        ));
    }
    if owner_ids.is_empty() {
        return Err("`owner_ids` is empty; name the owners' ids (`gh api /orgs/NAME --jq .id`)".to_owned());
    }
    if let Some(id) = owner_ids.iter().chain(repository_ids).find(|id| !is_id(id)) {
        return Err(format!("`{id}` is no id; ids of owners and repositories are numbers, in quotes"));
    }
    let event = |event: &str| !event.is_empty() && event.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    match events.iter().find(|name| !event(name)) {
        Some(name) => Err(format!("`events` holds `{name}`; events are named as in workflows, for example `push`")),
        None if events.is_empty() => Err("`events` is empty; leave it out for those that are safe".to_owned()),
        None => Ok(()),
    }
}

/// The job the token speaks of, by the ids of its repository and by its environment, or by its ref where it has none.
pub fn identify(jobs: &GithubJobs, claims: Claims<'_>) -> Result<Identified, Refusal> {
    let owner_id = listed(claims, "repository_owner_id", &jobs.owner_ids)?;
    let repository_id = match jobs.repository_ids.is_empty() {
        true => id(claims, "repository_id")?,
        false => listed(claims, "repository_id", &jobs.repository_ids)?,
    };
    let event = listed(claims, "event_name", &jobs.events).map_err(|refusal| {
        refusal.help("this event may be caused by people who cannot write to the repository; `events` lists others")
    })?;
    let (owner, repository) = (claims.text("repository_owner")?, claims.text("repository")?);
    let [kind, place] = place(claims)?;
    check_subject(claims, [owner_id, repository_id], event, [kind, place])?;

    let mut attributes = vec![
        ("owner", owner.to_owned()),
        ("owner_id", owner_id.to_owned()),
        ("repository", repository.to_owned()),
        ("repository_id", repository_id.to_owned()),
        ("event_name", event.to_owned()),
    ];
    for name in OPTIONAL {
        attributes.extend(optional(claims, name)?.map(|value| (name, value.to_owned())));
    }
    let mut segments: Vec<_> = name_prefix(&jobs.issuer).split('/').map(str::to_owned).collect();
    segments.extend([owner_id.into(), repository_id.into(), kind.into(), name::encode(place)]);
    Ok(Identified { segments, subject: claims.text("sub")?.to_owned(), attributes })
}

/// What tells the jobs of one repository apart: the environment, whose rules GitHub has enforced, else the ref.
fn place<'c>(claims: Claims<'c>) -> Result<[&'c str; 2], Refusal> {
    match optional(claims, "environment")? {
        Some(environment) => Ok(["environment", environment]),
        None => Ok(["ref", claims.text("ref")?]),
    }
}

/// `sub` must be what the other claims say, to the letter, in the form with ids or in the older one without. One that was
/// made by a template of its own is refused: nobody can know what such a text leaves out.
fn check_subject(claims: Claims<'_>, ids: [&str; 2], event: &str, place: [&str; 2]) -> Result<(), Refusal> {
    let (owner, repository) = (claims.text("repository_owner")?, claims.text("repository")?);
    let name = repository.strip_prefix(owner).and_then(|rest| rest.strip_prefix('/'));
    let name = name.filter(|name| is_slug(name) && is_slug(owner)).ok_or_else(|| {
        claims.mismatch("repository", claims.value("repository"), &format!("a repository of {owner}, as OWNER/NAME"))
    })?;
    let [owner_id, repository_id] = ids;
    let mut contexts = vec![format!("{}:{}", place[0], place[1].replace(':', "%3A"))];
    if place[0] == "ref" && event.starts_with("pull_request") {
        contexts.push("pull_request".to_owned());
    }
    let forms = [format!("{owner}@{owner_id}/{name}@{repository_id}"), repository.to_owned()];
    let subject = claims.text("sub")?;
    let mut wanted = contexts.iter().flat_map(|context| forms.iter().map(move |form| format!("repo:{form}:{context}")));
    if wanted.clone().any(|wanted| wanted == subject) {
        return Ok(());
    }
    Err(claims
        .mismatch("sub", claims.value("sub"), &wanted.next().unwrap_or_default())
        .help("subjects made by a template of the organisation or repository are not accepted: set `use_default`"))
}

fn listed<'c>(claims: Claims<'c>, name: &str, allowed: &[String]) -> Result<&'c str, Refusal> {
    let wanted = || format!("one of {}", allowed.join(", "));
    match claims.value(name).and_then(serde_json::Value::as_str) {
        Some(value) if allowed.iter().any(|allowed| allowed == value) => Ok(value),
        _ => Err(claims.mismatch(name, claims.value(name), &wanted())),
    }
}

fn id<'c>(claims: Claims<'c>, name: &str) -> Result<&'c str, Refusal> {
    let value = claims.text(name)?;
    if is_id(value) { Ok(value) } else { Err(claims.mismatch(name, claims.value(name), "a number, as a text")) }
}

/// The claim, where it says something: GitHub leaves some out and writes others as an empty text.
fn optional<'c>(claims: Claims<'c>, name: &str) -> Result<Option<&'c str>, Refusal> {
    match claims.value(name) {
        None => Ok(None),
        Some(serde_json::Value::String(text)) if text.is_empty() => Ok(None),
        Some(_) => claims.text(name).map(Some),
    }
}

/// Which GitHub an issuer belongs to: its host where it is another than github.com; nothing where it is none.
#[allow(clippy::option_option, reason = "no GitHub and github.com are two things")]
fn host(issuer: &str) -> Option<Option<&str>> {
    if let Some(rest) = issuer.strip_prefix(ISSUER) {
        let enterprise = rest.strip_prefix('/').is_some_and(is_slug);
        return (rest.is_empty() || enterprise).then_some(None);
    }
    let rest = issuer.strip_prefix("https://")?;
    if let Some(host) = rest.strip_prefix("token.actions.") {
        return host.strip_suffix(".ghe.com").filter(|label| is_label(label)).map(|_| Some(host));
    }
    let host = rest.strip_suffix(SERVER_PATH)?.strip_suffix('/')?;
    let named = host.contains('.') && host.bytes().any(|byte| byte.is_ascii_lowercase());
    (named && host.len() <= 253 && host.split('.').all(is_label)).then_some(Some(host))
}

fn is_label(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(allowed) && !text.starts_with('-') && !text.ends_with('-')
}

fn is_slug(text: &str) -> bool {
    name::is_plain(text) && text.len() <= MAX_SLUG && !matches!(text, "." | "..")
}

fn is_id(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0')
}

#[cfg(test)]
mod tests;
