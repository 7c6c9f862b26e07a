//! Requests as bytes.

use crate::{issued_token::key, native_token::native_token};

/// A request of a workload, with its `rotation`th token, on a route of the test edge.
pub fn get(route: &str, subject: &str, rotation: u64) -> Vec<u8> {
    get_with(route, subject, rotation, "")
}

/// The same with further header lines, each of which ends in CR LF.
pub fn get_with(route: &str, subject: &str, rotation: u64, lines: &str) -> Vec<u8> {
    let (key, token) = (key(subject, route), native_token(subject, rotation));
    format!(
        "GET /{route}/42 HTTP/1.1\r\nhost: edge.test\r\nx-expected: {key}\r\n{lines}authorization: Bearer {token}\r\n\r\n"
    )
    .into_bytes()
}
