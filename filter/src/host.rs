//! Envoy, in the filter's own terms. Every call returns what the host answered; nothing here panics.

use filter_core::{
    refusal::Response,
    request::Headers,
    shared::{Host, Set},
    time::Now,
};
use token::{base64url, message::DECISION_ID_HEADER};

use crate::abi::{self, Buffer, HostBytes, Map, Status};

/// What both clocks show. A host without a clock shows the end of time: then nothing that ends is used any more.
pub fn now() -> Now {
    let millis = |nanoseconds: Option<u64>| nanoseconds.map_or(u64::MAX, |nanoseconds| nanoseconds / 1_000_000);
    Now { unix_ms: millis(abi::wall_clock()), steady_ms: millis(abi::steady_clock()) }
}

/// 16 bytes from the system's generator, as text.
pub fn random_id() -> Result<String, Status> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| Status::InternalFailure)?;
    Ok(base64url::encode(bytes))
}

/// A number from the system's generator.
pub fn entropy() -> u64 {
    let mut bytes = [0; 8];
    // It spreads retries over time and protects nothing; without it they are not spread.
    _ = getrandom::fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// The plugin's configuration.
pub fn plugin_configuration(size: usize) -> Result<HostBytes, Status> {
    abi::buffer(Buffer::PluginConfiguration, 0, size)
}

/// Follows Envoy's log level, so that lines nobody will see are not put together.
pub fn follow_log_level() {
    let level = match abi::log_level() {
        Ok(0) => log::LevelFilter::Trace,
        Ok(1) => log::LevelFilter::Debug,
        Ok(2) | Err(_) => log::LevelFilter::Info,
        Ok(3) => log::LevelFilter::Warn,
        Ok(_) => log::LevelFilter::Error,
    };
    log::set_max_level(level);
}

/// A header list as the host wrote it.
pub struct HeaderBytes(HostBytes);

impl HeaderBytes {
    /// The headers of the request.
    pub fn of_request() -> Result<Self, Status> {
        abi::map(Map::RequestHeaders).map(Self)
    }

    /// The trailers of the request.
    pub fn of_request_trailers() -> Result<Self, Status> {
        abi::map(Map::RequestTrailers).map(Self)
    }

    /// Names and values; an error if this is no header list, or a name is not text.
    ///
    /// The form is a count, then for each header the lengths of name and value, then for each header both, each with a NUL
    /// behind it. Numbers are little-endian and take four bytes.
    pub fn pairs(&self) -> Result<Vec<(&str, &[u8])>, Status> {
        let (count, rest) = number(&self.0)?;
        let (lengths, mut texts) = rest.split_at_checked(count.saturating_mul(8)).ok_or(Status::ParseFailure)?;
        let mut pairs = Vec::with_capacity(count);
        let mut lengths = lengths;
        while !lengths.is_empty() {
            let (name_length, rest) = number(lengths)?;
            let (value_length, rest) = number(rest)?;
            lengths = rest;
            let (name, rest) = text(texts, name_length)?;
            let (value, rest) = text(rest, value_length)?;
            texts = rest;
            pairs.push((str::from_utf8(name).map_err(|_| Status::ParseFailure)?, value));
        }
        Ok(pairs)
    }
}

fn number(bytes: &[u8]) -> Result<(usize, &[u8]), Status> {
    let (number, rest) = bytes.split_first_chunk::<4>().ok_or(Status::ParseFailure)?;
    let number = usize::try_from(u32::from_le_bytes(*number)).map_err(|_| Status::ParseFailure)?;
    Ok((number, rest))
}

fn text(bytes: &[u8], length: usize) -> Result<(&[u8], &[u8]), Status> {
    let (text, rest) = bytes.split_at_checked(length).ok_or(Status::ParseFailure)?;
    Ok((text, rest.split_first().ok_or(Status::ParseFailure)?.1))
}

/// A header list in the host's form.
fn header_list(headers: &[(&str, &str)]) -> Vec<u8> {
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = number(headers.len()).to_vec();
    for (name, value) in headers {
        bytes.extend_from_slice(&number(name.len()));
        bytes.extend_from_slice(&number(value.len()));
    }
    for text in headers.iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0);
    }
    bytes
}

/// Whether the answer's status is 401. If it cannot be read it counts as another.
pub fn answered_unauthorized() -> bool {
    abi::map_value(Map::ResponseHeaders, ":status").is_ok_and(|status| *status == *b"401")
}

