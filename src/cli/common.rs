//! Settings that the reflector and the leaf share.

use clap::ValueEnum as _;
use metalbond::one;
use metalbond::settings::{SWITCH, Section, Setting, Syntax, Target};

use super::log::{Format, Level};

/// The protocol number of routes that the leaf installs, unless it is told another.
pub(super) const RT_PROTO: u8 = 254;

/// What they come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Common {
    is_verbose: bool,
    log_level: Level,
    pub(super) log_format: Format,
}

impl Default for Common {
    fn default() -> Self {
        Self { is_verbose: false, log_level: Level::Info, log_format: Format::Text }
    }
}

impl Target for Common {
    type Shown = ();
}

const LEVEL: Syntax<Level> = Syntax::new(
    "error|warn|info|debug|trace",
    |text| Level::from_str(text, false),
    |level| level.name().to_owned(),
)
.words(&Level::NAMES);

const FORMAT: Syntax<Format> = Syntax::new(
    "text|json",
    |text| Format::from_str(text, false),
    |format| format.name().to_owned(),
)
.words(&["text", "json"]);

/// Their rows, in the table of each role.
pub(super) static COMMON: Section<Common> = Section::of_role(&[
    Setting::new("verbose", one!(Common: is_verbose, SWITCH))
        .short('v')
        .meaning("Log more, like --log-level debug")
        .reloaded(),
    Setting::new("log-level", one!(Common: log_level, LEVEL))
        .meaning("Log messages of this level and of more important ones; RUST_LOG overrides it")
        .details("`error`, `warn`, `info`, `debug` or `trace`")
        .reloaded(),
    Setting::new("log-format", one!(Common: log_format, FORMAT))
        .meaning("Format of log lines: for people, or for programs")
        .details("`text` or `json`"),
]);

impl Common {
    /// What `--verbose` and `--log-level` come to: whichever logs more.
    pub(super) fn level(&self) -> Level {
        if self.is_verbose { self.log_level.max(Level::Debug) } else { self.log_level }
    }
}
