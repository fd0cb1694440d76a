//! Settings. A setting is one row of a table, and everything else comes from that row: the flag, the variable, the key
//! in the file, `--help`, the output of `check-config`, whether a reload applies it, the answer of `/api/v1/limits`,
//! and the table in docs/configuration.md.
//!
//! Each part of the program declares its own rows as a [`Section`], beside the structure into which they are read
//! ([`Target`]), and one line in the list of the role registers the section. CONTRIBUTING.md shows how to
//! add a setting.
//!
//! Rows and the crate clap do this, not the crates figment and serde, which were tried: figment knows the file of a
//! value but not its line, stops at the first error, reads a variable such as `METALBOND_TUN=12` as a number and then
//! refuses it, and has neither flags nor help.
//!
//! Imports: http_guard, ids, io.

mod field;
mod http;
mod syntax;

use std::fmt;

pub use field::{Field, Many, Maybe, One, Parsed, Shape};
pub use http::{http_host, http_token_file};
pub(crate) use syntax::{ADDRESS, LOCAL_ADDRESS};
pub use syntax::{
    HOST, Kind, NUMBER, PATH, SWITCH, Syntax, TEXT, TIME, address, duration, local_address, number,
};

/// A structure into which settings are read. Its `Default` has the default values.
pub trait Target: Default + Clone + fmt::Debug + 'static {
    /// Data of a row for an interface that shows the settings in force.
    type Shown: Copy + fmt::Debug + Send + Sync + 'static;
}

/// Whether a reload applies a changed setting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reload {
    /// No: a changed setting needs a restart.
    No,
    /// Yes, at once.
    Yes,
    /// Yes, for sessions that begin afterwards.
    NewSessions,
}

/// One setting: a row of a [`Section`]. See the module's documentation.
#[derive(Clone, Copy)]
pub struct Setting<C: Target> {
    key: &'static str,
    flag: &'static str,
    short: Option<char>,
    field: &'static dyn Field<C>,
    reload: Reload,
    is_required: bool,
    takes_empty: bool,
    meaning: &'static str,
    details: &'static str,
    default: Option<&'static str>,
    shown: Option<C::Shown>,
}

impl<C: Target> Setting<C> {
    /// A setting with this key, which is also its flag, and the member that receives its value. Add a meaning by
    /// [`Setting::meaning`]. Until you call another method, it needs a restart.
    #[must_use]
    pub const fn new(key: &'static str, field: &'static dyn Field<C>) -> Self {
        Self {
            key,
            flag: key,
            short: None,
            field,
            reload: Reload::No,
            is_required: false,
            takes_empty: false,
            meaning: "",
            details: "",
            default: None,
            shown: None,
        }
    }

    /// Gives the setting a flag that differs from its key. Keys in a table of their own are shorter than flags.
    #[must_use]
    pub const fn flag(mut self, flag: &'static str) -> Self {
        self.flag = flag;
        self
    }

    /// Adds a flag of one letter.
    #[must_use]
    pub const fn short(mut self, letter: char) -> Self {
        self.short = Some(letter);
        self
    }

    /// A reload applies the setting at once.
    #[must_use]
    pub const fn reloaded(mut self) -> Self {
        self.reload = Reload::Yes;
        self
    }

    /// A reload applies the setting to sessions that begin afterwards.
    #[must_use]
    pub const fn reloaded_for_new_sessions(mut self) -> Self {
        self.reload = Reload::NewSessions;
        self
    }

    /// The setting is required.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.is_required = true;
        self
    }

    /// An empty environment variable is a value of this setting, not the same as no variable.
    #[must_use]
    pub const fn takes_empty(mut self) -> Self {
        self.takes_empty = true;
        self
    }

    /// The description for `--help`, manual pages and docs/configuration.md, without a full stop at the end.
    #[must_use]
    pub const fn meaning(mut self, meaning: &'static str) -> Self {
        self.meaning = meaning;
        self
    }

    /// Further text for docs/configuration.md, in Markdown.
    #[must_use]
    pub const fn details(mut self, details: &'static str) -> Self {
        self.details = details;
        self
    }

    /// The text of the default for docs/configuration.md, if the value alone is not clear.
    #[must_use]
    pub const fn default_is(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    /// Data for an interface that shows the settings in force.
    #[must_use]
    pub const fn shown(mut self, shown: C::Shown) -> Self {
        self.shown = Some(shown);
        self
    }
}

impl<C: Target> fmt::Debug for Setting<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setting").field("key", &self.key).finish_non_exhaustive()
    }
}

