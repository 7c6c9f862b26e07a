//! What it costs to know a workload, by its platform: whole exchanges under one policy with a token of each kind, tokens that
//! nobody has sent before and one that was sent before. The issuers are asked for nothing while it is measured; where a server
//! vouches for each token it runs in this process, and its work counts too.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde::Serialize;
use serde_json::{Value, json};
use sts_backend::{
    audit::Audit,
    exchange::{Exchange, ExchangeSettings, Message},
    identity::{
        AwsRequestSettings, Credential, EndpointSettings, IntrospectionSettings, JwksSettings, Preset, ServerSettings,
        SourceSettings, Sources,
        assertion::{Assertions, Voucher, pattern::SubjectPattern},
    },
    keys::SigningKeys,
    policy::Policy,
    reissue::Reissues,
    store::{EmbeddedStore, Store},
};
use token::{spiffe::SpiffeId, token_type};

use crate::{
    fake_issuer::FakeIssuer,
    issuer_keys::Pair,
    rounds::{Figure, Plan, Stopwatch, Turn},
    workload::{self, Workload},
    world::{NOW, PROXY, caller, target},
};

const POLICY: &str = r#"
@id("proxies") permit (principal, action == Cloakroom::Action::"act_for", resource);
@id("everybody") @scope("reports.read") permit (principal, action == Cloakroom::Action::"exchange", resource);
"#;

/// What the servers say, whoever asks: on each path one answer.
const REVIEW: &str = "/apis/authentication.k8s.io/v1/tokenreviews";
const INTROSPECT: &str = "/introspect";

/// One source, measured.
#[derive(Serialize)]
pub struct Measured {
    pub source: String,
    /// Tokens that nobody has sent before.
    pub first: Figure,
    /// The same token again.
    pub repeated: Figure,
}

/// How tokens of one source are made; the number makes each another one.
type Tokens = Box<dyn Fn(usize) -> (String, &'static str)>;

struct Variant {
    source: String,
    exchange: Exchange,
    /// Where the issuer's keys are, if it has any.
    keys: Option<String>,
    tokens: Tokens,
    made: usize,
    first: Vec<Turn>,
    repeated: Vec<Turn>,
}

/// Measures every source, in turns.
pub async fn measure(plan: &Plan) -> Vec<Measured> {
    let issuer = FakeIssuer::start().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), &issuer.ca_pem).unwrap();
    std::fs::write(folder.path().join("credential"), "ours").unwrap();
    let mut variants = Vec::new();
    for workload in workload::all() {
        let name = workload.preset.to_owned();
        let (settings, tokens) = signed(&issuer, &folder, workload, &name);
        variants.push(variant(name, settings, tokens).await);
    }
    let mut reviewed = workload::all().into_iter().find(|workload| workload.preset == "kubernetes").unwrap();
    if let Preset::Kubernetes { token_review, .. } = &mut reviewed.settings {
        *token_review = Some(server(&issuer, &folder, REVIEW));
    }
    let answer = json!({"kind": "TokenReview", "status": {
        "authenticated": true, "audiences": [reviewed.audience], "user": {"username": reviewed.claims["sub"]}
    }});
    let json = [("content-type", "application/json")];
    issuer.serve_with(REVIEW, http::StatusCode::CREATED, &json, answer.to_string());
    let (settings, tokens) = signed(&issuer, &folder, reviewed, "reviewed");
    variants.push(variant("kubernetes, TokenReview".into(), settings, tokens).await);
    let answer = json!({"active": true, "aud": "https://sts.test", "sub": "job", "exp": NOW + 3600});
    issuer.serve_with(INTROSPECT, http::StatusCode::OK, &json, answer.to_string());
    variants.push(variant("introspection".into(), opaque(&issuer, &folder), Box::new(opaque_token)).await);
    issuer.serve("/", CALLER);
    variants.push(variant("aws_signed_request".into(), aws(&issuer, &folder), Box::new(signed_request)).await);
    let mesh = Mesh::new();
    let (settings, _) = signed(&issuer, &folder, workload::all().remove(0), "beside");
    let assertions = mesh.assertions();
    let certificates = Box::new(move |_| (mesh.certificate(), token_type::TokenType::PeerCertificate.urn()));
    variants.push(variant_of("peer certificate".into(), settings, assertions, certificates).await);

    let number = if plan.workloads < 1_000 { 10 } else { 300 };
    for variant in &mut variants {
        variant.turn(number).await;
    }
    variants.iter_mut().for_each(|variant| (variant.first.clear(), variant.repeated.clear()).0);
    let fetches = |variants: &[Variant]| -> Vec<usize> {
        variants.iter().filter_map(|variant| Some(issuer.hits(variant.keys.as_ref()?))).collect()
    };
    let before = fetches(&variants);
    assert!(before.iter().all(|fetches| *fetches <= 1) && before.contains(&1), "{before:?}");
    for _ in 0..plan.rounds {
        for variant in &mut variants {
            variant.turn(number).await;
        }
    }
    assert_eq!(fetches(&variants), before, "an issuer was asked for keys on the way");
    let measured = |variant: &Variant| Measured {
        source: variant.source.clone(),
        first: Figure::per_core(&variant.first),
        repeated: Figure::per_core(&variant.repeated),
    };
    variants.iter().map(measured).collect()
}

