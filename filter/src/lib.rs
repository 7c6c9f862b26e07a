//! The proxy-wasm filter: Envoy's callbacks in, the core's steps carried out.
//!
//! Nothing is decided here. [`abi`] is what the host and this module call of each other, [`host`] the same in the filter's own
//! terms. [`vm`] knows which configurations this VM serves, [`root`] is what happens to one of them as a whole (it is
//! configured, time passes, the STS answers), [`stream`] what happens to one request ([`connection`]
//! says what it came on, [`body`] reads what has to be signed), and [`worker`] is what they share.

mod abi;
mod body;
mod connection;
#[cfg(feature = "fault-injection")]
mod fault;
mod host;
mod log_line;
mod metrics;
mod root;
mod stream;
mod vm;
mod worker;
