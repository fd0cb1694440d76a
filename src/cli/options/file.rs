//! A configuration file, before it is known what its keys mean.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use metalbond::policy::{Policy, PolicyError};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::nearest::nearest;
use crate::cli::role::{ROLES, Role};

/// The table that is read by itself.
const POLICY: &str = "policy";

/// Tables by name.
#[derive(PartialEq, Eq, Debug)]
pub(in crate::cli) struct File {
    pub(super) path: PathBuf,
    tables: BTreeMap<String, Vec<FileEntry>>,
    /// What `[policy]` says, which is no list of keys.
    pub(super) policy: Policy,
}

/// A key and its values, as a flag would be given them.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct FileEntry {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) values: Vec<String>,
}

impl FileEntry {
    /// Whether it says anything; an empty list does not.
    pub(super) fn says_something(&self) -> bool {
        !self.values.is_empty()
    }
}

impl File {
    /// Reads and parses it. The error is one sentence for each thing that is wrong.
    pub(in crate::cli) fn read(path: &Path) -> Result<Self, Vec<String>> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            vec![format!(
                "cannot read {} (--config): {error}; give the path of a TOML file",
                path.display()
            )]
        })?;
        Self::parse(path, &text)
    }

    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, Vec<String>> {
        let line = |at: usize| text.as_bytes()[..at.min(text.len())].split(|b| *b == b'\n').count();
        let place = |at: usize| format!("{}:{}", path.display(), line(at));
        let document = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            vec![format!("{}: {}", place(at), error.message().replace('\n', ", "))]
        })?;
        let mut wrong = Vec::new();
        let mut tables = BTreeMap::new();
        for (name, value) in document.get_ref() {
            let at = name.span().start;
            let name = name.get_ref();
            if name == POLICY {
                continue;
            }
            let DeValue::Table(table) = value.get_ref() else {
                let report =
                    if is_tables(value) { misplaced_table(name) } else { misplaced_key(name) };
                wrong.push(format!("{}: {report}", place(at)));
                continue;
            };
            let mut entries = Vec::new();
            for (key, value) in table {
                let (at, key) = (key.span().start, key.get_ref());
                match texts(value) {
                    Some(values) => {
                        entries.push(FileEntry { key: key.to_string(), line: line(at), values });
                    }
                    None => wrong.push(format!(
                        "{}: {key:?} in [{name}] is neither a string, a whole number, true, false \
                         nor a list of these",
                        place(at)
                    )),
                }
            }
            // The parser sorts by key; people read from top to bottom.
            entries.sort_by_key(|entry| entry.line);
            tables.insert(name.to_string(), entries);
        }
        let policy = Policy::read(text).unwrap_or_else(|of_policy| {
            let sentence = |it: PolicyError| {
                let PolicyError { line, sentence, .. } = it;
                format!("{}:{line}: {sentence} (in [{POLICY}])", path.display())
            };
            wrong.extend(of_policy.into_iter().map(sentence));
            Policy::default()
        });
        if wrong.is_empty() {
            Ok(Self { path: path.to_owned(), tables, policy })
        } else {
            Err(wrong)
        }
    }

    /// What it says of a flag.
    pub(super) fn entry(&self, settings: &Role, flag: &str) -> Option<&FileEntry> {
        let (table, row) = settings.row(flag)?;
        self.entries(table).iter().find(|entry| entry.key == row.key())
    }

    /// What one table says.
    pub(super) fn entries(&self, table: &str) -> &[FileEntry] {
        self.tables.get(table).map_or(&[], Vec::as_slice)
    }

    /// Whether there is such a table.
    pub(in crate::cli) fn has(&self, table: &str) -> bool {
        self.tables.contains_key(table)
    }

    /// A sentence, if there is no such table. A file that was cut short has none, and neither has one
    /// that was written to a full disk.
    pub(super) fn lacking(&self, table: &str) -> Option<String> {
        let path = self.path.display();
        (!self.has(table))
            .then(|| format!("{path} has no table [{table}]; write [{table}] above its options"))
    }

    /// One sentence for each table or key that nobody knows; `known` has the keys of each table.
    pub(super) fn unknown(&self, known: &BTreeMap<&str, Vec<&str>>) -> Vec<String> {
        let path = self.path.display();
        let mut wrong = Vec::new();
        for (table, entries) in &self.tables {
            let Some(keys) = known.get(table.as_str()) else {
                let nearest = nearest(table, known.keys().copied()).unwrap_or_default();
                wrong.push(format!("{path}: unknown table [{table}]; the nearest is [{nearest}]"));
                continue;
            };
            for FileEntry { key, line, .. } in
                entries.iter().filter(|entry| !keys.contains(&&*entry.key))
            {
                let nearest = nearest(key, keys.iter().copied()).unwrap_or_default();
                wrong.push(format!(
                    "{path}:{line}: unknown key {key:?} in [{table}]; the nearest is {nearest}"
                ));
            }
        }
        wrong
    }
}

