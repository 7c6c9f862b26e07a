use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::Value;
use token::{message::ExchangeRequest, secret::Secret, spiffe::SpiffeId, token_type::TokenType};

use super::*;
use crate::identity::assertion::Assertions;
use crate::{
    actor::{Caller, PeerCertificate},
    identity::{
        EndpointSettings, JwksSettings, Platform, Preset, SourceError, SourceSettings,
        aws_request::sample::{self, AUDIENCE, SIGNED_AT},
        fake_issuer::FakeIssuer,
    },
};

const NOW: u64 = SIGNED_AT + 1;
const EDGE: &str = "spiffe://td.test/edge/egress";

struct World {
    aws: FakeIssuer,
    sources: Sources,
    settings: SourceSettings,
    _folder: tempfile::TempDir,
}

async fn world(allow_unsigned_audience: bool, actors: Option<&[&str]>) -> World {
    let aws = FakeIssuer::start().await;
    aws.serve("/", sample::answer("arn:aws:sts::123456789012:assumed-role/app-role/i", "AROAID:i", "123456789012"));
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &aws.ca_pem).unwrap();
    let endpoint = EndpointSettings { uri: aws.url.parse().unwrap(), ca: Some(ca), allow_private_addresses: true };
    let preset =
        crate::identity::AwsRequestSettings { allow_unsigned_audience, endpoint: Some(endpoint), ..sample::settings() };
    let settings = SourceSettings {
        name: "aws".into(),
        audience: AUDIENCE.into(),
        actors: actors
            .map(|actors| actors.iter().map(|actor| SpiffeId::parse(actor).unwrap()).collect::<BTreeSet<_>>()),
        preset: Preset::AwsSignedRequest(preset),
        jwks: JwksSettings::default(),
    };
    let sources = Sources::new(vec![settings.clone()], "td.test", None).unwrap();
    World { aws, sources, settings, _folder: folder }
}

fn exchange(token: &str) -> TokenRequest {
    let request = ExchangeRequest {
        subject_token: Secret::new(token),
        subject_token_type: TokenType::Aws4Request.urn().to_owned(),
        actor_token: None,
        actor_token_type: None,
        resource: Vec::new(),
        audience: vec!["https://sts.test/reports".into()],
        scope: None,
        requested_token_type: None,
        request_context: None,
    };
    let caller = Caller::Proxy(PeerCertificate::new(vec![EDGE.into()]));
    TokenRequest::read(request.to_form().as_bytes(), None, &caller).unwrap()
}

async fn verify(sources: &Sources, request: &Value, asker: Option<&str>) -> Result<VerifiedSubject, Refusal> {
    let request = exchange(&request.to_string());
    VerifiedSubject::verify(sources, &Assertions::default(), &VerifiedActor::for_tests(asker), &request, NOW).await
}

#[tokio::test]
async fn a_signed_request_names_its_role() {
    let world = world(false, None).await;
    let subject = verify(&world.sources, &sample::google(), Some(EDGE)).await.unwrap();
    assert_eq!(subject.name().as_str(), "spiffe://td.test/aws/123456789012/role/app-role");
    assert_eq!((subject.source(), subject.platform()), ("aws", Platform::Aws));
    assert_eq!(subject.issuer(), "https://sts.us-east-2.amazonaws.com");
    assert_eq!(subject.subject(), "arn:aws:iam::123456789012:role/app-role");
    assert_eq!(subject.expires_at(), SIGNED_AT + 300);
    // The same signature again, from the same proxy: a renewal. From anybody else: a theft.
    assert!(verify(&world.sources, &sample::google(), Some(EDGE)).await.is_ok());
    for asker in [None, Some("spiffe://td.test/edge/other")] {
        let refusal = verify(&world.sources, &sample::google(), asker).await.unwrap_err();
        assert_eq!(refusal.reason(), Reason::SubjectTokenReplayed);
        assert_eq!(refusal.got_value(), Some("used by another caller"));
    }
    assert_eq!(world.aws.hits("/"), 2, "AWS is asked each time, and not for what is refused");
}

#[tokio::test]
async fn one_that_anybody_could_have_been_meant_by_is_good_once() {
    let world = world(true, None).await;
    assert!(verify(&world.sources, &sample::google_unsigned(), None).await.is_ok());
    let again = || async { verify(&world.sources, &sample::google_unsigned(), None).await.unwrap_err().reason() };
    assert_eq!(again().await, Reason::SubjectTokenReplayed);
    // Neither another spelling nor a new configuration makes it new.
    let spelled = sample::with_header(sample::google_unsigned(), "accept", "*/*");
    assert_eq!(verify(&world.sources, &spelled, None).await.unwrap_err().reason(), Reason::SubjectTokenReplayed);
    let reloaded = Sources::new(vec![world.settings.clone()], "td.test", Some(&world.sources)).unwrap();
    let refusal = verify(&reloaded, &sample::google_unsigned(), None).await.unwrap_err();
    assert_eq!(refusal.reason(), Reason::SubjectTokenReplayed);
    assert_eq!(world.aws.hits("/"), 1);
}

#[tokio::test]
async fn what_aws_could_not_confirm_may_be_sent_again() {
    let world = world(true, None).await;
    let good = sample::answer("arn:aws:sts::123456789012:assumed-role/app-role/i", "AROAID:i", "123456789012");
    world.aws.serve_with("/", StatusCode::SERVICE_UNAVAILABLE, &[], "");
    let refusal = verify(&world.sources, &sample::google_unsigned(), None).await.unwrap_err();
    assert_eq!(refusal.reason(), Reason::ReviewUnavailable);
    world.aws.serve("/", good);
    assert!(verify(&world.sources, &sample::google_unsigned(), None).await.is_ok());
}

#[tokio::test]
async fn only_callers_that_a_source_serves_are_asked_for() {
    let world = world(false, Some(&[EDGE])).await;
    assert!(verify(&world.sources, &sample::google(), Some(EDGE)).await.is_ok());
    for asker in [None, Some("spiffe://td.test/edge/other")] {
        let refusal = verify(&world.sources, &sample::google(), asker).await.unwrap_err();
        assert_eq!(refusal.reason(), Reason::SubjectIssuerUnknown);
        assert_eq!(refusal.claim_name(), Some("subject_token_type"));
    }
    assert_eq!(world.aws.hits("/"), 1);
    // A JWT is not what this source takes, whatever it says.
    let other = SourceSettings { name: "other".into(), ..world.settings.clone() };
    let error = Sources::new(vec![world.settings.clone(), other], "td.test", None).err().unwrap();
    assert!(matches!(error, SourceError::SameForm { .. }), "{error}");
}

#[tokio::test]
async fn a_role_of_another_account_is_refused_after_aws_has_named_it() {
    let world = world(false, None).await;
    let foreign = "arn:aws:sts::999999999999:assumed-role/app-role/i";
    world.aws.serve("/", sample::answer(foreign, "AROAID:i", "999999999999"));
    let refusal = verify(&world.sources, &sample::google(), None).await.unwrap_err();
    assert_eq!(refusal.reason(), Reason::SubjectClaimMismatch);
    assert_eq!(refusal.claim_name(), Some("GetCallerIdentity Account"));
}
