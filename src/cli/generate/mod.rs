//! `metalbond completions` and `metalbond man`: completions for shells and manual pages, made from the definitions of
//! the command line.

mod man;
mod sections;

use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

use clap::{ArgMatches, Command};
use clap_complete::Shell;

use super::options::{self, Wrong};

pub(super) fn completions(command: &Command, own: &ArgMatches) -> Result<(), Wrong> {
    let Some(shell) = own.get_one::<Shell>("shell") else { return Ok(()) };
    let mut script = Vec::new();
    clap_complete::generate(*shell, &mut options::documented(command), "metalbond", &mut script);
    write(&script)
}

pub(super) fn man(command: &Command, own: &ArgMatches) -> Result<(), Wrong> {
    let command = options::documented(command);
    if let Some(folder) = own.get_one::<PathBuf>("all") {
        let written = man::all(command, folder);
        return Ok(written.map_err(|error| {
            format!("cannot write into {}: {error}; give a folder that is there", folder.display())
        })?);
    }
    let words: Vec<_> = own.get_many::<String>("page").into_iter().flatten().collect();
    write(&man::page(command, &words)?)
}

/// Writes to standard output. Whoever closes the pipe has read enough.
pub(super) fn write(text: &[u8]) -> Result<(), Wrong> {
    let mut out = std::io::stdout();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(format!("cannot write to standard output: {error}").into())
        }
        _ => Ok(()),
    }
}
