//! Log lines: JSON on standard error, our own by default.
//!
//! What we log ourselves holds digests only. Libraries are another matter: at their finer levels some print headers and
//! bodies, so they speak from `warn` on, and no configuration lets them say more than `info`.

use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{
    filter::Targets, fmt, layer::SubscriberExt, registry::Registry, reload, util::SubscriberInitExt,
};

use crate::config::LogSettings;

/// The most verbose level any library may have.
pub const MOST_OF_LIBRARIES: Level = Level::INFO;

/// Changes what is logged while the service runs.
pub struct LogControl(reload::Handle<Targets, Registry>);

impl LogControl {
    /// Starts logging. Where something else in the process logs already, this changes nothing.
    pub fn start(settings: &LogSettings) -> Self {
        let (targets, handle) = reload::Layer::new(targets(settings));
        let lines = fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
        _ = tracing_subscriber::registry().with(targets).with(lines.with_writer(std::io::stderr)).try_init();
        Self(handle)
    }

    /// Logs as `settings` say from now on.
    pub fn replace(&self, settings: &LogSettings) {
        _ = self.0.reload(targets(settings));
    }
}

fn targets(settings: &LogSettings) -> Targets {
    let mut targets = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("sts_backend", settings.level)
        .with_target("cloakroom", settings.level);
    for (library, level) in &settings.libraries {
        targets = targets.with_target(library.clone(), (*level).min(MOST_OF_LIBRARIES));
    }
    targets
}

/// Keeps what a panic says out of the log: its message may quote what was being worked on. The place is told.
pub fn hide_panic_messages() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a bug: the code panicked; the message is withheld, for it may hold a secret");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(level: Level, libraries: &[(&str, Level)]) -> LogSettings {
        let libraries = libraries.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect();
        LogSettings { level, libraries }
    }

    #[test]
    fn our_own_most_verbose_level_leaves_libraries_at_warnings() {
        let targets = targets(&settings(Level::TRACE, &[]));
        assert!(targets.would_enable("sts_backend::exchange", &Level::TRACE));
        for library in ["hyper", "h2", "rustls", "hyper_util", "cedar_policy", "axum::rejection", "tower"] {
            assert!(!targets.would_enable(library, &Level::INFO), "{library}");
        }
    }

    #[test]
    fn no_library_says_more_than_info() {
        let targets = targets(&settings(Level::INFO, &[("h2", Level::TRACE)]));
        assert!(targets.would_enable("h2::codec", &Level::INFO));
        assert!(!targets.would_enable("h2::codec", &Level::DEBUG));
    }
}
