//! `metalbond client`.

mod run;
pub(super) mod spec;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use clap::ValueEnum;
use metalbond::client::Route;
use metalbond::wire::Vni;
use tracing::warn;

use self::spec::{Excluded, TableOfVni};
use super::common::{Common, RT_PROTO};
use super::log;
use super::options::{Given, Options, Wrong};
use super::reload::Running;
use super::values::{duration, local_address};

/// What a running leaf takes up anew.
pub(super) const RELOADABLE: &[&str] = &["verbose", "log-level"];

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Servers to hold a session with; port 4711 unless given; several by commas or repetition
    #[arg(
        long,
        value_name = "HOST:PORT",
        required = true,
        value_delimiter = ',',
        value_parser = spec::server
    )]
    server: Vec<String>,

    /// VNIs to learn the routes of
    #[arg(long, value_name = "VNI", value_delimiter = ',', value_parser = spec::subscription)]
    subscribe: Vec<Vni>,

    /// Routes to announce, such as 23#10.0.23.0/24#2001:db8::1
    #[arg(
        long,
        value_name = "VNI#PREFIX#HOP[#STD|LB|NAT[#FROM#TO]]",
        value_delimiter = ',',
        value_parser = spec::announcement
    )]
    announce: Vec<Route>,

    /// Install the routes of a VNI in a routing table: 23#100 puts VNI 23's into table 100
    #[arg(
        long,
        value_name = "VNI#TABLE",
        value_delimiter = ',',
        value_parser = spec::table_of_vni
    )]
    install_routes: Vec<TableOfVni>,

    /// The tunnel device that installed routes lead to
    #[arg(long, value_name = "DEVICE")]
    tun: Option<String>,

    /// Install IPv4 routes only
    #[arg(long)]
    ipv4_only: bool,

    /// Keepalive interval in seconds; a session uses the lower of both sides'
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 5,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    keepalive: u32,

    /// Where to answer HTTP: health, metrics, routes; a port alone is on this machine's loopback
    #[arg(long, value_name = "[ADDR:]PORT", value_parser = local_address)]
    http: Option<SocketAddr>,

    /// For how long routes stay that were learned of a server which is gone (90s, 500ms, 0)
    #[arg(long, value_name = "TIME", default_value = "120s", value_parser = duration)]
    stale_time: Duration,

    /// Types of routes that are not installed; an empty value excludes none
    #[arg(
        long,
        value_name = "STD|LB|NAT,..",
        default_value = "NAT,LB",
        value_parser = spec::excluded
    )]
    exclude_route_type: Excluded,

    /// The protocol number that marks installed routes as the leaf's own
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = RT_PROTO,
        value_parser = clap::value_parser!(u8).range(5..)
    )]
    rt_proto: u8,

    /// The metric of installed routes; 0 is the kernel's default
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    route_metric: u32,

    /// How next hops are installed: as objects that routes share, within each route, or by what the
    /// kernel can
    #[arg(
        long,
        value_name = "objects|inline|auto",
        default_value = "auto",
        hide_possible_values = true
    )]
    nexthops: Nexthops,

    /// Remove the installed routes at the end, instead of leaving them for the next start
    #[arg(long)]
    cleanup: bool,

    #[command(flatten)]
    common: Common,
}

/// How next hops go into the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Nexthops {
    Objects,
    Inline,
    Auto,
}

/// Where routes are installed, when they are.
#[derive(PartialEq, Eq, Debug)]
struct Installation {
    device: String,
    tables: BTreeMap<Vni, u32>,
}

impl Args {
    /// What no single option can tell to be wrong.
    pub(super) fn check(&self) -> Result<(), String> {
        self.installation().map(|_| ())
    }

    /// What is allowed and probably a mistake.
    pub(super) fn remarks(&self) -> Vec<String> {
        let remark = |route: &Route| {
            let why = match (route.next_hop.flaw(), route.next_hop.address()) {
                (Some(flaw), _) => flaw.to_string(),
                (None, IpAddr::V4(_)) => "the next hop is an IPv4 address".to_owned(),
                (None, IpAddr::V6(_)) => return None,
            };
            Some(format!(
                "--announce: no leaf can install the route {route}, because {why}; give this \
                 host's IPv6 underlay address"
            ))
        };
        self.announce.iter().filter_map(remark).collect()
    }

    fn installation(&self) -> Result<Option<Installation>, String> {
        installation(&self.install_routes, self.tun.as_deref())
    }

    #[cfg(test)]
    pub(super) fn server(&self) -> &[String] {
        &self.server
    }

    #[cfg(test)]
    pub(super) fn ipv4_only(&self) -> bool {
        self.ipv4_only
    }
}

/// Runs the leaf until SIGINT or SIGTERM.
pub(super) fn run(given: Given) -> Result<(), Wrong> {
    let options = given.read()?;
    let args: Args = options.args()?;
    let installation = args.installation()?;
    let log = log::start(args.common.log_format, args.common.level())?;
    for remark in options.remarks.iter().chain(&args.remarks()) {
        warn!("{remark}");
    }
    let mut running = Running::new(given, options.effective, RELOADABLE, log);
    let reload = async || {
        let check = |options: &Options| {
            let args: Args = options.args().map_err(Wrong::sentences)?;
            args.check().map_err(|sentence| vec![sentence])?;
            Ok(args.common.level())
        };
        running.reload(check).await;
    };
    Ok(run::run(args, installation, reload)?)
}

