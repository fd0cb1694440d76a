//! Abbreviated commands that fit several commands: the error lists all of these, where clap would guess.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Error};

/// The same error, with all that the word may be short for.
pub(in crate::cli) fn explained(error: Error, root: &Command, words: &[OsString]) -> Error {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return error;
    }
    let Some(ContextValue::String(wrong)) = error.get(ContextKind::InvalidSubcommand) else {
        return error;
    };
    let candidates = candidates(root, words, wrong);
    if candidates.len() < 2 {
        return error;
    }
    let mut error = error;
    error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(candidates));
    error
}

/// What a word may be short for, where it stands.
fn candidates(root: &Command, words: &[OsString], wrong: &str) -> Vec<String> {
    let mut command = root;
    for word in words.iter().skip(1).filter_map(|word| word.to_str()) {
        let names = command.get_subcommands().map(Command::get_name);
        let possible: Vec<_> = names.filter(|name| name.starts_with(word)).collect();
        if word == wrong {
            return possible.into_iter().map(str::to_owned).collect();
        }
        let meant = match possible.as_slice() {
            [only] => command.find_subcommand(only),
            _ => command.find_subcommand(word),
        };
        command = meant.unwrap_or(command);
    }
    Vec::new()
}
