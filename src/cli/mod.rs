//! The command line: its flags, subcommands and error messages.
//!
//! Each setting is one row, in `metalbond::reflector::SETTINGS`, `client::settings`, `proxy::settings`, `upstream`,
//! `security` or `common`. `role` makes flags of the rows; `options` reads the same settings from the environment and
//! from a file. `check` shows the settings that result, `reload` applies new ones, and `generate` writes completions
//! and manual pages. `ctl` asks a running reflector or leaf, and `demo` runs a small fleet.
//!
//! Imports: admin, client, handover, io, netlink, policy, proxy, reflector, settings, wire.

mod check;
mod client;
mod common;
mod crash;
#[cfg(unix)]
mod ctl;
mod demo;
mod event_loop;
mod generate;
mod handover;
mod log;
mod memory;
mod no_exec;
mod notify;
mod options;
mod proxy;
mod reload;
mod role;
mod security;
mod server;
mod signals;
#[cfg(target_os = "linux")]
mod successor;
mod upstream;
mod values;
mod withdraw;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgMatches, Command, CommandFactory as _, Parser, Subcommand};

use self::options::{Given, Wrong};
use self::values::remark;

#[derive(Debug, Parser)]
#[command(
    name = "metalbond",
    version,
    long_version = env!("METALBOND_VERSION"),
    about = "MetalBond: routes of virtual networks over TCP",
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    command: CliCommand,
}

#[derive(Debug, Subcommand)]
enum CliCommand {
    /// Run the route reflector.
    Server(Box<server::Args>),
    /// Run the leaf: announce this host's routes, and install routes of other hosts in the kernel.
    Client(Box<client::Args>),
    /// Run the proxy: serve the agents on this host, and hold sessions with reflectors for them.
    Proxy(Box<proxy::Args>),
    /// Run a demonstration in one process: a reflector with its page, and leaves that come, go and fall behind.
    Demo(demo::Args),
    /// Remove the routes of a tunnel device from the kernel, before you delete the device.
    Withdraw(withdraw::Args),
    /// Inspect and control a running reflector, leaf or proxy.
    #[cfg(unix)]
    Ctl(ctl::Args),
    /// Check a configuration: print its errors, or all options with their effective values.
    #[command(disable_help_subcommand = true)]
    CheckConfig {
        /// The TOML file to check; without a subcommand, all of its tables are checked
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(subcommand)]
        role: Option<Role>,
    },
    /// Print completions for a shell.
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print a manual page: of metalbond, or of one of its subcommands.
    Man {
        /// The subcommand, such as server or ctl show
        #[arg(value_name = "SUBCOMMAND")]
        page: Vec<String>,
        /// Write all pages into this folder
        #[arg(long, value_name = "FOLDER", conflicts_with = "page")]
        all: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Check the configuration of the route reflector.
    Server(Box<server::Args>),
    /// Check the configuration of the leaf.
    Client(Box<client::Args>),
    /// Check the configuration of the proxy.
    Proxy(Box<proxy::Args>),
}

pub(crate) fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    #[cfg(target_os = "linux")]
    if let Some(code) = successor::helped(&words) {
        return code;
    }
    let command = Cli::command();
    let matches = match options::of_flags(&command, &words) {
        Ok(matches) => matches,
        Err(error)
            if error.use_stderr() && words.get(1).is_some_and(|word| word == check::NAME) =>
        {
            return report(Wrong::Usage(error), ExitCode::FAILURE);
        }
        #[cfg(unix)]
        Err(error) => ctl::explained(error, &options::documented(&command), &words).exit(),
        #[cfg(not(unix))]
        Err(error) => error.exit(),
    };
    let result = run(&command, &matches, words);
    log::flush();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // As clap itself ends when it does not understand.
        Err(wrong @ Wrong::Usage(_)) => report(wrong, ExitCode::from(2)),
        Err(wrong) => report(wrong, ExitCode::FAILURE),
    }
}

fn run(command: &Command, matches: &ArgMatches, words: Vec<OsString>) -> Result<(), Wrong> {
    match matches.subcommand() {
        Some(("server", own)) => server::run(Given::new(command, words, &["server"], own)),
        Some(("client", own)) => client::run(Given::new(command, words, &["client"], own)),
        Some(("proxy", own)) => proxy::run(Given::new(command, words, &["proxy"], own)),
        Some(("demo", own)) => demo::run(own),
        Some(("withdraw", own)) => withdraw::run(own),
        #[cfg(unix)]
        Some(("ctl", own)) => ctl::run(own),
        Some((check::NAME, own)) => check::run(command, words, own),
        Some(("completions", own)) => generate::completions(command, own),
        Some(("man", own)) => generate::man(command, own),
        _ => unreachable!("clap knows no other subcommands"),
    }
}

fn report(wrong: Wrong, code: ExitCode) -> ExitCode {
    match wrong {
        // In clap's own words, with colours where they can be seen.
        Wrong::Usage(error) => drop(error.print()),
        Wrong::Sentences(sentences) => {
            for sentence in sentences {
                remark(&format!("metalbond: {sentence}\n"));
            }
        }
    }
    code
}
