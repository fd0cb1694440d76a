//! The settings that result from flags, the environment, a file and the defaults, in this order of precedence.
//!
//! [`Role`] says which flags there are, and the table and key of each. The name of a variable follows from the name of
//! its flag. clap reads variables itself, and values of the file take the place of its defaults. So the parser of a
//! flag reads them all, and clap knows where a value comes from. No library for settings does this, because figment
//! does not know the line of a value and stops at the first error.

mod effective;
mod environment;
mod file;
mod nearest;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::builder::Resettable;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches};
use metalbond::policy::Policy;
use metalbond::settings::Row;

pub(super) use effective::{Change, Effective};
pub(super) use environment::variable;
pub(super) use file::File;

use super::role::{self, CONFIG, ROLES, Role, flags};

/// Why there are no options.
#[derive(Debug)]
pub(super) enum Wrong {
    /// The arguments can't be understood, or something is missing.
    Usage(clap::Error),
    /// Anything else: one sentence for each thing.
    Sentences(Vec<String>),
}

impl From<String> for Wrong {
    fn from(sentence: String) -> Self {
        Self::Sentences(vec![sentence])
    }
}

impl Wrong {
    /// One sentence for each thing that is wrong.
    pub(super) fn sentences(self) -> Vec<String> {
        match self {
            Self::Usage(error) => vec![sentence(&error)],
            Self::Sentences(sentences) => sentences,
        }
    }
}

/// What the process was given at its start; the file is read anew each time.
#[derive(Clone, Debug)]
pub(super) struct Given {
    /// All that there is to be given, without the environment.
    command: Command,
    words: Vec<OsString>,
    /// The subcommands among them; the last is one of [`ROLES`].
    path: Vec<&'static str>,
    /// Ids of arguments that are among them.
    flags: BTreeSet<String>,
    /// The file that a flag names.
    file: Option<PathBuf>,
}

/// Options of one subcommand, with all sources taken together.
#[derive(Debug)]
pub(super) struct Options {
    matches: ArgMatches,
    pub(super) effective: Effective,
    /// What `[policy]` says.
    pub(super) policy: Policy,
    /// What is probably a mistake although it can't be told for sure.
    pub(super) remarks: Vec<String>,
    /// A sentence about a file without a table for this subcommand.
    pub(super) lacking: Option<String>,
}

impl Options {
    pub(super) fn args<T: FromArgMatches>(&self) -> Result<T, Wrong> {
        T::from_arg_matches(&self.matches).map_err(Wrong::Usage)
    }
}

/// What flags say, by themselves. What is missing may be elsewhere, and what is wrong elsewhere is
/// told by [`Given::read`], which knows where that is.
pub(super) fn of_flags(command: &Command, words: &[OsString]) -> Result<ArgMatches, clap::Error> {
    let lenient = |role: Command| role.mut_args(|arg| arg.required(false));
    // Help names the variables, so first with them.
    let full = each_role(documented(command), &lenient).try_get_matches_from(words);
    full.or_else(|error| {
        let flags = each_role(without_empty(command.clone()), &lenient).try_get_matches_from(words);
        flags.map_err(|_| error)
    })
}

/// The command as help, completions and manual pages show it.
pub(super) fn documented(command: &Command) -> Command {
    each_role(command.clone(), &|role| with_environment(role, &|_| true))
}

/// Changes every subcommand that is one of [`ROLES`], wherever it is.
fn each_role(command: Command, change: &dyn Fn(Command) -> Command) -> Command {
    command.mut_subcommands(|subcommand| {
        let is_role = role::named(subcommand.get_name()).is_some();
        if is_role { change(subcommand) } else { each_role(subcommand, change) }
    })
}

/// The file that a flag names.
pub(super) fn file_flag(own: &ArgMatches) -> Option<PathBuf> {
    let file = own.try_get_one::<PathBuf>(CONFIG).ok().flatten()?;
    (own.value_source(CONFIG) == Some(ValueSource::CommandLine)).then(|| file.clone())
}

/// The file that the environment names.
pub(super) fn file_variable() -> Option<PathBuf> {
    environment::value(CONFIG).map(PathBuf::from)
}

