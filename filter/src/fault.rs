//! Traps on demand, for tests of what becomes of requests when a VM dies. Only the feature `fault-injection` compiles it.

use std::sync::atomic::{AtomicBool, Ordering};

use filter_core::request::Headers;

/// Set from the request that asked for it until the next call to the STS.
static TRAP_AFTER_ASK: AtomicBool = AtomicBool::new(false);

/// Says loudly what this module is. The tests look for these words in the module that ships, where they must not be.
pub fn announce() {
    log::warn!("{MARK}");
}

/// Does what the header asks for: `trap` at once, `trap-after-ask` when the STS was asked next.
pub fn on_request(headers: &Headers<'_>) {
    match headers.iter().find(|(name, _)| *name == HEADER).map(|(_, value)| *value) {
        Some(b"trap") => std::process::abort(),
        Some(b"trap-after-ask") => TRAP_AFTER_ASK.store(true, Ordering::Relaxed),
        _ => {}
    }
}

/// The STS was asked.
pub fn after_ask() {
    if TRAP_AFTER_ASK.load(Ordering::Relaxed) {
        std::process::abort();
    }
}

const HEADER: &str = "x-cloakroom-fault";
const MARK: &str = "this filter is built to trap on demand";
