//! The settings of a leaf: the rows of `[client]` beside those of its sessions (`cli::upstream`), and what they
//! are read into.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::ValueEnum;
use metalbond::admin::HttpRules;
use metalbond::settings::{
    HOST, PATH, SWITCH, Section, Setting, Syntax, TEXT, Target, http_host, http_token_file,
    local_address, number,
};
use metalbond::wire::{NextHopType, Vni};
use metalbond::{many, maybe, one};

use super::spec::{self, Announcement, Excluded, TableOfVni};
use crate::cli::common::RT_PROTO;

/// What a leaf is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::cli) struct ClientSettings {
    pub(super) subscribe: Vec<Vni>,
    pub(super) announce: Vec<Announcement>,
    pub(super) install_routes: Vec<TableOfVni>,
    pub(super) tun: Option<String>,
    pub(super) ipv4_only: bool,
    pub(super) http: Option<SocketAddr>,
    pub(super) http_rules: HttpRules,
    pub(super) health: Option<SocketAddr>,
    pub(super) control: Option<PathBuf>,
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
        Self {
            subscribe: Vec::new(),
            announce: Vec::new(),
            install_routes: Vec::new(),
            tun: None,
            ipv4_only: false,
            http: None,
            http_rules: HttpRules::default(),
            health: None,
            control: None,
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

const VNI: Syntax<Vni> = Syntax::new("VNI", spec::subscription, |vni| vni.0.to_string());
const ROUTE: Syntax<Announcement> =
    Syntax::displayed("VNI#PREFIX#HOP[#STD|LB|NAT[#FROM#TO]]", spec::announcement);
const TABLE: Syntax<TableOfVni> = Syntax::displayed("VNI#TABLE", spec::table_of_vni);
const DEVICE: Syntax<String> = Syntax { name: "DEVICE", ..TEXT };
pub(in crate::cli) const ADDRESS: Syntax<SocketAddr> =
    Syntax::displayed("[ADDR:]PORT", local_address);
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
    Setting::new("subscribe", many!(ClientSettings: subscribe, VNI))
        .meaning("VNIs whose routes to receive")
        .reloaded(),
    Setting::new("announce", many!(ClientSettings: announce, ROUTE))
        .meaning("Routes to announce, such as 23#10.0.23.0/24#2001:db8::1")
        .reloaded(),
    Setting::new("install-routes", many!(ClientSettings: install_routes, TABLE))
        .meaning(
            "Routing table for the routes of a VNI: 23#100 installs the routes of VNI 23 in table \
             100; several VNIs may share a table",
        )
        .details("A leaf that has started without any table needs a restart")
        .reloaded(),
    Setting::new("tun", maybe!(ClientSettings: tun, DEVICE))
        .meaning("Tunnel device to which installed routes lead"),
    Setting::new("ipv4-only", one!(ClientSettings: ipv4_only, SWITCH))
        .meaning("Install IPv4 routes only"),
    Setting::new("http", maybe!(ClientSettings: http, ADDRESS)).meaning(
        "Address of the HTTP endpoint: a page for people, health, metrics, routes; a port alone \
         means the loopback",
    ),
    http_host(many!(ClientSettings: http_rules.hosts, HOST)),
    http_token_file(maybe!(ClientSettings: http_rules.token_file, PATH)),
    Setting::new("health", maybe!(ClientSettings: health, ADDRESS)).meaning(
        "Address of a second HTTP endpoint that serves only health and metrics, without a token; a \
         port alone means the loopback",
    ),
    Setting::new("control", maybe!(ClientSettings: control, PATH))
        .meaning(
            "Path of the control socket, to which metalbond ctl connects; its folder must \
             exist",
        )
        .details("See [ctl.md](ctl.md#a-leaf)"),
    Setting::new("exclude-route-type", one!(ClientSettings: exclude_route_type, TYPES))
        .meaning("Types of routes that the leaf does not install; an empty value excludes none")
        .takes_empty(),
    Setting::new("rt-proto", one!(ClientSettings: rt_proto, PROTOCOL))
        .meaning("Protocol number that marks installed routes as the leaf's own"),
    Setting::new("route-metric", one!(ClientSettings: route_metric, METRIC))
        .meaning("Metric of installed routes; 0 means the kernel's default"),
    Setting::new("nexthops", one!(ClientSettings: nexthops, NEXTHOPS))
        .meaning(
            "How to install next hops: objects (nexthop objects that routes share), inline (in each \
             route), or auto (objects if the kernel has them)",
        )
        .details("`objects`, `inline` or `auto`"),
    Setting::new("cleanup", one!(ClientSettings: cleanup, SWITCH))
        .meaning("Remove the installed routes at exit, instead of leaving them for the next start"),
]);