/// A source whose issuer signs, and its tokens.
fn signed(issuer: &FakeIssuer, folder: &tempfile::TempDir, workload: Workload, kid: &str) -> (SourceSettings, Tokens) {
    let pair = Pair::generate(workload.algorithm);
    let path = format!("/{kid}");
    let key_use = if workload.preset == "spiffe" { "jwt-svid" } else { "sig" };
    let keys = json!({"spiffe_sequence": 1, "keys": [pair.jwk(kid, key_use)]}).to_string();
    let base = match &workload.settings {
        Preset::GoogleServiceAccount { accounts, .. } => {
            issuer.serve(&format!("{path}/{}", accounts[0]), keys);
            path
        }
        _ => {
            issuer.serve(&path, keys);
            path
        }
    };
    let settings = SourceSettings {
        name: kid.replace(['/', ','], "-"),
        audience: workload.audience.into(),
        actors: None,
        preset: workload.settings,
        jwks: JwksSettings {
            uri: Some(format!("{}{base}", issuer.url).parse().unwrap()),
            ca: Some(folder.path().join("ca.pem")),
            allow_private_addresses: true,
            ..JwksSettings::default()
        },
    };
    let header = json!({"alg": workload.algorithm, "kid": kid, "typ": "JWT"});
    let (claims, audience) = (workload.claims, workload.audience);
    let tokens = move |number: usize| {
        let mut claims: Value = claims.clone();
        for (name, value) in
            [("aud", json!(audience)), ("iat", json!(NOW - 10)), ("exp", json!(NOW + 3000)), ("jti", json!(number))]
        {
            claims[name] = value;
        }
        (pair.sign(&header, &claims), token_type::TokenType::Jwt.urn())
    };
    (settings, Box::new(tokens))
}

fn opaque(issuer: &FakeIssuer, folder: &tempfile::TempDir) -> SourceSettings {
    SourceSettings {
        name: "legacy".into(),
        audience: "https://sts.test".into(),
        actors: None,
        preset: Preset::Introspection(IntrospectionSettings {
            issuer: "https://as.test".into(),
            server: server(issuer, folder, INTROSPECT),
            hint: None,
            max_life: None,
        }),
        jwks: JwksSettings::default(),
    }
}

fn opaque_token(number: usize) -> (String, &'static str) {
    (format!("opaque-token-{number:08}"), token_type::TokenType::AccessToken.urn())
}

fn server(issuer: &FakeIssuer, folder: &tempfile::TempDir, path: &str) -> ServerSettings {
    ServerSettings {
        address: format!("{}{path}", issuer.url).parse().unwrap(),
        credential: Credential::Bearer { file: folder.path().join("credential") },
        ca: Some(folder.path().join("ca.pem")),
        allow_private_addresses: true,
        timeout: Duration::from_secs(5),
        remember: 30,
    }
}

fn aws(issuer: &FakeIssuer, folder: &tempfile::TempDir) -> SourceSettings {
    SourceSettings {
        name: "signed".into(),
        audience: "https://sts.test".into(),
        actors: None,
        preset: Preset::AwsSignedRequest(AwsRequestSettings {
            accounts: BTreeSet::from(["123456789012".to_owned()]),
            regions: BTreeSet::from(["us-east-2".to_owned()]),
            role_ids: BTreeSet::new(),
            allow_users: false,
            allow_unsigned_audience: false,
            endpoint: Some(EndpointSettings {
                uri: issuer.url.parse().unwrap(),
                ca: Some(folder.path().join("ca.pem")),
                allow_private_addresses: true,
            }),
        }),
        jwks: JwksSettings::default(),
    }
}

/// What AWS answers here to every request.
const CALLER: &str = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
     <GetCallerIdentityResult><Arn>arn:aws:sts::123456789012:assumed-role/app-role/i-0abc</Arn>\
     <UserId>AROAEXAMPLEID:i-0abc</UserId><Account>123456789012</Account></GetCallerIdentityResult>\
     <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>";

