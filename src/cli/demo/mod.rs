//! `metalbond demo`: a reflector with its page, and leaves that announce, withdraw, restart and fall behind, all in one
//! process on the loopback.
//!
//! * `fleet`: hypervisors, and virtual machines that move between them.
//! * `slow`: a peer that stops reading now and then.
//! * `place`: the folder of the control socket, and the port of the page.

mod fleet;
mod place;
mod slow;

use std::net::SocketAddr;

use clap::FromArgMatches as _;
use metalbond::io::IoChoice;
use metalbond::reflector::{Reflector, ReflectorConfig};

use self::fleet::Fleet;
use self::place::DemoFolder;
use super::event_loop::event_loop;
use super::log;
use super::options::Wrong;
use super::signals::Signals;

/// What a demonstration is told.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Address of the HTTP endpoint [default: port 8080 of the loopback, or a free port if 8080 is taken]
    #[arg(long, value_name = "[ADDR:]PORT", value_parser = metalbond::settings::local_address)]
    http: Option<SocketAddr>,
}

fn sentence(sentence: impl ToString) -> Wrong {
    Wrong::Sentences(vec![sentence.to_string()])
}

/// Runs until SIGINT or SIGTERM.
pub(super) fn run(own: &clap::ArgMatches) -> Result<(), Wrong> {
    let args = Args::from_arg_matches(own).map_err(Wrong::Usage)?;
    log::start(log::Format::Text, log::Level::Error)?;
    let place = DemoFolder::new().map_err(sentence)?;
    let config = ReflectorConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        http: Some(args.http.unwrap_or_else(place::http)),
        control: Some(place.socket()),
        io: IoChoice::Auto,
        ..ReflectorConfig::default()
    };
    let mut config = config;
    "demo".clone_into(&mut config.settings.node);
    let reflector = Reflector::start(&config).map_err(sentence)?;
    introduce(&reflector, &place);
    let runtime = event_loop().map_err(sentence)?;
    let ended = runtime.block_on(async {
        let mut signals = Signals::new()?;
        let server = reflector.listen_addr();
        let mut fleet = Fleet::start(server).await?;
        let slow = tokio::spawn(slow::run(server));
        let signal = tokio::select! {
            signal = signals.end(async || {}) => signal,
            error = fleet.live() => return Err(error),
        };
        println!("\n{signal}: the demonstration ends.");
        slow.abort();
        fleet.stop().await;
        Ok(())
    });
    drop(runtime);
    reflector.stop();
    ended.map_err(|error: std::io::Error| sentence(format!("the demonstration failed: {error}")))
}

/// Says what there is to see.
fn introduce(reflector: &Reflector, place: &DemoFolder) {
    let page = reflector.http_addr().map(|address| format!("http://{address}/"));
    let socket = place.socket();
    let socket = socket.display();
    println!(
        "A reflector, six hypervisors and a peer that often stops reading, in one process.\n\n\
         Open the page:\n\n    {}\n\n\
         or inspect the reflector in another terminal:\n\n    \
         metalbond ctl --socket {socket} show peers\n    \
         metalbond ctl --socket {socket} explain {} {}\n    \
         metalbond ctl --socket {socket} monitor\n\n\
         Press Ctrl-C to end the demonstration.\n",
        page.unwrap_or_default(),
        slow::NAME,
        fleet::EXAMPLE,
    );
}
