//! The settings of a reflector: the rows of `[server]`, each with the member of [`ReflectorConfig`] that it is
//! read into, where its default is.
//!
//! A feature with settings of its own has them in its own module and a line in [`SETTINGS`].

use std::time::Duration;

use serde::Serialize;

use super::ReflectorConfig;
use super::capacity::MemoryBudget;
use super::federation::FEDERATION;
use super::guard::GUARD;
use super::in_force::InForce;
use super::tls::TLS;
use crate::access::{AccessList, Prefix};
use crate::counts::Counters;
use crate::io::{IoChoice, Pin};
use crate::policy::Echo;
use crate::session::CloseReason;
use crate::settings::{
    ADDRESS, HOST, LOCAL_ADDRESS, Many, NUMBER, One, PATH, SWITCH, Section, Setting, Syntax, TEXT,
    TIME, Target, http_host, http_token_file, number,
};
use crate::shard::inspect::{PER_PEER, PER_VNI};
use crate::shard::{LimitAction, ShardConfig};
use crate::{many, maybe, one};

/// All settings of a reflector, section by section.
pub static SETTINGS: &[&Section<ReflectorConfig>] = &[&SERVER, &GUARD, &TLS, &FEDERATION];

impl ReflectorConfig {
    /// The same with what a running reflector takes up of another.
    pub(crate) fn with_reloaded(&self, new: &Self) -> Self {
        let mut config = self.clone();
        for section in SETTINGS {
            section.take_over(&mut config, new);
        }
        config
    }
}

impl Target for ReflectorConfig {
    type Shown = Shown;
}

const SECONDS: Syntax<u32> = Syntax::displayed("SECONDS", |text| {
    let seconds = number(text, 0..=u32::MAX)?;
    Ok(if seconds == 0 { ShardConfig::default().keepalive } else { seconds })
});
const SHARDS: Syntax<usize> = Syntax::displayed("N", |text| number(text, 1..=1024));
const RATE: Syntax<u32> = Syntax::displayed("N", |text| number(text, 0..=1_000_000));
const CHANGES: Syntax<u32> = Syntax::displayed("N", |text| number(text, 0..=u32::MAX));
const PACE: Syntax<u64> = Syntax::displayed("BYTES/s", |text| number(text, 1_000..=1_000_000_000));
const ACTION: Syntax<LimitAction> =
    Syntax::displayed("warn|ignore|close", |text| text.parse().map_err(str::to_owned))
        .words(&["warn", "ignore", "close"]);
const ECHO: Syntax<Echo> =
    Syntax::displayed("none|dump|lb|all", Echo::from_name).words(&["none", "dump", "lb", "all"]);
const BUDGET: Syntax<MemoryBudget> =
    Syntax::displayed("BYTES", |text| text.parse().map_err(str::to_owned));
const PIN: Syntax<Pin> = Syntax::displayed("auto|off|LIST", |text| text_error(text.parse()));
const IO: Syntax<IoChoice> = Syntax::displayed("auto|uring|epoll", |text| text_error(text.parse()));
const PREFIX: Syntax<Prefix> = Syntax::displayed("PREFIX", |text| text_error(text.parse()));

