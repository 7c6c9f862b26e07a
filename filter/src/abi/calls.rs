//! The host's functions, each as a safe one that returns what it answered.

use std::ptr::null_mut;

use super::{Buffer, HostBytes, Map, MetricKind, Status};

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, text: *const u8, text_size: usize) -> u32;
    fn proxy_get_log_level(level: *mut u32) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_get_buffer_bytes(buffer: u32, start: usize, most: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_get_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_replace_header_map_value(map: u32, key: *const u8, key_size: usize, data: *const u8, size: usize) -> u32;
    fn proxy_remove_header_map_value(map: u32, key: *const u8, key_size: usize) -> u32;
    fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_property(path: *const u8, path_size: usize, data: *const u8, size: usize) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(key: *const u8, key_size: usize, data: *const u8, size: usize, cas: u32) -> u32;
    fn proxy_register_shared_queue(name: *const u8, name_size: usize, queue: *mut u32) -> u32;
    fn proxy_enqueue_shared_queue(queue: u32, data: *const u8, size: usize) -> u32;
    fn proxy_dequeue_shared_queue(queue: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_continue_stream(stream_type: u32) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_http_call(
        cluster: *const u8,
        cluster_size: usize,
        headers: *const u8,
        headers_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        timeout_ms: u32,
        call: *mut u32,
    ) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, metric: *mut u32) -> u32;
    fn proxy_increment_metric(metric: u32, offset: i64) -> u32;
    fn proxy_record_metric(metric: u32, value: u64) -> u32;
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn clock_time_get(clock: u32, precision_ns: u64, time_ns: *mut u64) -> u32;
}

/// The wall clock, in nanoseconds since the Unix epoch.
pub fn wall_clock() -> Option<u64> {
    clock(0)
}

/// The steady clock, in nanoseconds since a moment that is the same for all VMs of the process. The standard library has it
/// too, but there every VM counts from a moment of its own.
pub fn steady_clock() -> Option<u64> {
    clock(1)
}

fn clock(clock: u32) -> Option<u64> {
    let mut time = 0;
    // SAFETY: the host writes one number to a place that is ours.
    (unsafe { clock_time_get(clock, 1, &raw mut time) } == 0).then_some(time)
}

/// Writes a line to Envoy's log. `level` is 0 (trace) to 5 (critical).
pub fn log(level: u32, text: &str) {
    // SAFETY: a text and its length; the host copies it. A line that cannot be written cannot be complained of either.
    _ = unsafe { proxy_log(level, text.as_ptr(), text.len()) };
}

/// The level from which Envoy writes lines of this component.
pub fn log_level() -> Result<u32, Status> {
    let mut level = 0;
    // SAFETY: the host writes one number to a place that is ours.
    Status::check(unsafe { proxy_get_log_level(&raw mut level) })?;
    Ok(level)
}

/// Has [`entries::proxy_on_tick`](super::entries) called every so often, for the current root context.
pub fn set_tick_period(period_ms: u32) -> Result<(), Status> {
    // SAFETY: numbers only.
    Status::check(unsafe { proxy_set_tick_period_milliseconds(period_ms) })
}

/// At most `most` bytes of a buffer, from the byte `start` on.
pub fn buffer(buffer: Buffer, start: usize, most: usize) -> Result<HostBytes, Status> {
    // SAFETY: see `answer`.
    answer(|data, size| unsafe { proxy_get_buffer_bytes(buffer as u32, start, most, data, size) })
}

/// A whole header list, in the ABI's form: see [`crate::host::pairs`].
pub fn map(map: Map) -> Result<HostBytes, Status> {
    // SAFETY: see `answer`.
    answer(|data, size| unsafe { proxy_get_header_map_pairs(map as u32, data, size) })
}

/// One header's value.
pub fn map_value(map: Map, name: &str) -> Result<HostBytes, Status> {
    // SAFETY: see `answer`; the name is only read.
    answer(|data, size| unsafe { proxy_get_header_map_value(map as u32, name.as_ptr(), name.len(), data, size) })
}

