//! Credential Access Boundaries: what a downscoped token opens at most (Google Cloud, "Credential Access Boundaries").

use serde::Deserialize;

use super::{
    expression::{Expression, Facts},
    roles,
};

/// A boundary that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary(Vec<Rule>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    bucket: String,
    roles: Vec<String>,
    condition: Option<Expression>,
}

/// What is to be done with which object, or with the bucket itself.
#[derive(Clone, Copy, Debug)]
pub struct Use<'u> {
    /// `storage.objects.get`
    pub permission: &'u str,
    pub bucket: &'u str,
    /// The object's name; nothing for a listing.
    pub object: Option<&'u str>,
    /// Of a listing, if it names one.
    pub prefix: Option<&'u str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawBoundary {
    access_boundary_rules: Vec<RawRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawRule {
    available_resource: String,
    available_permissions: Vec<String>,
    availability_condition: Option<RawCondition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawCondition {
    expression: String,
    #[serde(default, rename = "title")]
    _title: String,
    #[serde(default, rename = "description")]
    _description: String,
}

impl Boundary {
    /// Reads the JSON of one.
    ///
    /// # Errors
    /// What Google would refuse, in words.
    pub fn read(json: &serde_json::Value) -> Result<Self, String> {
        if json.to_string().len() > MAX_LENGTH {
            return Err(format!("the access boundary is longer than {MAX_LENGTH} characters"));
        }
        let raw: RawBoundary = serde_json::from_value(json.clone()).map_err(|error| error.to_string())?;
        if !(1..=MAX_RULES).contains(&raw.access_boundary_rules.len()) {
            return Err(format!("an access boundary has 1 to {MAX_RULES} rules"));
        }
        raw.access_boundary_rules.into_iter().map(Rule::read).collect::<Result<_, _>>().map(Self)
    }

    /// Whether some rule allows it.
    pub fn allows(&self, usage: Use<'_>) -> bool {
        self.0.iter().any(|rule| rule.allows(usage))
    }
}

impl Rule {
    fn read(raw: RawRule) -> Result<Self, String> {
        let bucket =
            raw.available_resource.strip_prefix(BUCKETS).filter(|name| !name.is_empty() && !name.contains('/'));
        let bucket = bucket.ok_or_else(|| format!("`{}` is no bucket", raw.available_resource))?.to_owned();
        if raw.available_permissions.is_empty() {
            return Err("a rule without permissions".into());
        }
        let roles = raw.available_permissions.into_iter().map(|permission| {
            let role = permission.strip_prefix("inRole:").filter(|role| roles::permissions(role).is_some());
            role.map(str::to_owned).ok_or_else(|| format!("`{permission}` names no role of Cloud Storage"))
        });
        let roles = roles.collect::<Result<_, _>>()?;
        let condition =
            raw.availability_condition.map(|condition| Expression::read(&condition.expression)).transpose()?;
        Ok(Self { bucket, roles, condition })
    }

    fn allows(&self, usage: Use<'_>) -> bool {
        let has = |role: &String| roles::permissions(role).is_some_and(|all| all.contains(&usage.permission));
        self.bucket == usage.bucket
            && self.roles.iter().any(has)
            && self.condition.as_ref().is_none_or(|condition| condition.holds(&usage))
    }
}

impl Facts for Use<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        let bucket = format!("projects/_/buckets/{}", self.bucket);
        match (name, self.object) {
            ("resource.name", Some(object)) => Some(format!("{bucket}/objects/{object}")),
            ("resource.name", None) => Some(bucket),
            ("resource.type", Some(_)) => Some("storage.googleapis.com/Object".into()),
            ("resource.type", None) => Some("storage.googleapis.com/Bucket".into()),
            ("resource.service", _) => Some("storage.googleapis.com".into()),
            _ => None,
        }
    }

    fn attribute(&self, name: &str) -> Option<String> {
        self.prefix.filter(|_| name == "storage.googleapis.com/objectListPrefix").map(str::to_owned)
    }
}

const BUCKETS: &str = "//storage.googleapis.com/projects/_/buckets/";
const MAX_LENGTH: usize = 2048;
const MAX_RULES: usize = 10;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn boundary(prefix: &str) -> serde_json::Value {
        json!({"accessBoundaryRules": [{
            "availableResource": format!("{BUCKETS}reports"),
            "availablePermissions": ["inRole:roles/storage.objectViewer"],
            "availabilityCondition": {"title": "t", "expression": format!(
                "resource.name.startsWith('projects/_/buckets/reports/objects/{prefix}') || \
                 api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('{prefix}')"
            )}
        }]})
    }

    #[test]
    fn a_boundary_opens_one_prefix_of_one_bucket() {
        let boundary = Boundary::read(&boundary("team-a/")).unwrap();
        let (get, list, create) = ("storage.objects.get", "storage.objects.list", "storage.objects.create");
        for (permission, bucket, object, prefix, wanted) in [
            (get, "reports", Some("team-a/q3"), None, true),
            (get, "reports", Some("team-b/q3"), None, false),
            (get, "ledger", Some("team-a/q3"), None, false),
            (create, "reports", Some("team-a/q3"), None, false),
            (list, "reports", None, Some("team-a/"), true),
            (list, "reports", None, Some("team-b/"), false),
            (list, "reports", None, None, false),
        ] {
            let usage = Use { permission, bucket, object, prefix };
            assert_eq!(boundary.allows(usage), wanted, "{usage:?}");
        }
    }

    #[test]
    fn what_google_would_refuse_is_no_boundary() {
        let changes: [fn(&mut serde_json::Value); 9] = [
            |rule| rule["availableResource"] = json!("//storage.googleapis.com/projects/_/buckets/a/objects/b"),
            |rule| rule["availableResource"] = json!("//bigquery.googleapis.com/projects/x"),
            |rule| rule["availablePermissions"] = json!([]),
            |rule| rule["availablePermissions"] = json!(["storage.objects.get"]),
            |rule| rule["availablePermissions"] = json!(["inRole:roles/owner"]),
            |rule| rule["availabilityCondition"]["expression"] = json!("resource.name.startsWith('a'b')"),
            |rule| rule["availabilityCondition"] = json!("true"),
            |rule| rule["other"] = json!(1),
            |rule| rule["availabilityCondition"]["title"] = json!("t".repeat(2048)),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut wrong = boundary("team-a/");
            change(&mut wrong["accessBoundaryRules"][0]);
            assert!(Boundary::read(&wrong).is_err(), "change {number}");
        }
        let rule =
            json!({"availableResource": format!("{BUCKETS}b"), "availablePermissions": ["inRole:roles/storage.admin"]});
        assert!(Boundary::read(&json!({"accessBoundaryRules": []})).is_err());
        assert!(Boundary::read(&json!({"accessBoundaryRules": vec![rule.clone(); 10]})).is_ok());
        assert!(Boundary::read(&json!({"accessBoundaryRules": vec![rule; 11]})).is_err());
    }
}