/// With the variables of those flags.
fn with_environment(role: Command, of_flag: &dyn Fn(&str) -> bool) -> Command {
    role.mut_args(|arg| match arg.get_long().filter(|flag| of_flag(flag)) {
        Some(flag) => {
            let variable = variable(flag);
            arg.env(variable).hide_env_values(true)
        }
        None => arg,
    })
}

/// Without the variables that definitions of flags name themselves, where these are empty.
fn without_empty(command: Command) -> Command {
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    command
        .mut_args(|arg| {
            if arg.get_env().is_some_and(is_empty) { arg.env(Resettable::Reset) } else { arg }
        })
        .mut_subcommands(without_empty)
}

impl Given {
    /// `path` are the subcommands of `command` among `words`, and `own` is what clap found behind the last.
    pub(super) fn new(
        command: &Command,
        words: Vec<OsString>,
        path: &[&'static str],
        own: &ArgMatches,
    ) -> Self {
        let is_flag = |id: &&str| own.value_source(id) == Some(ValueSource::CommandLine);
        let flags = own.ids().map(clap::Id::as_str).filter(is_flag).map(str::to_owned).collect();
        Self { command: command.clone(), words, path: path.to_vec(), flags, file: file_flag(own) }
    }

    /// With this file, where no flag names another.
    pub(super) fn or_file(mut self, file: Option<PathBuf>) -> Self {
        self.file = self.file.or(file);
        self
    }

    fn role(&self) -> &'static Role {
        self.path.last().and_then(|name| role::named(name)).unwrap_or(&role::SERVER)
    }

    /// Reads all sources.
    pub(super) fn read(&self) -> Result<Options, Wrong> {
        let (command, settings) = (self.command.clone(), self.role());
        let known = keys(ROLES);
        let role = command.find_subcommand(settings.name).cloned().unwrap_or_default();
        let mut wrong = self.wrong_in_environment(&role);
        let path = self.file.clone().or_else(file_variable);
        let file = match path.as_deref().map(File::read).transpose() {
            Ok(file) => file,
            Err(of_file) => return Err(Wrong::Sentences([wrong, of_file].concat())),
        };
        if let Some(file) = &file {
            wrong.extend(file.unknown(&known));
            wrong.extend(wrong_in_file(file, settings, &role));
        }
        if !wrong.is_empty() {
            return Err(Wrong::Sentences(wrong));
        }
        let is_set = |flag: &str| environment::value(flag).is_some();
        let defaults =
            |role: Command| with_environment(with_defaults(role, settings, file.as_ref()), &is_set);
        let command = at(command, &self.path, &defaults);
        let matches = command.try_get_matches_from(&self.words);
        let matches = matches.map_err(|error| match &file {
            Some(file) if error.kind() == ErrorKind::MissingRequiredArgument => {
                self.missing(&role, file).unwrap_or(Wrong::Usage(error))
            }
            _ => Wrong::Usage(error),
        })?;
        let own =
            self.path.iter().try_fold(&matches, |matches, name| matches.subcommand_matches(name));
        let own = own.cloned().unwrap_or_default();
        let effective = Effective::new(settings, &role, &own, file.as_ref());
        let set = std::env::vars_os().map(|(name, _)| name);
        let rows = ROLES.into_iter().flat_map(Role::rows);
        let flags = rows.map(|(_, row)| row.flag()).chain([CONFIG]);
        let lacking = file.as_ref().and_then(|file| file.lacking(settings.name));
        let mistyped = environment::mistyped(set, flags).into_iter().map(|(found, meant)| {
            format!("no option has the variable {found}; perhaps {meant} is meant")
        });
        let remarks = mistyped.chain(lacking.clone()).collect();
        let policy = file.map(|file| file.policy).unwrap_or_default();
        Ok(Options { matches: own, effective, policy, remarks, lacking })
    }

    /// Values of variables that no flag overrides.
    fn wrong_in_environment(&self, role: &Command) -> Vec<String> {
        let check = |(flag, arg): (&str, &Arg)| {
            if self.flags.contains(arg.get_id().as_str()) {
                return None;
            }
            let sentence = check(arg, &[environment::value(flag)?]).err()?;
            Some(format!("{}: {sentence}", variable(flag)))
        };
        flags(role).filter_map(check).collect()
    }

