//! The proxy-wasm ABI, version 0.2.1, as Envoy speaks it: the calls it offers, the memory it writes its answers to, and the
//! callbacks it makes.
//!
//! Written out here instead of taken from the SDK, for three reasons. A callback that exists is an entry into the VM for
//! every request, wanted or not: the SDK exports all of them, this exports those that are used. The SDK copies every header
//! into strings of its own; this lends what the host wrote. And the SDK panics on a status it does not expect, which ends
//! the VM with all requests in it; here every call returns its status.
//!
//! This is the only module with unsafe code in it.

#![allow(unsafe_code, reason = "an ABI of pointers and lengths has no safe form; what leaves this module has")]

mod calls;
mod entries;
mod memory;

pub use calls::*;
pub use memory::HostBytes;

/// What a call can answer other than success (proxy-wasm ABI 0.2.1, `proxy_result_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    NotFound,
    BadArgument,
    SerializationFailure,
    ParseFailure,
    InvalidMemoryAccess,
    Empty,
    /// Compare-and-swap: somebody was faster.
    CasMismatch,
    InternalFailure,
    /// The host says something this version of the ABI does not have.
    Other(u32),
}

impl Status {
    fn check(code: u32) -> Result<(), Self> {
        Err(match code {
            0 => return Ok(()),
            1 => Self::NotFound,
            2 => Self::BadArgument,
            3 => Self::SerializationFailure,
            4 => Self::ParseFailure,
            6 => Self::InvalidMemoryAccess,
            7 => Self::Empty,
            8 => Self::CasMismatch,
            10 => Self::InternalFailure,
            other => Self::Other(other),
        })
    }
}

/// Header lists (`proxy_map_type_t`).
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub enum Map {
    RequestHeaders = 0,
    RequestTrailers = 1,
    ResponseHeaders = 2,
    CallResponseHeaders = 6,
}

/// Buffers (`proxy_buffer_type_t`).
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub enum Buffer {
    HttpRequestBody = 0,
    CallResponseBody = 4,
    PluginConfiguration = 7,
}

/// Kinds of statistics (`proxy_metric_type_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum MetricKind {
    Counter = 0,
    Gauge = 1,
    Histogram = 2,
}

/// What becomes of a stream after a callback (`proxy_action_t`, and what Envoy has beyond it).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Action {
    Continue = 0,
    /// What came is held; a body is buffered as it comes. Headers are held so only where the plugin has
    /// `allow_on_headers_stop_iteration`, else as with `Hold`.
    ///
    /// Where headers are held so, the next callback that answers `Continue` lets them go on: each of the body's and the
    /// trailers' has to ask whether that may be.
    Pause = 1,
    /// Of headers: all that follows is held back too, and the client is told to wait.
    Hold = 4,
}
