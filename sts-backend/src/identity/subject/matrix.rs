//! Every source against every way in which its tokens can be wrong, all sources together in one configuration. The table in
//! `docs/subject-tokens.md` is what this finds.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use token::{reason::Reason, token_type};

use self::{keys::Pair, workload::Workload};
use super::*;
use crate::{
    actor::Caller,
    identity::{JwksSettings, Preset, SourceSettings, fake_issuer::FakeIssuer},
};

mod keys;
mod workload;

const NOW: u64 = 1_800_000_000;

/// How a token differs from a right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Case {
    Valid,
    Newline,
    Expired,
    NotYetValid,
    LivesTooLong,
    Audience,
    TwoAudiences,
    UnknownIssuer,
    LookAlike,
    Foreign,
    Algorithm,
    Purpose,
    UnknownKey,
    Forged,
    RotatedKey,
    WithdrawnKey,
}

/// In the order of the table. The last two change what the issuer publishes.
const CASES: [(Case, &str); 16] = [
    (Case::Valid, "is as it should be"),
    (Case::Newline, "ends in a newline, as many files do"),
    (Case::Expired, "has expired"),
    (Case::NotYetValid, "is not valid yet"),
    (Case::LivesTooLong, "was made to live too long"),
    (Case::Audience, "is for another audience"),
    (Case::TwoAudiences, "is for us and another audience"),
    (Case::UnknownIssuer, "is of an issuer (SPIFFE: a trust domain) that is not configured"),
    (Case::LookAlike, "is of an issuer whose name looks like a configured one"),
    (Case::Foreign, "is of another tenant, account, project, namespace, owner or trust domain"),
    (Case::Algorithm, "has another algorithm: `none`, `HS256`, or one that the key is not for"),
    (Case::Purpose, "has the `typ` of another kind of JWT"),
    (Case::UnknownKey, "names a key that the issuer does not publish"),
    (Case::Forged, "names the issuer's key and was signed by another"),
    (Case::RotatedKey, "was signed by a key that the issuer has just begun to use"),
    (Case::WithdrawnKey, "was signed by a key that the issuer has withdrawn"),
];

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Accepted,
    Refused(&'static str, String),
}

struct World {
    issuer: FakeIssuer,
    sources: Sources,
    strangers: BTreeMap<&'static str, Pair>,
    _folder: tempfile::TempDir,
}

struct Tested {
    workload: Workload,
    first: Pair,
}

impl Tested {
    fn kid(&self, number: u8) -> String {
        format!("{}-{number}", self.workload.preset)
    }

    fn publish(&self, issuer: &FakeIssuer, keys: &[(&Pair, u8)]) {
        let key_use = if self.workload.preset == "spiffe" { "jwt-svid" } else { "sig" };
        let keys: Vec<_> = keys.iter().map(|(pair, number)| pair.jwk(&self.kid(*number), key_use)).collect();
        issuer.serve(&self.path(), json!({ "keys": keys }).to_string());
    }

    /// Where its keys lie. A service account's are below what the configuration says.
    fn path(&self) -> String {
        match &self.workload.settings {
            Preset::GoogleServiceAccount { accounts, .. } => format!("/keys/{}", accounts[0]),
            _ => format!("/keys/{}", self.workload.preset),
        }
    }

    /// How it has to end.
    fn expected(&self, case: Case) -> Outcome {
        let (foreign, foreign_claim) = (self.workload.foreign.1, self.workload.foreign.2);
        let (reason, claim) = match case {
            Case::Valid | Case::Newline | Case::RotatedKey => return Outcome::Accepted,
            Case::Expired => (Reason::SubjectTokenExpired, "exp"),
            Case::NotYetValid => (Reason::SubjectTokenNotYetValid, "nbf"),
            Case::LivesTooLong => (Reason::SubjectClaimMismatch, "exp"),
            Case::Audience | Case::TwoAudiences => (Reason::SubjectAudienceMismatch, "aud"),
            Case::UnknownIssuer | Case::LookAlike => (Reason::SubjectIssuerUnknown, self.workload.chosen_by),
            Case::Foreign => (foreign, foreign_claim),
            Case::Algorithm => (Reason::SubjectAlgorithmRefused, "alg"),
            Case::Purpose => (Reason::SubjectClaimMismatch, "typ"),
            Case::UnknownKey | Case::WithdrawnKey => (Reason::SubjectKeyUnknown, "kid"),
            Case::Forged => (Reason::SubjectSignatureInvalid, "subject_token"),
        };
        Outcome::Refused(reason.code(), claim.to_owned())
    }

