//! How the log looks and how much of it there is.

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// One line for people or one JSON object for programs, per event.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

/// Begins logging to standard error. `RUST_LOG` overrides the level.
pub(super) fn start(format: Format, verbose: bool) {
    let level = if verbose { "debug" } else { "info" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        Format::Text => {
            use std::io::IsTerminal as _;
            log.with_target(false).with_ansi(std::io::stderr().is_terminal()).init();
        }
        Format::Json => log.json().flatten_event(true).init(),
    }
}
