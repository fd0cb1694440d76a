//! The flags that all commands share: the server, and where the output goes.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::plan::FIRST_VNI;
use crate::tls::TlsFlags;

/// The number of blocks from which a run with a random first VNI takes one, and the VNIs of a block.
const BLOCKS: u64 = 160;
const BLOCK: u64 = 100_000;

/// What every scenario needs.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Server and output")]
pub(crate) struct Common {
    /// Use this running server, on this machine or another, instead of starting one. Repeat the flag for sites that
    /// federate: publishers connect to the first, subscribers to the others
    #[arg(long, global = true, value_name = "ADDR:PORT", conflicts_with = "spawn")]
    pub(crate) target: Vec<SocketAddr>,

    /// The process of --target on this machine: needed to measure its CPU time and memory. With several targets, repeat
    /// the flag in the order of the targets; the figures include further processes, such as a NATS server
    #[arg(long, global = true, requires = "target")]
    pub(crate) pid: Vec<u32>,

    /// The server to start, and to stop at the end
    #[arg(long, global = true, value_enum, default_value = "reflector")]
    pub(crate) spawn: Spawn,

    /// The program of the reflector to start [default: metalbond in the folder of loadgen]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) binary: Option<PathBuf>,

    /// An argument for the started server, such as --server-arg=--shards; may be repeated
    #[arg(long = "server-arg", global = true, value_name = "ARG", allow_hyphen_values = true)]
    pub(crate) server_args: Vec<String>,

    /// The lowest VNI to use. With --target the default is another random VNI in each run, so that several runs against
    /// one server use different VNIs [default: 200000; with --target a random one]
    #[arg(long, global = true, value_name = "VNI")]
    pub(crate) first_vni: Option<u32>,

    /// Number of threads that receive
    #[arg(long, global = true, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) threads: u16,

    /// Interval of the KEEPALIVEs of each session, in seconds
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(crate) keepalive: u32,

    /// Fail when a subscriber waits longer than this many seconds for its routes
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 60,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) timeout: u64,

    /// Also write the figures into this file, as JSON
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Also write a page for browsers, with plots
    #[arg(long, global = true, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,

    /// Show the log of the started server
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,

    #[command(flatten)]
    pub(crate) tls: TlsFlags,

    /// All flags of the scenario and their values, for the report
    #[arg(skip)]
    pub(crate) parameters: Vec<(String, String)>,
}

impl Common {
    /// How long to wait for subscribers.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }

    /// The lowest VNI of this run, if it was not given.
    pub(crate) fn choose_first_vni(&self) -> u32 {
        if self.target.is_empty() {
            return FIRST_VNI;
        }
        let random = RandomState::new().build_hasher().finish() % BLOCKS;
        FIRST_VNI + u32::try_from((random + 1) * BLOCK).unwrap_or(0)
    }

    /// # Errors
    /// One sentence, when the server is known to have no table.
    pub(crate) fn needs_table(&self) -> Result<(), String> {
        if self.target.is_empty() && self.spawn == Spawn::Repeater {
            return Err("the repeater holds no table: choose another scenario".into());
        }
        Ok(())
    }
}

/// What can be started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Spawn {
    /// `metalbond server`
    Reflector,
    /// A server in loadgen that only copies updates to subscribers, without a table: the lower limit of the cost
    Repeater,
    /// The server of the crate rustbond (needs the feature peers)
    Rustbond,
}
