//! `metalbond completions` and `metalbond man`: what shells and `man` want to know, from the same
//! definitions.

use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

use clap::ArgMatches;
use clap_complete::Shell;

use super::options::{self, Wrong};

pub(super) fn completions(own: &ArgMatches) -> Result<(), Wrong> {
    let Some(shell) = own.get_one::<Shell>("shell") else { return Ok(()) };
    let mut script = Vec::new();
    clap_complete::generate(*shell, &mut options::documented(), "metalbond", &mut script);
    write(&script)
}

pub(super) fn man(own: &ArgMatches) -> Result<(), Wrong> {
    let mut command = options::documented();
    if let Some(folder) = own.get_one::<PathBuf>("all") {
        let written = clap_mangen::generate_to(command, folder);
        return Ok(written.map_err(|error| {
            format!("cannot write into {}: {error}; give a folder that is there", folder.display())
        })?);
    }
    // Gives subcommands their full names.
    command.build();
    for page in own.get_many::<String>("page").into_iter().flatten() {
        command = command.find_subcommand(page).cloned().ok_or_else(|| {
            let pages: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
            let (name, pages) = (command.get_name(), pages.join(", "));
            format!("there is no page {page:?} of {name}; there are {pages}")
        })?;
    }
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new(command).render(&mut page);
    rendered.map_err(|error| format!("cannot make the page: {error}"))?;
    write(&page)
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
