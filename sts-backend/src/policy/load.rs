//! Loading: every policy must say exactly what it means, or none is used.

use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
};

use cedar_policy::{
    ActionConstraint, Authorizer, Effect, EntityUid, Policy as CedarPolicy, PolicyId, PolicySet, PrincipalConstraint,
    ResourceConstraint, Schema, ValidationMode, Validator,
};
use miette::Diagnostic;
use serde_json::Value;
use token::{base64url, digest::FieldDigest};

use super::{
    Names, Policy, PolicyFinding, SCHEMA_V1,
    annotation::{self, Allowed, Terms},
    facts,
    slice::Slices,
};

/// The actions of the schema, as policies write them.
const ACT_FOR: &str = r#"Cloakroom::Action::"act_for""#;
const EXCHANGE: &str = r#"Cloakroom::Action::"exchange""#;
const EXCHANGE_DIRECTLY: &str = r#"Cloakroom::Action::"exchange_directly""#;

/// The most policies that are loaded.
const MAX_POLICIES: usize = 10_000;

/// Parses, checks and divides policy files.
pub fn load(files: &[(PathBuf, String)]) -> Result<Policy, Vec<PolicyFinding>> {
    let mut loading = Loading::default();
    for (file, text) in files {
        loading.read(file, text);
    }
    let names = match names() {
        Ok(names) => names,
        Err(error) => return Err(vec![loading.of_files(files, &error)]),
    };
    let schema = match Schema::from_cedarschema_str(SCHEMA_V1) {
        Ok((schema, _)) => schema,
        Err(error) => return Err(vec![loading.of_files(files, &error.to_string())]),
    };
    loading.validate(schema);
    if !loading.findings.is_empty() {
        return Err(loading.findings);
    }
    let slices = |action: &EntityUid, pinned: fn(&CedarPolicy) -> Option<EntityUid>| {
        let applicable: Vec<_> =
            loading.policies.iter().filter(|one| applies(&one.policy, action)).map(Loaded::parts).collect();
        Slices::new(&applicable, pinned).map_err(|error| vec![loading.of_files(files, &error.to_string())])
    };
    Ok(Policy {
        version: version(files),
        authorizer: Authorizer::new(),
        act_for: slices(&names.act_for, pinned_principal)?,
        exchange: slices(&names.exchange, pinned_resource)?,
        exchange_directly: slices(&names.exchange_directly, pinned_resource)?,
        names,
    })
}

#[derive(Default)]
struct Loading {
    policies: Vec<Loaded>,
    ids: HashMap<String, PathBuf>,
    findings: Vec<PolicyFinding>,
}

struct Loaded {
    file: PathBuf,
    policy: CedarPolicy,
    terms: Terms,
}

impl Loaded {
    fn parts(&self) -> (CedarPolicy, Terms) {
        (self.policy.clone(), self.terms.clone())
    }
}

impl Loading {
    fn read(&mut self, file: &Path, text: &str) {
        let set: PolicySet = match text.parse::<PolicySet>() {
            Ok(set) => set,
            Err(errors) => {
                for error in errors.iter() {
                    let offset = error.labels().and_then(|mut labels| labels.next()).map(|label| label.offset());
                    let place = offset.map_or(String::new(), |offset| format!("line {}: ", line(text, offset)));
                    self.find(file, None, format!("{place}not a Cedar policy: {error}"));
                }
                return;
            }
        };
        if set.num_of_templates() > 0 {
            self.find(file, None, "templates (`?principal`, `?resource`) are not supported; write policies".to_owned());
        }
        let mut policies: Vec<_> = set.policies().cloned().collect();
        // Cedar names policies by their place: policy0, policy1, ...
        policies.sort_by_key(|policy| {
            policy.id().to_string().strip_prefix("policy").and_then(|place| place.parse::<usize>().ok())
        });
        for (index, policy) in policies.into_iter().enumerate() {
            self.add(file, index, policy);
        }
    }

    fn add(&mut self, file: &Path, index: usize, policy: CedarPolicy) {
        let place = || format!("number {} in the file", index + 1);
        let name = policy.annotation("id").filter(|id| !id.is_empty()).map_or_else(place, str::to_owned);
        let mut faults = action_faults(&policy);
        if let Ok(json) = policy.to_json() {
            faults.extend(facts_read(&json).iter().filter_map(|fact| facts::advice(fact)));
        }
        let allowed = if grants(&policy) { Allowed::Grant } else { Allowed::NameOnly };
        let mut terms = match annotation::read(policy.annotations(), allowed) {
            Ok(terms) => terms,
            Err(messages) => {
                faults.extend(messages);
                Terms::default()
            }
        };
        if allowed == Allowed::Grant && policy.annotation("id").is_none() {
            faults.push("a permit to have a token needs an `@id(\"...\")`: records name it".to_owned());
        }
        if terms.id.is_empty() {
            terms.id = format!(
                "{}#{}",
                file.file_name().map_or_else(Default::default, |name| name.to_string_lossy()),
                index + 1
            );
        }
        if let Some(other) = self.ids.insert(terms.id.clone(), file.to_owned()) {
            faults.push(format!("another policy, in {}, has the same `@id`", other.display()));
            // Two policies of one id cannot be validated together; the first of them is.
            terms.id = format!("{}#{}#{}", terms.id, file.display(), index);
        }
        terms.order = self.policies.len();
        if terms.order >= MAX_POLICIES {
            faults.push(format!("more than {MAX_POLICIES} policies"));
        }
        for fault in faults {
            self.find(file, Some(name.clone()), fault);
        }
        let policy = policy.new_id(PolicyId::new(&terms.id));
        self.policies.push(Loaded { file: file.to_owned(), policy, terms });
    }