    /// The tokens of a case, and when they come.
    fn tokens(&self, case: Case, stranger: &Pair) -> Vec<String> {
        let workload = &self.workload;
        let mut header = json!({"alg": workload.algorithm, "kid": self.kid(1), "typ": "JWT"});
        let mut claims = workload.claims.clone();
        set(&mut claims, &json!({"aud": workload.audience, "iat": NOW - 10, "exp": NOW + 300}));
        let mut pair = &self.first;
        match case {
            Case::Valid => {}
            Case::Newline => return vec![format!("{}\n", pair.sign(&header, &claims))],
            Case::Expired => set(&mut claims, &json!({"iat": NOW - 300, "exp": NOW})),
            Case::NotYetValid => set(&mut claims, &json!({"nbf": NOW + 61})),
            Case::LivesTooLong => set(&mut claims, &json!({"exp": NOW - 10 + 25 * 3600 + 1})),
            Case::Audience => set(&mut claims, &json!({"aud": "https://other.example"})),
            Case::TwoAudiences => set(&mut claims, &json!({"aud": [workload.audience, "https://other.example"]})),
            Case::UnknownIssuer => set(&mut claims, &workload.unknown_issuer),
            Case::LookAlike => set(&mut claims, &workload.look_alike),
            Case::Foreign => set(&mut claims, &workload.foreign.0),
            Case::Algorithm => {
                let other = if workload.algorithm == "RS256" { "PS256" } else { "ES512" };
                let sibling = if workload.algorithm == "ES256" { "ES384" } else { "ES256" };
                let signed = |algorithm: &str| {
                    header["alg"] = json!(algorithm);
                    pair.sign(&header, &claims)
                };
                return ["none", "HS256", other, sibling].map(signed).to_vec();
            }
            Case::Purpose => header["typ"] = json!("logout+jwt"),
            Case::UnknownKey => header["kid"] = json!("no-such-key"),
            Case::Forged => pair = stranger,
            Case::RotatedKey => (pair, header["kid"]) = (stranger, json!(self.kid(2))),
            Case::WithdrawnKey => {}
        }
        vec![pair.sign(&header, &claims)]
    }
}

fn set(claims: &mut Value, changes: &Value) {
    claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
}

async fn world(tested: &[Tested]) -> World {
    let issuer = FakeIssuer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &issuer.ca_pem).unwrap();
    let source = |one: &Tested| {
        one.publish(&issuer, &[(&one.first, 1)]);
        let path = match one.workload.preset {
            "google_service_account" => "/keys".to_owned(),
            _ => one.path(),
        };
        SourceSettings {
            name: one.workload.preset.into(),
            audience: one.workload.audience.into(),
            actors: None,
            preset: one.workload.settings.clone(),
            jwks: JwksSettings {
                uri: Some(format!("{}{path}", issuer.url).parse().unwrap()),
                ca: Some(ca.clone()),
                allow_private_addresses: true,
                ..JwksSettings::default()
            },
        }
    };
    let sources = Sources::new(tested.iter().map(source).collect(), "td.test", None).unwrap();
    let strangers = ["RS256", "ES256", "ES384"].map(|algorithm| (algorithm, Pair::generate(algorithm))).into();
    World { issuer, sources, strangers, _folder: folder }
}

