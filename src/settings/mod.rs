//! What can be set. A setting is one row of a table, and everything else comes from that row: the flag,
//! the variable, the key in the file, `--help`, what `check-config` prints, what a reload takes up, what
//! `/api/v1/limits` answers, and the table in docs/configuration.md.
//!
//! Each part of the program declares its own rows as a [`Section`], beside the structure that they are read
//! into ([`Target`]), and one line in the list of the role makes it known. CONTRIBUTING.md shows how to
//! add a setting.
//!
//! Rows and clap rather than figment and serde, which were tried: figment knows the file of a value but not
//! its line, stops at the first error, takes a variable such as `METALBOND_TUN=12` for a number and then
//! refuses it, and has neither flags nor help.
//!
//! Imports: http_guard, ids, io.

mod field;
mod syntax;

use std::fmt;

pub use field::{Field, Many, Maybe, One, Parsed, Shape};
pub(crate) use syntax::{ADDRESS, LOCAL_ADDRESS};
pub use syntax::{
    HOST, Kind, NUMBER, PATH, SWITCH, Syntax, TEXT, TIME, address, duration, local_address, number,
};

/// A structure that settings are read into. Its default holds the defaults.
pub trait Target: Default + Clone + fmt::Debug + 'static {
    /// What else a row says, for a surface that shows the settings in force.
    type Shown: Copy + fmt::Debug + Send + Sync + 'static;
}

/// Whether a running process takes up what has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reload {
    /// Only a restart does.
    No,
    /// At once.
    Yes,
    /// For sessions that begin from then on.
    NewSessions,
}

/// One row: see the module's documentation.
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
    /// A setting of this key, which is its flag as well, and where its value goes. It has no meaning yet
    /// and needs a restart.
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

    /// Another flag than the key: in a table of its own a key is shorter.
    #[must_use]
    pub const fn flag(mut self, flag: &'static str) -> Self {
        self.flag = flag;
        self
    }

    /// A flag of one letter in addition.
    #[must_use]
    pub const fn short(mut self, letter: char) -> Self {
        self.short = Some(letter);
        self
    }

    /// A running process takes it up.
    #[must_use]
    pub const fn reloaded(mut self) -> Self {
        self.reload = Reload::Yes;
        self
    }

    /// A running process takes it up for sessions that begin from then on.
    #[must_use]
    pub const fn reloaded_for_new_sessions(mut self) -> Self {
        self.reload = Reload::NewSessions;
        self
    }

    /// It must be given.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.is_required = true;
        self
    }

    /// A variable of it that is empty is not the same as none.
    #[must_use]
    pub const fn takes_empty(mut self) -> Self {
        self.takes_empty = true;
        self
    }

    /// What it is: in `--help`, in manual pages and in docs/configuration.md. No full stop at the end.
    #[must_use]
    pub const fn meaning(mut self, meaning: &'static str) -> Self {
        self.meaning = meaning;
        self
    }

    /// What docs/configuration.md says beyond the meaning; Markdown.
    #[must_use]
    pub const fn details(mut self, details: &'static str) -> Self {
        self.details = details;
        self
    }

    /// The default as docs/configuration.md says it, where the value alone does not say enough.
    #[must_use]
    pub const fn default_is(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    /// What a surface that shows settings in force needs.
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

/// Rows of one table of the file.
#[derive(Clone, Copy, Debug)]
pub struct Section<C: Target> {
    table: Option<&'static str>,
    rows: &'static [Setting<C>],
}

impl<C: Target> Section<C> {
    /// Rows of the table that the role is named after: `[server]` or `[client]`.
    #[must_use]
    pub const fn of_role(rows: &'static [Setting<C>]) -> Self {
        Self { table: None, rows }
    }

    /// Rows of a table of their own.
    #[must_use]
    pub const fn of_table(table: &'static str, rows: &'static [Setting<C>]) -> Self {
        Self { table: Some(table), rows }
    }

    /// Reads values into the structure. `given` returns what a flag comes to, its default included;
    /// nothing of a flag that has none.
    pub fn read(&self, config: &mut C, given: &dyn Fn(&str) -> Vec<Parsed>) {
        for row in self.rows {
            row.field.set(config, &given(row.flag));
        }
    }

    /// Takes over what a running process takes up, and nothing else.
    pub fn take_over(&self, config: &mut C, new: &C) {
        for row in self.rows.iter().filter(|row| row.reload != Reload::No) {
            row.field.copy(config, new);
        }
    }

    /// What rows say for a surface, in their order, with their keys.
    pub fn all_shown(&self) -> impl Iterator<Item = (&'static str, C::Shown)> + use<C> {
        self.rows.iter().filter_map(|row| Some((row.key, row.shown?)))
    }
}

/// A row, whatever it is read into.
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
    /// Whether a running process takes up what has changed.
    fn reload(&self) -> Reload;
    /// See [`Setting::required`].
    fn is_required(&self) -> bool;
    /// See [`Setting::takes_empty`].
    fn takes_empty(&self) -> bool;
    /// What `--help` calls a value.
    fn value_name(&self) -> &'static str;
    /// How many values there may be.
    fn shape(&self) -> Shape;
    /// What a value must be, for a parser that knows more than text.
    fn kind(&self) -> Kind;
    /// One value. The error is what clap says behind the flag and the value.
    ///
    /// # Errors
    /// What was expected.
    fn parse(&self, text: &str) -> Result<Parsed, String>;
    /// The default as a flag would be given it; none where nothing is set.
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

/// A section, whatever it is read into.
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
