//! The form of the log, and the choice of its lines. `filter` reads `RUST_LOG`, `writer` writes lines to standard
//! error.

mod filter;
mod writer;

use std::ffi::OsStr;
use std::io::IsTerminal as _;
use std::sync::Arc;

use clap::ValueEnum;
use metalbond::reflector::{AUDIT, FOLLOWED};
use tokio::sync::watch;
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;

pub(super) use self::filter::of_environment;
use self::writer::Queue;
pub(super) use self::writer::flush;

/// One line for people or one JSON object for programs, per event.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

impl Format {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
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
    /// As they are written, in this order.
    pub(super) const NAMES: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

    pub(super) fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    fn filter(self) -> EnvFilter {
        // The client of the engine logs what the reflector logs as well.
        let client = if self < Self::Debug { ",async_nats=off" } else { "" };
        with_followed(EnvFilter::new(format!("{}{client}", self.name())))
    }
}

impl From<tracing::Level> for Level {
    fn from(level: tracing::Level) -> Self {
        match level {
            tracing::Level::ERROR => Self::Error,
            tracing::Level::WARN => Self::Warn,
            tracing::Level::INFO => Self::Info,
            tracing::Level::DEBUG => Self::Debug,
            tracing::Level::TRACE => Self::Trace,
        }
    }
}

/// Lets pass what is said of sessions that somebody follows, which is only said when it is asked for, and of commands
/// over the control socket: else a command could hide those behind it.
fn with_followed(filter: EnvFilter) -> EnvFilter {
    [format!("{FOLLOWED}=trace"), format!("{AUDIT}=info")]
        .iter()
        .filter_map(|directive| directive.parse().ok())
        .fold(filter, EnvFilter::add_directive)
}

/// The running log.
pub(super) struct Log {
    replace: Box<dyn Fn(EnvFilter) + Send + Sync>,
    level: watch::Sender<Level>,
    /// Whether `RUST_LOG` says what is logged.
    is_overridden: bool,
}

/// Begins logging to standard error. `RUST_LOG` overrides the level; one that is no filter is warned of.
///
/// # Errors
/// One sentence, when there can be no thread for it.
pub(super) fn start(format: Format, level: Level) -> Result<Arc<Log>, String> {
    let queue = Queue::to_stderr();
    let queue = queue.map_err(|error| format!("cannot start a thread for the log: {error}"))?;
    // What led to a panic goes before it.
    let print_panic = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        flush();
        print_panic(panic);
    }));
    let (from_env, wrong) = match of_environment() {
        Ok(filter) => (filter, None),
        Err(sentence) => (None, Some(sentence)),
    };
    let is_overridden = from_env.is_some();
    let filter = from_env.map_or_else(|| level.filter(), with_followed);
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(queue);
    let replace: Box<dyn Fn(EnvFilter) + Send + Sync> = match format {
        Format::Text => {
            let no_color = std::env::var_os("NO_COLOR");
            let is_colored = is_colored(std::io::stderr().is_terminal(), no_color.as_deref());
            let log = log.with_target(false).with_ansi(is_colored);
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
    if let Some(sentence) = wrong {
        warn!("check the configuration: {sentence}");
    }
    Ok(Arc::new(Log { replace, level: watch::Sender::new(level), is_overridden }))
}

/// Colours are for terminals, unless `NO_COLOR` says something (<https://no-color.org>).
fn is_colored(is_terminal: bool, no_color: Option<&OsStr>) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty)
}

impl Log {
    /// Logs so much from now on, unless `RUST_LOG` says how much.
    pub(super) fn set(&self, level: Level) {
        if self.level.send_replace(level) == level {
            return;
        }
        if self.is_overridden {
            warn!("the log level has no effect while RUST_LOG is set");
        } else {
            (self.replace)(level.filter());
        }
    }

    /// Logs so much until something else is said, whatever `RUST_LOG` says: it was asked for just now.
    pub(super) fn replace(&self, level: Level) {
        self.level.send_replace(level);
        (self.replace)(level.filter());
        info!(level = level.name(), "log level set over the control socket");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_of_those_who_want_them() {
        for (is_terminal, no_color, expected) in [
            (true, None, true),
            (true, Some(""), true),
            (true, Some("1"), false),
            (false, None, false),
        ] {
            assert_eq!(is_colored(is_terminal, no_color.map(OsStr::new)), expected, "{no_color:?}");
        }
    }
}
