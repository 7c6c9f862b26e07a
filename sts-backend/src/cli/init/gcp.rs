//! Google Cloud: a workload identity pool with a provider for our issuer, a service account that its workloads may become,
//! and that account's roles on one bucket.

use super::{
    answers::Answers,
    edge::Edge,
    form::{GCP_BUCKET, PROJECT, PROJECT_NUMBER},
    options::Options,
    plan::{Asked, Plan},
    subjects::{self, Subject},
    template::{Filled, Fillings, Name, fill},
    tree::{Language, Tree},
};
use crate::federation::permission::Permission;

/// The longest `google.subject`, in bytes (Workload Identity Federation, "Attribute mappings").
const MAX_SUBJECT: usize = 127;

/// The longest attribute condition, in characters (`WorkloadIdentityPoolProvider.attributeCondition`).
const MAX_CONDITION: usize = 4_096;

pub(super) fn plan(options: &Options, asked: &Asked, answers: &mut Answers) -> Plan {
    let project = answers.said_or_placeholder(&PROJECT, options.project.as_deref());
    let number = answers.said_or_placeholder(&PROJECT_NUMBER, options.project_number.as_deref());
    let bucket = answers.said_or_placeholder(&GCP_BUCKET, options.bucket.as_deref());
    let subjects = asked.subjects_or_placeholder();
    subjects::demand_length(answers, &subjects, MAX_SUBJECT, "Google Cloud");
    let condition = condition(&subjects);
    if condition.len() > MAX_CONDITION {
        let found = format!("{} subjects make an attribute condition of {} bytes", subjects.len(), condition.len());
        let expected = format!("at most {MAX_CONDITION}");
        answers.wrong("--subject", found, expected, "name all below a path, as `spiffe://TRUST_DOMAIN/PATH/*`");
    }

    let name = &asked.name;
    let pool = format!("projects/{number}/locations/global/workloadIdentityPools/{name}");
    let provider = format!("//iam.googleapis.com/{pool}/providers/{name}");
    let account = format!("{name}@{project}.iam.gserviceaccount.com");
    let resource = format!("https://{HOST}/{bucket}");
    check_permissions(&asked.permissions, answers);
    let roles: Vec<_> = asked.permissions.iter().copied().map(role).collect();
    let fillings = Fillings::default()
        .and_name("label", Name::of(name))
        .and("name", name)
        .and("project", &project)
        .and("issuer", &asked.issuer.url)
        .and("audience", &format!("https:{provider}"))
        .and("condition", &condition)
        .and("members", Tree::texts(members("%s", &subjects)))
        .and("provider", &provider)
        .and("account", &account)
        .and("account_member", &format!("serviceAccount:{account}"))
        .and("bucket", &bucket)
        .and("bucket_uri", &format!("gs://{bucket}"))
        .and("roles", Tree::texts(roles.clone()))
        .and("resource", &resource)
        .and("permissions", asked.permissions());
    let bindings = lines(include_str!("templates/gcp-binding.sh"), "member", members(&pool, &subjects), &fillings);
    let grants = lines(include_str!("templates/gcp-grant.sh"), "role", roles, &fillings);
    let cli_fillings = fillings.clone().and_filled("bindings", bindings).and_filled("grants", grants);
    Plan {
        terraform: fill(Language::Hcl, include_str!("templates/gcp.tf"), &fillings),
        cli: fill(Language::Shell, include_str!("templates/gcp.sh"), &cli_fillings),
        configuration: fill(Language::Yaml, include_str!("templates/gcp.yaml"), &fillings),
        edge: Edge { resource, host: HOST.to_owned(), path: "/".to_owned(), inject: None },
        forms: vec![&PROJECT, &PROJECT_NUMBER, &GCP_BUCKET],
    }
}

/// Where Cloud Storage answers, by its JSON API and by its XML API.
const HOST: &str = "storage.googleapis.com";

/// `template` once for each of `values`.
fn lines<T: Into<String>>(template: &str, hole: &'static str, values: Vec<T>, fillings: &Fillings) -> Filled {
    let line = |value: T| fill(Language::Shell, template, &fillings.clone().and(hole, Tree::text(value)));
    Filled::concat(values.into_iter().map(line))
}

/// Whom the provider lets in, in CEL.
fn condition(subjects: &[Subject]) -> String {
    let one = |subject: &Subject| match subject.below {
        true => format!("assertion.sub.startsWith({})", cel_text(&subject.text)),
        false => format!("assertion.sub == {}", cel_text(&subject.text)),
    };
    subjects.iter().map(one).collect::<Vec<_>>().join(" || ")
}

/// A text in CEL. Names have no character that means anything there; it is escaped all the same (CEL, "String and Bytes Values").
fn cel_text(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}

/// Who may become the service account. A prefix has no principal of its own: where one was named it is the whole pool, whose
/// one provider lets nobody else in.
fn members(pool: &str, subjects: &[Subject]) -> Vec<String> {
    if subjects.iter().any(|subject| subject.below) {
        return vec![format!("principalSet://iam.googleapis.com/{pool}/*")];
    }
    subjects.iter().map(|subject| format!("principal://iam.googleapis.com/{pool}/subject/{}", subject.text)).collect()
}

/// The smallest role that has what a word opens: those of the boundaries by which tokens are narrowed.
fn role(permission: Permission) -> &'static str {
    match permission {
        Permission::Read => "roles/storage.legacyObjectReader",
        Permission::List => "roles/storage.legacyBucketReader",
        Permission::Write => "roles/storage.objectCreator",
        Permission::Delete => "roles/storage.legacyBucketWriter",
    }
}

/// Google has no role that deletes and does nothing else.
fn check_permissions(permissions: &[Permission], answers: &mut Answers) {
    let has = |permission| permissions.contains(&permission);
    if has(Permission::Delete) && !(has(Permission::Write) && has(Permission::List)) {
        let words = permissions.iter().map(|permission| permission.word()).collect::<Vec<_>>().join(",");
        let expected = "`delete` along with `write` and `list`";
        answers.wrong("--permissions", format!("`{words}`"), expected, "Google has no role that only deletes");
    }
}
