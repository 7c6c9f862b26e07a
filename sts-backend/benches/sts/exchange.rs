//! Whole exchanges: read, verify, decide, mint, check, record.

use std::{collections::BTreeSet, fmt::Write, path::PathBuf, sync::Arc};

use jwt_simple::prelude::{Claims, Duration as Seconds, RS256KeyPair, RSAKeyPairLike, UnixTimeStamp};
use serde::Serialize;
use serde_json::{Value, json};
use sts_backend::{
    actor::{Caller, PeerCertificate},
    audit::Audit,
    crypto::Es256Key,
    exchange::{Exchange, ExchangeSettings, Message},
    identity::{JwksSettings, Preset, SourceSettings, Sources},
    keys::SigningKeys,
    policy::Policy,
    reissue::Reissues,
    store::{EmbeddedStore, Store},
    target::{Target, Targets},
};
use token::{
    base64url, jwk::Jwk, jws::Algorithm, message::ExchangeRequest, secret::Secret, spiffe::SpiffeId,
    token_type::TokenType,
};

use crate::{
    fake_issuer::FakeIssuer,
    rounds::{Figure, Plan, Stopwatch, Turn},
};

const NOW: u64 = 1_800_000_000;
const PROXY: &str = "spiffe://td.test/edge/egress";
const ISSUER: &str = "https://issuer.test";
const AUDIENCE: &str = "https://sts.test";

/// One way of exchanging, measured.
#[derive(Serialize)]
pub struct Measured {
    /// The algorithm of the subject token.
    pub subject: &'static str,
    /// How many policies are loaded.
    pub policies: usize,
    /// Whether they all name the destination asked for.
    pub policies_on: &'static str,
    /// Where the record goes.
    pub store: &'static str,
    /// How many requests are under way at once.
    pub at_once: usize,
    pub per_core: Figure,
    pub per_second: Figure,
}

/// Whom the other policies are about: other destinations, as in a large installation, or all the same one, the worst case.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Others {
    Elsewhere,
    Here,
}

struct Variant {
    subject: &'static str,
    policies: usize,
    others: Others,
    store: &'static str,
    at_once: usize,
    exchange: Exchange,
    form: Vec<u8>,
    turns: Vec<Turn>,
}

/// Measures every variant, in turns.
pub async fn measure(plan: &Plan) -> Vec<Measured> {
    let world = World::start().await;
    let mut variants = Vec::new();
    for subject in ["ES256", "RS256"] {
        for (policies, others) in
            [(4, Others::Elsewhere), (54, Others::Elsewhere), (504, Others::Elsewhere), (504, Others::Here)]
        {
            variants.push(world.variant(subject, policies, others, "memory", 64).await);
        }
        variants.push(world.variant(subject, 54, Others::Elsewhere, "disk", 64).await);
    }
    for store in ["memory", "disk"] {
        variants.push(world.variant("ES256", 54, Others::Elsewhere, store, 1).await);
    }
    for variant in &mut variants {
        variant.turn(plan.exchange / 5).await;
    }
    for _ in 0..plan.rounds {
        for variant in &mut variants {
            let turn = variant.turn(plan.exchange).await;
            variant.turns.push(turn);
        }
    }
    variants.iter().map(Variant::measured).collect()
}

