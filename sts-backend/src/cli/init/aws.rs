//! AWS: an OpenID Connect provider for our issuer, a role that trusts it, and that role's policy of one bucket.

use super::{
    answers::Answers,
    edge::Edge,
    form::{ACCOUNT, AWS_BUCKET, REGION},
    options::Options,
    plan::{Asked, Plan},
    subjects::{self, Subject},
    template::{Fillings, Name, fill},
    tree::{Language, Tree},
};
use crate::{aws::partition::Partition, federation::permission::Permission};

/// `aud` of what is shown to AWS, where the configuration names no other.
const AUDIENCE: &str = "sts.amazonaws.com";

/// The longest trust policy that an account takes without a raised quota, in characters (IAM quotas, "Role trust policy
/// length").
const MAX_TRUST_POLICY: usize = 2_048;

/// The longest `sub` (`AssumeRoleWithWebIdentity`, `SubjectFromWebIdentityToken`).
const MAX_SUBJECT: usize = 255;

pub(super) fn plan(options: &Options, asked: &Asked, answers: &mut Answers) -> Plan {
    let account = answers.said_or_placeholder(&ACCOUNT, options.account.as_deref());
    let region = answers.said_or_placeholder(&REGION, options.region.as_deref());
    let bucket = answers.said_or_placeholder(&AWS_BUCKET, options.bucket.as_deref());
    let partition = Partition::of_region(&region).unwrap_or(Partition::Aws);
    let subjects = asked.subjects_or_placeholder();
    subjects::demand_length(answers, &subjects, MAX_SUBJECT, "AWS");

    let issuer = asked.issuer.without_scheme();
    let condition = condition(issuer, &subjects);
    let provider_arn = format!("arn:{}:iam::{account}:oidc-provider/{issuer}", partition.name());
    let trust = trust(&provider_arn, condition.clone());
    let length = trust.written(Language::Json, 0).split_whitespace().map(str::len).sum::<usize>();
    if length > MAX_TRUST_POLICY {
        let found = format!("{} subjects make a trust policy of {length} characters", subjects.len());
        let expected = format!("at most {MAX_TRUST_POLICY}");
        answers.wrong("--subject", found, expected, "name all below a path, as `spiffe://TRUST_DOMAIN/PATH/*`");
    }

    let role_arn = format!("arn:{}:iam::{account}:role/{}", partition.name(), asked.name);
    let edge = edge(asked, &bucket, &region, partition);
    let fillings = Fillings::default()
        .and_name("label", Name::of(&asked.name))
        .and("name", &asked.name)
        .and("issuer", &asked.issuer.url)
        .and("audience", AUDIENCE)
        .and("condition", condition)
        .and("trust", trust)
        .and("policy", policy(&asked.permissions, &bucket, partition))
        .and("role_arn", &role_arn)
        .and("region", &region)
        .and("bucket", &bucket)
        .and("resource", &edge.resource)
        .and("permissions", asked.permissions());
    Plan {
        terraform: fill(Language::Hcl, include_str!("templates/aws.tf"), &fillings),
        cli: fill(Language::Shell, include_str!("templates/aws.sh"), &fillings),
        configuration: fill(Language::Yaml, include_str!("templates/aws.yaml"), &fillings),
        edge,
        forms: vec![&ACCOUNT, &REGION, &AWS_BUCKET],
    }
}

/// Who may assume the role: our tokens for AWS, of these subjects. Where a pattern is among them, `*` and `?` have a meaning
/// in all; names have neither.
fn condition(issuer: &str, subjects: &[Subject]) -> Tree {
    let audience = (format!("{issuer}:aud"), Tree::text(AUDIENCE));
    let any_below = subjects.iter().any(|subject| subject.below);
    let patterns = subjects.iter().map(|subject| match subject.below {
        true => format!("{}*", subject.text),
        false => subject.text.clone(),
    });
    let subject = (format!("{issuer}:sub"), Tree::one_or_list(patterns));
    if any_below {
        Tree::object([("StringEquals", Tree::object([audience])), ("StringLike", Tree::object([subject]))])
    } else {
        Tree::object([("StringEquals", Tree::object([audience, subject]))])
    }
}

/// Tags and source identity travel in our token, and without the two other actions AWS refuses it.
fn trust(provider_arn: &str, condition: Tree) -> Tree {
    document(vec![Tree::object([
        ("Effect", Tree::text("Allow")),
        ("Principal", Tree::object([("Federated", Tree::text(provider_arn))])),
        ("Action", Tree::texts(["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"])),
        ("Condition", condition),
    ])])
}

/// What the role may do. What a workload gets of it is narrowed again each time, by a session policy.
fn policy(permissions: &[Permission], bucket: &str, partition: Partition) -> Tree {
    let arn = format!("arn:{}:s3:::{bucket}", partition.name());
    let actions = |of: fn(Permission) -> &'static [&'static str]| {
        permissions.iter().flat_map(|permission| of(*permission)).copied().collect::<Vec<_>>()
    };
    let statements = [(actions(bucket_actions), arn.clone()), (actions(object_actions), format!("{arn}/*"))];
    let statements = statements.into_iter().filter(|(actions, _)| !actions.is_empty()).map(|(actions, resource)| {
        Tree::object([
            ("Effect", Tree::text("Allow")),
            ("Action", Tree::texts(actions)),
            ("Resource", Tree::text(resource)),
        ])
    });
    document(statements.collect())
}

fn bucket_actions(permission: Permission) -> &'static [&'static str] {
    match permission {
        Permission::List => &["s3:ListBucket"],
        Permission::Read | Permission::Write | Permission::Delete => &[],
    }
}

fn object_actions(permission: Permission) -> &'static [&'static str] {
    match permission {
        Permission::Read => &["s3:GetObject"],
        Permission::List => &[],
        Permission::Write => &["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
        Permission::Delete => &["s3:DeleteObject"],
    }
}

fn document(statements: Vec<Tree>) -> Tree {
    Tree::object([("Version", Tree::text("2012-10-17")), ("Statement", Tree::List(statements))])
}

/// A bucket with a dot in its name has no host of its own that AWS's certificate is good for: its name goes into the path.
fn edge(asked: &Asked, bucket: &str, region: &str, partition: Partition) -> Edge {
    let domain = if partition == Partition::China { "amazonaws.com.cn" } else { "amazonaws.com" };
    let (host, path) = match bucket.contains('.') {
        true => (format!("s3.{region}.{domain}"), format!("/{bucket}/")),
        false => (format!("{bucket}.s3.{region}.{domain}"), "/".to_owned()),
    };
    let rewrite = Tree::object([("match", Tree::text(Edge::prefix(&asked.name))), ("to", Tree::text(&path))]);
    let inject = Tree::object([(
        "sigv4",
        Tree::object([
            ("service", Tree::text("s3")),
            ("region", Tree::text(region)),
            ("payload", Tree::text("reuse")),
            ("host", Tree::text(&host)),
            ("prefix_rewrite", rewrite),
        ]),
    )]);
    let resource = format!("https://{host}{}", path.trim_end_matches('/'));
    Edge { resource, host, path, inject: Some(inject) }
}
