//! The subcommands whose settings also come from variables and the file: `server`, `client` and `proxy`. Each has a
//! table in the file. Here the rows of their settings become flags.

use std::path::PathBuf;

use clap::builder::{BoolValueParser, PathBufValueParser, PossibleValuesParser, TypedValueParser};
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint};
use metalbond::reflector::SETTINGS;
use metalbond::settings::{Kind, Parsed, Row, Rows, Section, Shape, Target};

use super::client::settings::SETTINGS as CLIENT_SETTINGS;
use super::common::COMMON;
use super::proxy::settings::SETTINGS as PROXY_SETTINGS;
use super::security::SECURITY;
use super::upstream::{LEAF_SERVERS, PROXY_SERVERS, UPSTREAM, Upstream};

/// The flag that names the file, which is no key in it.
pub(super) const CONFIG: &str = "config";

/// One of them.
#[derive(Debug)]
pub(super) struct Role {
    /// The subcommand, and the table of its settings.
    pub(super) name: &'static str,
    /// Its settings, without those that all roles share.
    own: fn() -> Vec<&'static dyn Rows>,
}

/// `metalbond server`.
pub(super) static SERVER: Role = Role { name: "server", own: || erased(SETTINGS) };
/// `metalbond client`.
pub(super) static CLIENT: Role =
    Role { name: "client", own: || session_holder(&LEAF_SERVERS, erased(&[&CLIENT_SETTINGS])) };
/// `metalbond proxy`.
pub(super) static PROXY: Role =
    Role { name: "proxy", own: || session_holder(&PROXY_SERVERS, erased(&[&PROXY_SETTINGS])) };

/// The settings of a role that holds sessions with reflectors, around its own.
fn session_holder(
    servers: &'static Section<Upstream>,
    own: Vec<&'static dyn Rows>,
) -> Vec<&'static dyn Rows> {
    [erased(&[servers, &UPSTREAM]), own, erased(&[&SECURITY])].concat()
}

/// All of them.
pub(super) static ROLES: [&Role; 3] = [&SERVER, &CLIENT, &PROXY];

/// The one of this name.
pub(super) fn named(name: &str) -> Option<&'static Role> {
    ROLES.into_iter().find(|role| role.name == name)
}

/// Whether an empty variable of a flag is not the same as none.
pub(super) fn takes_empty(flag: &str) -> bool {
    let rows = ROLES.into_iter().flat_map(Role::rows);
    rows.into_iter().any(|(_, row)| row.flag() == flag && row.takes_empty())
}

/// Arguments that can be given otherwise, with the names of their flags.
pub(super) fn flags(role: &Command) -> impl Iterator<Item = (&str, &Arg)> {
    role.get_arguments().filter_map(|arg| Some((arg.get_long()?, arg)))
}

/// Reads what clap has found, defaults included.
pub(super) fn read<C: Target>(sections: &[&Section<C>], matches: &ArgMatches) -> C {
    let given = |flag: &str| {
        let values = matches.try_get_many::<Parsed>(flag).ok().flatten();
        values.into_iter().flatten().cloned().collect()
    };
    let mut config = C::default();
    for section in sections {
        section.read(&mut config, &given);
    }
    config
}

fn erased<C: Target>(sections: &[&'static Section<C>]) -> Vec<&'static dyn Rows> {
    sections.iter().map(|section| *section as &dyn Rows).collect()
}

impl Role {
    /// A role with these settings.
    #[cfg(test)]
    pub(super) const fn new(name: &'static str, own: fn() -> Vec<&'static dyn Rows>) -> Self {
        Self { name, own }
    }

    /// All settings, each with its table, in the order in which people read them.
    pub(super) fn rows(&self) -> Vec<(&'static str, &'static dyn Row)> {
        let sections = (self.own)().into_iter().chain([&COMMON as &dyn Rows]);
        let of_section = |section: &'static dyn Rows| {
            let table = section.table().unwrap_or(self.name);
            section.rows().into_iter().map(move |row| (table, row))
        };
        sections.flat_map(of_section).collect()
    }

    /// The setting of a flag, and its table.
    pub(super) fn row(&self, flag: &str) -> Option<(&'static str, &'static dyn Row)> {
        self.rows().into_iter().find(|(_, row)| row.flag() == flag)
    }

    /// Its tables in the file, its own first.
    pub(super) fn tables(&self) -> Vec<&'static str> {
        let mut tables = vec![self.name];
        for (table, _) in self.rows() {
            if !tables.contains(&table) {
                tables.push(table);
            }
        }
        tables
    }

    /// Adds the flags of all settings, and the one that names the file.
    pub(super) fn augment(&self, command: Command) -> Command {
        let shared = COMMON.rows().len();
        let mut arguments: Vec<_> =
            self.rows().into_iter().map(|(table, row)| self.argument(table, row)).collect();
        let config = Arg::new(CONFIG)
            .long(CONFIG)
            .value_name("FILE")
            .value_parser(PathBufValueParser::new())
            .help("TOML file for options that neither a flag nor an environment variable sets");
        arguments.insert(arguments.len() - shared, config);
        command.args(arguments)
    }

    fn argument(&self, table: &'static str, row: &'static dyn Row) -> Arg {
        let mut arg = Arg::new(row.flag())
            .long(row.flag())
            .value_name(row.value_name())
            .help(row.meaning())
            .required(row.is_required());
        if let Some(letter) = row.short() {
            arg = arg.short(letter);
        }
        if table != self.name {
            arg = arg.help_heading(format!("Options of [{table}]"));
        }
        if row.shape() == Shape::Many {
            arg = arg.action(ArgAction::Append).value_delimiter(',');
        }
        let default = row.default();
        if !default.is_empty() {
            arg = arg.default_values(default);
        }
        match row.kind() {
            Kind::Text => arg.value_parser(|text: &str| row.parse(text)),
            Kind::Path => arg
                .value_parser(PathBufValueParser::new().map(Parsed::new::<PathBuf>))
                .value_hint(ValueHint::AnyPath),
            Kind::Words(words) => {
                let words = PossibleValuesParser::new(words);
                arg.value_parser(words.try_map(|word| row.parse(&word))).hide_possible_values(true)
            }
            // With `=true` and `=false`, so that a flag can undo what the file says.
            Kind::Switch => arg
                .value_parser(BoolValueParser::new().map(Parsed::new::<bool>))
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
                .hide_default_value(true)
                .hide_possible_values(true),
        }
    }
}
