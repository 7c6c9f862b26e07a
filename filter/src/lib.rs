//! The proxy-wasm filter: Envoy's callbacks in, the core's steps carried out.
//!
//! Nothing is decided here. [`root`] is the one context of a worker that talks to the STS, [`stream`] the context of one
//! request, [`worker`] what they share, and [`host`] the only module that calls Envoy.

#[cfg(feature = "fault-injection")]
mod fault;
mod host;
mod metrics;
mod root;
mod stream;
mod worker;

use proxy_wasm::types::LogLevel;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|id| Box::new(root::Root::new(id)));
}}
