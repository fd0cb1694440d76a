//! The settings of a proxy beside those of its sessions with reflectors (`cli::upstream`): the rows of `[proxy]`
//! about agents, and what they are read into.

use std::net::{Ipv6Addr, SocketAddr};

use metalbond::io::IoChoice;
use metalbond::reflector::ReflectorConfig;
use metalbond::settings::{
    HOST, NUMBER, One, PATH, SWITCH, Section, Setting, Syntax, TIME, Target, address, number,
};
use metalbond::{many, maybe, one};

use crate::cli::client::settings::ADDRESS;

/// Agents at most, unless more are asked for.
const AGENTS: u64 = 64;

/// How agents are served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::cli) struct Agents {
    pub(super) http: Option<SocketAddr>,
    pub(super) config: ReflectorConfig,
}

impl Default for Agents {
    fn default() -> Self {
        let config = ReflectorConfig {
            listen: SocketAddr::from((Ipv6Addr::LOCALHOST, 4711)),
            // For a few sessions a ring would be more to set up than it saves.
            io: IoChoice::Epoll,
            max_peers: AGENTS,
            ..ReflectorConfig::default()
        };
        Self { http: None, config }
    }
}

impl Target for Agents {
    type Shown = ();
}

const LISTEN: Syntax<SocketAddr> = Syntax::displayed("ADDR:PORT", address);
const PACE: Syntax<u64> = Syntax::displayed("BYTES/s", |text| number(text, 1_000..=1_000_000_000));

pub(in crate::cli) static SETTINGS: Section<Agents> = Section::of_role(&[
    Setting::new("listen", one!(Agents: config.listen, LISTEN))
        .meaning("Where to listen for agents; on the loopback, because agents have no TLS"),
    Setting::new("http", maybe!(Agents: http, ADDRESS)).meaning(
        "Where to answer HTTP: pages for people, health, metrics, routes; a port alone is on this \
         machine's loopback",
    ),
    Setting::new("http-host", many!(Agents: config.http_rules.hosts, HOST))
        .meaning(
            "Names by which HTTP requests may call this endpoint, beside addresses and localhost; several by \
             commas or repetition",
        )
        .details("See [Who may ask](http.md#who-may-ask)")
        .reloaded(),
    Setting::new("http-token-file", maybe!(Agents: config.http_rules.token_file, PATH))
        .meaning("File of the token that HTTP requests must bear; health and the page's files need none")
        .details("A reload reads the file anew. See [Who may ask](http.md#who-may-ask)")
        .reloaded(),
    Setting::new("control", maybe!(Agents: config.control, PATH))
        .meaning("Where to put the socket that metalbond ctl asks; its folder must be there")
        .details("See [ctl.md](ctl.md); peers are agents"),
    Setting::new("send-hold", one!(Agents: config.settings.send_hold, TIME))
        .meaning("Close an agent that reads nothing for so long although something waits for it")
        .reloaded(),
    Setting::new(
        "no-pacing",
        &One {
            syntax: SWITCH,
            get: |agents: &Agents| !agents.config.settings.pacing,
            set: |agents, value| agents.config.settings.pacing = !value,
        },
    )
    .meaning(
        "Send to every agent at full speed, also to those that don't say they read a stream; the Go \
         client loses its session then",
    )
    .reloaded_for_new_sessions(),
    Setting::new("pace", one!(Agents: config.settings.pace, PACE))
        .meaning(
            "Send this many bytes per second to a Go client whose TCP window does not show whether it \
             reads",
        )
        .details("From 1000 on; see [Pacing](protocol.md#pacing)")
        .reloaded_for_new_sessions(),
    Setting::new("max-peers", one!(Agents: config.max_peers, NUMBER))
        .meaning("Agents at most, from 1 on")
        .reloaded(),
    Setting::new(
        "max-routes-per-peer",
        one!(Agents: config.settings.limits.routes_per_peer, NUMBER),
    )
    .meaning("Routes that one agent may announce, over all VNIs")
    .reloaded(),
    Setting::new(
        "max-subscriptions-per-peer",
        one!(Agents: config.settings.limits.subscriptions_per_peer, NUMBER),
    )
    .meaning("VNIs that one agent may be subscribed to or announce in")
    .reloaded(),
]);
