//! How the log looks and how much of it there is.

use std::cell::Cell;

use clap::ValueEnum;
use tracing::warn;
use tracing_subscriber::EnvFilter;

/// One line for people or one JSON object for programs, per event.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

/// How important an event must be. Later ones log more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, ValueEnum)]
pub(super) enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Level {
    fn filter(self) -> EnvFilter {
        EnvFilter::new(match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        })
    }
}

/// The running log.
pub(super) struct Log {
    replace: Box<dyn Fn(EnvFilter)>,
    level: Cell<Level>,
    /// Whether `RUST_LOG` says what is logged.
    is_overridden: bool,
}

/// Begins logging to standard error. `RUST_LOG` overrides the level.
pub(super) fn start(format: Format, level: Level) -> Log {
    let from_env = EnvFilter::try_from_default_env().ok();
    let is_overridden = from_env.is_some();
    let filter = from_env.unwrap_or_else(|| level.filter());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let replace: Box<dyn Fn(EnvFilter)> = match format {
        Format::Text => {
            use std::io::IsTerminal as _;
            let log = log.with_target(false).with_ansi(std::io::stderr().is_terminal());
            let log = log.with_filter_reloading();
            let handle = log.reload_handle();
            log.init();
            Box::new(move |filter| drop(handle.reload(filter)))
        }
        Format::Json => {
            let log = log.json().flatten_event(true).with_filter_reloading();
            let handle = log.reload_handle();
            log.init();
            Box::new(move |filter| drop(handle.reload(filter)))
        }
    };
    Log { replace, level: Cell::new(level), is_overridden }
}

impl Log {
    /// Logs so much from now on, unless `RUST_LOG` says how much.
    pub(super) fn set(&self, level: Level) {
        if self.level.replace(level) == level {
            return;
        }
        if self.is_overridden {
            warn!("the log level has no effect while RUST_LOG is set");
        } else {
            (self.replace)(level.filter());
        }
    }
}