impl Variant {
    /// Exchanges for as long as told, with as many requests under way as the variant has.
    async fn turn(&self, length: std::time::Duration) -> Turn {
        let caller = Caller::Proxy(PeerCertificate::new(vec![PROXY.into()]));
        let watch = Stopwatch::start();
        let ask = async || {
            let mut done = 0;
            while watch.elapsed() < length {
                let message = Message { form: &self.form, protocol: Some("1"), no_cache: false };
                self.exchange.exchange(&caller, message, NOW).await.expect("every request is permitted");
                done += 1;
            }
            done
        };
        let mut asking: Vec<_> = (0..self.at_once).map(|_| Box::pin(ask())).collect();
        let mut operations = 0;
        std::future::poll_fn(|context| {
            asking.retain_mut(|one| match one.as_mut().poll(context) {
                std::task::Poll::Ready(done) => {
                    operations += done;
                    false
                }
                std::task::Poll::Pending => true,
            });
            if asking.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
        watch.stop(operations)
    }

    fn measured(&self) -> Measured {
        Measured {
            subject: self.subject,
            policies: self.policies,
            policies_on: if self.others == Others::Here { "one destination" } else { "many destinations" },
            store: self.store,
            at_once: self.at_once,
            per_core: Figure::per_core(&self.turns),
            per_second: Figure::per_second(&self.turns),
        }
    }
}

/// An issuer with one key of each kind, and a place for files.
struct World {
    _issuer: FakeIssuer,
    jwks: JwksSettings,
    es256: (Es256Key, Value),
    rs256: RS256KeyPair,

    folder: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        let issuer = FakeIssuer::start().await;
        let (es256, _) = Es256Key::generate().unwrap();
        let es256_jwk = serde_json::to_value(Jwk::es256(es256.public_point()).unwrap()).unwrap();
        let rs256 = RS256KeyPair::generate(2048).unwrap().with_key_id("rsa");
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
        Self { _issuer: issuer, jwks, es256: (es256, es256_jwk), rs256, folder }
    }

    async fn variant(
        &self,
        subject: &'static str,
        policies: usize,
        others: Others,
        store: &'static str,
        at_once: usize,
    ) -> Variant {
        let place = match store {
            "disk" => Arc::new(EmbeddedStore::open(&self.store_file(subject, at_once)).unwrap()),
            _ => Arc::new(EmbeddedStore::in_memory().unwrap()),
        };
        let keys = SigningKeys::load_or_create(&*place, &[5; 32], NOW).await.unwrap();
        let settings = ExchangeSettings {
            issuer: AUDIENCE.into(),
            trust_domain: "td.test".into(),
            default_life: 60,
            direct_default_life: 300,
            actors: BTreeSet::from([SpiffeId::parse(PROXY).unwrap()]),
            sources: Arc::new(Sources::new(vec![self.source()], "td.test", None).unwrap()),
            targets: Targets::new(vec![target()]).unwrap(),
            policy: policy(policies, others),
            reissues: Arc::new(Reissues::new(0)),
        };
        let exchange = Exchange::new(settings, Arc::new(keys), Audit::new(place as Arc<dyn Store>));
        let form = self.form(subject);
        Variant { subject, policies, others, store, at_once, exchange, form, turns: Vec::new() }
    }

    fn store_file(&self, subject: &str, at_once: usize) -> PathBuf {
        self.folder.path().join(format!("{subject}-{at_once}.redb"))
    }

    fn source(&self) -> SourceSettings {
        SourceSettings {
            name: "issuer".into(),
            audience: AUDIENCE.into(),
            preset: Preset::Oidc { issuer: ISSUER.into(), algorithms: vec![Algorithm::Es256, Algorithm::Rs256] },
            jwks: self.jwks.clone(),
        }
    }

    fn form(&self, subject: &str) -> Vec<u8> {
        let request = ExchangeRequest {
            subject_token: Secret::new(self.subject_token(subject)),
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

    fn subject_token(&self, algorithm: &str) -> String {
        if algorithm == "RS256" {
            let mut claims =
                Claims::create(Seconds::from_hours(1)).with_issuer(ISSUER).with_audience(AUDIENCE).with_subject("job");
            claims.issued_at = Some(UnixTimeStamp::from_secs(NOW));
            claims.invalid_before = claims.issued_at;
            claims.expires_at = Some(UnixTimeStamp::from_secs(NOW + 3600));
            return self.rs256.sign(claims).unwrap();
        }
        let header = json!({"alg": "ES256", "kid": self.es256.1["kid"], "typ": "JWT"});
        let claims = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "job", "iat": NOW, "nbf": NOW, "exp": NOW + 3600});
        let input = format!("{}.{}", base64url::encode(header.to_string()), base64url::encode(claims.to_string()));
        format!("{input}.{}", base64url::encode(self.es256.0.sign(input.as_bytes()).unwrap()))
    }
}

fn target() -> Target {
    Target { name: "reports".into(), resource: "https://reports.test".into(), audience: None, max_life: 300 }
}

/// As many policies as told, four of them for the request: the pair, a forbid, a permit that does not hold and one that
/// does.
fn policy(count: usize, others: Others) -> Policy {
    let job = r#"principal == Cloakroom::Workload::"spiffe://td.test/oidc/issuer/job""#;
    let exchange = r#"action == Cloakroom::Action::"exchange""#;
    let here = r#"resource == Cloakroom::Target::"https://reports.test""#;
    let mut text = format!(
        r#"permit(principal == Cloakroom::Proxy::"{PROXY}", action == Cloakroom::Action::"act_for", resource);
        forbid(principal, {exchange}, resource) when {{ context.scope.contains("root") }};
        @id("elsewhere") permit({job}, {exchange}, {here}) when {{ context has route && context.route == "other" }};
        @id("reports") @ttl("60s") @scope("reports.read") @methods("GET") @paths("/reports/*")
        permit({job}, {exchange}, {here}) when {{ context.actor == Cloakroom::Proxy::"{PROXY}" }};
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