/// What no single flag can tell to be wrong.
fn installation(
    mappings: &[TableOfVni],
    tun: Option<&str>,
) -> Result<Option<Installation>, String> {
    let mut tables = BTreeMap::new();
    for &TableOfVni { vni, table } in mappings {
        // The leaf owns its tables' routes; with two owners it could not tell whose one is.
        if let Some((other, _)) = tables.iter().find(|(other, of)| **other != vni && **of == table)
        {
            return Err(format!(
                "--install-routes puts VNI {other} and VNI {vni} into table {table}: \
                 give each a table of its own"
            ));
        }
        if let Some(other) = tables.insert(vni, table)
            && other != table
        {
            return Err(format!(
                "--install-routes puts VNI {vni} into table {other} and table {table}: \
                 give it one table"
            ));
        }
    }
    match tun {
        _ if tables.is_empty() => Ok(None),
        Some(device) if !device.is_empty() => {
            Ok(Some(Installation { device: device.to_owned(), tables }))
        }
        _ => Err("--install-routes needs the tunnel device that routes lead to: give --tun DEVICE"
            .to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use clap::{Args as _, Command, FromArgMatches as _};

    use crate::cli::options::with_switches;

    fn parse(flags: &str) -> Result<Args, String> {
        let words = ["client", "--server", "rr1"].into_iter().chain(flags.split_ascii_whitespace());
        let matches =
            with_switches(Args::augment_args(Command::new("client"))).try_get_matches_from(words);
        matches
            .and_then(|matches| Args::from_arg_matches(&matches))
            .map_err(|error| error.to_string())
    }

    fn installed(flags: &str) -> Result<Option<Installation>, String> {
        let args = parse(flags).unwrap();
        installation(&args.install_routes, args.tun.as_deref())
    }

    #[test]
    fn flags_are_taken_as_the_reference_takes_them() {
        let args = parse(
            "--server=rr2:4712,rr3 --subscribe 1,2 --subscribe 3 --install-routes 1#100,2#200 \
             --announce 1#10.0.0.0/8#::1,2#10.0.0.0/8#::1#NAT#1#2 --announce=3#::/0#::1#LB \
             --tun overlay-tun --keepalive 3 --http [::1]:4712 -v",
        );
        let args = args.unwrap();
        assert_eq!(args.server, ["rr1:4711", "rr2:4712", "rr3:4711"]);
        assert_eq!(args.subscribe, [Vni(1), Vni(2), Vni(3)]);
        assert_eq!(args.announce.len(), 3);
        assert_eq!(args.install_routes.len(), 2);
        assert_eq!(args.tun.as_deref(), Some("overlay-tun"));
        assert_eq!((args.keepalive, args.common.level()), (3, log::Level::Debug));
        assert_eq!(args.http, Some("[::1]:4712".parse().unwrap()));
    }

    #[test]
    fn switches_may_be_told_their_value() {
        for (flags, expected) in [
            ("", [false; 3]),
            ("--ipv4-only --cleanup --verbose", [true; 3]),
            ("--ipv4-only=true --cleanup=true --verbose=true", [true; 3]),
            ("--ipv4-only=false --cleanup=false --verbose=false", [false; 3]),
        ] {
            let args = parse(flags).unwrap();
            let is_verbose = args.common.level() == log::Level::Debug;
            assert_eq!([args.ipv4_only, args.cleanup, is_verbose], expected, "{flags}");
        }
        assert!(parse("--ipv4-only=maybe").unwrap_err().contains("--ipv4-only"));
        assert!(parse("--ipv4-only true").is_err());
    }

    #[test]
    fn an_empty_list_of_excluded_types_is_a_value() {
        use metalbond::wire::NextHopType::{LoadBalancerTarget, Nat, Standard};
        assert_eq!(parse("").unwrap().exclude_route_type.0, [Nat, LoadBalancerTarget]);
        assert_eq!(parse("--exclude-route-type=").unwrap().exclude_route_type.0, []);
        let args = parse("--exclude-route-type STD").unwrap();
        assert_eq!(args.exclude_route_type.0, [Standard]);
    }

    #[test]
    fn each_vni_has_a_table_of_its_own() {
        let tables = BTreeMap::from([(Vni(1), 100), (Vni(2), 200)]);
        let expected = Installation { device: "t".to_owned(), tables };
        assert_eq!(installed("--install-routes 1#100,2#200,1#100 --tun t"), Ok(Some(expected)));
        assert_eq!(installed("--tun t"), Ok(None));
        for (flags, words) in [
            ("--install-routes 1#100,2#100 --tun t", "VNI 1 and VNI 2 into table 100"),
            ("--install-routes 1#100,1#200 --tun t", "VNI 1 into table 100 and table 200"),
            ("--install-routes 1#100", "give --tun DEVICE"),
            ("--install-routes 1#100 --tun=", "give --tun DEVICE"),
        ] {
            let sentence = installed(flags).unwrap_err();
            assert!(sentence.contains(words), "{words:?} not in: {sentence}");
        }
    }
}