/// The settings of one table of the file.
#[derive(Clone, Copy, Debug)]
pub struct Section<C: Target> {
    table: Option<&'static str>,
    rows: &'static [Setting<C>],
}

impl<C: Target> Section<C> {
    /// Settings of the table of the role: `[server]`, `[client]` or `[proxy]`.
    #[must_use]
    pub const fn of_role(rows: &'static [Setting<C>]) -> Self {
        Self { table: None, rows }
    }

    /// Settings of another table.
    #[must_use]
    pub const fn of_table(table: &'static str, rows: &'static [Setting<C>]) -> Self {
        Self { table: Some(table), rows }
    }

    /// Reads values into the structure. `given` returns the values of a flag, or its default; nothing if it has
    /// neither.
    pub fn read(&self, config: &mut C, given: &dyn Fn(&str) -> Vec<Parsed>) {
        for row in self.rows {
            row.field.set(config, &given(row.flag));
        }
    }

    /// Copies the settings that a reload applies from `new`, and no others.
    pub fn take_over(&self, config: &mut C, new: &C) {
        for row in self.rows.iter().filter(|row| row.reload != Reload::No) {
            row.field.copy(config, new);
        }
    }

    /// The keys of settings and their data for an interface, in the order of the rows.
    pub fn all_shown(&self) -> impl Iterator<Item = (&'static str, C::Shown)> + use<C> {
        self.rows.iter().filter_map(|row| Some((row.key, row.shown?)))
    }
}

/// A setting without the type of its structure.
pub trait Row: fmt::Debug + Sync {
    /// The key in the file.
    fn key(&self) -> &'static str;
    /// The flag, without its dashes. The variable is named after it.
    fn flag(&self) -> &'static str;
    /// The flag of one letter.
    fn short(&self) -> Option<char>;
    /// See [`Setting::meaning`].
    fn meaning(&self) -> &'static str;
    /// See [`Setting::details`].
    fn details(&self) -> &'static str;
    /// Whether a reload applies a changed value.
    fn reload(&self) -> Reload;
    /// See [`Setting::required`].
    fn is_required(&self) -> bool;
    /// See [`Setting::takes_empty`].
    fn takes_empty(&self) -> bool;
    /// The name of a value in `--help`.
    fn value_name(&self) -> &'static str;
    /// How many values there may be.
    fn shape(&self) -> Shape;
    /// The kind of its values, for a parser that knows more than text.
    fn kind(&self) -> Kind;
    /// Parses one value.
    ///
    /// # Errors
    /// What was expected. clap shows this text behind the flag and the value.
    fn parse(&self, text: &str) -> Result<Parsed, String>;
    /// The texts of the default, as a flag would take them; empty if there is no default.
    fn default(&self) -> Vec<String>;
    /// See [`Setting::default_is`].
    fn documented_default(&self) -> Option<&'static str>;
}

impl<C: Target> Row for Setting<C> {
    fn key(&self) -> &'static str {
        self.key
    }

    fn flag(&self) -> &'static str {
        self.flag
    }

    fn short(&self) -> Option<char> {
        self.short
    }

    fn meaning(&self) -> &'static str {
        self.meaning
    }

    fn details(&self) -> &'static str {
        self.details
    }

    fn reload(&self) -> Reload {
        self.reload
    }

    fn is_required(&self) -> bool {
        self.is_required
    }

    fn takes_empty(&self) -> bool {
        self.takes_empty
    }

    fn value_name(&self) -> &'static str {
        self.field.value_name()
    }

    fn shape(&self) -> Shape {
        self.field.shape()
    }

    fn kind(&self) -> Kind {
        self.field.kind()
    }

    fn parse(&self, text: &str) -> Result<Parsed, String> {
        self.field.parse(text)
    }

    fn default(&self) -> Vec<String> {
        self.field.texts(&C::default())
    }

    fn documented_default(&self) -> Option<&'static str> {
        self.default
    }
}

/// A section without the type of its structure.
pub trait Rows: fmt::Debug + Sync {
    /// The table in the file; `None` for that of the role.
    fn table(&self) -> Option<&'static str>;
    /// Its rows, in the order in which people read them.
    fn rows(&self) -> Vec<&'static dyn Row>;
}

impl<C: Target> Rows for Section<C> {
    fn table(&self) -> Option<&'static str> {
        self.table
    }

    fn rows(&self) -> Vec<&'static dyn Row> {
        self.rows.iter().map(|row| row as &dyn Row).collect()
    }
}
