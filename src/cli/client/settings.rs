//! The settings of a leaf: the rows of `[client]`, and what they are read into.

use std::net::SocketAddr;
use std::time::Duration;

use clap::ValueEnum;
use metalbond::client::{LeafConfig, Route};
use metalbond::settings::{
    SWITCH, Section, Setting, Syntax, TEXT, TIME, Target, local_address, number,
};
use metalbond::wire::{NextHopType, Vni};
use metalbond::{many, maybe, one};

use super::spec::{self, Excluded, TableOfVni};
use crate::cli::common::RT_PROTO;

/// What a leaf is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::cli) struct ClientSettings {
    pub(super) server: Vec<String>,
    pub(super) subscribe: Vec<Vni>,
    pub(super) announce: Vec<Route>,
    pub(super) install_routes: Vec<TableOfVni>,
    pub(super) tun: Option<String>,
    pub(super) ipv4_only: bool,
    pub(super) keepalive: u32,
    pub(super) http: Option<SocketAddr>,
    pub(super) stale_time: Duration,
    pub(super) exclude_route_type: Excluded,
    pub(super) rt_proto: u8,
    pub(super) route_metric: u32,
    pub(super) nexthops: Nexthops,
    pub(super) cleanup: bool,
}

/// How next hops go into the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Nexthops {
    Objects,
    Inline,
    Auto,
}

impl Default for ClientSettings {
    fn default() -> Self {
        let LeafConfig { keepalive, stale_time, .. } = LeafConfig::default();
        Self {
            server: Vec::new(),
            subscribe: Vec::new(),
            announce: Vec::new(),
            install_routes: Vec::new(),
            tun: None,
            ipv4_only: false,
            keepalive,
            http: None,
            stale_time,
            exclude_route_type: Excluded(vec![NextHopType::Nat, NextHopType::LoadBalancerTarget]),
            rt_proto: RT_PROTO,
            route_metric: 0,
            nexthops: Nexthops::Auto,
            cleanup: false,
        }
    }
}

impl Target for ClientSettings {
    type Shown = ();
}

const SERVER: Syntax<String> = Syntax::displayed("HOST:PORT", spec::server);
const VNI: Syntax<Vni> = Syntax::new("VNI", spec::subscription, |vni| vni.0.to_string());
const ROUTE: Syntax<Route> =
    Syntax::displayed("VNI#PREFIX#HOP[#STD|LB|NAT[#FROM#TO]]", spec::announcement);
const TABLE: Syntax<TableOfVni> = Syntax::displayed("VNI#TABLE", spec::table_of_vni);
const DEVICE: Syntax<String> = Syntax { name: "DEVICE", ..TEXT };
const SECONDS: Syntax<u32> = Syntax::displayed("SECONDS", |text| number(text, 1..=u32::MAX));
const ADDRESS: Syntax<SocketAddr> = Syntax::displayed("[ADDR:]PORT", local_address);
const TYPES: Syntax<Excluded> = Syntax::displayed("STD|LB|NAT,..", spec::excluded);
const PROTOCOL: Syntax<u8> = Syntax::displayed("NUMBER", |text| number(text, 5..=u8::MAX));
const METRIC: Syntax<u32> = Syntax::displayed("NUMBER", |text| number(text, 0..=u32::MAX));
const NEXTHOPS: Syntax<Nexthops> = Syntax::new(
    "objects|inline|auto",
    |text| Nexthops::from_str(text, false),
    |nexthops| nexthops.name().to_owned(),
)
.words(&["objects", "inline", "auto"]);

impl Nexthops {
    fn name(self) -> &'static str {
        match self {
            Self::Objects => "objects",
            Self::Inline => "inline",
            Self::Auto => "auto",
        }
    }
}

pub(in crate::cli) static SETTINGS: Section<ClientSettings> = Section::of_role(&[
    Setting::new("server", many!(ClientSettings: server, SERVER))
        .meaning(
            "Servers to hold a session with; port 4711 unless given; several by commas or repetition",
        )
        .details(
            "A link-local one has the interface that leads to it, by name or number: \
             `[fe80::1%eth0]:4711`",
        )
        .required(),
    Setting::new("subscribe", many!(ClientSettings: subscribe, VNI))
        .meaning("VNIs to learn the routes of"),
    Setting::new("announce", many!(ClientSettings: announce, ROUTE))
        .meaning("Routes to announce, such as 23#10.0.23.0/24#2001:db8::1"),
    Setting::new("install-routes", many!(ClientSettings: install_routes, TABLE)).meaning(
        "Install the routes of a VNI in a routing table: 23#100 puts VNI 23's into table 100",
    ),
    Setting::new("tun", maybe!(ClientSettings: tun, DEVICE))
        .meaning("The tunnel device that installed routes lead to"),
    Setting::new("ipv4-only", one!(ClientSettings: ipv4_only, SWITCH))
        .meaning("Install IPv4 routes only"),
    Setting::new("keepalive", one!(ClientSettings: keepalive, SECONDS))
        .meaning("Keepalive interval in seconds; a session uses the lower of both sides'"),
    Setting::new("http", maybe!(ClientSettings: http, ADDRESS)).meaning(
        "Where to answer HTTP: health, metrics, routes; a port alone is on this machine's loopback",
    ),
    Setting::new("stale-time", one!(ClientSettings: stale_time, TIME)).meaning(
        "For how long routes stay that were learned of a server which is gone (90s, 500ms, 0)",
    ),
    Setting::new("exclude-route-type", one!(ClientSettings: exclude_route_type, TYPES))
        .meaning("Types of routes that are not installed; an empty value excludes none")
        .takes_empty(),
    Setting::new("rt-proto", one!(ClientSettings: rt_proto, PROTOCOL))
        .meaning("The protocol number that marks installed routes as the leaf's own"),
    Setting::new("route-metric", one!(ClientSettings: route_metric, METRIC))
        .meaning("The metric of installed routes; 0 is the kernel's default"),
    Setting::new("nexthops", one!(ClientSettings: nexthops, NEXTHOPS))
        .meaning(
            "How next hops are installed: as objects that routes share, within each route, or by what \
             the kernel can",
        )
        .details("`objects`, `inline` or `auto`"),
    Setting::new("cleanup", one!(ClientSettings: cleanup, SWITCH)).meaning(
        "Remove the installed routes at the end, instead of leaving them for the next start",
    ),
]);