/// A signed request in Google's form, of the second [`NOW`].
fn signed_request(number: usize) -> (String, &'static str) {
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE/20270115/us-east-2/sts/aws4_request, \
         SignedHeaders=host;x-amz-date;x-goog-cloud-target-resource, Signature={number:064x}"
    );
    let header = |key: &str, value: &str| json!({"key": key, "value": value});
    let request = json!({
        "headers": [
            header("Authorization", &authorization),
            header("host", "sts.us-east-2.amazonaws.com"),
            header("x-amz-date", "20270115T080000Z"),
            header("x-goog-cloud-target-resource", "https://sts.test"),
        ],
        "method": "POST",
        "url": "https://sts.us-east-2.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"
    });
    (token::base64url::encode(request.to_string()), token_type::TokenType::Aws4Request.urn())
}

/// An authority of workloads that show certificates.
struct Mesh(rcgen::CertifiedIssuer<'static, rcgen::KeyPair>);

impl Mesh {
    fn new() -> Self {
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
        Self(rcgen::CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate().unwrap()).unwrap())
    }

    fn assertions(&self) -> Assertions {
        let subjects = vec![SubjectPattern::parse("spiffe://mesh.test/ns/payments/*").unwrap()];
        let voucher = Voucher::new("mesh.test", vec![self.0.der().clone()], subjects);
        let mut assertions = Assertions::default();
        assertions.allow(SpiffeId::parse(PROXY).unwrap(), voucher.unwrap_or_else(|_| panic!("a sound authority")));
        assertions
    }

    fn certificate(&self) -> String {
        let mut params = rcgen::CertificateParams::default();
        params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
        let uri = "spiffe://mesh.test/ns/payments/sa/api".try_into().unwrap();
        params.subject_alt_names = vec![rcgen::SanType::URI(uri)];
        params.signed_by(&rcgen::KeyPair::generate().unwrap(), &self.0).unwrap().pem()
    }
}

async fn variant(source: String, settings: SourceSettings, tokens: Tokens) -> Variant {
    variant_of(source, settings, Assertions::default(), tokens).await
}

async fn variant_of(source: String, settings: SourceSettings, assertions: Assertions, tokens: Tokens) -> Variant {
    let published = settings.jwks.uri.as_ref().map(|uri| match &settings.preset {
        Preset::GoogleServiceAccount { accounts, .. } => format!("{}/{}", uri.path(), accounts[0]),
        _ => uri.path().to_owned(),
    });
    let place = Arc::new(EmbeddedStore::in_memory().unwrap());
    let keys = SigningKeys::load_or_create(&*place, &[5; 32], NOW).await.unwrap();
    let settings = ExchangeSettings {
        issuer: "https://sts.test".into(),
        trust_domain: "td.test".into(),
        default_life: 60,
        direct_default_life: 300,
        actors: BTreeSet::from([SpiffeId::parse(PROXY).unwrap()]),
        assertions,
        sources: Arc::new(Sources::new(vec![settings], "td.test", None).unwrap()),
        targets: sts_backend::target::Targets::new(vec![target()]).unwrap(),
        policy: Policy::load(&[("policy.cedar".into(), POLICY.into())]).unwrap_or_else(|_| panic!("a sound policy")),
        reissues: Arc::new(Reissues::new(0)),
        providers: Arc::default(),
    };
    let exchange = Exchange::new(settings, Arc::new(keys), Audit::new(place as Arc<dyn Store>));
    Variant { source, exchange, keys: published, tokens, made: 0, first: Vec::new(), repeated: Vec::new() }
}

impl Variant {
    /// So many new tokens, and then the last of them as often again.
    async fn turn(&mut self, number: usize) {
        let forms: Vec<_> = (0..number).map(|more| form((self.tokens)(self.made + more))).collect();
        self.made += number;
        let watch = Stopwatch::start();
        for form in &forms {
            self.exchange(form).await;
        }
        self.first.push(watch.stop(number as u64));
        let watch = Stopwatch::start();
        for _ in 0..number {
            self.exchange(&forms[number - 1]).await;
        }
        self.repeated.push(watch.stop(number as u64));
    }

    async fn exchange(&self, form: &[u8]) {
        let message = Message { form, protocol: Some("1"), no_cache: false, received: std::time::Instant::now() };
        if let Err(refused) = self.exchange.exchange(&caller(), message, NOW).await {
            panic!("{}: {:?}", self.source, refused);
        }
    }
}

fn form((token, kind): (String, &str)) -> Vec<u8> {
    form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", token_type::GRANT_TYPE_TOKEN_EXCHANGE)
        .append_pair("subject_token", &token)
        .append_pair("subject_token_type", kind)
        .append_pair("resource", "https://reports.test")
        .finish()
        .into_bytes()
}
