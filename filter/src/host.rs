//! The only caller of Envoy. Every call returns a `Result`: the SDK's trait methods would panic on an unexpected status,
//! and a panic here takes every request of the worker with it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use filter_core::{refusal::Response, request::Headers, time::Now};
use proxy_wasm::{
    hostcalls,
    types::{BufferType, LogLevel, MapType, MetricType, Status},
};
use token::{base64url, message::DECISION_ID_HEADER};

/// Both clocks.
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// Clocks whose steady time begins now.
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }

    /// What they show.
    pub fn now(&self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let steady = Instant::now().saturating_duration_since(self.origin);
        Now { unix_ms: millis(unix), steady_ms: millis(steady) }
    }
}

/// 16 bytes from the system's generator, as text.
pub fn random_id() -> Result<String, Status> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| Status::InternalFailure)?;
    Ok(base64url::encode(bytes))
}

/// The plugin's configuration.
pub fn plugin_configuration(size: usize) -> Result<Vec<u8>, Status> {
    if size == 0 {
        return Ok(Vec::new());
    }
    hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size).map(Option::unwrap_or_default)
}

/// Follows Envoy's log level, so that lines nobody will see are not put together.
pub fn follow_log_level() {
    let level = match hostcalls::get_log_level() {
        Ok(LogLevel::Trace) => log::LevelFilter::Trace,
        Ok(LogLevel::Debug) => log::LevelFilter::Debug,
        Ok(LogLevel::Info) | Err(_) => log::LevelFilter::Info,
        Ok(LogLevel::Warn) => log::LevelFilter::Warn,
        Ok(LogLevel::Error | LogLevel::Critical) => log::LevelFilter::Error,
    };
    log::set_max_level(level);
}

/// Has `on_tick` called every so often.
pub fn tick_every(period: Duration) -> Result<(), Status> {
    hostcalls::set_tick_period(period)
}

/// Registers a queue for the calling context.
pub fn register_queue(name: &str) -> Result<u32, Status> {
    hostcalls::register_shared_queue(name)
}

/// Wakes the context that registered the queue. The message says nothing: a queue can be written by other plugins.
pub fn wake(queue: u32) -> Result<(), Status> {
    hostcalls::enqueue_shared_queue(queue, Some(b"."))
}

/// Takes one message off a queue.
pub fn drain(queue: u32) -> Result<bool, Status> {
    hostcalls::dequeue_shared_queue(queue).map(|message| message.is_some())
}

/// All headers of the request.
pub fn request_headers() -> Result<Vec<(String, Vec<u8>)>, Status> {
    hostcalls::get_map_bytes(MapType::HttpRequestHeaders)
}

/// All trailers of the request.
pub fn request_trailers() -> Result<Vec<(String, Vec<u8>)>, Status> {
    hostcalls::get_map_bytes(MapType::HttpRequestTrailers)
}

/// The status of the answer.
pub fn response_status() -> Result<Option<Vec<u8>>, Status> {
    hostcalls::get_map_value_bytes(MapType::HttpResponseHeaders, ":status")
}

/// Removes every request header of a name.
pub fn remove_request_header(name: &str) -> Result<(), Status> {
    hostcalls::remove_map_value(MapType::HttpRequestHeaders, name)
}

/// Removes every request trailer of a name.
pub fn remove_request_trailer(name: &str) -> Result<(), Status> {
    hostcalls::remove_map_value(MapType::HttpRequestTrailers, name)
}

/// Makes a request header have one value.
pub fn set_request_header(name: &str, value: &str) -> Result<(), Status> {
    hostcalls::set_map_value(MapType::HttpRequestHeaders, name, Some(value))
}

/// An attribute of the stream.
pub fn property(path: &[&str]) -> Result<Option<Vec<u8>>, Status> {
    hostcalls::get_property(path.to_vec())
}

/// Notes a value for the filters behind this one, as `wasm.NAME` in the stream's filter state.
pub fn set_filter_state(name: &str, value: &[u8]) -> Result<(), Status> {
    hostcalls::set_property(vec![name], Some(value))
}

/// Makes the calls that follow speak of another stream.
pub fn speak_of(context: u32) -> Result<(), Status> {
    hostcalls::set_effective_context(context)
}

/// Lets a held request go on.
pub fn resume_request() -> Result<(), Status> {
    hostcalls::resume_http_request()
}

/// Answers the request here.
pub fn respond(response: &Response) -> Result<(), Status> {
    let headers = response.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    hostcalls::send_http_response(u32::from(response.status), headers, Some(&response.body))
}

/// A call to a cluster; `on_http_call_response` of the calling context gets the answer under the number returned.
pub fn call(cluster: &str, headers: Vec<(&str, &str)>, body: &str, timeout: Duration) -> Result<u32, Status> {
    hostcalls::dispatch_http_call(cluster, headers, Some(body.as_bytes()), Vec::new(), timeout)
}

/// Status and decision id of the answer to a call.
pub fn call_answer_head() -> Result<(Option<u16>, Option<String>), Status> {
    let headers = hostcalls::get_map_bytes(MapType::HttpCallResponseHeaders)?;
    let status = header(&headers, ":status").and_then(|status| status.parse().ok());
    Ok((status, header(&headers, DECISION_ID_HEADER).map(str::to_owned)))
}

/// At most `most` bytes of the body of the answer to a call.
pub fn call_answer_body(size: usize, most: usize) -> Result<Vec<u8>, Status> {
    if size == 0 {
        return Ok(Vec::new());
    }
    hostcalls::get_buffer(BufferType::HttpCallResponseBody, 0, size.min(most)).map(Option::unwrap_or_default)
}

/// Defines a statistic.
pub fn define_metric(kind: MetricType, name: &str) -> Result<u32, Status> {
    hostcalls::define_metric(kind, name)
}

/// Adds one to a counter.
pub fn count(metric: u32) -> Result<(), Status> {
    hostcalls::increment_metric(metric, 1)
}

/// Sets a gauge, or adds a value to a histogram.
pub fn record(metric: u32, value: u64) -> Result<(), Status> {
    hostcalls::record_metric(metric, value)
}

fn header<'h>(headers: &'h Headers, name: &str) -> Option<&'h str> {
    let (_, value) = headers.iter().find(|(header, _)| header == name)?;
    str::from_utf8(value).ok()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
