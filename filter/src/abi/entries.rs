//! The callbacks. Each that exists is one more entry into the VM for every request, so there are no others: contexts are not
//! told of their end, and what is kept of a stream is bounded in other ways.

use super::Action;
use crate::{root, stream, vm};

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

unsafe extern "C" {
    /// Made by the linker: what has to run before anything else of the module.
    fn __wasm_call_ctors();
}

#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    // SAFETY: the host calls this once, before everything else.
    unsafe { __wasm_call_ctors() }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_root: u32, _configuration_size: usize) -> u32 {
    1
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(root: u32, configuration_size: usize) -> u32 {
    u32::from(root::on_configure(root, configuration_size))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(root: u32) {
    root::on_tick(root);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_queue_ready(root: u32, queue: u32) {
    root::on_queue_ready(root, queue);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(root: u32, call: u32, headers: usize, body_size: usize, _trailers: usize) {
    root::on_call_answered(root, call, headers, body_size);
}

/// `parent` is 0 for a root context.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context: u32, parent: u32) {
    if parent != 0 {
        vm::on_stream(context, parent);
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(stream: u32, _headers: usize, end_of_stream: u32) -> Action {
    stream::on_request_headers(stream, end_of_stream == 0)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(stream: u32, size: usize, end_of_stream: u32) -> Action {
    stream::on_request_body(stream, size, end_of_stream != 0)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(stream: u32, _trailers: usize) -> Action {
    stream::on_request_trailers(stream)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(stream: u32, _headers: usize, _end_of_stream: u32) -> Action {
    stream::on_response_headers(stream);
    Action::Continue
}
