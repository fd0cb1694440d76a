//! Manual pages: what clap knows of a command, and the sections of [`super::sections`].

use std::io;
use std::path::Path;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::sections::{self, Section};

/// The page of a subcommand: of `ctl show` by its two words.
pub(super) fn page(mut command: Command, words: &[&String]) -> Result<Vec<u8>, String> {
    // Gives subcommands their full names.
    command.build();
    for word in words {
        command = command.find_subcommand(word).cloned().ok_or_else(|| {
            let pages: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
            let (name, pages) = (command.get_name(), pages.join(", "));
            format!("there is no page {word:?} of {name}; there are {pages}")
        })?;
    }
    rendered(&command).map_err(|error| format!("cannot make the page: {error}"))
}

/// Writes all pages into a folder.
pub(super) fn all(mut command: Command, folder: &Path) -> io::Result<()> {
    command.build();
    each(&command, folder)
}

fn each(command: &Command, folder: &Path) -> io::Result<()> {
    for subcommand in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        each(subcommand, folder)?;
    }
    let name = Man::new(command.clone()).get_filename();
    std::fs::write(folder.join(name), rendered(command)?)
}

/// As clap_mangen orders it, with the further sections behind the subcommands.
fn rendered(command: &Command) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    if command.get_arguments().any(|argument| !argument.is_hide_set()) {
        man.render_options_section(&mut page)?;
    }
    if command.get_subcommands().any(|subcommand| !subcommand.is_hide_set()) {
        man.render_subcommands_section(&mut page)?;
    }
    if command.get_after_help().is_some() {
        man.render_extra_section(&mut page)?;
    }
    for section in sections::of(command) {
        render(&section, &mut page)?;
    }
    if command.get_version().is_some() {
        man.render_version_section(&mut page)?;
    }
    Ok(page)
}

fn render(section: &Section, page: &mut Vec<u8>) -> io::Result<()> {
    let mut roff = Roff::new();
    roff.control("SH", [section.title]);
    for (what, text) in &section.entries {
        roff.control("TP", []).text([bold(what.as_ref())]).text([roman(text.as_ref())]);
    }
    roff.to_writer(page)
}