/// Removes every request header of a name.
pub fn remove_request_header(name: &str) -> Result<(), Status> {
    abi::remove_map_value(Map::RequestHeaders, name)
}

/// Removes every request trailer of a name.
pub fn remove_request_trailer(name: &str) -> Result<(), Status> {
    abi::remove_map_value(Map::RequestTrailers, name)
}

/// Makes a request header have one value.
pub fn set_request_header(name: &str, value: &str) -> Result<(), Status> {
    abi::replace_map_value(Map::RequestHeaders, name, value)
}

/// At most `most` bytes of what has come of the request's body, from the byte `start` on.
pub fn request_body(start: usize, most: usize) -> Result<HostBytes, Status> {
    abi::buffer(Buffer::HttpRequestBody, start, most)
}

/// An attribute of the stream, by its path with NUL between the parts; `None` if it has none.
pub fn property(path: &str) -> Result<Option<HostBytes>, Status> {
    match abi::property(path) {
        Ok(value) => Ok(Some(value)),
        Err(Status::NotFound) => Ok(None),
        Err(status) => Err(status),
    }
}

/// Notes a value for the filters behind this one, as `wasm.NAME` in the stream's filter state.
pub fn set_filter_state(name: &str, value: &[u8]) -> Result<(), Status> {
    abi::set_property(name, value)
}

/// Answers the request here.
pub fn respond(response: &Response) -> Result<(), Status> {
    let headers: Vec<_> = response.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    abi::send_local_response(u32::from(response.status), "cloakroom_refused", &header_list(&headers), &response.body)
}

/// A call to a cluster; the current root context gets the answer under the number returned.
pub fn call(cluster: &str, headers: &[(&str, &str)], body: &str, timeout_ms: u64) -> Result<u32, Status> {
    let timeout_ms = u32::try_from(timeout_ms).unwrap_or(u32::MAX);
    abi::http_call(cluster, &header_list(headers), body.as_bytes(), timeout_ms)
}

/// Status and decision id of the answer to a call.
pub fn call_answer_head() -> Result<(Option<u16>, Option<String>), Status> {
    let headers = HeaderBytes(abi::map(Map::CallResponseHeaders)?);
    let headers = headers.pairs()?;
    let status = header(&headers, ":status").and_then(|status| status.parse().ok());
    Ok((status, header(&headers, DECISION_ID_HEADER).map(str::to_owned)))
}

/// At most `most` bytes of the body of the answer to a call.
pub fn call_answer_body(size: usize, most: usize) -> Result<Option<HostBytes>, Status> {
    if size == 0 {
        return Ok(None);
    }
    abi::buffer(Buffer::CallResponseBody, 0, size.min(most)).map(Some)
}

fn header<'h>(headers: &Headers<'h>, name: &str) -> Option<&'h str> {
    let (_, value) = headers.iter().find(|(header, _)| *header == name)?;
    str::from_utf8(value).ok()
}

/// Bytes of memory that the VM has taken. It never gives any back.
pub fn memory_bytes() -> u64 {
    const PAGE: u64 = 64 * 1024;
    #[cfg(target_arch = "wasm32")]
    let pages = core::arch::wasm32::memory_size(0);
    // Elsewhere the module is only looked at by compilers and linters, never run.
    #[cfg(not(target_arch = "wasm32"))]
    let pages = 0;
    u64::try_from(pages).unwrap_or_default().saturating_mul(PAGE)
}

/// What Envoy lets its VMs share.
pub struct SharedData;

impl Host for SharedData {
    fn get(&mut self, key: &str) -> Option<(Vec<u8>, u32)> {
        abi::shared_data(key).ok().map(|(value, cas)| (value.to_vec(), cas))
    }

    fn set(&mut self, key: &str, value: &[u8], cas: Option<u32>) -> Set {
        match abi::set_shared_data(key, value, cas.unwrap_or_default()) {
            Ok(()) => Set::Done,
            Err(Status::CasMismatch) => Set::Changed,
            Err(_) => Set::Failed,
        }
    }

    fn wake(&mut self, queue: u32) {
        // A hint that is lost costs the other worker a tick.
        _ = abi::enqueue(queue, b".");
    }

    fn random(&mut self, bytes: &mut [u8]) -> bool {
        getrandom::fill(bytes).is_ok()
    }
}
