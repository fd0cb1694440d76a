//! The settings of a reflector: the rows of `[server]`, each with the member of [`ReflectorConfig`] that it is
//! read into, where its default is.
//!
//! A feature with settings of its own has them in its own module and a line in [`SETTINGS`].

use std::time::Duration;

use serde::Serialize;

use super::capacity::MemoryBudget;
use super::config::ReflectorConfig;
use super::federation::FEDERATION;
use super::guard::GUARD;
use super::inspector::{Counters, InForce};
use super::tls::TLS;
use crate::access::{AccessList, Prefix};
use crate::io::{IoChoice, Pin};
use crate::session::CloseReason;
use crate::settings::{
    ADDRESS, HOST, LOCAL_ADDRESS, Many, NUMBER, One, PATH, SWITCH, Section, Setting, Syntax, TEXT,
    TIME, Target, number,
};
use crate::shard::inspect::{PER_PEER, PER_VNI};
use crate::shard::{LimitAction, ShardConfig};
use crate::{many, maybe, one};

/// All settings of a reflector, section by section.
pub static SETTINGS: &[&Section<ReflectorConfig>] = &[&SERVER, &GUARD, &TLS, &FEDERATION];

impl ReflectorConfig {
    /// The same with what a running reflector takes up of another.
    pub(super) fn with_reloaded(&self, new: &Self) -> Self {
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
const BUDGET: Syntax<MemoryBudget> =
    Syntax::displayed("BYTES", |text| text.parse().map_err(str::to_owned));
const PIN: Syntax<Pin> = Syntax::displayed("auto|off|LIST", |text| text_error(text.parse()));
const IO: Syntax<IoChoice> = Syntax::displayed("auto|uring|epoll", |text| text_error(text.parse()));
const PREFIX: Syntax<Prefix> = Syntax::displayed("PREFIX", |text| text_error(text.parse()));

static SERVER: Section<ReflectorConfig> = Section::of_role(&[
    Setting::new("listen", one!(ReflectorConfig: listen, ADDRESS))
        .meaning("Where to listen for sessions; [::] takes IPv4 as well")
        .details(
            "A link-local address has its interface in it, by name or number: `[fe80::1%eth0]:4711`",
        ),
    Setting::new("keepalive", one!(ReflectorConfig: settings.keepalive, SECONDS))
        .meaning("Keepalive interval in seconds; a session uses the lower of both sides'; 0 is the default")
        .shown(Shown::new("keepalive", |it, counters| {
            let keepalive = Duration::from_secs(it.config.settings.keepalive.into());
            Value::time(keepalive, counters, &CloseReason::HoldTime(keepalive))
        })),
    Setting::new("http", maybe!(ReflectorConfig: http, LOCAL_ADDRESS)).meaning(
        "Where to answer HTTP: a page for people, health, metrics, routes; a port alone is on this \
         machine's loopback",
    ),
    Setting::new("http-host", many!(ReflectorConfig: http_rules.hosts, HOST))
        .meaning(
            "Names by which HTTP requests may call this endpoint, beside addresses and localhost; several by \
             commas or repetition",
        )
        .details("See [Who may ask](http.md#who-may-ask)")
        .reloaded(),
    Setting::new("http-token-file", maybe!(ReflectorConfig: http_rules.token_file, PATH))
        .meaning("File of the token that HTTP requests must bear; health and the page's files need none")
        .details("A reload reads the file anew. See [Who may ask](http.md#who-may-ask)")
        .reloaded(),
    Setting::new("http-peers", many!(ReflectorConfig: http_peers, ADDRESS))
        .meaning(
            "Other reflectors that the page shows beside this one, by the addresses of their --health; several by \
             commas or repetition",
        )
        .details("See [Several reflectors](http.md#several-reflectors)")
        .reloaded(),
    Setting::new("health", maybe!(ReflectorConfig: health, LOCAL_ADDRESS)).meaning(
        "Where to answer HTTP about health and metrics alone, without a token; a port alone is on this \
         machine's loopback",
    ),
    Setting::new("control", maybe!(ReflectorConfig: control, PATH))
        .meaning("Where to put the socket that metalbond ctl asks; its folder must be there")
        .details("See [ctl.md](ctl.md)"),
    Setting::new("control-read-only", maybe!(ReflectorConfig: control_read_only, PATH))
        .meaning(
            "Where to put a control socket that shows everything and takes no command; its folder must be there",
        )
        .details("See [Who may ask](ctl.md#who-may-ask)"),
    Setting::new("control-group", one!(ReflectorConfig: control_group, TEXT))
        .meaning("The group, by name or number, that may use --control-read-only"),
    Setting::new("takeover", one!(ReflectorConfig: takeover, SWITCH))
        .meaning(
            "Take over the sessions of the reflector that runs with the same --control, without ending \
             one; without such a reflector it starts as usual",
        )
        .details("See [Upgrading without an outage](operations.md#upgrading-without-an-outage)"),
    Setting::new("linger", one!(ReflectorConfig: linger, SWITCH))
        .meaning(
            "Stay until SIGTERM when another process has taken over, for a supervisor that starts again \
             a process that has ended",
        )
        .details("Kubernetes is one"),
    Setting::new("allow-exec", one!(ReflectorConfig: allow_exec, SWITCH))
        .meaning(
            "Let the process start programs, for metalbond ctl handover --to; without it, it forbids itself \
             to (seccomp)",
        )
        .details("See [No programs](operations.md#no-programs)"),
    Setting::new("shards", maybe!(ReflectorConfig: shards, SHARDS))
        .meaning(
            "Number of shards, each a thread of its own [default: one per core that may be used, or \
             that --pin names]",
        )
        .default_is("one per core"),
    Setting::new("min-shards", one!(ReflectorConfig: min_shards, SHARDS))
        .meaning(
            "Shards that stay awake when there is little to do; the others sleep and wake up with the \
             load",
        )
        .details("See [Cores](#cores)"),
    Setting::new("pin", one!(ReflectorConfig: pin, PIN))
        .meaning(
            "The cores that shards sit on: auto gives each its own if there are as many shards as cores \
             that may be used, and else leaves them to the scheduler as off does; or a list such as 0-3,8",
        )
        .details("See [Cores](#cores)"),
    Setting::new("io", one!(ReflectorConfig: io, IO))
        .meaning("How to drive sockets: auto takes io_uring where the kernel grants it, else epoll")
        .details("A binary built with musl has epoll only"),
    Setting::new("batch-delay", one!(ReflectorConfig: settings.batch_delay, TIME))
        .meaning(
            "For how long a busy shard gathers updates at most before it sends them (500us, 2ms, 0; 1s \
             at most)",
        )
        .reloaded()
        .shown(Shown::new("batch_delay_seconds", |it, _| {
            Value::Seconds(it.config.settings.batch_delay.as_secs_f64())
        })),
    Setting::new("send-hold", one!(ReflectorConfig: settings.send_hold, TIME))
        .meaning("Close a peer that reads nothing for so long although something waits for it")
        .reloaded()
        .shown(Shown::new("send_hold", |it, counters| {
            let time = it.config.settings.send_hold;
            Value::time(time, counters, &CloseReason::SendHold(time))
        })),
    Setting::new("stale-hold", one!(ReflectorConfig: settings.stale_hold, TIME))
        .meaning(
            "Keep the routes of a session that ended without notice for so long, until the same agent announces them again (120s, 0)",
        )
        .details("See [Flaps](operations.md#flaps)")
        .reloaded()
        .shown(Shown::new("stale_hold_seconds", |it, _| {
            Value::Seconds(it.config.settings.stale_hold.as_secs_f64())
        })),
    Setting::new(
        "no-pacing",
        &One {
            syntax: SWITCH,
            get: |config: &ReflectorConfig| !config.settings.pacing,
            set: |config, value| config.settings.pacing = !value,
        },
    )
    .meaning(
        "Send to every peer at full speed, also to those that don't say they read a stream; the Go \
         client loses its session then",
    )
    .reloaded_for_new_sessions()
    .shown(Shown::new("is_pacing", |it, _| Value::Switch(it.config.settings.pacing))),
    Setting::new("pace", one!(ReflectorConfig: settings.pace, PACE))
        .meaning(
            "Send this many bytes per second to a Go client whose TCP window does not show whether it \
             reads",
        )
        .details("From 1000 on; see [Pacing](protocol.md#pacing)")
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
            "Sessions at most, from 1 on; the default becomes what the descriptors allow, if that is less",
        )
        .details(
            "Each session takes a descriptor. Connections before their HELLO are not counted: for them \
             there are as many places, but 64 at least and 4096 at most, and when those run out, or \
             descriptors, the oldest of them is closed",
        )
        .reloaded()
        .shown(Shown::new("max_peers", |it, counters| Value::Limit {
            limit: Some(it.config.max_peers),
            used: Some(it.sessions),
            hits: counters.limited(&CloseReason::MaxPeers(0)),
        })),
    Setting::new("max-routes-per-peer", one!(ReflectorConfig: settings.limits.routes_per_peer, NUMBER))
        .meaning("Routes that one peer may announce, over all VNIs; the log warns at 80 %")
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
    .meaning("What happens to a peer that announces more: a second warning, no further route, or the end of its session")
    .details("`warn`, `ignore` or `close`")
    .reloaded(),
    Setting::new("max-routes-per-vni", one!(ReflectorConfig: settings.vni_limits.routes, NUMBER))
        .meaning("Routes of one VNI; 0 is any number; the log warns at 80 %")
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
        "What happens to an announcement of a further route of a VNI: a second warning, it is refused, or \
         the session that made it ends",
    )
    .details("`warn`, `ignore` or `close`")
    .reloaded(),
    Setting::new("max-routes", one!(ReflectorConfig: capacity.max_routes, NUMBER))
        .meaning("Routes in all VNIs, beyond which new ones are refused; 0 is any number")
        .details("See [Limits](#limits)")
        .reloaded()
        .shown(Shown::new("max_routes", |it, counters| {
            let most = it.config.capacity.max_routes;
            let used = Some(counters.total.now.routes);
            Value::refusing((most > 0).then_some(most), used, 0, counters, "max_routes")
        })),
    Setting::new("max-vnis", one!(ReflectorConfig: capacity.max_vnis, NUMBER))
        .meaning("VNIs that peers take part in, beyond which new ones are refused; 0 is any number")
        .details("See [Limits](#limits)")
        .reloaded()
        .shown(Shown::new("max_vnis", |it, counters| {
            let most = it.config.capacity.max_vnis;
            let used = Some(counters.total.now.vnis);
            Value::refusing((most > 0).then_some(most), used, 0, counters, "max_vnis")
        })),
    Setting::new("memory-budget", one!(ReflectorConfig: capacity.memory, BUDGET))
        .meaning(
            "Memory of the process beyond which new routes and VNIs are refused (1500M, 2G; 0 is any \
             amount); auto is 85 % of what its control group grants, if that grants anything",
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
    .meaning("VNIs that one peer may be subscribed to or announce in")
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
    .meaning("Sources that may connect; when given, no others may. The longest prefix decides")
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
    .meaning("Sources that may not connect; goes before --allow of the same prefix")
    .reloaded(),
    Setting::new("max-peers-per-source", one!(ReflectorConfig: access.max_peers_per_source, NUMBER))
        .meaning(
            "Sessions of one source (an IPv4 address, an IPv6 /64, a link-local address) at most; 0 is \
             any number",
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
            "New connections of one source per second, twice as many at once; 0 is any number",
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
        "Routes that one source may announce or withdraw per second, twice as many at once; beyond that its \
         sessions are read more slowly; 0 is any number",
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
    /// A limit. Null is any number. Of some it is known how much is in use.
    Limit { limit: Option<u64>, used: Option<u64>, hits: u64 },
    /// A time after which a session ends.
    Time { seconds: f64, hits: u64 },
    /// Who may connect.
    Sources { allowed_prefixes: u64, denied_prefixes: u64, hits: u64 },
    /// Another time.
    Seconds(f64),
    /// Something that is on or off.
    Switch(bool),
    /// A number of anything.
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