/// Whether it is written as `[[name]]`.
fn is_tables(value: &Spanned<DeValue<'_>>) -> bool {
    let DeValue::Array(values) = value.get_ref() else { return false };
    values.iter().next().is_some_and(|value| matches!(value.get_ref(), DeValue::Table(_)))
}

fn misplaced_table(name: &str) -> String {
    let tables = ROLES.into_iter().flat_map(Role::tables);
    let nearest = nearest(name, tables).unwrap_or_default();
    if nearest == name {
        format!("[[{name}]] begins an array of tables: write [{name}]")
    } else {
        format!("unknown table [[{name}]]; the nearest is [{nearest}]")
    }
}

fn misplaced_key(name: &str) -> String {
    format!("{name:?} is in no table; put it below [server], [client] or [proxy]")
}

/// What a flag would be given; `None` for what no flag can be given.
fn texts(value: &Spanned<DeValue<'_>>) -> Option<Vec<String>> {
    match value.get_ref() {
        DeValue::Array(values) => values.iter().map(|value| text(value.get_ref())).collect(),
        value => text(value).map(|text| vec![text]),
    }
}

fn text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Boolean(is) => Some(is.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Integer(number) => {
            let number = i128::from_str_radix(number.as_str(), number.radix()).ok()?;
            Some(number.to_string())
        }
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<File, Vec<String>> {
        File::parse(Path::new("x.toml"), text)
    }

    #[test]
    fn values_become_what_flags_are_given() {
        let file = parse(
            "# reflector\n[server]\nlisten = \"[::1]:1\"\nmax-peers = 1_000\nno-pacing = true\n\
             allow = [\"10.0.0.0/8\", '::/0']\n[client]\nsubscribe = [1, 0x10]\n",
        );
        let file = file.unwrap();
        let entry = |key: &str, line, values: &[&str]| FileEntry {
            key: key.to_owned(),
            line,
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        assert_eq!(
            file.entries("server"),
            [
                entry("listen", 3, &["[::1]:1"]),
                entry("max-peers", 4, &["1000"]),
                entry("no-pacing", 5, &["true"]),
                entry("allow", 6, &["10.0.0.0/8", "::/0"]),
            ]
        );
        assert_eq!(file.entries("client"), [entry("subscribe", 8, &["1", "16"])]);
        assert!(file.has("client") && !file.has("log") && file.entries("log").is_empty());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, expected) in [
            ("[server]\nlisten = \n", "x.toml:2: "),
            ("[server]\nkeepalive = 1\nkeepalive = 2\n", "x.toml:3: "),
            ("\nlisten = \":1\"\n", "x.toml:2: \"listen\" is in no table"),
            ("[server]\n\nkeepalive = 1.5\n", "x.toml:3: \"keepalive\" in [server] is neither"),
            ("x = [1]\n[server]\n", "x.toml:1: \"x\" is in no table"),
            ("\n[[server2]]\n", "x.toml:2: unknown table [[server2]]; the nearest is [server]"),
            ("[[client]]\n[[client]]\n", "x.toml:1: [[client]] begins an array of tables"),
            ("[server]\nallow = [[1]]\n", "x.toml:2: \"allow\" in [server] is neither"),
        ] {
            let wrong = parse(text).unwrap_err();
            assert!(wrong.len() == 1 && wrong[0].starts_with(expected), "{wrong:?}");
            assert!(!wrong[0].contains('\n'), "{wrong:?}");
        }
    }

    #[test]
    fn unknown_names_are_told_with_the_nearest() {
        let keys = vec!["listen", "max-peers"];
        let known = BTreeMap::from([("server", keys), ("client", Vec::new())]);
        let file = parse("[server]\nmax-peer = 1\nlisten = 1\n[sever]\nx = 1\n").unwrap();
        assert_eq!(
            file.unknown(&known),
            [
                "x.toml:2: unknown key \"max-peer\" in [server]; the nearest is max-peers",
                "x.toml: unknown table [sever]; the nearest is [server]",
            ]
        );
    }
}
