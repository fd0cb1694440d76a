//! `metalbond ctl`: asks a running reflector or leaf over its control socket, and sends commands to a reflector.
//!
//! `args` holds the commands and their flags, `listed` the flags of listings. `client` speaks HTTP over the socket;
//! `patience` limits how long it waits. `listing` reads listings page by page. `screen` and `table` write, `units` formats
//! numbers for people, and `words` explains abbreviated commands.
//!
//! `show`, `peer` and `routes` show the state of a reflector, `leaf` that of a leaf, and `closed` sessions that have ended.
//! `monitor` shows events, and `record` writes them to a file. `act` gives orders, `handover` starts another process that
//! takes over, and `dump` writes everything to a file. `verify` compares the reports of leaves with the routes that they
//! should have. `diff` asks a second server, to which `other` connects. `block` refuses peers, prefixes and VNIs for a
//! while.
//!
//! Answers are written as they arrive, so a table of any size needs no memory here.

mod act;
mod args;
mod block;
mod client;
mod closed;
mod connection;
mod diff;
mod dump;
mod federation;
mod handover;
mod leaf;
mod listed;
mod listing;
mod monitor;
mod other;
mod patience;
mod peer;
mod policy;
mod record;
mod routes;
mod screen;
mod show;
mod table;
mod units;
mod verify;
mod words;

use std::path::{Path, PathBuf};

use clap::{ArgMatches, FromArgMatches as _};

pub(super) use self::args::Args;
use self::args::{CtlCommand, PolicyAction, Reset, Show};
use self::client::Client;
use self::patience::Patience;
use self::screen::{Failed, Screen};
pub(super) use self::words::explained;
use super::options::Wrong;

/// A command's run: whom it asks and where it writes.
struct Ctl {
    client: Client,
    screen: Screen,
}

pub(super) fn run(own: &ArgMatches) -> Result<(), Wrong> {
    let args = Args::from_arg_matches(own).map_err(Wrong::Usage)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot set up an event loop: {error}"))?;
    match runtime.block_on(run_command(args)) {
        // Whoever reads standard output has read enough.
        Ok(()) | Err(Failed::NoReader) => Ok(()),
        Err(Failed::Sentence(sentence) | Failed::Hung(sentence)) => Err(sentence.into()),
    }
}

/// Where the packaged reflector has its socket, and where the packaged leaf has its.
const SOCKETS: [&str; 2] = ["/run/metalbond/control.sock", "/run/metalbond-client/control.sock"];

/// The socket to ask when none is named: the leaf's only where there is none of a reflector.
fn usual_socket() -> PathBuf {
    let there = SOCKETS.into_iter().find(|path| Path::new(path).exists());
    there.unwrap_or(SOCKETS[0]).into()
}

async fn run_command(Args { socket, json, timeout, command }: Args) -> Result<(), Failed> {
    let socket = socket.unwrap_or_else(usual_socket);
    let client = Client::connect(&socket, Patience::new(timeout)).await?;
    let mut ctl = Ctl { client, screen: Screen::new(json) };
    match command {
        CtlCommand::Show { what } => match what {
            Show::Peers { peer: None, which } => ctl.show_peers(&which).await,
            Show::Peers { peer: Some(peer), .. } => ctl.show_peer(&peer).await,
            Show::Closed { peer, limit, .. } => ctl.show_closed(peer.as_deref(), limit).await,
            Show::Recorder { limit } => ctl.show_recorder(limit).await,
            Show::Servers => ctl.show_servers().await,
            Show::Kernel => ctl.show_kernel().await,
            Show::Vnis(which) => ctl.show_vnis(&which).await,
            Show::Routes { vni, filtered: true, .. } => ctl.show_filtered(vni).await,
            Show::Routes { within, vni, .. } => ctl.show_routes(within, vni).await,
            Show::Subscriptions { vni, peer } => ctl.show_subscriptions(vni, peer).await,
            Show::Slow => ctl.show_slow().await,
            Show::Shards => ctl.show_shards().await,
            Show::Limits => ctl.show_limits().await,
            Show::Policy => ctl.show_policy().await,
            Show::Blocks => ctl.show_blocks().await,
            Show::Federation => ctl.show_federation().await,
            Show::Handover => ctl.show_handover().await,
        },
        CtlCommand::Explain { peer, route } => ctl.explain(peer.as_deref(), &route).await,
        CtlCommand::Verify(asked) => ctl.verify(&asked).await,
        CtlCommand::Diff { other, token_file, settle } => {
            ctl.diff(&other, token_file.as_deref(), settle).await
        }
        CtlCommand::Monitor { vni, record: None } => ctl.monitor(vni).await,
        CtlCommand::Monitor { vni, record: Some(file) } => ctl.record(vni, &file).await,
        CtlCommand::Reset { what: Reset::Peer { peer } } => ctl.reset(&peer).await,
        CtlCommand::Block { what } => ctl.block(&what).await,
        CtlCommand::Unblock { block } => ctl.unblock(block.0).await,
        CtlCommand::Drain { rate, wait } => ctl.drain(rate, wait).await,
        CtlCommand::Undrain => ctl.undrain().await,
        CtlCommand::Handover { to } => ctl.handover(to.as_deref()).await,
        CtlCommand::Log { level, peer, .. } => ctl.log(level, peer.as_deref()).await,
        CtlCommand::Policy { what: PolicyAction::Try { file } } => ctl.try_policy(&file).await,
        CtlCommand::Dump { file } => ctl.dump(&file).await,
    }?;
    ctl.screen.finish()
}
