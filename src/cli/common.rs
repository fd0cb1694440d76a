//! Options that the reflector and the leaf share.

use std::path::PathBuf;

use super::log::{Format, Level};

/// The protocol number of routes that the leaf installs, unless it is told another.
pub(super) const RT_PROTO: u8 = 254;

#[derive(Debug, clap::Args)]
pub(super) struct Common {
    /// A TOML file that says what flags and the environment don't
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Log more: as --log-level debug
    #[arg(short, long)]
    verbose: bool,

    /// What is logged: this and what is more important; RUST_LOG overrides it
    #[arg(
        long,
        value_name = "error|warn|info|debug|trace",
        default_value = "info",
        hide_possible_values = true
    )]
    log_level: Level,

    /// Log lines for people or for programs
    #[arg(long, value_name = "text|json", default_value = "text", hide_possible_values = true)]
    pub(super) log_format: Format,
}

impl Common {
    /// What `--verbose` and `--log-level` come to: whichever logs more.
    pub(super) fn level(&self) -> Level {
        if self.verbose { self.log_level.max(Level::Debug) } else { self.log_level }
    }
}
