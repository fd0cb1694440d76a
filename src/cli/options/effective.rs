//! What each option is set to, and by what.

use std::fmt;

use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Command};
use metalbond::settings::Reload;

use super::environment::variable;
use super::file::File;
use crate::cli::role::{Role, flags};

/// Lists of more bytes are told by their length.
const ENTRIES_MAX: usize = 200;

/// Where a value comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Origin {
    Flag,
    Variable(String),
    File(String),
    Default,
}

/// One option. No value: it is not set, or an empty list.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Value {
    table: &'static str,
    key: &'static str,
    reload: Reload,
    texts: Vec<String>,
    is_list: bool,
    origin: Origin,
}

/// Every option of a role, in the order of its flags.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::cli) struct Effective {
    role: &'static str,
    values: Vec<Value>,
}

/// An option that is set to something else than before.
#[derive(PartialEq, Eq, Debug)]
pub(in crate::cli) struct Change {
    pub(in crate::cli) key: String,
    pub(in crate::cli) old: String,
    pub(in crate::cli) new: String,
    pub(in crate::cli) reload: Reload,
}

impl Effective {
    /// `role` has the flags of `settings`.
    pub(super) fn new(
        settings: &Role,
        role: &Command,
        matches: &ArgMatches,
        file: Option<&File>,
    ) -> Self {
        let value = |(flag, arg): (&str, &clap::Arg)| {
            let (table, row) = settings.row(flag)?;
            let raw = matches.get_raw(arg.get_id().as_str()).into_iter().flatten();
            let in_file = || {
                let file = file?;
                let line = file.entry(settings, flag)?.line;
                Some(Origin::File(format!("{}:{line}", file.path.display())))
            };
            Some(Value {
                table,
                key: row.key(),
                reload: row.reload(),
                texts: raw.map(|text| text.to_string_lossy().into_owned()).collect(),
                is_list: matches!(arg.get_action(), ArgAction::Append),
                origin: match matches.value_source(arg.get_id().as_str()) {
                    Some(ValueSource::CommandLine) => Origin::Flag,
                    Some(ValueSource::EnvVariable) => Origin::Variable(variable(flag)),
                    _ => in_file().unwrap_or(Origin::Default),
                },
            })
        };
        Self { role: settings.name, values: flags(role).filter_map(value).collect() }
    }

    pub(in crate::cli) fn role(&self) -> &'static str {
        self.role
    }

    /// Its options with those of each table together, the role's first.
    fn by_table(&self) -> Vec<&Value> {
        let mut values: Vec<_> = self.values.iter().collect();
        values.sort_by_key(|value| (value.table != self.role, value.table));
        values
    }

    /// What differs in a newer one.
    pub(in crate::cli) fn changes(&self, new: &Self) -> Vec<Change> {
        let pairs = self.values.iter().zip(&new.values);
        pairs
            .filter(|(old, new)| old.texts != new.texts)
            .map(|(old, new)| Change {
                // In a table of its own a key alone does not say what it is about.
                key: match old.table {
                    table if table == self.role => old.key.to_owned(),
                    table => format!("[{table}] {}", old.key),
                },
                old: old.described(),
                new: new.described(),
                reload: old.reload,
            })
            .collect()
    }

    /// Takes over from a newer one what a running process takes up.
    pub(in crate::cli) fn take_over(&mut self, new: &Self) {
        for (value, new) in self.values.iter_mut().zip(&new.values) {
            if value.reload != Reload::No {
                *value = new.clone();
            }
        }
    }
}

/// As TOML, which says the same when it is read as a file.
impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut inside = "";
        for Value { table, key, texts, is_list, origin, .. } in self.by_table() {
            if inside != *table {
                writeln!(f, "[{table}]")?;
                inside = table;
            }
            match texts.as_slice() {
                [] if *origin == Origin::Default => writeln!(f, "# {key} is not set")?,
                [text] if !is_list => writeln!(f, "{key} = {} # {origin}", scalar(text))?,
                texts => writeln!(f, "{key} = {} # {origin}", list(texts))?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Variable(name) => write!(f, "environment: {name}"),
            Self::File(place) => write!(f, "file: {place}"),
            Self::Default => f.write_str("default"),
        }
    }
}

impl Value {
    /// For a line of the log.
    fn described(&self) -> String {
        let list = self.texts.join(",");
        match self.texts.len() {
            0 => "nothing".to_owned(),
            n if list.len() > ENTRIES_MAX => format!("{n} entries"),
            _ => list,
        }
    }
}

fn list(texts: &[String]) -> String {
    let texts: Vec<_> = texts.iter().map(|text| scalar(text)).collect();
    format!("[{}]", texts.join(", "))
}

/// A number or a truth value as it is, anything else as a string.
fn scalar(text: &str) -> String {
    let is_number = text.parse::<i64>().is_ok_and(|number| number.to_string() == text);
    if is_number || matches!(text, "true" | "false") { text.to_owned() } else { string(text) }
}

fn string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\U{:08X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_toml() {
        for (text, expected) in [
            ("5", "5"),
            ("-5", "-5"),
            ("05", "\"05\""),
            ("18446744073709551615", "\"18446744073709551615\""),
            ("true", "true"),
            ("500us", "\"500us\""),
            ("a\"b\\c\n", "\"a\\\"b\\\\c\\U0000000A\""),
            ("", "\"\""),
        ] {
            assert_eq!(scalar(text), expected);
            let document = format!("x = {expected}");
            assert!(toml::de::DeTable::parse(&document).is_ok(), "{document}");
        }
    }
}
