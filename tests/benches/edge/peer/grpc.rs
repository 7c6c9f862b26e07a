//! The least a gRPC server can do: read a message, answer with bytes made beforehand.
//!
//! Both answers say "go on, with this issued token", the same job as a swap with a look-up that costs nothing. The messages
//! are written by hand, since a whole gRPC stack for two constants would only cost more.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use harness::Result;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::BodyExt;
use hyper::{
    body::{Body, Bytes, Frame, Incoming},
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::{Seen, count};
use crate::credential::issued;

/// A `CheckResponse` with `ok_response`.
pub(super) fn authorized() -> Result<Bytes> {
    // CheckResponse: status = 1 (code 0, so empty), ok_response = 3. OkHttpResponse: headers = 2. HeaderValue: value = 2.
    let header = option(2)?;
    Ok(framed(&[field(1, b""), field(3, &field(2, &header))].concat()))
}

/// A `ProcessingResponse` to request headers.
pub(super) fn processed() -> Result<Bytes> {
    // ProcessingResponse: request_headers = 1. HeadersResponse: response = 1. CommonResponse: header_mutation = 2.
    // HeaderMutation: set_headers = 1. HeaderValue: raw_value = 3.
    let header = option(3)?;
    Ok(framed(&field(1, &field(1, &field(2, &field(1, &header))))))
}

/// A `HeaderValueOption` that overwrites `authorization`; the value stands in the field of this number.
fn option(value: u8) -> Result<Vec<u8>> {
    const OVERWRITE_IF_EXISTS_OR_ADD: u8 = 2;
    let token = format!("Bearer {}", issued(0)?);
    let header = [field(1, b"authorization"), field(value, token.as_bytes())].concat();
    // header = 1; append_action = 3, a varint.
    Ok([field(1, &header), vec![3 << 3, OVERWRITE_IF_EXISTS_OR_ADD]].concat())
}

/// A length-delimited field.
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = value.len();
    while length >= 0x80 {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(value);
    bytes
}

/// A message as gRPC sends it: not compressed, its length, itself.
fn framed(message: &[u8]) -> Bytes {
    [&[0][..], &(message.len() as u32).to_be_bytes(), message].concat().into()
}

pub(super) async fn serve(stream: TcpStream, answer: Bytes, seen: Arc<Seen>) {
    let service = service_fn(|mut request: Request<Incoming>| {
        let (answer, seen) = (answer.clone(), Arc::clone(&seen));
        async move {
            // The answer may come before the caller has said that it is done: an `ext_proc` stream stays open.
            if let Some(Ok(_)) = request.body_mut().frame().await {
                count(&seen.asked);
            }
            let body = Answer { message: Some(answer), request: Some(request.into_body()) };
            Response::builder().header(header::CONTENT_TYPE, "application/grpc").body(body)
        }
    });
    // A connection that breaks is Envoy's affair.
    _ = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

/// One message, and the trailers once the caller is done.
struct Answer {
    message: Option<Bytes>,
    request: Option<Incoming>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(message) = self.message.take() {
            return Poll::Ready(Some(Ok(Frame::data(message))));
        }
        let Some(request) = &mut self.request else { return Poll::Ready(None) };
        while let Some(Ok(_)) = ready!(Pin::new(&mut *request).poll_frame(cx)) {}
        self.request = None;
        let trailers =
            HeaderMap::from_iter([(header::HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))]);
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }
}
