//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{
    ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum,
};

#[cfg(feature = "peers")]
use crate::rustbond;
use crate::scenarios::{self, churn, fanout, idle, latency, mesh, slow, storm, table};
use crate::{compare, live, repeater, report};

#[derive(Debug, Parser)]
#[command(name = "loadgen", version, about = "Load on a MetalBond reflector, and what it costs")]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every scenario needs.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Server and output")]
pub(crate) struct Common {
    /// A server that runs already, here or elsewhere
    #[arg(long, global = true, value_name = "ADDR:PORT", conflicts_with = "spawn")]
    pub(crate) target: Option<SocketAddr>,

    /// The process that --target is: without it, CPU time and memory of the server are not told
    #[arg(long, global = true, requires = "target")]
    pub(crate) pid: Option<u32>,

    /// A server to start, and to stop at the end
    #[arg(long, global = true, value_enum, default_value = "reflector")]
    pub(crate) spawn: Spawn,

    /// The reflector to start [default: metalbond beside loadgen]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) binary: Option<PathBuf>,

    /// One more argument for the started server; may be repeated
    #[arg(long = "server-arg", global = true, value_name = "ARG", allow_hyphen_values = true)]
    pub(crate) server_args: Vec<String>,

    /// Threads that receive
    #[arg(long, global = true, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) threads: u16,

    /// Seconds between the KEEPALIVEs of a session
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(crate) keepalive: u32,

    /// Give up when subscribers have not got what they should after so many seconds
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 60,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) timeout: u64,

    /// Write the figures to a file too
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Write a page for browsers, with plots
    #[arg(long, global = true, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,

    /// Show the log of the started server
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,

    /// All flags of the scenario and their values, for the report
    #[arg(skip)]
    pub(crate) parameters: Vec<(String, String)>,
}

impl Common {
    /// How long to wait for subscribers.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

/// What can be started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Spawn {
    /// `metalbond server`
    Reflector,
    /// Repeats bytes with no routing: the limit of what a server can do
    Repeater,
    /// The server of the crate rustbond (needs the feature peers)
    Rustbond,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Windows of updates to many subscribers, one after another
    Fanout(fanout::Options),
    /// A large table: load it, give it to late joiners, withdraw it
    Table(table::Options),
    /// Many sessions that only keep themselves alive
    Idle(idle::Options),
    /// Updates at a fixed rate: how long they take to every subscriber
    Latency(latency::Options),
    /// Every peer publishes and subscribes, in many VNIs
    Mesh(mesh::Options),
    /// Hypervisors whose virtual machines start, stop and move
    Churn(churn::Options),
    /// The same beside readers that are slow or stuck
    Slow(slow::Options),
    /// Many peers vanish at once and come back at once
    Storm(storm::Options),
    /// One scenario against several servers in turn
    Compare(compare::Options),
    /// All workloads that the reflector's cost is judged by, against the repeater and an older reflector
    Suite(compare::suite::Options),
    /// The server of --spawn repeater
    #[command(hide = true)]
    Repeater(repeater::Options),
    /// The server of --spawn rustbond
    #[cfg(feature = "peers")]
    #[command(hide = true)]
    Rustbond(rustbond::Options),
}

/// Runs the command; failure also means that something was not delivered as it should.
pub(crate) fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let Cli { mut common, command } = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    common.parameters = parameters(&matches);
    if let Err(sentence) = report::check_files(&common) {
        return finish(Err(sentence));
    }
    let names_spawn = matches.value_source("spawn") == Some(ValueSource::CommandLine);
    let result = match &command {
        Command::Repeater(options) => {
            return finish(repeater::run(options).map_err(|error| format!("repeater: {error}")));
        }
        #[cfg(feature = "peers")]
        Command::Rustbond(options) => {
            return finish(rustbond::run(options).map_err(|error| format!("rustbond: {error}")));
        }
        Command::Compare(_) if names_spawn => {
            return finish(Err("compare takes servers by --against, not by --spawn".into()));
        }
        Command::Suite(_) if names_spawn => {
            return finish(Err(
                "suite takes reflectors by --binary and --old, not by --spawn".into()
            ));
        }
        Command::Suite(options) => return finish(compare::suite::run(&common, options)),
        Command::Compare(options) => return finish(compare::run(&common, options)),
        Command::Fanout(options) => {
            scenarios::run(&common, "fanout", |run| fanout::run(run, options))
        }
        Command::Table(options) => scenarios::run(&common, "table", |run| table::run(run, options)),
        Command::Idle(options) => scenarios::run(&common, "idle", |run| idle::run(run, options)),
        Command::Latency(options) => {
            scenarios::run(&common, "latency", |run| latency::run(run, options))
        }
        Command::Mesh(options) => scenarios::run(&common, "mesh", |run| mesh::run(run, options)),
        Command::Churn(options) => scenarios::run(&common, "churn", |run| churn::run(run, options)),
        Command::Slow(options) => options
            .check()
            .and_then(|()| scenarios::run(&common, "slow", |run| slow::run(run, options))),
        Command::Storm(options) => scenarios::run(&common, "storm", |run| storm::run(run, options)),
    };
    finish(result.and_then(|report| report::tell(&report, &common)))
}

/// All flags of the scenario with their values, given or not, by their long names.
fn parameters(matches: &ArgMatches) -> Vec<(String, String)> {
    let mut cli = Cli::command();
    cli.build(); // flags for all scenarios become flags of each
    let Some((name, matches)) = matches.subcommand() else { return Vec::new() };
    let Some(scenario) = cli.find_subcommand(name) else { return Vec::new() };
    let value = |flag: &clap::Arg| {
        let values = matches.try_get_raw(flag.get_id().as_str()).ok()??;
        let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
        Some((flag.get_long()?.to_owned(), values.join(" ")))
    };
    scenario.get_arguments().filter_map(value).collect()
}

fn finish(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            live::say(&format!("loadgen: {message}"));
            ExitCode::FAILURE
        }
    }
}