/// Makes a header have one value.
pub fn replace_map_value(map: Map, name: &str, value: &str) -> Result<(), Status> {
    // SAFETY: the host copies both texts.
    Status::check(unsafe {
        proxy_replace_header_map_value(map as u32, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}

/// Removes every header of a name.
pub fn remove_map_value(map: Map, name: &str) -> Result<(), Status> {
    // SAFETY: the name is only read.
    Status::check(unsafe { proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) })
}

/// An attribute of the stream. `path` has its parts divided by NUL.
pub fn property(path: &str) -> Result<HostBytes, Status> {
    // SAFETY: see `answer`; the path is only read.
    answer(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
}

/// Sets the filter state `wasm.NAME` of the stream.
pub fn set_property(name: &str, value: &[u8]) -> Result<(), Status> {
    // SAFETY: the host copies both.
    Status::check(unsafe { proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) })
}

/// What is shared under a key, and its number for compare-and-swap.
pub fn shared_data(key: &str) -> Result<(HostBytes, u32), Status> {
    let mut cas = 0;
    // SAFETY: see `answer`; the key is only read, the number's place is ours.
    let value =
        answer(|data, size| unsafe { proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut cas) })?;
    Ok((value, cas))
}

/// Shares a value under a key; with a `cas` other than 0 only if nobody has since.
pub fn set_shared_data(key: &str, value: &[u8], cas: u32) -> Result<(), Status> {
    // SAFETY: the host copies both.
    Status::check(unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas) })
}

/// A queue of the current root context, by name.
pub fn register_queue(name: &str) -> Result<u32, Status> {
    let mut queue = 0;
    // SAFETY: the name is only read, the number's place is ours.
    Status::check(unsafe { proxy_register_shared_queue(name.as_ptr(), name.len(), &raw mut queue) })?;
    Ok(queue)
}

/// Puts a message into a queue.
pub fn enqueue(queue: u32, message: &[u8]) -> Result<(), Status> {
    // SAFETY: the host copies the message.
    Status::check(unsafe { proxy_enqueue_shared_queue(queue, message.as_ptr(), message.len()) })
}

/// Takes a message off a queue; [`Status::Empty`] if there is none.
pub fn dequeue(queue: u32) -> Result<HostBytes, Status> {
    // SAFETY: see `answer`.
    answer(|data, size| unsafe { proxy_dequeue_shared_queue(queue, data, size) })
}

/// Makes the calls that follow speak of another context.
pub fn set_effective_context(context: u32) -> Result<(), Status> {
    // SAFETY: numbers only.
    Status::check(unsafe { proxy_set_effective_context(context) })
}

/// Lets the request of the current stream go on.
pub fn continue_request() -> Result<(), Status> {
    const HTTP_REQUEST: u32 = 0;
    // SAFETY: numbers only.
    Status::check(unsafe { proxy_continue_stream(HTTP_REQUEST) })
}

/// Answers the current request. `headers` is a header list in the ABI's form.
pub fn send_local_response(status: u32, details: &str, headers: &[u8], body: &[u8]) -> Result<(), Status> {
    const NO_GRPC_STATUS: i32 = -1;
    // SAFETY: the host copies all four.
    Status::check(unsafe {
        proxy_send_local_response(
            status,
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            NO_GRPC_STATUS,
        )
    })
}

/// Calls a cluster. `headers` is a header list in the ABI's form. The answer comes under the number returned.
pub fn http_call(cluster: &str, headers: &[u8], body: &[u8], timeout_ms: u32) -> Result<u32, Status> {
    let mut call = 0;
    // SAFETY: the host copies what it is given, the number's place is ours.
    Status::check(unsafe {
        proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            headers.as_ptr(),
            headers.len(),
            body.as_ptr(),
            body.len(),
            [].as_ptr(),
            0,
            timeout_ms,
            &raw mut call,
        )
    })?;
    Ok(call)
}

/// Defines a statistic, or finds the one of that name.
pub fn define_metric(kind: MetricKind, name: &str) -> Result<u32, Status> {
    let mut metric = 0;
    // SAFETY: the name is only read, the number's place is ours.
    Status::check(unsafe { proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &raw mut metric) })?;
    Ok(metric)
}

/// Adds to a counter.
pub fn increment_metric(metric: u32, by: i64) -> Result<(), Status> {
    // SAFETY: numbers only.
    Status::check(unsafe { proxy_increment_metric(metric, by) })
}

/// Sets a gauge, or adds a value to a histogram.
pub fn record_metric(metric: u32, value: u64) -> Result<(), Status> {
    // SAFETY: numbers only.
    Status::check(unsafe { proxy_record_metric(metric, value) })
}

/// Makes a call that answers with bytes. The host asks [`super::memory`] for the room and writes to the two places where they
/// are and how many; on any other status than success it has done neither.
fn answer(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<HostBytes, Status> {
    let (mut data, mut size) = (null_mut(), 0);
    Status::check(call(&raw mut data, &raw mut size))?;
    // SAFETY: the call has succeeded, so these are its answer, and they are taken over once.
    Ok(unsafe { HostBytes::take(data, size) })
}
