use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Frame};
use tokio::sync::mpsc::{Receiver, channel};

use super::*;

/// A body in pieces, each some time after the one before, and trailers.
fn in_pieces(pieces: Vec<Vec<u8>>, pause: Duration, trailers: &[(&'static str, &'static str)]) -> Body {
    let trailers: HeaderMap =
        trailers.iter().map(|(name, value)| ((*name).parse().unwrap(), HeaderValue::from_static(value))).collect();
    let frames = pieces.into_iter().map(|piece| Frame::data(Bytes::from(piece)));
    let frames = frames.chain((!trailers.is_empty()).then(|| Frame::trailers(trailers)));
    let (sender, receiver) = channel(1);
    let frames: Vec<_> = frames.collect();
    tokio::spawn(async move {
        for frame in frames {
            if sender.send(Ok::<_, Infallible>(frame)).await.is_err() {
                return;
            }
            tokio::time::sleep(pause).await;
        }
    });
    Frames(receiver).boxed_unsync()
}

/// The frames of a channel.
struct Frames(Receiver<Result<Frame<Bytes>, Infallible>>);

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_read_and_signed_whichever_comes_last() -> Result<()> {
    let signing = Signing::start().await?;
    let slow = |pieces: Vec<Vec<u8>>| in_pieces(pieces, Duration::from_millis(120), &[]);
    signing.edge.sts.script(|script| script.delay = Duration::from_millis(250));
    // The credential comes last; then, as a hit, the body.
    for body in [full("{\"TableName\":\"t1\"}"), full("{\"TableName\":\"t1\"}")] {
        let answer = signing.post(body).await?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(signing.signed("dynamodb").await?.body_length, 18);
    }
    // The body comes last.
    let other = native_token("w-2", 0);
    for (token, pieces) in [(&other, 6), (&other, 3)] {
        let body = slow((0..pieces).map(|_| bytes(7_000)).collect());
        let headers = [("x-amz-security-token", token.as_str())];
        let answer = signing.send(Method::POST, "/db/", &headers, body).await?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let arrived = signing.signed("dynamodb").await?;
        assert_eq!(arrived.body_length, pieces * 7_000);
    }
    for body in [vec![bytes(1)], vec![bytes(MOST)], vec![bytes(MOST / 2), bytes(MOST / 2)], vec![]] {
        let length: usize = body.iter().map(Vec::len).sum();
        let answer = signing.post(in_pieces(body, Duration::ZERO, &[])).await?;
        assert_eq!(answer.status, 200, "{length}: {}", answer.text());
        assert_eq!(signing.signed("dynamodb").await?.body_length, length);
    }
    let answer = signing.send(Method::GET, "/db/", &[], full("")).await?;
    assert_eq!((answer.status.as_u16(), signing.signed("dynamodb").await?.body_length), (200, 0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn trailers_end_a_body_too_and_take_nothing_along() -> Result<()> {
    let signing = Signing::start_with(|bootstrap| {
        http(bootstrap)["http_protocol_options"] = json!({"enable_trailers": true});
    })
    .await?;
    signing.edge.sts.script(|script| script.delay = Duration::from_millis(200));
    for pause in [0, 150] {
        let trailers = [("authorization", "Bearer placeholder"), ("x-note", "a")];
        let body = in_pieces(vec![bytes(10), bytes(20)], Duration::from_millis(pause), &trailers);
        let answer = signing.send(Method::POST, "/db/", &[("trailer", "authorization, x-note")], body).await?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(signing.signed("dynamodb").await?.body_length, 30);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_long_is_refused_and_nothing_of_it_arrives() -> Result<()> {
    let signing = Signing::start().await?;
    // As a miss that waits, as a hit, by its length alone, and while it comes.
    signing.edge.sts.script(|script| script.delay = Duration::from_millis(300));
    for _ in 0..2 {
        let answer = signing.post(full(bytes(MOST + 1))).await?;
        assert_eq!(reason(&answer), (413, "body_too_large"), "{}", answer.text());
        let pieces = vec![bytes(MOST), bytes(1)];
        let answer = signing.post(in_pieces(pieces, Duration::from_millis(20), &[])).await?;
        assert_eq!(reason(&answer), (413, "body_too_large"), "{}", answer.text());
        assert_eq!(signing.arrived().await?.len(), 0);
        assert_eq!(signing.post(full("{}")).await?.status, 200);
        signing.signed("dynamodb").await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_never_goes_on_with_its_body() -> Result<()> {
    let signing = Signing::start().await?;
    let pieces = || in_pieces(vec![bytes(9_000); 8], Duration::from_millis(50), &[]);
    // Refused at once, and while the body comes.
    for (path, headers, wanted) in [
        ("/db/?X-Amz-Signature=placeholder", vec![], (403, "signature_refused")),
        ("/db/", vec![("x-amz-security-token", "")], (401, "subject_token_missing")),
        ("/s3/k", vec![], (403, "signature_refused")),
        ("/s3/k", vec![("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")], (403, "signature_refused")),
        ("/blob/c?sig=placeholder", vec![], (403, "signature_refused")),
    ] {
        let answer = signing.send(Method::POST, path, &headers, pieces()).await?;
        assert_eq!(reason(&answer), wanted, "{path}: {}", answer.text());
    }
    signing.edge.sts.script(|script| {
        script.delay = Duration::from_millis(100);
        script.refused = Some(("w-", token::reason::Reason::PolicyDenied));
    });
    let answer = signing.post(pieces()).await?;
    assert_eq!(reason(&answer), (403, "policy_denied"), "{}", answer.text());
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(signing.arrived().await?.len(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_same_listener_other_bodies_wait_as_they_always_did() -> Result<()> {
    let signing = Signing::start().await?;
    // Longer than Envoy buffers: were it taken in while the request waits, Envoy would refuse it.
    signing.edge.sts.script(|script| script.delay = Duration::from_millis(300));
    let body = bytes(3_000_000);
    let digest = hash(&body);
    let put = signing.send(Method::PUT, "/s3/k", &[("x-amz-content-sha256", &digest)], full(body.clone())).await?;
    assert_eq!(put.status, 200, "{}", put.text());
    assert_eq!(signing.signed("s3").await?.body_sha256, digest);
    let bearer = format!("Bearer {}", native_token("w-1", 0));
    for path in ["/plain/a", "/plain/b"] {
        let headers = [("authorization", bearer.as_str())];
        let answer = signing.client.request(Method::POST, &signing.url(path), &headers, body.clone()).await?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let arrived = signing.arrived().await?;
        assert!(arrived[0].header("authorization").starts_with("Bearer issued.") && arrived[0].body_sha256 == digest);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_takes_nothing_with_it() -> Result<()> {
    let signing = Signing::start().await?;
    assert_eq!(signing.post(full("{}")).await?.status, 200);
    signing.signed("dynamodb").await?;
    for _ in 0..20 {
        let body = in_pieces(vec![bytes(1_000); 50], Duration::from_millis(100), &[]);
        let leaving = signing.post(body);
        assert!(tokio::time::timeout(Duration::from_millis(60), leaving).await.is_err(), "it is read until it leaves");
    }
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(signing.arrived().await?.len(), 0);
    assert_eq!(signing.post(full("{}")).await?.status, 200);
    signing.signed("dynamodb").await?;
    assert_eq!(signing.edge.vm_reloads().await?, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vm_that_dies_lets_nothing_of_what_it_held_go_on() -> Result<()> {
    let signing = Signing::start_as(Plan::default().faults(), |_| {}).await?;
    let pieces = || in_pieces(vec![bytes(9_000); 12], Duration::from_millis(100), &[]);
    for fault in ["trap-after-ask", "trap"] {
        // One that is read in the VM that dies, and one that makes it die.
        let token = native_token(fault, 0);
        let headers = [("x-amz-security-token", token.as_str())];
        signing.edge.sts.script(|script| script.delay = Duration::from_secs(5));
        let held = signing.send(Method::POST, "/db/", &headers, pieces());
        let killing = async {
            tokio::time::sleep(Duration::from_millis(250)).await;
            let token = native_token(&format!("{fault}-2"), 0);
            let headers = [("x-amz-security-token", token.as_str()), ("x-cloakroom-fault", fault)];
            signing.send(Method::POST, "/db/", &headers, pieces()).await
        };
        let both = async { tokio::join!(held, killing) };
        if let Ok((held, killing)) = tokio::time::timeout(Duration::from_secs(3), both).await {
            for answer in [held, killing].into_iter().flatten() {
                assert!(answer.status.is_server_error(), "{} {}", answer.status, answer.text());
            }
        }
        assert_eq!(signing.arrived().await?.len(), 0, "{fault}");
        signing.edge.sts.script(|script| script.delay = Duration::ZERO);
    }
    assert!(signing.edge.vm_reloads().await? > 0, "it did die");
    assert_eq!(signing.post(full("{}")).await?.status, 200, "and a new one took its place");
    signing.signed("dynamodb").await?;
    Ok(())
}
