//! The commands and flags of `metalbond ctl`. Completions and manual pages are made from these definitions.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Subcommand, value_parser};
use metalbond::wire::{Destination, NextHopType};

use super::listed::{PeersShown, VnisShown};
use super::verify::VerifyArgs;
use crate::cli::client::spec::route_type;
use crate::cli::log::Level;
use metalbond::settings::duration;

/// What the help ends with.
const ABOUT_NAMES: &str = "You may shorten commands as long as they stay unique: sh p, exp, mon.\n\
    A PEER is a session's number (7 or #7), a node's name, node and number (host-1#7), an address, or an address and \
    port.";

#[derive(Debug, clap::Args)]
#[command(
    infer_subcommands = true,
    infer_long_args = true,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    after_help = ABOUT_NAMES
)]
pub(in crate::cli) struct Args {
    /// The control socket of the reflector, leaf or proxy (its --control); if you may not open it, ctl uses the
    /// read-only socket beside it (control-ro.sock for control.sock) [default: /run/metalbond/control.sock, or if there
    /// is none, /run/metalbond-client/control.sock]
    #[arg(
        long,
        value_name = "PATH",
        global = true,
        env = "METALBOND_CONTROL",
        hide_env_values = true
    )]
    pub(super) socket: Option<PathBuf>,

    /// Print JSON for programs instead of tables for people
    #[arg(short, long, global = true)]
    pub(super) json: bool,

    /// Give up after this time (90s, 500ms) [default: 30s for each answer, 90s for a handover]
    #[arg(long, value_name = "TIME", global = true, value_parser = duration)]
    pub(super) timeout: Option<Duration>,

    #[command(subcommand)]
    pub(super) command: CtlCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum CtlCommand {
    /// Show peers, routes, limits and more.
    #[command(arg_required_else_help = true)]
    Show {
        #[command(subcommand)]
        what: Show,
    },
    /// Say whether a peer, or the kernel of a leaf, has a route, and why.
    #[command(allow_missing_positional = true)]
    Explain {
        /// The peer: a session's number, a node, an address, or an address and port; leave it out to ask a leaf
        #[arg(value_name = "PEER")]
        peer: Option<String>,
        /// The route: vni#prefix, or vni#prefix#hop[#STD|LB|NAT[#from#to]], as for a leaf's --announce
        #[arg(value_name = "ROUTE", value_parser = route, required = true)]
        route: Route,
    },
    /// Compare what leaves report with the routes that they should have; status 1 unless all agree.
    Verify(VerifyArgs),
    /// Compare the routes of this reflector with those of another server; status 1 if they differ.
    Diff {
        /// The other server: the path of its control socket, or the host and port of its --http (also of the reference)
        #[arg(value_name = "SOCKET|HOST:PORT")]
        other: String,
        /// File with the token that the other server requires (its --http-token-file)
        #[arg(long, value_name = "PATH")]
        token_file: Option<PathBuf>,
        /// Compare again after this time (500ms, 5s), and list only the routes that differ both times
        #[arg(long, value_name = "TIME", value_parser = duration, default_value = "2s")]
        settle: Duration,
    },
    /// Show changes of routes and sessions as they happen, until you press Ctrl-C.
    Monitor {
        /// Show routes of this VNI only, and all sessions
        #[arg(value_name = "VNI")]
        vni: Option<u32>,
        /// Show nothing; write the table, and then the changes with their times, into a new file for loadgen replay
        #[arg(long, value_name = "FILE")]
        record: Option<PathBuf>,
    },
    /// End a session; the peer may reconnect at once.
    #[command(arg_required_else_help = true)]
    Reset {
        #[command(subcommand)]
        what: Reset,
    },
    /// Refuse a peer, or stop reflecting routes, for a limited time.
    #[command(arg_required_else_help = true)]
    Block {
        #[command(subcommand)]
        what: Block,
    },
    /// End a block.
    Unblock {
        /// The block's number, which show blocks lists, or all
        #[arg(value_name = "BLOCK|all", value_parser = which_block)]
        block: WhichBlock,
    },
    /// Accept no new sessions, and end the existing ones.
    Drain {
        /// Sessions to end per second
        #[arg(long, value_name = "N", default_value = "100")]
        rate: NonZeroU32,
        /// Wait until no session is left
        #[arg(long)]
        wait: bool,
    },
    /// Accept sessions again, and stop ending them.
    Undrain,
    /// Start a new process that takes over all sessions; no session over TCP ends.
    Handover {
        /// Start this program instead of the installed one
        #[arg(long, value_name = "PATH")]
        to: Option<PathBuf>,
    },
    /// Change the level of the log, or log more about one session until it ends.
    Log {
        /// The level; for one session, debug logs each read and write, and trace each message
        #[arg(value_name = "error|warn|info|debug|trace", hide_possible_values = true)]
        level: Level,
        /// The word peer, to log about one session only
        #[arg(value_name = "peer", value_parser = peer_word, requires = "peer")]
        of: Option<()>,
        /// The peer: a session's number, a node, an address, or an address and port
        #[arg(value_name = "PEER")]
        peer: Option<String>,
    },
    /// Test a policy before you load it.
    #[command(arg_required_else_help = true)]
    Policy {
        #[command(subcommand)]
        what: PolicyAction,
    },
    /// Write peers, VNIs, subscriptions, routes, counters and limits into a file, as JSON.
    Dump {
        /// The file; an existing one is replaced only when the dump is complete; - means standard output
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Show {
    /// All peers, or one in detail.
    #[command(visible_alias = "peer", alias = "p")]
    Peers {
        /// The peer: a session's number, a node, an address, or an address and port
        #[arg(value_name = "PEER")]
        peer: Option<String>,
        #[command(flatten)]
        which: PeersShown,
    },
    /// Sessions that have ended, latest first, with the reason.
    Closed {
        /// The word peer, to show the sessions of one peer only
        #[arg(value_name = "peer", value_parser = peer_word, requires = "peer")]
        of: Option<()>,
        /// The peer: a node, an address, or a session's number
        #[arg(value_name = "PEER")]
        peer: Option<String>,
        /// Show this many at most
        #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
        limit: Option<u64>,
    },
    /// The latest events of sessions and commands of operators (the flight recorder).
    Recorder {
        /// Show only this many, the latest
        #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
        limit: Option<u64>,
    },
    /// VNIs in which peers subscribe or announce; for a leaf, the VNIs to which it subscribes.
    Vnis(VnisShown),
    /// The servers of a leaf, and the state of each session.
    Servers,
    /// For each VNI of a leaf, how many routes the kernel has, how many it lacks, and why.
    Kernel,
    /// Routes, and the peers that announce them.
    Routes {
        /// For an address, show the routes of the longest matching prefix; for a prefix, its routes and those of
        /// longer prefixes in it
        #[arg(value_name = "ADDRESS|PREFIX", value_parser = within)]
        within: Option<Within>,
        /// Routes of this VNI only
        #[arg(long, value_name = "VNI")]
        vni: Option<u32>,
        /// Show instead the routes that the policy or a block refuses, with their announcers and the reasons
        #[arg(long, conflicts_with = "within")]
        filtered: bool,
    },
    /// Subscriptions, and how far each peer is behind.
    Subscriptions {
        /// Subscriptions to this VNI only
        #[arg(long, value_name = "VNI")]
        vni: Option<u32>,
        /// Subscriptions of this peer only
        #[arg(long, value_name = "PEER")]
        peer: Option<String>,
    },
    /// Peers that are behind, or whose write has hung for more than a second, with the reason.
    Slow,
    /// Shards, with their load and contents.
    Shards,
    /// Limits and settings in force, and how often each limit was hit.
    Limits,
    /// Routes, subscriptions and claims that the policy refuses, by class, rule and reason.
    Policy,
    /// Blocked peers, prefixes and VNIs, with the end of each block.
    Blocks,
    /// The other sites of the federation, and the connection to the NATS server.
    Federation,
    /// The result of the latest handover to another process.
    Handover,
}

#[derive(Debug, Subcommand)]
pub(super) enum PolicyAction {
    /// List the routes, subscriptions and claims that the policy of a file would refuse; nothing changes.
    Try {
        /// A configuration file with the table [policy]
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Reset {
    /// End the session of a peer.
    Peer {
        /// The peer: a session's number, a node, an address, or an address and port
        #[arg(value_name = "PEER")]
        peer: String,
    },
}

/// How long to block, and whether to ask first.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct BlockTerms {
    /// The word for, before the time
    #[arg(value_name = "for", value_parser = for_word)]
    word: ForWord,
    /// How long to block (10m, 2h)
    #[arg(value_name = "TIME", value_parser = duration)]
    pub(super) time: Duration,
    /// Block without asking
    #[arg(long)]
    pub(super) yes: bool,
}

/// What is blocked.
#[derive(Debug, Subcommand)]
pub(super) enum Block {
    /// Close the sessions of a peer, and refuse new ones.
    Peer {
        /// A node's name, an address, or a prefix of addresses; a session's number (#7) means the session's node
        #[arg(value_name = "PEER")]
        peer: String,
        #[command(flatten)]
        terms: BlockTerms,
    },
    /// Withdraw the routes of a prefix, and reflect none until the block ends.
    Prefix {
        /// The prefix
        #[arg(value_name = "PREFIX", value_parser = prefix)]
        prefix: String,
        #[command(flatten)]
        terms: BlockTerms,
        /// Block the prefix in this VNI only
        #[arg(long, value_name = "VNI")]
        vni: Option<u32>,
        /// Also block the longer prefixes within it
        #[arg(long)]
        longer: bool,
    },
    /// Withdraw all routes of a VNI, and reflect none until the block ends.
    Vni {
        /// The VNI
        #[arg(value_name = "VNI")]
        vni: u32,
        #[command(flatten)]
        terms: BlockTerms,
    },
}

/// One block, or all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct WhichBlock(pub(super) Option<u32>);

/// Which routes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Within {
    Address(IpAddr),
    Prefix(String),
}

/// A route as text, for the reflector to read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Route {
    pub(super) vni: u32,
    pub(super) destination: String,
    /// Names and values of what else is asked.
    pub(super) next_hop: Vec<(&'static str, String)>,
}

fn within(text: &str) -> Result<Within, String> {
    match text.parse() {
        Ok(address) => Ok(Within::Address(address)),
        Err(_) if text.parse::<Destination>().is_ok() => Ok(Within::Prefix(text.to_owned())),
        Err(_) => Err("expected an address or a prefix, such as 10.0.0.1 or 10.0.0.0/8".into()),
    }
}

fn route(text: &str) -> Result<Route, String> {
    let form = || {
        "expected vni#prefix or vni#prefix#hop[#STD|LB|NAT[#from#to]], such as 23#10.0.23.0/24"
            .to_owned()
    };
    let parts: Vec<_> = text.split('#').collect();
    let [vni, destination, hop @ ..] = parts.as_slice() else { return Err(form()) };
    let vni = vni.parse().map_err(|_| format!("{vni:?} is not a VNI: expected a number"))?;
    within(destination).map_err(|_| form())?;
    let mut next_hop = Vec::new();
    if let [address, rest @ ..] = hop {
        let address: IpAddr = address
            .parse()
            .map_err(|_| format!("{address:?} is not a next hop: expected an address"))?;
        next_hop.push(("next_hop", address.to_string()));
        let kind = rest.first().map_or(Ok(NextHopType::Standard), |kind| route_type(kind))?;
        next_hop.push(("type", kind.name().to_owned()));
        match rest {
            [] | [_] => {}
            [_, from, to] => {
                for (name, port) in [("nat_from", from), ("nat_to", to)] {
                    let port: u16 = port.parse().map_err(|_| form())?;
                    next_hop.push((name, port.to_string()));
                }
            }
            _ => return Err(form()),
        }
    }
    Ok(Route { vni, destination: (*destination).to_owned(), next_hop })
}

/// The word `for`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ForWord;

fn for_word(text: &str) -> Result<ForWord, String> {
    if text == "for" { Ok(ForWord) } else { Err("expected: for TIME".to_owned()) }
}

fn prefix(text: &str) -> Result<String, String> {
    within(text).map(|_| text.to_owned())
}

fn which_block(text: &str) -> Result<WhichBlock, String> {
    if text == "all" {
        return Ok(WhichBlock(None));
    }
    let number = text.parse().map(|number| WhichBlock(Some(number)));
    number.map_err(|_| "expected the number of a block, or all".to_owned())
}

/// The word `peer`, or what it begins with.
fn peer_word(text: &str) -> Result<(), String> {
    if !text.is_empty() && "peer".starts_with(text) {
        Ok(())
    } else {
        Err("expected nothing more, or: peer PEER".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_told_as_leaves_announce_them() {
        let plain = route("23#10.0.23.0/24").unwrap();
        assert_eq!((plain.vni, &*plain.destination), (23, "10.0.23.0/24"));
        assert!(plain.next_hop.is_empty());
        let nat = route("4294967295#fd00::/64#2001:db8::1#NAT#1024#2047").unwrap();
        let given: Vec<_> = nat.next_hop.iter().map(|(name, text)| (*name, &**text)).collect();
        let expected = [
            ("next_hop", "2001:db8::1"),
            ("type", "nat"),
            ("nat_from", "1024"),
            ("nat_to", "2047"),
        ];
        assert_eq!(given, expected);
        for wrong in [
            "",
            "10.0.0.0/8",
            "x#10.0.0.0/8",
            "1#10.0.0.0/33",
            "1#10.0.0.0/8#",
            "1#10.0.0.0/8#hop",
            "1#10.0.0.0/8#::1#XYZ",
            "1#10.0.0.0/8#::1#NAT#1",
            "1#10.0.0.0/8#::1#NAT#1#65536",
        ] {
            assert!(route(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn addresses_and_prefixes_are_told_apart() {
        assert_eq!(within("::1"), Ok(Within::Address("::1".parse().unwrap())));
        assert_eq!(within("::/0"), Ok(Within::Prefix("::/0".into())));
        for wrong in ["", "10", "10.0.0.0/", "10.0.0.0/33", "/8", "::/129", "host/8"] {
            assert!(within(wrong).is_err(), "{wrong}");
        }
    }
}
