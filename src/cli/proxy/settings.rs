//! The settings of a proxy beside those of its sessions with reflectors (`cli::upstream`): the rows of `[proxy]`
//! about agents, and the structure that holds their values. Settings that the reflector has too have other texts here,
//! which name agents instead of peers.

use std::net::{Ipv6Addr, SocketAddr};

use metalbond::io::IoChoice;
use metalbond::policy::Echo;
use metalbond::reflector::ReflectorConfig;
use metalbond::settings::{
    HOST, NUMBER, One, PATH, SWITCH, Section, Setting, Syntax, TIME, Target, address, http_host,
    http_token_file, number,
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
const ECHO: Syntax<Echo> =
    Syntax::displayed("none|dump|lb|all", Echo::from_name).words(&["none", "dump", "lb", "all"]);
const PACE: Syntax<u64> = Syntax::displayed("BYTES/s", |text| number(text, 1_000..=1_000_000_000));

pub(in crate::cli) static SETTINGS: Section<Agents> = Section::of_role(&[
    Setting::new("listen", one!(Agents: config.listen, LISTEN))
        .meaning("Address on which to accept agents; keep it on the loopback, because agents have \
             no TLS"),
    Setting::new("http", maybe!(Agents: http, ADDRESS)).meaning(
        "Address of the HTTP endpoint: pages for people, health, metrics, routes; a port alone \
         means the loopback",
    ),
    http_host(many!(Agents: config.http_rules.hosts, HOST)),
    http_token_file(maybe!(Agents: config.http_rules.token_file, PATH)),
    Setting::new("control", maybe!(Agents: config.control, PATH))
        .meaning("Path of the control socket, to which metalbond ctl connects; its folder must \
             exist")
        .details("See [ctl.md](ctl.md); its peers are the agents"),
    Setting::new("send-hold", one!(Agents: config.settings.send_hold, TIME))
        .meaning("Close the session of an agent that reads nothing for this time although data \
             waits for it")
        .reloaded(),
    Setting::new("echo", one!(Agents: config.settings.echo, ECHO))
        .meaning(
            "Which of its own routes an agent receives back, as older versions of the reference send \
             them: none, those of type STANDARD and LB in the table that answers a SUBSCRIBE (dump), \
             those of type LB at any time (lb), or those of both types at any time (all)",
        )
        .details("See [Own routes](migrating.md#own-routes)")
        .reloaded_for_new_sessions(),
    Setting::new("one-next-hop", one!(Agents: config.settings.one_next_hop, SWITCH))
        .meaning(
            "Send each agent one next hop of type STANDARD per destination, for agents that can hold only \
             one",
        )
        .details("See [One next hop](operations.md#one-next-hop)")
        .reloaded_for_new_sessions(),
    Setting::new(
        "no-pacing",
        &One {
            syntax: SWITCH,
            get: |agents: &Agents| !agents.config.settings.pacing,
            set: |agents, value| agents.config.settings.pacing = !value,
        },
    )
    .meaning(
        "Send to every agent at full speed, even to those that do not advertise that they read a \
         stream; Go clients then lose their sessions",
    )
    .reloaded_for_new_sessions(),
    Setting::new("pace", one!(Agents: config.settings.pace, PACE))
        .meaning(
            "Send this many bytes per second to a Go client whose TCP window does not show whether it \
             reads",
        )
        .details("At least 1000; see [Pacing](protocol.md#pacing)")
        .reloaded_for_new_sessions(),
    Setting::new("max-peers", one!(Agents: config.max_peers, NUMBER))
        .meaning("Maximum number of agents, at least 1")
        .reloaded(),
    Setting::new(
        "max-routes-per-peer",
        one!(Agents: config.settings.limits.routes_per_peer, NUMBER),
    )
    .meaning("Maximum number of routes that one agent may announce, over all VNIs")
    .reloaded(),
    Setting::new(
        "max-subscriptions-per-peer",
        one!(Agents: config.settings.limits.subscriptions_per_peer, NUMBER),
    )
    .meaning("Maximum number of VNIs in which one agent may subscribe or announce")
    .reloaded(),
]);
