//! One workload of every platform: what its tokens say, and what they say when they are somebody else's.

use serde_json::{Value, json};
use token::{jws::Algorithm, reason::Reason};

use crate::identity::{GithubJobs, OidcClaims, Preset, github};

/// A workload, and how its platform's tokens can be wrong.
pub struct Workload {
    /// The preset's name in the configuration.
    pub preset: &'static str,
    pub settings: Preset,
    pub algorithm: &'static str,
    /// The audience that is reserved there.
    pub audience: &'static str,
    pub claims: Value,
    /// The name it gets.
    pub name: &'static str,
    /// What a token of another tenant, account, project, owner, ... has instead, and how it is refused.
    pub foreign: (Value, Reason, &'static str),
    /// What a token of an issuer has instead that looks like this one.
    pub look_alike: Value,
    /// What a token of an issuer has instead that nobody knows.
    pub unknown_issuer: Value,
    /// The claim by which a source is chosen.
    pub chosen_by: &'static str,
}

const AUDIENCE: &str = "https://sts.test";
const TENANT: &str = "5f1f2b7e-93d5-4b0a-8a1c-6e0d3c9b7a42";
const OTHER_TENANT: &str = "6a1f2b7e-93d5-4b0a-8a1c-6e0d3c9b7a42";
const OBJECT: &str = "9a3e1c52-7b1d-4b86-a0cf-5d1f7e2b8c60";
const AWS: &str = "https://0b1cf2d3-5a4e-4c8d-9f61-2f7a3f0c6b11.tokens.sts.global.api.aws";
const CLUSTER: &str = "https://kubernetes.default.svc.cluster.local";
const ACCOUNT: &str = "reporting@acme-reports.iam.gserviceaccount.com";
const OTHER_ACCOUNT: &str = "reporting@acme-other.iam.gserviceaccount.com";

pub fn all() -> Vec<Workload> {
    vec![aws(), google(), service_account(), entra("1.0"), entra("2.0"), kubernetes(), github(), spiffe(), oidc()]
}

fn of_an_issuer(preset: &'static str, settings: Preset, claims: Value, look_alike: &str) -> Workload {
    Workload {
        preset,
        settings,
        algorithm: "RS256",
        audience: AUDIENCE,
        claims,
        name: "",
        foreign: (json!({}), Reason::SubjectClaimMismatch, ""),
        look_alike: json!({ "iss": look_alike }),
        unknown_issuer: json!({"iss": "https://nobody.example"}),
        chosen_by: "iss",
    }
}

fn aws() -> Workload {
    let settings = Preset::AwsOutbound { issuer: AWS.into(), account: "123456789012".into() };
    let claims = json!({
        "iss": AWS, "sub": "arn:aws:iam::123456789012:role/app-role",
        "https://sts.amazonaws.com/": {"aws_account": "123456789012", "request_tags": {"job": "x"}},
    });
    Workload {
        algorithm: "ES384",
        name: "spiffe://td.test/aws/123456789012/role/app-role",
        foreign: (
            json!({"https://sts.amazonaws.com/": {"aws_account": "210987654321"}}),
            Reason::SubjectClaimMismatch,
            "https://sts.amazonaws.com/ aws_account",
        ),
        ..of_an_issuer("aws_outbound", settings, claims, "https://0b1cf2d3.tokens.sts.global.api.aws")
    }
}

fn google() -> Workload {
    let claims = json!({
        "iss": "https://accounts.google.com", "azp": "1122", "sub": "1122", "email": ACCOUNT, "email_verified": true,
    });
    Workload {
        name: "spiffe://td.test/gcp/acme-reports/sa/reporting",
        foreign: (json!({ "email": OTHER_ACCOUNT }), Reason::SubjectClaimMismatch, "email"),
        ..of_an_issuer(
            "google",
            Preset::Google { projects: vec!["acme-reports".into()] },
            claims,
            "https://accounts.google.com.evil.example",
        )
    }
}

fn service_account() -> Workload {
    let settings = Preset::GoogleServiceAccount { accounts: vec![ACCOUNT.into()], max_life: 3600 };
    let claims = json!({"iss": ACCOUNT, "sub": ACCOUNT});
    Workload {
        name: "spiffe://td.test/gcp/acme-reports/sa/reporting",
        foreign: (json!({"iss": OTHER_ACCOUNT, "sub": OTHER_ACCOUNT}), Reason::SubjectIssuerUnknown, "iss"),
        ..of_an_issuer("google_service_account", settings, claims, "Reporting@acme-reports.iam.gserviceaccount.com")
    }
}

fn entra(version: &'static str) -> Workload {
    let v1 = version == "1.0";
    let (issuer, look_alike) = if v1 {
        (format!("https://sts.windows.net/{TENANT}/"), format!("https://sts.windows.net/{TENANT}"))
    } else {
        let issuer = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
        (issuer.clone(), format!("{issuer}/"))
    };
    let settings =
        if v1 { Preset::EntraV1 { tenant: TENANT.into() } } else { Preset::EntraV2 { tenant: TENANT.into() } };
    let claims = json!({"iss": issuer, "tid": TENANT, "oid": OBJECT, "sub": OBJECT, "idtyp": "app", "ver": version});
    Workload {
        audience: if v1 { "api://sts.test" } else { "7c0f7a35-9f0e-4a4f-8d39-0d2c51c6a9e0" },
        name: "spiffe://td.test/azure/5f1f2b7e-93d5-4b0a-8a1c-6e0d3c9b7a42/9a3e1c52-7b1d-4b86-a0cf-5d1f7e2b8c60",
        foreign: (json!({ "tid": OTHER_TENANT }), Reason::SubjectClaimMismatch, "tid"),
        ..of_an_issuer(if v1 { "entra_v1" } else { "entra_v2" }, settings, claims, &look_alike)
    }
}

fn kubernetes() -> Workload {
    let settings = Preset::Kubernetes { issuer: CLUSTER.into(), cluster: "prod".into(), token_review: None };
    let claims = json!({
        "iss": CLUSTER, "sub": "system:serviceaccount:payments:api",
        "kubernetes.io": {"namespace": "payments", "serviceaccount": {"name": "api", "uid": "0f6e"}},
    });
    Workload {
        name: "spiffe://td.test/k8s/prod/payments/api",
        foreign: (json!({"sub": "system:serviceaccount:kube-system:api"}), Reason::SubjectClaimMismatch, "sub"),
        ..of_an_issuer("kubernetes", settings, claims, "https://kubernetes.default.svc")
    }
}

fn github() -> Workload {
    let settings = Preset::Github(GithubJobs {
        issuer: github::ISSUER.into(),
        owner_ids: vec!["65".into()],
        repository_ids: Vec::new(),
        events: github::EVENTS.map(str::to_owned).to_vec(),
    });
    let claims = json!({
        "iss": github::ISSUER, "sub": "repo:octo-org@65/octo-repo@74:environment:prod", "repository": "octo-org/octo-repo",
        "repository_id": "74", "repository_owner": "octo-org", "repository_owner_id": "65", "ref": "refs/heads/main",
        "environment": "prod", "event_name": "push",
    });
    Workload {
        name: "spiffe://td.test/github/65/74/environment/prod",
        foreign: (json!({"repository_owner_id": "66"}), Reason::SubjectClaimMismatch, "repository_owner_id"),
        ..of_an_issuer("github", settings, claims, "https://token.actions.githubusercontent.com/octo-org")
    }
}

fn spiffe() -> Workload {
    let settings = Preset::Spiffe { trust_domain: "acme.test".into() };
    Workload {
        algorithm: "ES256",
        name: "spiffe://acme.test/ns/payments/sa/api",
        foreign: (
            json!({"iss": "spiffe://acme.test", "sub": "spiffe://other.test/ns/payments/sa/api"}),
            Reason::SubjectClaimMismatch,
            "sub",
        ),
        look_alike: json!({"sub": "spiffe://acme.test.evil.example/ns/payments/sa/api"}),
        unknown_issuer: json!({"sub": "spiffe://nobody.example/ns/payments/sa/api"}),
        chosen_by: "sub",
        ..of_an_issuer("spiffe", settings, json!({"sub": "spiffe://acme.test/ns/payments/sa/api"}), "")
    }
}

fn oidc() -> Workload {
    let rules = OidcClaims {
        name: vec!["{claims.project_id}".into(), "{claims.sub}".into()],
        require: [("namespace_id".to_owned(), "72".to_owned())].into(),
        ..OidcClaims::default()
    };
    let issuer = "https://gitlab.example";
    let settings = Preset::Oidc { issuer: issuer.into(), algorithms: vec![Algorithm::Es256], claims: rules };
    let claims = json!({"iss": issuer, "sub": "job", "project_id": "22", "namespace_id": "72"});
    Workload {
        algorithm: "ES256",
        name: "spiffe://td.test/oidc/oidc/22/job",
        foreign: (json!({"namespace_id": "73"}), Reason::SubjectClaimMismatch, "namespace_id"),
        ..of_an_issuer("oidc", settings, claims, "https://gitlab.example/")
    }
}
