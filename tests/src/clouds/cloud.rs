//! What tells one cloud's tokens from another's: issuer, paths, algorithm, audience and claims.

use serde_json::{Map, Value, json};

/// A platform that gives its workloads identity tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cloud {
    /// AWS IAM outbound identity federation (`sts:GetWebIdentityToken`).
    Aws,
    /// A Google ID token from the metadata server.
    Gcp,
    /// An Entra managed identity's token, version 2.
    Azure,
    /// The same, version 1.
    AzureV1,
    /// A Kubernetes projected service-account token.
    Kubernetes,
    /// A job of GitHub Actions.
    Github,
    /// A Google service account that signs for itself.
    GoogleServiceAccount,
    /// A JWT-SVID of another trust domain.
    Spiffe,
}

impl Cloud {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Aws,
        Self::Gcp,
        Self::Azure,
        Self::AzureV1,
        Self::Kubernetes,
        Self::Github,
        Self::GoogleServiceAccount,
        Self::Spiffe,
    ];

    /// Its name in our URLs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Gcp => "gcp",
            Self::Azure => "azure",
            Self::AzureV1 => "azure-v1",
            Self::Kubernetes => "kubernetes",
            Self::Github => "github",
            Self::GoogleServiceAccount => "google-service-account",
            Self::Spiffe => "spiffe",
        }
    }

    /// The cloud of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|cloud| cloud.name() == name)
    }

    /// `iss` of its tokens, as the real one has it.
    pub const fn issuer(self) -> &'static str {
        match self {
            Self::Aws => "https://0b1cf2d3-5a4e-4c8d-9f61-2f7a3f0c6b11.tokens.sts.global.api.aws",
            Self::Gcp => "https://accounts.google.com",
            Self::Azure => "https://login.microsoftonline.com/5f1f2b7e-93d5-4b0a-8a1c-6e0d3c9b7a42/v2.0",
            Self::AzureV1 => "https://sts.windows.net/5f1f2b7e-93d5-4b0a-8a1c-6e0d3c9b7a42/",
            Self::Kubernetes => "https://kubernetes.default.svc.cluster.local",
            Self::Github => "https://token.actions.githubusercontent.com",
            Self::GoogleServiceAccount => "batch@acme-reports.iam.gserviceaccount.com",
            // SVIDs need not say who issued them; these do not.
            Self::Spiffe => "spiffe://partner.test",
        }
    }

    /// The audience our STS has reserved at this cloud.
    pub const fn audience(self) -> &'static str {
        match self {
            // Version 2 tokens name the API's client id, version 1 tokens its URI.
            Self::Azure => "7c0f7a35-9f0e-4a4f-8d39-0d2c51c6a9e0",
            Self::AzureV1 => "api://sts.cloakroom.test",
            _ => "https://sts.cloakroom.test",
        }
    }

    /// The algorithm it signs with unless told otherwise.
    pub const fn algorithm(self) -> &'static str {
        match self {
            Self::Aws => "ES384",
            _ => "RS256",
        }
    }

    /// Where its keys are, below its host.
    pub const fn keys_path(self) -> &'static str {
        match self {
            Self::Aws => ".well-known/jwks.json",
            Self::Gcp => "oauth2/v3/certs",
            Self::Azure => "5f1f2b7e-93d5-4b0a-8a1c-6e0d3c9b7a42/discovery/v2.0/keys",
            Self::AzureV1 => "5f1f2b7e-93d5-4b0a-8a1c-6e0d3c9b7a42/discovery/keys",
            Self::Kubernetes => "openid/v1/jwks",
            Self::Github => ".well-known/jwks",
            Self::GoogleServiceAccount => "service_accounts/v1/metadata/jwk/batch@acme-reports.iam.gserviceaccount.com",
            Self::Spiffe => "bundle",
        }
    }

    /// Where its discovery document is. Entra's version 1 issuer is on another host than its keys.
    pub const fn discovery_path(self) -> Option<&'static str> {
        match self {
            Self::Azure => Some("5f1f2b7e-93d5-4b0a-8a1c-6e0d3c9b7a42/v2.0/.well-known/openid-configuration"),
            Self::AzureV1 | Self::GoogleServiceAccount | Self::Spiffe => None,
            _ => Some(".well-known/openid-configuration"),
        }
    }

    /// The workload it speaks for unless told otherwise.
    pub const fn workload(self) -> &'static str {
        match self {
            Self::Aws => "app-role",
            Self::Gcp => "reporting",
            Self::Azure | Self::AzureV1 => "9a3e1c52-7b1d-4b86-a0cf-5d1f7e2b8c60",
            Self::Kubernetes | Self::Spiffe => "api",
            Self::Github => "prod",
            Self::GoogleServiceAccount => "batch",
        }
    }

    /// The name our STS makes of a workload's claims.
    pub fn spiffe_id(self, workload: &str) -> String {
        match self {
            Self::Aws => format!("spiffe://cloakroom.test/aws/{ACCOUNT}/role/{workload}"),
            Self::Gcp => format!("spiffe://cloakroom.test/gcp/{PROJECT}/sa/{workload}"),
            Self::Azure | Self::AzureV1 => format!("spiffe://cloakroom.test/azure/{TENANT}/{workload}"),
            Self::Kubernetes => format!("spiffe://cloakroom.test/k8s/prod/{NAMESPACE}/{workload}"),
            Self::Github => format!("spiffe://cloakroom.test/github/9919/41881900/environment/{workload}"),
            Self::GoogleServiceAccount => format!("spiffe://cloakroom.test/gcp/{PROJECT}/sa/{workload}"),
            Self::Spiffe => format!("spiffe://partner.test/ns/{NAMESPACE}/sa/{workload}"),
        }
    }

    /// The claims of a token for `workload`, as the cloud writes them.
    pub fn claims(self, workload: &str, audience: &str, now: i64) -> Map<String, Value> {
        let claims = match self {
            Self::Aws => json!({
                "iss": self.issuer(), "aud": audience, "sub": format!("arn:aws:iam::{ACCOUNT}:role/{workload}"),
                "iat": now, "exp": now + 300, "jti": unique(),
                "https://sts.amazonaws.com/": {
                    "aws_account": ACCOUNT, "source_region": "eu-central-1", "org_id": "o-a1b2c3d4e5",
                    "ou_path": ["o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/"], "principal_tags": {"team": "billing"},
                    "request_tags": {"job": "nightly"}
                }
            }),
            Self::Gcp => json!({
                "iss": self.issuer(), "aud": audience, "azp": numeric_id(workload), "sub": numeric_id(workload),
                "email": format!("{workload}@{PROJECT}.iam.gserviceaccount.com"), "email_verified": true,
                "iat": now, "exp": now + 3600,
                "google": {"compute_engine": {
                    "project_id": PROJECT, "project_number": 123_456_789_012_u64, "zone": "europe-west3-a",
                    "instance_id": "1234567890123456789", "instance_name": "vm-1",
                    "instance_creation_timestamp": now - 86_400, "instance_confidentiality": 0
                }}
            }),
            Self::Azure => json!({
                "aud": audience, "iss": self.issuer(), "iat": now, "nbf": now, "exp": now + 86_399, "aio": unique(),
                "azp": CLIENT, "azpacr": "2", "idtyp": "app", "oid": workload, "rh": unique(), "sub": workload,
                "tid": TENANT, "uti": unique(), "ver": "2.0",
                "xms_mirid": format!("{GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/ledger")
            }),
            Self::AzureV1 => json!({
                "aud": audience, "iss": self.issuer(), "iat": now, "nbf": now, "exp": now + 86_399, "aio": unique(),
                "appid": CLIENT, "appidacr": "2", "idp": self.issuer(), "idtyp": "app", "oid": workload,
                "rh": unique(), "sub": workload, "tid": TENANT, "uti": unique(), "ver": "1.0",
                "xms_mirid": format!("{GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/ledger")
            }),
            Self::Kubernetes => json!({
                "iss": self.issuer(), "aud": [audience],
                "sub": format!("system:serviceaccount:{NAMESPACE}:{workload}"),
                "iat": now, "nbf": now, "exp": now + 3607, "jti": unique(),
                "kubernetes.io": {
                    "namespace": NAMESPACE,
                    "serviceaccount": {"name": workload, "uid": "0f6e3c7a-4b1d-4d0e-8f53-2a9b6c1d7e84"},
                    "pod": {"name": format!("{workload}-7d9f8b6c5-x2k4q"), "uid": "6b2d9c1e-8a47-4f35-9e60-1c3d5f7a9b20"},
                    "node": {"name": "n1", "uid": "c4a8e2f6-1b3d-4759-8e6a-0f2c4e6a8b1d"},
                    "warnafter": now + 3607
                }
            }),
            Self::Github => json!({
                "iss": self.issuer(), "aud": audience, "iat": now, "nbf": now - 30, "exp": now + 300, "jti": unique(),
                "sub": format!("repo:acme@9919/orders@41881900:environment:{workload}"), "environment": workload,
                "repository": "acme/orders", "repository_id": "41881900", "repository_visibility": "private",
                "repository_owner": "acme", "repository_owner_id": "9919", "ref": "refs/heads/main",
                "ref_type": "branch", "base_ref": "", "head_ref": "", "event_name": "push", "actor": "kim",
                "actor_id": "7", "workflow": "release", "run_id": "11", "run_number": "3", "run_attempt": "1",
                "job_workflow_ref": "acme/orders/.github/workflows/release.yaml@refs/heads/main",
                "runner_environment": "github-hosted"
            }),
            Self::GoogleServiceAccount => {
                let email = format!("{workload}@{PROJECT}.iam.gserviceaccount.com");
                json!({"iss": email, "sub": email, "aud": audience, "iat": now, "exp": now + 3600})
            }
            Self::Spiffe => json!({
                "sub": format!("spiffe://partner.test/ns/{NAMESPACE}/sa/{workload}"), "aud": [audience],
                "iat": now, "exp": now + 300
            }),
        };
        match claims {
            Value::Object(claims) => claims,
            _ => Map::new(),
        }
    }
}

/// Google's ids of service accounts are numbers; one name always has the same.
fn numeric_id(name: &str) -> String {
    let number = token::digest::sha256(name).iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("1{number:020}")
}

fn unique() -> String {
    let mut bytes = [0; 16];
    _ = aws_lc_rs::rand::fill(&mut bytes);
    token::base64url::encode(bytes)
}

const ACCOUNT: &str = "123456789012";
const PROJECT: &str = "acme-reports";
const TENANT: &str = "5f1f2b7e-93d5-4b0a-8a1c-6e0d3c9b7a42";
const CLIENT: &str = "2d9b4f10-6c3e-4e57-b8a1-7f0c5d2e9a36";
const NAMESPACE: &str = "payments";
const GROUP: &str = "/subscriptions/3e8d5b1a-2c4f-4967-8b0d-9a7e6f5c4d32/resourcegroups/acme/providers";
