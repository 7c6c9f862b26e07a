//! Lines in Envoy's log.

use log::{Level, Log, Metadata, Record};

use crate::abi;

static LOGGER: Logger = Logger;

struct Logger;

/// From now on the macros of `log` write to Envoy's log.
pub fn install() {
    // A second configuration of the same VM finds it installed.
    _ = log::set_logger(&LOGGER);
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let level = match record.level() {
            Level::Trace => 0,
            Level::Debug => 1,
            Level::Info => 2,
            Level::Warn => 3,
            Level::Error => 4,
        };
        abi::log(level, &format!("cloakroom: {}", record.args()));
    }

    fn flush(&self) {}
}
