//! `loadgen completions` and `loadgen man`: what shells and `man` want to know, from the same definitions.

use std::io::Write as _;
use std::path::Path;

use clap::Command;
use clap_complete::Shell;

/// Prints the completions for a shell.
pub(crate) fn completions(mut command: Command, shell: Shell) -> Result<(), String> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "loadgen", &mut script);
    let written = std::io::stdout().write_all(&script);
    written.map_err(|error| format!("cannot write to standard output: {error}"))
}

/// Writes a manual page for each command into a folder.
pub(crate) fn man(command: Command, folder: &Path) -> Result<(), String> {
    let written = clap_mangen::generate_to(command.disable_help_subcommand(true), folder);
    written.map_err(|error| {
        format!("cannot write into {}: {error}; name a folder that exists", folder.display())
    })
}
