//! `metalbond check-config`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgMatches, Command};

use super::options::{self, File, Given, Options, Wrong};
use super::role::{self, ROLES};
use super::values::remark;
use super::{client, log, proxy, server};

/// The subcommand.
pub(super) const NAME: &str = "check-config";

/// Prints what the configuration comes to, or tells all that is wrong with it.
pub(super) fn run(command: &Command, words: Vec<OsString>, own: &ArgMatches) -> Result<(), Wrong> {
    let file = options::file_flag(own);
    let given = match own.subcommand() {
        Some((role, own)) => {
            let role = role::named(role).map_or("", |role| role.name);
            vec![Given::new(command, words, &[NAME, role], own).or_file(file)]
        }
        None => roles(file.as_ref())?
            .into_iter()
            .map(|role| {
                let words = ["metalbond", role].map(OsString::from).to_vec();
                Given::new(command, words, &[role], &ArgMatches::default()).or_file(file.clone())
            })
            .collect(),
    };
    let mut wrong = Vec::new();
    for given in given {
        match given.read().and_then(check) {
            Ok(options) => print(&options)?,
            Err(of_role) => wrong.extend(of_role.sentences()),
        }
    }
    // All roles find what is wrong with the file as a whole.
    wrong.dedup();
    if wrong.is_empty() { Ok(()) } else { Err(Wrong::Sentences(wrong)) }
}

/// Those that the file has tables for; without any, the reflector, which needs none.
fn roles(file: Option<&PathBuf>) -> Result<Vec<&'static str>, Wrong> {
    let path = file.cloned().or_else(options::file_variable);
    let file = path.as_deref().map(File::read).transpose().map_err(Wrong::Sentences)?;
    let has = |role: &&str| file.as_ref().is_some_and(|file| file.has(role));
    let mut roles: Vec<_> = ROLES.into_iter().map(|role| role.name).filter(has).collect();
    if roles.is_empty() {
        roles.push(role::SERVER.name);
    }
    Ok(roles)
}

/// What no single option can tell to be wrong.
fn check(mut options: Options) -> Result<Options, Wrong> {
    options.remarks.extend(log::of_environment().err());
    match options.effective.role() {
        "client" => {
            let args: client::Args = options.args()?;
            args.check()?;
            options.remarks.extend(args.remarks());
        }
        "proxy" => {
            let args: proxy::Args = options.args()?;
            args.check()?;
            options.remarks.extend(args.remarks());
        }
        _ => {
            let args: server::Args = options.args()?;
            args.check()?;
            options.remarks.extend(args.remarks());
        }
    }
    Ok(options)
}

fn print(options: &Options) -> Result<(), Wrong> {
    for sentence in &options.remarks {
        remark(&format!("metalbond: {sentence}\n"));
    }
    super::generate::write(options.effective.to_string().as_bytes())
}