static SERVER: Section<ReflectorConfig> = Section::of_role(&[
    Setting::new("listen", one!(ReflectorConfig: listen, ADDRESS))
        .meaning("Address on which to accept sessions; [::] accepts IPv4, too")
        .details(
            "Write a link-local address with its interface, by name or number: \
             `[fe80::1%eth0]:4711`",
        ),
    Setting::new("keepalive", one!(ReflectorConfig: settings.keepalive, SECONDS))
        .meaning("Keepalive interval in seconds; a session uses the lower interval of both sides; \
             0 means the default")
        .shown(Shown::new("keepalive", |it, counters| {
            let keepalive = Duration::from_secs(it.config.settings.keepalive.into());
            Value::time(keepalive, counters, &CloseReason::HoldTime(keepalive))
        })),
    Setting::new("http", maybe!(ReflectorConfig: http, LOCAL_ADDRESS)).meaning(
        "Address of the HTTP endpoint: a page for people, health, metrics, routes; a port alone \
         means the loopback",
    ),
    http_host(many!(ReflectorConfig: http_rules.hosts, HOST)),
    http_token_file(maybe!(ReflectorConfig: http_rules.token_file, PATH)),
    Setting::new("http-peers", many!(ReflectorConfig: http_peers, ADDRESS))
        .meaning(
            "Other reflectors that the page shows beside this one: the addresses of their --health; \
             separate several by commas, or repeat the flag",
        )
        .details("See [Several reflectors](http.md#several-reflectors)")
        .reloaded(),
    Setting::new("verify-interval", one!(ReflectorConfig: verify_interval, TIME))
        .meaning(
            "How often to compare the routes that leaves report with those that they should have, \
             for metalbond_leaves_differing; 0 means never",
        )
        .details("See [verify](ctl.md#verify)")
        .reloaded(),
    Setting::new("health", maybe!(ReflectorConfig: health, LOCAL_ADDRESS)).meaning(
        "Address of a second HTTP endpoint that serves only health and metrics, without a token; a \
         port alone means the loopback",
    ),
    Setting::new("control", maybe!(ReflectorConfig: control, PATH))
        .meaning("Path of the control socket, to which metalbond ctl connects; its folder must \
             exist")
        .details("See [ctl.md](ctl.md)"),
    Setting::new("control-read-only", maybe!(ReflectorConfig: control_read_only, PATH))
        .meaning(
            "Path of a second control socket, which answers queries and refuses commands; its folder \
             must exist",
        )
        .details("See [Who may ask](ctl.md#who-may-ask)"),
    Setting::new("control-group", one!(ReflectorConfig: control_group, TEXT))
        .meaning("Group, by name or number, whose members may use --control-read-only"),
    Setting::new("takeover", one!(ReflectorConfig: takeover, SWITCH))
        .meaning(
            "Take over the sessions of the reflector that runs with the same --control; if none \
             runs, start as usual",
        )
        .details("See [Upgrading without an outage](operations.md#upgrading-without-an-outage)"),
    Setting::new("linger", one!(ReflectorConfig: linger, SWITCH))
        .meaning(
            "When another process has taken over, stay until SIGTERM, for a supervisor that \
             restarts every process that ends",
        )
        .details("Kubernetes is such a supervisor"),
    Setting::new("allow-exec", one!(ReflectorConfig: allow_exec, SWITCH))
        .meaning(
            "Let the process start programs, which metalbond ctl handover --to needs; by default a \
             seccomp filter forbids it",
        )
        .details("See [No programs](operations.md#no-programs)"),
    Setting::new("shards", maybe!(ReflectorConfig: shards, SHARDS))
        .meaning(
            "Number of shards; each is a thread of its own [default: one per core that the process \
             may use, or that --pin lists]",
        )
        .default_is("one per core"),
    Setting::new("min-shards", one!(ReflectorConfig: min_shards, SHARDS))
        .meaning(
            "Number of shards that stay awake at low load; the others sleep, and wake up when the \
             load grows",
        )
        .details("See [Cores](#cores)"),
    Setting::new("pin", one!(ReflectorConfig: pin, PIN))
        .meaning(
            "Cores to which shards are pinned: a list such as 0-3,8; off, to let the scheduler \
             choose; or auto, which gives each shard a core of its own, and lets the scheduler \
             choose if there are more shards than cores and not a multiple of them",
        )
        .details("See [Cores](#cores)"),
    Setting::new("io", one!(ReflectorConfig: io, IO))
        .meaning("How to read and write sockets: auto uses io_uring if the kernel permits it, \
             otherwise epoll")
        .details("The static binary (musl) has epoll only"),
    Setting::new("batch-delay", one!(ReflectorConfig: settings.batch_delay, TIME))
        .meaning(
            "Longest time for which a busy shard collects updates before it sends them (500us, \
             2ms, 0; at most 1s)",
        )
        .reloaded()
        .shown(Shown::new("batch_delay_seconds", |it, _| {
            Value::Seconds(it.config.settings.batch_delay.as_secs_f64())
        })),
    Setting::new("send-hold", one!(ReflectorConfig: settings.send_hold, TIME))
        .meaning("Close the session of a peer that reads nothing for this time although data waits \
             for it")
        .reloaded()
        .shown(Shown::new("send_hold", |it, counters| {
            let time = it.config.settings.send_hold;
            Value::time(time, counters, &CloseReason::SendHold(time))
        })),
    Setting::new("stale-hold", one!(ReflectorConfig: settings.stale_hold, TIME))
        .meaning(
            "How long to keep the routes of a session that ended without notice, such as 120s, so \
             that the same agent can announce them again; 0 withdraws them at once",
        )
        .details("See [Flaps](operations.md#flaps)")
        .reloaded()
        .shown(Shown::new("stale_hold_seconds", |it, _| {
            Value::Seconds(it.config.settings.stale_hold.as_secs_f64())
        })),
    Setting::new("echo", one!(ReflectorConfig: settings.echo, ECHO))
        .meaning(
            "Which of its own routes a peer receives back, as older versions of the reference send \
             them: none, those of type STANDARD and LB in the table that answers a SUBSCRIBE (dump), \
             those of type LB at any time (lb), or those of both types at any time (all)",
        )
        .details("See [Own routes](migrating.md#own-routes)")
        .reloaded_for_new_sessions(),
    Setting::new("one-next-hop", one!(ReflectorConfig: settings.one_next_hop, SWITCH))
        .meaning(
            "Send each peer one next hop of type STANDARD per destination, for agents that can hold only \
             one; other reflectors still receive all",
        )
        .details("See [One next hop](operations.md#one-next-hop)")
        .reloaded_for_new_sessions(),
    Setting::new(
        "no-pacing",
        &One {
            syntax: SWITCH,
            get: |config: &ReflectorConfig| !config.settings.pacing,
            set: |config, value| config.settings.pacing = !value,
        },
    )
    .meaning(
        "Send to every peer at full speed, even to those that do not advertise that they read a \
         stream; Go clients then lose their sessions",
    )
    .reloaded_for_new_sessions()
    .shown(Shown::new("is_pacing", |it, _| Value::Switch(it.config.settings.pacing))),
    Setting::new("pace", one!(ReflectorConfig: settings.pace, PACE))
        .meaning(
            "Send this many bytes per second to a Go client whose TCP window does not show whether it \
             reads",
        )
        .details("At least 1000; see [Pacing](protocol.md#pacing)")
        .reloaded_for_new_sessions()
        .shown(Shown::new("pace_bytes_per_second", |it, _| {
            Value::Number(it.config.settings.pace)
        })),
    Setting::new(
        "skip-unusable-next-hops",
        one!(ReflectorConfig: settings.skip_unusable_next_hops, SWITCH),
    )
    .meaning(
        "Don't reflect routes with an unusable next hop: an unspecified, multicast, loopback, \
         IPv4-mapped or link-local address",
    )
    .details("See [Unusable next hops](protocol.md#unusable-next-hops)"),
    Setting::new("max-peers", one!(ReflectorConfig: max_peers, NUMBER))
        .meaning(
            "Maximum number of sessions, at least 1; the default is lower if the limit on file \
             descriptors requires it",
        )
        .details(
            "Each session takes a descriptor. Connections that have not sent a HELLO have a limit of \
             their own: the same number, but at least 64 and at most 4096. If there are more, or \
             descriptors run out, the reflector closes the oldest of them",
        )
        .reloaded()
        .shown(Shown::new("max_peers", |it, counters| Value::Limit {
            limit: Some(it.config.max_peers),
            used: Some(it.sessions),
            hits: counters.limited(&CloseReason::MaxPeers(0)),
        })),
    Setting::new("max-routes-per-peer", one!(ReflectorConfig: settings.limits.routes_per_peer, NUMBER))
        .meaning("Maximum number of routes that one peer may announce, over all VNIs; the log \
             warns at 80 %")
        .details("See [Limits](#limits)")
        .reloaded()
        .shown(Shown::new("max_routes_per_peer", |it, counters| {
            let most = it.config.settings.limits.routes_per_peer;
            let hits = counters.limited(&CloseReason::MaxRoutes(0));
            Value::refusing(Some(most), None, hits, counters, PER_PEER)
        })),
    Setting::new(
        "max-routes-per-peer-action",
        one!(ReflectorConfig: settings.limits.routes_per_peer_action, ACTION),
    )
    .meaning("What to do when a peer announces more than --max-routes-per-peer: warn again, ignore \
         further routes, or close its session")
    .details("`warn`, `ignore` or `close`")
    .reloaded(),
    Setting::new("max-routes-per-vni", one!(ReflectorConfig: settings.vni_limits.routes, NUMBER))
        .meaning("Maximum number of routes of one VNI; 0 means no limit; the log warns at 80 %")
        .details("See [Limits](#limits)")
        .reloaded()
        .shown(Shown::new("max_routes_per_vni", |it, counters| {
            let most = it.config.settings.vni_limits.routes;
            let hits = counters.limited(&CloseReason::MaxRoutesPerVni(0));
            Value::refusing((most > 0).then_some(most), None, hits, counters, PER_VNI)
        })),
    Setting::new(
        "max-routes-per-vni-action",
        one!(ReflectorConfig: settings.vni_limits.action, ACTION),
    )
    .meaning(
        "What to do when a peer announces a route beyond --max-routes-per-vni: warn again, ignore \
         the route, or close the session of that peer",
    )
    .details("`warn`, `ignore` or `close`")
    .reloaded(),
    Setting::new("max-routes", one!(ReflectorConfig: capacity.max_routes, NUMBER))
        .meaning("Maximum number of routes in all VNIs, beyond which the reflector refuses new \
             ones; 0 means no limit")
        .details("See [Limits](#limits)")
        .reloaded()
        .shown(Shown::new("max_routes", |it, counters| {
            let most = it.config.capacity.max_routes;
            let used = Some(counters.total.now.routes);
            Value::refusing((most > 0).then_some(most), used, 0, counters, "max_routes")
        })),
    Setting::new("max-vnis", one!(ReflectorConfig: capacity.max_vnis, NUMBER))
        .meaning("Maximum number of VNIs in which peers subscribe or announce, beyond which the \
             reflector refuses new ones; 0 means no limit")
        .details("See [Limits](#limits)")
        .reloaded()
        .shown(Shown::new("max_vnis", |it, counters| {
            let most = it.config.capacity.max_vnis;
            let used = Some(counters.total.now.vnis);
            Value::refusing((most > 0).then_some(most), used, 0, counters, "max_vnis")
        })),
    Setting::new("memory-budget", one!(ReflectorConfig: capacity.memory, BUDGET))
        .meaning(
            "Memory of the process beyond which the reflector refuses new routes and VNIs (1500M, \
             2G; 0 means no limit); auto is 85 % of the memory limit of its cgroup, if there is \
             one",
        )
        .details("See [Limits](#limits)")
        .reloaded()
        .shown(Shown::new("memory_budget_bytes", |it, counters| {
            let used = it.memory_budget.map(|_| it.memory_used);
            Value::refusing(it.memory_budget, used, 0, counters, "memory_budget")
        })),
    Setting::new(
        "max-subscriptions-per-peer",
        one!(ReflectorConfig: settings.limits.subscriptions_per_peer, NUMBER),
    )
    .meaning("Maximum number of VNIs in which one peer may subscribe or announce")
    .reloaded()
    .shown(Shown::new("max_subscriptions_per_peer", |it, counters| {
        let most = it.config.settings.limits.subscriptions_per_peer;
        Value::limit(Some(most), counters, &CloseReason::MaxSubscriptions(0))
    })),
    Setting::new(
        "allow",
        &Many {
            syntax: PREFIX,
            get: |config: &ReflectorConfig| config.access.list.allowed().to_vec(),
            set: |config, allow| {
                let deny = config.access.list.denied().iter().copied();
                config.access.list = AccessList::new(allow, deny);
            },
        },
    )
    .meaning("Sources that may connect, by prefix; if any is given, no other source may. The \
         longest matching prefix decides")
    .reloaded()
    .shown(Shown::new("access", |it, counters| {
        let (allowed_prefixes, denied_prefixes) = it.config.access.list.sizes();
        let hits = counters.refused.denied + counters.closed(&CloseReason::Denied);
        Value::Sources { allowed_prefixes, denied_prefixes, hits }
    })),
    Setting::new(
        "deny",
        &Many {
            syntax: PREFIX,
            get: |config: &ReflectorConfig| config.access.list.denied().to_vec(),
            set: |config, deny| {
                let allow = config.access.list.allowed().iter().copied();
                config.access.list = AccessList::new(allow, deny);
            },
        },
    )
    .meaning("Sources that may not connect, by prefix; for the same prefix, --deny wins over \
         --allow")
    .reloaded(),
    Setting::new("max-peers-per-source", one!(ReflectorConfig: access.max_peers_per_source, NUMBER))
        .meaning(
            "Maximum number of sessions of one source (an IPv4 address, an IPv6 /64, a link-local \
             address); 0 means no limit",
        )
        .details("See [Who may connect](#who-may-connect)")
        .reloaded()
        .shown(Shown::new("max_peers_per_source", |it, counters| {
            let most = it.config.access.max_peers_per_source;
            let most = (most > 0).then_some(most);
            Value::limit(most, counters, &CloseReason::MaxPeersPerSource(0))
        })),
    Setting::new("connect-rate-per-source", one!(ReflectorConfig: access.connect_rate_per_source, RATE))
        .meaning(
            "New connections per second that one source may open, and twice as many in a burst; 0 \
             means no limit",
        )
        .reloaded()
        .shown(Shown::new("connect_rate_per_source", |it, counters| {
            let most = it.config.access.connect_rate_per_source;
            let most = (most > 0).then_some(most.into());
            Value::limit(most, counters, &CloseReason::ConnectRate(0))
        })),
    Setting::new(
        "change-rate-per-source",
        one!(ReflectorConfig: settings.change_rate_per_source, CHANGES),
    )
    .meaning(
        "Routes per second that one source may announce or withdraw, and twice as many in a burst; \
         beyond that the reflector reads its sessions more slowly; 0 means no limit",
    )
    .details("See [Who may connect](#who-may-connect)")
    .reloaded()
    .shown(Shown::new("change_rate_per_source", |it, counters| {
        let most = it.config.settings.change_rate_per_source;
        let limit = (most > 0).then_some(most.into());
        Value::Limit { limit, used: None, hits: counters.total.stats.source_pauses }
    })),
]);

