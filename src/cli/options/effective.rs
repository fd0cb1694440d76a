//! What each option is set to, and by what.

use std::fmt;

use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Command};

use super::environment::variable;
use super::file::File;
use super::{CONFIG, flags};

/// Lists of more bytes are told by their length.
const TOLD_MAX: usize = 200;

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
    key: String,
    texts: Vec<String>,
    is_list: bool,
    origin: Origin,
}

/// Every option of a role, in the order of its flags.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::cli) struct Effective {
    role: String,
    values: Vec<Value>,
}

/// An option that is set to something else than before.
#[derive(PartialEq, Eq, Debug)]
pub(in crate::cli) struct Change {
    pub(in crate::cli) key: String,
    pub(in crate::cli) old: String,
    pub(in crate::cli) new: String,
}

impl Effective {
    pub(super) fn new(role: &Command, matches: &ArgMatches, file: Option<&File>) -> Self {
        let table = role.get_name();
        let value = |(key, arg): (&str, &clap::Arg)| {
            let id = arg.get_id().as_str();
            let raw = matches.get_raw(id).into_iter().flatten();
            let in_file = || {
                let file = file?;
                let entry = file.entries(table).iter().find(|entry| entry.key == key)?;
                Some(Origin::File(format!("{}:{}", file.path.display(), entry.line)))
            };
            Value {
                key: key.to_owned(),
                texts: raw.map(|text| text.to_string_lossy().into_owned()).collect(),
                is_list: matches!(arg.get_action(), ArgAction::Append),
                origin: match matches.value_source(id) {
                    Some(ValueSource::CommandLine) => Origin::Flag,
                    Some(ValueSource::EnvVariable) => Origin::Variable(variable(key)),
                    _ => in_file().unwrap_or(Origin::Default),
                },
            }
        };
        let values = flags(role).filter(|(key, _)| *key != CONFIG).map(value).collect();
        Self { role: table.to_owned(), values }
    }

    pub(in crate::cli) fn role(&self) -> &str {
        &self.role
    }

    /// What differs in a newer one.
    pub(in crate::cli) fn changes(&self, new: &Self) -> Vec<Change> {
        let pairs = self.values.iter().zip(&new.values);
        pairs
            .filter(|(old, new)| old.texts != new.texts)
            .map(|(old, new)| Change { key: old.key.clone(), old: old.told(), new: new.told() })
            .collect()
    }

    /// Takes some options over from a newer one.
    pub(in crate::cli) fn take_over(&mut self, new: &Self, keys: &[&str]) {
        for (value, new) in self.values.iter_mut().zip(&new.values) {
            if keys.contains(&value.key.as_str()) {
                *value = new.clone();
            }
        }
    }
}

/// As TOML, which says the same when it is read as a file.
impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "[{}]", self.role)?;
        for Value { key, texts, is_list, origin } in &self.values {
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
    fn told(&self) -> String {
        let list = self.texts.join(",");
        match self.texts.len() {
            0 => "nothing".to_owned(),
            n if list.len() > TOLD_MAX => format!("{n} entries"),
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
