//! The service: reads requests without bodies by hand, to cost little, and looks at the credential of each.

use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Seen, count};
use crate::{credential, s3};

/// What it always answers.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

pub(super) async fn serve(mut stream: TcpStream, seen: Arc<Seen>) {
    let mut buffer = Vec::with_capacity(8192);
    while let Ok(1..) = stream.read_buf(&mut buffer).await {
        // Envoy does not pipeline: what ends in an empty line is one request.
        if !buffer.ends_with(b"\r\n\r\n") {
            continue;
        }
        look(&String::from_utf8_lossy(&buffer), &seen);
        buffer.clear();
        if stream.write_all(ANSWER).await.is_err() {
            return;
        }
    }
}

fn look(request: &str, seen: &Seen) {
    count(&seen.requests);
    let mut tokens = request.split("\r\nauthorization: ").skip(1);
    let token = match (tokens.next(), tokens.next()) {
        (None, _) => return count(&seen.bare),
        (Some(token), None) => token,
        // Counted as nothing, so that no variant gets away with it.
        (Some(_), Some(_)) => return,
    };
    let workload = match token.strip_prefix("Bearer ") {
        Some(token) => credential::issued_for(token),
        None => s3::signed_for(request, token),
    };
    let Some(workload) = workload else { return count(&seen.native) };
    count(&seen.issued);
    if caller(request) == Some(workload) {
        count(&seen.own);
    }
}

/// The number of the workload that called, which is the last segment of the path.
fn caller(request: &str) -> Option<usize> {
    request.split(' ').nth(1)?.rsplit('/').next()?.parse().ok()
}
