use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};

use super::*;
use crate::identity::assertion::pattern::SubjectPattern;

const NOW: u64 = 1_800_000_000;
const PROXY: &str = "spiffe://td.test/edge/egress";
const API: &str = "spiffe://mesh.test/ns/payments/sa/api";

struct Mesh(CertifiedIssuer<'static, KeyPair>);

impl Mesh {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.not_after = date_time_ymd(2090, 1, 1);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A workload's certificate as Envoy writes it.
    fn issue(&self, uris: &[&str], change: impl FnOnce(&mut CertificateParams)) -> String {
        let mut params = CertificateParams::default();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        (params.not_before, params.not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(2050, 1, 1));
        params.subject_alt_names = uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())).collect();
        change(&mut params);
        let pem = params.signed_by(&KeyPair::generate().unwrap(), &self.0).unwrap().pem();
        pem.bytes()
            .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).into() } else { format!("%{byte:02X}") })
            .collect()
    }

    fn assertions(&self, subjects: &[&str]) -> Assertions {
        let subjects: Vec<_> = subjects.iter().map(|text| SubjectPattern::parse(text).unwrap()).collect();
        let mut assertions = Assertions::default();
        let domain = subjects[0].trust_domain().to_owned();
        let voucher = Voucher::new(&domain, vec![self.0.der().clone()], subjects).unwrap();
        assertions.allow(SpiffeId::parse(PROXY).unwrap(), voucher);
        assertions
    }
}

fn verify_as(assertions: &Assertions, proxy: Option<&str>, text: &str) -> Result<VerifiedSubject, Refusal> {
    verify(assertions, &VerifiedActor::for_tests(proxy), &Secret::new(text), NOW)
}

fn reason(result: Result<VerifiedSubject, Refusal>) -> Reason {
    let refusal = result.unwrap_err();
    assert!(refusal.got_value().is_some() && refusal.wanted_value().is_some() && refusal.claim_name().is_some());
    refusal.reason()
}

#[test]
fn a_workload_is_known_by_its_certificate_on_the_word_of_its_proxy() {
    let mesh = Mesh::new();
    let subject =
        verify_as(&mesh.assertions(&["spiffe://mesh.test/ns/payments/*"]), Some(PROXY), &mesh.issue(&[API], |_| {}))
            .unwrap();
    assert_eq!(subject.name().as_str(), API);
    assert_eq!(subject.asserted_by().unwrap().as_str(), PROXY);
    assert_eq!((subject.source(), subject.issuer()), ("certificate:mesh.test", "spiffe://mesh.test"));
    assert_eq!(subject.attributes(), [("asserted_by", PROXY.to_owned())]);
    assert_eq!(subject.expires_at(), 2_524_608_000, "the end of the certificate");
}

#[test]
fn nobody_vouches_for_more_than_the_configuration_says() {
    let mesh = Mesh::new();
    let certificate = mesh.issue(&[API], |_| {});
    let payments = mesh.assertions(&["spiffe://mesh.test/ns/payments/*"]);
    assert_eq!(reason(verify_as(&payments, None, &certificate)), Reason::ActorNotPermitted);
    let other = Some("spiffe://td.test/edge/other");
    assert_eq!(reason(verify_as(&payments, other, &certificate)), Reason::SubjectIssuerUnknown);
    assert_eq!(reason(verify_as(&Assertions::default(), Some(PROXY), &certificate)), Reason::SubjectIssuerUnknown);
    let billing = mesh.assertions(&["spiffe://mesh.test/ns/billing/*"]);
    assert_eq!(reason(verify_as(&billing, Some(PROXY), &certificate)), Reason::ActorNotPermitted);
    let elsewhere = mesh.issue(&["spiffe://elsewhere.test/ns/payments/sa/api"], |_| {});
    assert_eq!(reason(verify_as(&payments, Some(PROXY), &elsewhere)), Reason::SubjectIssuerUnknown);
}

#[test]
fn a_certificate_must_be_the_trust_domain_s_and_valid_now() {
    let (mesh, other) = (Mesh::new(), Mesh::new());
    let assertions = mesh.assertions(&["spiffe://mesh.test/ns/payments/*"]);
    let judge = |text: &str| reason(verify_as(&assertions, Some(PROXY), text));
    assert_eq!(judge(&other.issue(&[API], |_| {})), Reason::SubjectSignatureInvalid, "another authority");
    let expired = mesh.issue(&[API], |params| params.not_after = date_time_ymd(2026, 6, 1));
    assert_eq!(judge(&expired), Reason::SubjectTokenExpired);
    let early = mesh.issue(&[API], |params| params.not_before = date_time_ymd(2049, 1, 1));
    assert_eq!(judge(&early), Reason::SubjectTokenNotYetValid);
    let server = mesh.issue(&[API], |params| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    });
    assert_eq!(judge(&server), Reason::SubjectSignatureInvalid, "for servers only");
}

#[test]
fn a_certificate_must_be_one_workload_s() {
    let mesh = Mesh::new();
    let assertions = mesh.assertions(&["spiffe://mesh.test/ns/payments/*"]);
    let judge = |text: &str| reason(verify_as(&assertions, Some(PROXY), text));
    let two = mesh.issue(&[API, "spiffe://mesh.test/ns/payments/sa/other"], |_| {});
    assert_eq!(judge(&two), Reason::SubjectClaimMismatch);
    assert_eq!(judge(&mesh.issue(&[], |_| {})), Reason::SubjectClaimMismatch);
    assert_eq!(judge(&mesh.issue(&["https://mesh.test/x"], |_| {})), Reason::SubjectClaimMismatch);
    assert_eq!(judge(&mesh.issue(&["spiffe://mesh.test"], |_| {})), Reason::SubjectClaimMismatch);
    let signer = mesh.issue(&[API], |params| params.key_usages.push(KeyUsagePurpose::KeyCertSign));
    assert_eq!(judge(&signer), Reason::SubjectTokenMalformed);
    let unusable = mesh.issue(&[API], |params| params.key_usages.clear());
    assert_eq!(judge(&unusable), Reason::SubjectTokenMalformed);
    let one = mesh.issue(&[API], |_| {});
    for text in [&one[..40], &format!("{one}{one}"), "", "%", "%4", "%zz", "nonsense", "%C3%A9"] {
        assert_eq!(judge(text), Reason::SubjectTokenMalformed, "{text:.20}");
    }
}

#[test]
fn a_name_that_only_this_service_makes_is_refused() {
    let mesh = Mesh::new();
    let assertions = mesh.assertions(&["spiffe://mesh.test/aws/*"]);
    let certificate = mesh.issue(&["spiffe://mesh.test/aws/123456789012/role/admin"], |_| {});
    assert_eq!(reason(verify_as(&assertions, Some(PROXY), &certificate)), Reason::SubjectClaimMismatch);
}