fn text_error<T, E: std::error::Error>(result: Result<T, E>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

/// What `/api/v1/limits` and `metalbond ctl show limits` show of a setting.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    name: &'static str,
    value: fn(&InForce, &Counters) -> Value,
}

impl Shown {
    const fn new(name: &'static str, value: fn(&InForce, &Counters) -> Value) -> Self {
        Self { name, value }
    }

    /// The member of `/api/v1/limits`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What is in force, and how often it was hit.
    pub(crate) fn value(&self, in_force: &InForce, counters: &Counters) -> Value {
        (self.value)(in_force, counters)
    }
}

/// A setting in force, as JSON. Hits count since the start: sessions ended, and connections refused.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Value {
    /// A limit; `limit` is `None` for no limit, `used` is `None` if the use is not known.
    Limit { limit: Option<u64>, used: Option<u64>, hits: u64 },
    /// A time after which a session ends.
    Time { seconds: f64, hits: u64 },
    /// The sources that may connect.
    Sources { allowed_prefixes: u64, denied_prefixes: u64, hits: u64 },
    /// Another time.
    Seconds(f64),
    /// A switch.
    Switch(bool),
    /// A number.
    Number(u64),
}

impl Value {
    fn limit(limit: Option<u64>, counters: &Counters, reason: &CloseReason) -> Self {
        Self::Limit { limit, used: None, hits: counters.limited(reason) }
    }

    /// One that refuses what goes beyond it; `ends` sessions were ended by it.
    fn refusing(
        limit: Option<u64>,
        used: Option<u64>,
        ends: u64,
        counters: &Counters,
        name: &str,
    ) -> Self {
        let refused = counters.total.growth_refused.get(name).copied().unwrap_or_default();
        Self::Limit { limit, used, hits: ends + refused }
    }

    /// Where it stands among the others.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::Limit { .. } => 0,
            Self::Sources { .. } => 1,
            Self::Time { .. } => 2,
            Self::Seconds(_) | Self::Switch(_) | Self::Number(_) => 3,
        }
    }

    fn time(time: Duration, counters: &Counters, reason: &CloseReason) -> Self {
        Self::Time { seconds: time.as_secs_f64(), hits: counters.closed(reason) }
    }
}
