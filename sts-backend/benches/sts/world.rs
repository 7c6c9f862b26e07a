//! An issuer, the workloads it has tokens for, a destination and policies.

use std::{collections::BTreeSet, fmt::Write, path::PathBuf, sync::Arc};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use jwt_simple::prelude::RS256KeyPair;
use serde_json::{Value, json};
use sts_backend::{
    actor::{Caller, PeerCertificate},
    crypto::Es256Key,
    exchange::ExchangeSettings,
    identity::{JwksSettings, OidcClaims, Preset, SourceSettings, Sources, assertion::Assertions},
    policy::Policy,
    reissue::Reissues,
    target::{Target, Targets},
};
use token::{
    base64url, jwk::Jwk, jws::Algorithm, message::ExchangeRequest, secret::Secret, spiffe::SpiffeId,
    token_type::TokenType,
};

use crate::fake_issuer::FakeIssuer;

pub const NOW: u64 = 1_800_000_000;
pub const PROXY: &str = "spiffe://td.test/edge/egress";
const ISSUER: &str = "https://issuer.test";
const AUDIENCE: &str = "https://sts.test";

/// Whom the other policies are about: other destinations, as in a large installation, or all the same one, the worst case.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Others {
    Elsewhere,
    Here,
}

/// An issuer with one key of each kind, and a place for files.
pub struct World {
    _issuer: FakeIssuer,
    sources: Arc<Sources>,
    es256: (Es256Key, Value),
    rs256: RsaKeyPair,
    folder: tempfile::TempDir,
}

impl World {
    pub async fn start() -> Self {
        let issuer = FakeIssuer::start().await;
        let (es256, _) = Es256Key::generate().unwrap();
        let es256_jwk = serde_json::to_value(Jwk::es256(es256.public_point()).unwrap()).unwrap();
        let rs256 = RS256KeyPair::generate(2048).unwrap();
        let components = rs256.public_key().to_components();
        let rs256_jwk = json!({
            "kty": "RSA",
            "kid": "rsa",
            "alg": "RS256",
            "n": base64url::encode(components.n),
            "e": base64url::encode(components.e),
        });
        let folder = tempfile::tempdir_in(crate::report::folder()).unwrap();
        let jwks = issuer.publish(json!([es256_jwk, rs256_jwk]), folder.path());
        let sources = Arc::new(Sources::new(vec![source(jwks)], "td.test", None).unwrap());
        let rs256 = RsaKeyPair::from_pkcs8(&rs256.to_der().unwrap()).unwrap();
        Self { _issuer: issuer, sources, es256: (es256, es256_jwk), rs256, folder }
    }

    /// Settings with as many policies as told, four of them for the workloads of this world.
    pub fn settings(&self, policies: usize, others: Others, reissues: Arc<Reissues>) -> ExchangeSettings {
        ExchangeSettings {
            issuer: AUDIENCE.into(),
            trust_domain: "td.test".into(),
            default_life: 60,
            direct_default_life: 300,
            actors: BTreeSet::from([SpiffeId::parse(PROXY).unwrap()]),
            assertions: Assertions::default(),
            sources: Arc::clone(&self.sources),
            targets: Targets::new(vec![target()]).unwrap(),
            policy: policy(policies, others),
            reissues,
            providers: Arc::default(),
        }
    }

    /// A file of this name that lives as long as this.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The form by which the proxy asks for `workload` with a token issued at `issued`.
    pub fn form(&self, algorithm: &str, workload: &str, issued: u64) -> Vec<u8> {
        let request = ExchangeRequest {
            subject_token: Secret::new(self.subject_token(algorithm, workload, issued)),
            subject_token_type: TokenType::Jwt.urn().into(),
            actor_token: None,
            actor_token_type: None,
            resource: vec!["https://reports.test".into()],
            audience: Vec::new(),
            scope: Some("reports.read".into()),
            requested_token_type: None,
            request_context: Some(json!({"actor": PROXY, "listener": "egress", "route": "reports"}).to_string()),
        };
        request.to_form().into_bytes()
    }

    fn subject_token(&self, algorithm: &str, workload: &str, issued: u64) -> String {
        let kid = if algorithm == "RS256" { json!("rsa") } else { self.es256.1["kid"].clone() };
        let header = json!({"alg": algorithm, "kid": kid, "typ": "JWT"});
        let (iat, exp) = (issued, issued + 3600);
        let claims = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": workload, "iat": iat, "nbf": iat, "exp": exp});
        let input = format!("{}.{}", base64url::encode(header.to_string()), base64url::encode(claims.to_string()));
        let signature = if algorithm == "RS256" {
            let mut signature = vec![0; self.rs256.public_modulus_len()];
            self.rs256.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input.as_bytes(), &mut signature).unwrap();
            signature
        } else {
            self.es256.0.sign(input.as_bytes()).unwrap()
        };
        format!("{input}.{}", base64url::encode(signature))
    }
}

/// The proxy that asks.
pub fn caller() -> Caller {
    Caller::Proxy(PeerCertificate::new(vec![PROXY.into()]))
}

fn source(jwks: JwksSettings) -> SourceSettings {
    SourceSettings {
        name: "issuer".into(),
        audience: AUDIENCE.into(),
        actors: None,
        preset: Preset::Oidc {
            issuer: ISSUER.into(),
            algorithms: vec![Algorithm::Es256, Algorithm::Rs256],
            claims: OidcClaims::default(),
        },
        jwks,
    }
}

pub fn target() -> Target {
    Target {
        name: "reports".into(),
        resource: "https://reports.test".into(),
        audience: None,
        max_life: 300,
        permissions: None,
        lender: None,
    }
}

/// As many policies as told, four of them for the request: the pair, a forbid, a permit that does not hold and one that
/// does.
fn policy(count: usize, others: Others) -> Policy {
    let fleet = r#"principal is Cloakroom::Workload"#;
    let exchange = r#"action == Cloakroom::Action::"exchange""#;
    let here = r#"resource == Cloakroom::Target::"https://reports.test""#;
    let mut text = format!(
        r#"permit(principal == Cloakroom::Proxy::"{PROXY}", action == Cloakroom::Action::"act_for", resource);
        forbid(principal, {exchange}, resource) when {{ context.scope.contains("root") }};
        @id("elsewhere") permit({fleet}, {exchange}, {here}) when {{ context has route && context.route == "other" }};
        @id("reports") @ttl("60s") @scope("reports.read") @methods("GET") @paths("/reports/*")
        permit({fleet}, {exchange}, {here}) when {{ context.actor == Cloakroom::Proxy::"{PROXY}" }};
        "#
    );
    for index in 4..count {
        let resource = match others {
            Others::Elsewhere => format!(r#"resource == Cloakroom::Target::"https://t{index}.test""#),
            Others::Here => here.to_owned(),
        };
        writeln!(
            text,
            r#"@id("p{index}") @scope("s") permit(principal == Cloakroom::Workload::"spiffe://td.test/oidc/issuer/w{index}",
            {exchange}, {resource}) when {{ context has route && context.route == "r{index}" }};"#
        )
        .unwrap();
    }
    Policy::load(&[("bench.cedar".into(), text)]).map_err(|findings| findings[0].to_string()).unwrap()
}