    /// What nobody says although it must be said: one sentence for each, if there is a file that
    /// could.
    fn missing(&self, role: &Command, file: &File) -> Option<Wrong> {
        let (settings, path) = (self.role(), file.path.display());
        let is_missing = |(flag, arg): &(&str, &Arg)| {
            let is_in_file =
                || file.entry(settings, flag).is_some_and(file::FileEntry::says_something);
            let is_flag = self.flags.contains(arg.get_id().as_str());
            let is_given = is_flag || environment::value(flag).is_some() || is_in_file();
            arg.is_required_set() && !is_given
        };
        let sentence = |(flag, _): (&str, &Arg)| {
            let variable = variable(flag);
            let (table, key) =
                settings.row(flag).map_or((settings.name, flag), |(table, row)| (table, row.key()));
            format!(
                "{path}: {key:?} is missing in [{table}]; set it there, with --{flag} or with \
                 {variable}"
            )
        };
        let wrong: Vec<_> = flags(role).filter(is_missing).map(sentence).collect();
        (!wrong.is_empty()).then_some(Wrong::Sentences(wrong))
    }
}

/// Keys of each table of these roles.
fn keys<'a>(
    roles: impl IntoIterator<Item = &'a Role>,
) -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut keys: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (table, row) in roles.into_iter().flat_map(Role::rows) {
        keys.entry(table).or_default().push(row.key());
    }
    keys
}

fn wrong_in_file(file: &File, settings: &Role, role: &Command) -> Vec<String> {
    let check = |(table, entry): (&str, &file::FileEntry)| {
        let is_meant = |(of, row): &(&str, &dyn Row)| *of == table && row.key() == entry.key;
        let (_, row) = settings.rows().into_iter().find(is_meant)?;
        let (_, arg) = flags(role).find(|(flag, _)| *flag == row.flag())?;
        let sentence = check(arg, &given(arg, &entry.values)).err()?;
        Some(format!("{}:{}: {sentence}", file.path.display(), entry.line))
    };
    let tables = settings.tables().into_iter();
    let entries = tables.flat_map(|table| file.entries(table).iter().map(move |it| (table, it)));
    entries.filter_map(check).collect()
}

/// The values as the flag takes them: repeated, or else as one.
fn given(arg: &Arg, values: &[String]) -> Vec<OsString> {
    if matches!(arg.get_action(), ArgAction::Append) {
        values.iter().map(OsString::from).collect()
    } else {
        vec![values.join(",").into()]
    }
}

/// Whether a flag takes these values; the sentence that clap would say of it.
fn check(arg: &Arg, values: &[OsString]) -> Result<(), String> {
    let arg = arg.clone().required(false).default_values(values);
    match Command::new("check").arg(arg).try_get_matches_from(["check"]) {
        Ok(_) => Ok(()),
        Err(error) => Err(sentence(&error)),
    }
}

/// What clap says is wrong, without its advice.
fn sentence(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    let lines: Vec<_> = first.lines().map(str::trim).collect();
    let joined = lines.join(" ");
    joined.strip_prefix("error: ").unwrap_or(&joined).to_owned()
}

/// The role with what its tables say in place of the defaults.
fn with_defaults(role: Command, settings: &Role, file: Option<&File>) -> Command {
    role.mut_args(|arg| {
        let flag = arg.get_long().unwrap_or_default();
        let values = file.and_then(|file| file.entry(settings, flag));
        match values.map(|entry| given(&arg, &entry.values)) {
            // What has a default is not missing.
            Some(values) if !values.is_empty() => arg.required(false).default_values(values),
            _ => arg,
        }
    })
}

fn at(command: Command, path: &[&'static str], change: &dyn Fn(Command) -> Command) -> Command {
    match path {
        [] => change(command),
        [name, rest @ ..] => command.mut_subcommand(name, |command| at(command, rest, change)),
    }
}

#[cfg(test)]
mod tests;
