use http::header;

use super::*;
use crate::{
    identity::{
        aws_request::{
            sample::{self, AUDIENCE, SIGNED_AT},
            serialisation::Presented,
            signed::Addressee,
        },
        fake_issuer::FakeIssuer,
    },
    outgoing::fetch::read_authorities,
};

fn signed() -> SignedRequest {
    let presented = Presented::read(&sample::google().to_string()).unwrap();
    let addressee = Addressee { audience: AUDIENCE, asked: &[] };
    SignedRequest::check(&presented, &sample::settings(), addressee, SIGNED_AT).unwrap()
}

fn stranger() -> VerifiedActor {
    VerifiedActor::for_tests(None)
}

fn sts(aws: &FakeIssuer) -> AwsSts {
    let fetcher = Fetcher::keeping(KEPT, read_authorities(aws.ca_pem.as_bytes()).unwrap(), true).unwrap();
    AwsSts::new(fetcher, Some(aws.url.parse().unwrap()))
}

async fn refused(sts: &AwsSts) -> (Reason, String) {
    let refusal = sts.ask(&signed(), &stranger()).await.unwrap_err();
    assert!(refusal.claim_name().is_some() && refusal.wanted_value().is_some() && refusal.advice().is_some());
    (refusal.reason(), refusal.got_value().unwrap().to_owned())
}

#[tokio::test]
async fn aws_s_word_is_taken() {
    let aws = FakeIssuer::start().await;
    let arn = "arn:aws:sts::123456789012:assumed-role/app-role/i-0abc";
    aws.serve("/", sample::answer(arn, "AROAEXAMPLEID:i-0abc", "123456789012"));
    assert_eq!(sts(&aws).ask(&signed(), &stranger()).await.unwrap().arn, arn);
    assert_eq!(aws.hits("/"), 1);
}

#[tokio::test]
async fn a_request_is_blamed_where_aws_blames_it_and_only_there() {
    let aws = FakeIssuer::start().await;
    let sts = sts(&aws);
    for (status, body, reason) in [
        (403, sample::error("SignatureDoesNotMatch"), Reason::SubjectSignatureInvalid),
        (400, sample::error("IncompleteSignature"), Reason::SubjectSignatureInvalid),
        (403, sample::error("MissingAuthenticationToken"), Reason::SubjectSignatureInvalid),
        (403, sample::error("AccessDenied"), Reason::SubjectSignatureInvalid),
        (403, sample::error("ExpiredToken"), Reason::SubjectTokenExpired),
        (403, sample::error("InvalidClientTokenId"), Reason::SubjectKeyUnknown),
        (400, sample::error("Throttling"), Reason::ReviewUnavailable),
        (429, sample::error("TooManyRequestsException"), Reason::ReviewUnavailable),
        (400, sample::error("SomethingNew"), Reason::ReviewUnavailable),
        (403, "<html>proxy</html>".to_owned(), Reason::ReviewUnavailable),
        (407, sample::error("SignatureDoesNotMatch"), Reason::ReviewUnavailable),
        (500, sample::error("SignatureDoesNotMatch"), Reason::ReviewUnavailable),
        (503, String::new(), Reason::ReviewUnavailable),
        (200, String::new(), Reason::ReviewUnavailable),
        (200, sample::error("SignatureDoesNotMatch"), Reason::ReviewUnavailable),
        (200, "x".repeat(BOUNDS.body + 1), Reason::ReviewUnavailable),
    ] {
        aws.serve_with("/", StatusCode::from_u16(status).unwrap(), &[], body.clone());
        assert_eq!(refused(&sts).await.0, reason, "{status} {}", body.get(..80).unwrap_or(&body));
    }
}

#[tokio::test]
async fn it_is_sent_nowhere_else() {
    let aws = FakeIssuer::start().await;
    let arn = "arn:aws:sts::123456789012:assumed-role/app-role/i-0abc";
    aws.serve("/elsewhere", sample::answer(arn, "AROAEXAMPLEID:i", "123456789012"));
    let elsewhere = format!("{}/elsewhere", aws.url);
    for status in [301, 302, 307, 308] {
        aws.serve_with("/", StatusCode::from_u16(status).unwrap(), &[(header::LOCATION.as_str(), &elsewhere)], "");
        assert_eq!(refused(&sts(&aws)).await.0, Reason::ReviewUnavailable, "{status}");
    }
    assert_eq!(aws.hits("/elsewhere"), 0);
    // A name of AWS's that resolves to an address of ours, were the resolver to say so.
    let fetcher = Fetcher::keeping(KEPT, read_authorities(aws.ca_pem.as_bytes()).unwrap(), false).unwrap();
    for endpoint in [aws.url.clone(), aws.url.replace("127.0.0.1", "localhost")] {
        let (reason, cause) = refused(&AwsSts::new(fetcher.clone(), Some(endpoint.parse().unwrap()))).await;
        assert_eq!(reason, Reason::ReviewUnavailable);
        assert!(cause.contains("private"), "{cause}");
    }
    // Another's certificate.
    let other = FakeIssuer::start().await;
    let fetcher = Fetcher::keeping(KEPT, read_authorities(other.ca_pem.as_bytes()).unwrap(), true).unwrap();
    let before = aws.hits("/");
    assert_eq!(refused(&AwsSts::new(fetcher, Some(aws.url.parse().unwrap()))).await.0, Reason::ReviewUnavailable);
    assert_eq!(aws.hits("/"), before);
}

#[tokio::test]
async fn calls_of_one_source_are_bounded_and_what_is_beyond_is_told_at_once() {
    let aws = FakeIssuer::start().await;
    let arn = "arn:aws:sts::123456789012:assumed-role/app-role/i-0abc";
    aws.serve("/", sample::answer(arn, "AROAEXAMPLEID:i-0abc", "123456789012"));
    let gate = aws.hold();
    let sts = std::sync::Arc::new(sts(&aws));
    let (at_once, size) = FOR_STRANGERS;
    let calls: Vec<_> = (0..size)
        .map(|_| {
            let sts = std::sync::Arc::clone(&sts);
            tokio::spawn(async move { sts.ask(&signed(), &stranger()).await })
        })
        .collect();
    while sts.strangers.free().0 > 0 {
        tokio::task::yield_now().await;
    }
    let (reason, cause) = refused(&sts).await;
    assert_eq!((reason, cause.as_str()), (Reason::ReviewUnavailable, "32 calls under way"));
    assert!(aws.hits("/") <= at_once);
    // However many strangers wait, a proxy's turn comes.
    let proxy = VerifiedActor::for_tests(Some("spiffe://td.test/edge"));
    assert_eq!(sts.proxies.free().1, FOR_PROXIES.0);
    gate.add_permits(size + 2);
    assert!(sts.ask(&signed(), &proxy).await.is_ok());
    for call in calls {
        assert!(call.await.unwrap().is_ok());
    }
    assert!(sts.ask(&signed(), &stranger()).await.is_ok());
}
