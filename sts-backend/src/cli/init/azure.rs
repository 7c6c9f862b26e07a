//! Azure: an app registration or a user-assigned managed identity with federated credentials, and its roles on one container.

use token::digest::fingerprint;

use super::{
    answers::Answers,
    edge::Edge,
    form::{CLIENT_ID, CONTAINER, RESOURCE_GROUP, STORAGE_ACCOUNT, TENANT},
    options::{AzureIdentity, Options},
    plan::{Asked, Plan},
    subjects,
    template::{Filled, Fillings, Name, fill},
    tree::{Language, Tree},
};
use crate::federation::permission::Permission;

/// `aud` of what is shown to Entra.
const AUDIENCE: &str = "api://AzureADTokenExchange";

/// The longest subject of a federated credential, in bytes (Microsoft Graph, `federatedIdentityCredential`).
const MAX_SUBJECT: usize = 600;

/// How many workloads can have a federated credential of their own: there is room for 20, and one of them is for the subject
/// of all others.
const MAX_OWN: usize = 19;

pub(super) fn plan(options: &Options, asked: &Asked, answers: &mut Answers) -> Plan {
    let tenant = answers.said_or_placeholder(&TENANT, options.tenant.as_deref());
    let client_id = answers.said_or_placeholder(&CLIENT_ID, options.client_id.as_deref());
    let resource_group = answers.said_or_placeholder(&RESOURCE_GROUP, options.resource_group.as_deref());
    let account = answers.said_or_placeholder(&STORAGE_ACCOUNT, options.storage_account.as_deref());
    let container = answers.said_or_placeholder(&CONTAINER, options.container.as_deref());
    check_subjects(asked, answers);

    let host = format!("{account}.blob.core.windows.net");
    let resource = format!("https://{host}/{container}");
    let credentials = credentials(asked);
    let own = asked.subjects.iter().map(|subject| subject.text.as_str());
    let fillings = Fillings::default()
        .and_name("label", Name::of(&asked.name))
        .and("name", &asked.name)
        .and("issuer", &asked.issuer.url)
        .and("audience", AUDIENCE)
        .and("tenant", &tenant)
        .and("client_id", &client_id)
        .and("resource_group", &resource_group)
        .and("account", &account)
        .and("container", &container)
        .and("data_role", data_role(&asked.permissions))
        .and("credentials", Tree::object(credentials.iter().map(|(name, subject)| (name, Tree::text(subject)))))
        .and("subject", &shared_subject(asked))
        .and("own", Tree::texts(own))
        .and("resource", &resource)
        .and("permissions", asked.permissions());
    let (terraform, cli, line) = match options.identity.unwrap_or(AzureIdentity::App) {
        AzureIdentity::App => (
            include_str!("templates/azure-app.tf"),
            include_str!("templates/azure-app.sh"),
            include_str!("templates/azure-app-credential.sh"),
        ),
        AzureIdentity::Managed => (
            include_str!("templates/azure-managed.tf"),
            include_str!("templates/azure-managed.sh"),
            include_str!("templates/azure-managed-credential.sh"),
        ),
    };
    let lines = credentials.iter().map(|(name, subject)| {
        let holes = fillings.clone().and("credential_name", name).and("credential_subject", subject);
        fill(Language::Shell, line, &holes.and("credential", credential(asked, name, subject)))
    });
    let lines = Filled::concat(lines);
    let who = match asked.subjects.is_empty() {
        true => "      subject: {{subject}}\n",
        false => "      subject: {{subject}}\n      own_credentials: {{own}}\n",
    };
    let who = fill(Language::Yaml, who, &fillings);
    Plan {
        terraform: Filled::concat([
            fill(Language::Hcl, terraform, &fillings),
            fill(Language::Hcl, include_str!("templates/azure-roles.tf"), &fillings),
        ]),
        cli: Filled::concat([
            fill(Language::Shell, cli, &fillings.clone().and_filled("lines", lines)),
            fill(Language::Shell, include_str!("templates/azure-roles.sh"), &fillings),
        ]),
        configuration: fill(Language::Yaml, include_str!("templates/azure.yaml"), &fillings.and_filled("who", who)),
        edge: Edge { resource, host, path: "/".to_owned(), inject: Some(Tree::text("azure_sas")) },
        forms: vec![&TENANT, &CLIENT_ID, &RESOURCE_GROUP, &STORAGE_ACCOUNT, &CONTAINER],
    }
}

/// A federated credential is for one subject, letter by letter, and an identity has room for few.
fn check_subjects(asked: &Asked, answers: &mut Answers) {
    subjects::demand_length(answers, &asked.subjects, MAX_SUBJECT, "Entra");
    for subject in asked.subjects.iter().filter(|subject| subject.below) {
        let found = format!("`{}*`", subject.text);
        let expected = "whole names: Entra compares a federated credential's subject letter by letter";
        let remedy =
            "without `--subject` one credential serves all workloads, and Cloakroom's policy says which may come";
        answers.wrong("--subject", found, expected, remedy);
    }
    if asked.subjects.len() > MAX_OWN {
        let found = format!("{} subjects", asked.subjects.len());
        let expected = format!(
            "at most {MAX_OWN}: an identity has room for 20 federated credentials, and one is for the subject of all others"
        );
        answers.wrong("--subject", found, expected, "leave `--subject` out: one credential then serves all workloads");
    }
}

/// The names of the federated credentials, and whom each is for. A name is made of its subject, so that taking one out leaves
/// the others as they are.
fn credentials(asked: &Asked) -> Vec<(String, String)> {
    let subjects = match asked.subjects.is_empty() {
        true => vec![shared_subject(asked)],
        false => asked.subjects.iter().map(|subject| subject.text.clone()).collect(),
    };
    let name = |subject: &str| {
        let digest: String = fingerprint(subject).chars().filter(char::is_ascii_alphanumeric).take(8).collect();
        format!("{}-{digest}", asked.name)
    };
    subjects.into_iter().map(|subject| (name(&subject), subject)).collect()
}

/// `sub` of what is shown for workloads that have no credential of their own. It is no workload's name.
fn shared_subject(asked: &Asked) -> String {
    format!("destination:{}", asked.name)
}

/// What Microsoft Graph wants to know of a federated credential.
fn credential(asked: &Asked, name: &str, subject: &str) -> Tree {
    Tree::object([
        ("name", Tree::text(name)),
        ("issuer", Tree::text(&asked.issuer.url)),
        ("subject", Tree::text(subject)),
        ("audiences", Tree::texts([AUDIENCE])),
    ])
}

/// The built-in role that has what was asked for.
fn data_role(permissions: &[Permission]) -> &'static str {
    let writes = permissions.iter().any(|permission| matches!(permission, Permission::Write | Permission::Delete));
    if writes { "Storage Blob Data Contributor" } else { "Storage Blob Data Reader" }
}