    /// Strict validation against the schema. Warnings count: a policy that can never apply, or that holds characters which
    /// look like others, is not what its author meant.
    fn validate(&mut self, schema: Schema) {
        let mut set = PolicySet::new();
        for one in &self.policies {
            // Ids are unique by now, and the number of policies is bounded where they are read.
            _ = set.add(one.policy.clone());
        }
        let result = Validator::new(schema).validate(&set, ValidationMode::Strict);
        let errors =
            result.validation_errors().map(|error| (error.policy_id().to_string(), error.to_string(), error.help()));
        let warnings = result
            .validation_warnings()
            .map(|warning| (warning.policy_id().to_string(), warning.to_string(), warning.help()));
        let told: BTreeSet<(PathBuf, String)> =
            self.findings.iter().filter_map(|finding| Some((finding.file.clone(), finding.policy.clone()?))).collect();
        let mut found = Vec::new();
        for (id, message, help) in errors.chain(warnings) {
            let file =
                self.policies.iter().find(|one| one.terms.id == id).map(|one| one.file.clone()).unwrap_or_default();
            // A policy that was found wanting for a plain reason is not told of its consequences.
            if !told.contains(&(file.clone(), id.clone())) {
                let help = help.map_or(String::new(), |help| format!(" ({help})"));
                found.push(PolicyFinding { file, policy: Some(id), message: format!("{message}{help}") });
            }
        }
        self.findings.append(&mut found);
    }

    fn find(&mut self, file: &Path, policy: Option<String>, message: String) {
        self.findings.push(PolicyFinding { file: file.to_owned(), policy, message });
    }

    fn of_files(&self, files: &[(PathBuf, String)], message: &str) -> PolicyFinding {
        let file = files.first().map(|(file, _)| file.clone()).unwrap_or_default();
        PolicyFinding { file, policy: None, message: message.to_owned() }
    }
}

/// What is wrong with the actions a policy names.
fn action_faults(policy: &CedarPolicy) -> Vec<String> {
    let named = match policy.action_constraint() {
        ActionConstraint::Any if policy.effect() == Effect::Permit => {
            return vec![format!("a permit must name its action, for example `action == {EXCHANGE}`")];
        }
        ActionConstraint::Any => return Vec::new(),
        ActionConstraint::Eq(action) => vec![action],
        ActionConstraint::In(actions) => actions,
    };
    let names: Vec<_> = named.iter().map(ToString::to_string).collect();
    let known = [ACT_FOR, EXCHANGE, EXCHANGE_DIRECTLY];
    let mut faults: Vec<_> = names
        .iter()
        .filter(|name| !known.contains(&name.as_str()))
        .map(|name| format!("`{name}` is no action; there are {}", known.join(", ")))
        .collect();
    if names.len() > 1 && names.iter().any(|name| name == ACT_FOR) {
        faults.push(format!(
            "`{ACT_FOR}` stands with others; its principal is a proxy, theirs a workload: write two policies"
        ));
    }
    faults
}

/// Whether the policy permits tokens.
fn grants(policy: &CedarPolicy) -> bool {
    let other = |action: &EntityUid| action.to_string() != ACT_FOR;
    policy.effect() == Effect::Permit
        && match policy.action_constraint() {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(action) => other(&action),
            ActionConstraint::In(actions) => actions.iter().any(other),
        }
}

fn applies(policy: &CedarPolicy, action: &EntityUid) -> bool {
    match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(named) => named == *action,
        ActionConstraint::In(named) => named.contains(action),
    }
}

fn pinned_principal(policy: &CedarPolicy) -> Option<EntityUid> {
    match policy.principal_constraint() {
        PrincipalConstraint::Eq(entity) => Some(entity),
        _ => None,
    }
}

fn pinned_resource(policy: &CedarPolicy) -> Option<EntityUid> {
    match policy.resource_constraint() {
        ResourceConstraint::Eq(entity) => Some(entity),
        _ => None,
    }
}

/// The attributes of `context` that a policy reads or asks for, by its JSON form.
fn facts_read(json: &Value) -> BTreeSet<String> {
    let mut read = BTreeSet::new();
    collect_facts(json, &mut read);
    read
}

fn collect_facts(json: &Value, read: &mut BTreeSet<String>) {
    match json {
        Value::Object(members) => {
            for (operator, operand) in members {
                let of_context = operand.pointer("/left/Var").and_then(Value::as_str) == Some("context");
                if matches!(operator.as_str(), "." | "has")
                    && of_context
                    && let Some(attribute) = operand.get("attr").and_then(Value::as_str)
                {
                    read.insert(attribute.to_owned());
                }
                collect_facts(operand, read);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_facts(item, read)),
        _ => {}
    }
}

fn names() -> Result<Names, String> {
    let kind = |name: &str| format!("Cloakroom::{name}").parse().map_err(|error| format!("{error}"));
    let action = |name: &str| name.parse().map_err(|error| format!("{error}"));
    Ok(Names {
        proxy: kind("Proxy")?,
        workload: kind("Workload")?,
        target: kind("Target")?,
        act_for: action(ACT_FOR)?,
        exchange: action(EXCHANGE)?,
        exchange_directly: action(EXCHANGE_DIRECTLY)?,
    })
}

fn version(files: &[(PathBuf, String)]) -> String {
    let digest = files.iter().fold(FieldDigest::new("policy").field(SCHEMA_V1), |digest, (_, text)| digest.field(text));
    base64url::encode(digest.finish())
}

fn line(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
