//! The command line: the commands, and the way to each.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::common::Common;
#[cfg(feature = "peers")]
use crate::rustbond;
use crate::scenarios::Scenarios;
use crate::{compare, generate, live, repeater, report, run};

#[derive(Debug, Parser)]
#[command(
    name = "loadgen",
    version,
    about = "Put load on a MetalBond reflector, and measure its cost"
)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: LoadgenCommand,
}

#[derive(Debug, Subcommand)]
enum LoadgenCommand {
    #[command(flatten)]
    Scenario(Scenarios),
    /// Run one scenario against several servers in turn, and compare the figures
    Compare(compare::Options),
    /// Run the workloads that define the reflector's targets, and compare it with the repeater and an older reflector
    Suite(compare::suite::Options),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write a manual page for each command into a folder
    Man {
        /// The folder, which must exist
        folder: PathBuf,
    },
    /// The server of --spawn repeater
    #[command(hide = true)]
    Repeater(repeater::Options),
    /// The server of --spawn rustbond
    #[cfg(feature = "peers")]
    #[command(hide = true)]
    Rustbond(rustbond::Options),
}

/// Runs the command; failure also means that updates were not delivered as they should.
pub(crate) fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let Cli { mut common, command } = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    common.parameters = parameters(&matches);
    let names_spawn = matches.value_source("spawn") == Some(ValueSource::CommandLine);
    let result =
        report::check_files(&common).and_then(|()| dispatch(&common, &command, names_spawn));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            live::say(&format!("loadgen: {message}"));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(common: &Common, command: &LoadgenCommand, names_spawn: bool) -> Result<(), String> {
    match command {
        LoadgenCommand::Scenario(scenarios) => {
            report::print(&run::run(common, scenarios.chosen())?, common)
        }
        LoadgenCommand::Compare(_) if names_spawn => {
            Err("compare takes servers by --against, not by --spawn".into())
        }
        LoadgenCommand::Suite(_) if names_spawn => {
            Err("suite takes reflectors by --binary and --old, not by --spawn".into())
        }
        LoadgenCommand::Compare(options) => compare::run(common, options),
        LoadgenCommand::Suite(options) => compare::suite::run(common, options),
        LoadgenCommand::Completions { shell } => generate::completions(Cli::command(), *shell),
        LoadgenCommand::Man { folder } => generate::man(Cli::command(), folder),
        LoadgenCommand::Repeater(options) => {
            repeater::run(options).map_err(|error| format!("repeater: {error}"))
        }
        #[cfg(feature = "peers")]
        LoadgenCommand::Rustbond(options) => {
            rustbond::run(options).map_err(|error| format!("rustbond: {error}"))
        }
    }
}

/// All flags of the scenario with their values, given or not, by their long names.
fn parameters(matches: &ArgMatches) -> Vec<(String, String)> {
    let mut cli = Cli::command();
    cli.build(); // copies flags for all scenarios to each scenario
    let Some((name, matches)) = matches.subcommand() else { return Vec::new() };
    let Some(scenario) = cli.find_subcommand(name) else { return Vec::new() };
    let value = |flag: &clap::Arg| {
        let values = matches.try_get_raw(flag.get_id().as_str()).ok()??;
        let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
        Some((flag.get_long()?.to_owned(), values.join(" ")))
    };
    scenario.get_arguments().filter_map(value).collect()
}