impl World {
    async fn verify(&self, token: &str, now: u64) -> Result<VerifiedSubject, Refusal> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", token_type::GRANT_TYPE_TOKEN_EXCHANGE)
            .append_pair("subject_token", token)
            .append_pair("subject_token_type", TokenType::Jwt.urn())
            .finish();
        let request = TokenRequest::read(form.as_bytes(), None, &Caller::Direct).unwrap();
        VerifiedSubject::verify(&self.sources, &Assertions::default(), &VerifiedActor::for_tests(None), &request, now)
            .await
    }

    /// How the tokens of a case end, which must be alike.
    async fn outcome(&self, one: &Tested, case: Case) -> Outcome {
        let stranger = &self.strangers[one.workload.algorithm];
        let now = match case {
            Case::RotatedKey => {
                one.publish(&self.issuer, &[(&one.first, 1), (stranger, 2)]);
                NOW + 60
            }
            Case::WithdrawnKey => {
                one.publish(&self.issuer, &[(stranger, 2)]);
                // The keys are read again when they are no longer fresh; a token with an unknown one hastens it here.
                let hasty = one.tokens(Case::UnknownKey, stranger).remove(0);
                assert!(self.verify(&hasty, NOW + 120).await.is_err());
                NOW + 120
            }
            _ => NOW,
        };
        let mut found = None;
        for token in one.tokens(case, stranger) {
            let outcome = match self.verify(&token, now).await {
                Ok(subject) => {
                    assert_eq!(subject.name().as_str(), one.workload.name, "{}: {case:?}", one.workload.preset);
                    assert_eq!(subject.source(), one.workload.preset, "{case:?}");
                    Outcome::Accepted
                }
                Err(refusal) => {
                    let at = format!("{}: {case:?}: {refusal:?}", one.workload.preset);
                    assert!(refusal.got_value().is_some() && refusal.wanted_value().is_some(), "{at}");
                    // Before a source is chosen there is none to name.
                    let unchosen =
                        matches!(refusal.reason(), Reason::SubjectIssuerUnknown | Reason::SubjectAlgorithmRefused);
                    let named = refusal.source().map_or(unchosen, |source| source == one.workload.preset);
                    assert!(named && refusal.advice().is_some(), "{at}");
                    for part in token.trim().split('.').filter(|part| part.len() > 20) {
                        assert!(!at.contains(part), "the token is quoted: {at}");
                    }
                    Outcome::Refused(refusal.reason().code(), refusal.claim_name().unwrap_or_default().to_owned())
                }
            };
            assert_eq!(*found.get_or_insert_with(|| outcome.clone()), outcome, "{}: {case:?}", one.workload.preset);
        }
        found.unwrap()
    }
}

/// The table: sources that end alike stand in one row.
fn table(found: &BTreeMap<(Case, Outcome), Vec<&'static str>>, all: usize) -> String {
    let mut table = String::from("| a token that ... | ends in | naming | sources |\n|---|---|---|---|\n");
    for (case, words) in CASES {
        for ((_, outcome), sources) in found.iter().filter(|((found, _), _)| *found == case) {
            let sources = if sources.len() == all { "all".to_owned() } else { format!("`{}`", sources.join("`, `")) };
            let (end, claim) = match outcome {
                Outcome::Accepted => ("accepted".to_owned(), String::new()),
                Outcome::Refused(reason, claim) => (format!("`{reason}`"), format!("`{claim}`")),
            };
            table.push_str(&format!("| {words} | {end} | {claim} | {sources} |\n"));
        }
    }
    table
}

#[tokio::test]
async fn every_wrong_token_of_every_source_is_refused_by_name_as_the_documentation_says() {
    let tested: Vec<_> = workload::all()
        .into_iter()
        .map(|workload| Tested { first: Pair::generate(workload.algorithm), workload })
        .collect();
    let world = world(&tested).await;
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for one in &tested {
        for (case, _) in CASES {
            let outcome = world.outcome(one, case).await;
            assert_eq!(outcome, one.expected(case), "{}: {case:?}", one.workload.preset);
            found.entry((case, outcome)).or_default().push(one.workload.preset);
        }
    }
    let table = table(&found, tested.len());
    let documented = include_str!("../../../docs/subject-tokens.md");
    assert!(documented.contains(&table), "docs/subject-tokens.md lacks this table:\n{table}");
}

#[tokio::test]
async fn one_dead_issuer_is_its_own_workloads_matter() {
    let tested: Vec<_> = workload::all()
        .into_iter()
        .filter(|workload| matches!(workload.preset, "aws_outbound" | "spiffe" | "oidc"))
        .map(|workload| Tested { first: Pair::generate(workload.algorithm), workload })
        .collect();
    let world = world(&tested).await;
    world.issuer.serve_with(&tested[0].path(), http::StatusCode::SERVICE_UNAVAILABLE, &[], "");
    for one in &tested {
        let stranger = &world.strangers[one.workload.algorithm];
        let outcome = world.verify(&one.tokens(Case::Valid, stranger)[0], NOW).await;
        match one.workload.preset {
            "aws_outbound" => assert_eq!(outcome.unwrap_err().reason(), Reason::IssuerKeysUnavailable),
            _ => assert!(outcome.is_ok(), "{outcome:?}"),
        }
    }
    let ready: Vec<_> = world.sources.readiness(NOW).into_iter().map(|issuer| issuer.ready).collect();
    assert_eq!(ready, [false, true, true]);
}
