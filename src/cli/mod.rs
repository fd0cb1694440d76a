//! The command line: what can be said there, and how what went wrong is told.

mod client;
mod log;
mod server;
mod signals;
mod values;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(
    name = "metalbond",
    version,
    about = "MetalBond: routes of virtual networks over TCP",
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the route reflector.
    Server(server::Args),
    /// Run the leaf: announce routes, and install those of others in the kernel.
    Client(client::Args),
}

pub(crate) fn main() -> ExitCode {
    // clap tells what is wrong with the arguments in its own words, and exits with 2.
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Server(args) => server::run(args),
        Command::Client(args) => client::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("metalbond: {message}");
            ExitCode::FAILURE
        }
    }
}
