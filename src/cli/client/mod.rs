//! `metalbond client`.

mod installation;
mod live;
#[cfg(all(feature = "netlink", target_os = "linux", not(metalbond_portable)))]
mod reports;
mod run;
pub(super) mod settings;
pub(super) mod spec;

use std::net::IpAddr;

use clap::{ArgMatches, FromArgMatches};
use metalbond::admin::HttpGuard;
use metalbond::client::LeafConfig;
use tracing::warn;

use self::installation::{Installation, installation};
use self::live::Live;
use self::settings::{ClientSettings, SETTINGS};
use self::spec::Announcement;
use super::common::{COMMON, Common};
use super::options::{Given, Options, Wrong};
use super::reload::Running;
use super::security::{SECURITY, Security};
use super::upstream::{LEAF_SERVERS, UPSTREAM, Upstream};
use super::{log, role};

/// What a leaf is told.
#[derive(Debug)]
pub(super) struct Args {
    upstream: Upstream,
    settings: ClientSettings,
    security: Security,
    common: Common,
}

impl clap::Args for Args {
    fn augment_args(command: clap::Command) -> clap::Command {
        role::CLIENT.augment(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Args {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self {
            upstream: role::read(&[&LEAF_SERVERS, &UPSTREAM], matches),
            security: role::read(&[&SECURITY], matches),
            settings: role::read(&[&SETTINGS], matches),
            common: role::read(&[&COMMON], matches),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args {
    /// How the leaf behaves.
    fn leaf(&self) -> LeafConfig {
        self.security.secure(self.upstream.leaf())
    }

    /// What no single option can tell to be wrong.
    pub(super) fn check(&self) -> Result<(), String> {
        self.security.check()?;
        self.installation().map(|_| ())
    }

    /// What is allowed and probably a mistake.
    pub(super) fn remarks(&self) -> Vec<String> {
        let remark = |announcement: &Announcement| {
            let route = &announcement.route;
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
        let announced = &self.settings.announce;
        let unread = announced.iter().filter_map(|announcement| {
            let (route, ignored) = (&announcement.route, announcement.ignored.as_ref()?);
            Some(format!("--announce: route {route}: {ignored}"))
        });
        let installed = self.installation().ok().flatten();
        let installed = installed.iter().flat_map(Installation::remarks);
        let alone = self.upstream.server.is_empty().then(|| {
            "no server is given (--server): the leaf waits for one, and learns and announces nothing".to_owned()
        });
        announced.iter().filter_map(remark).chain(unread).chain(installed).chain(alone).collect()
    }

    fn installation(&self) -> Result<Option<Installation>, String> {
        installation(&self.settings.install_routes, self.settings.tun.as_deref())
    }

    #[cfg(test)]
    pub(super) fn server(&self) -> &[String] {
        &self.upstream.server
    }

    #[cfg(test)]
    pub(super) fn ipv4_only(&self) -> bool {
        self.settings.ipv4_only
    }
}

/// Runs the leaf until SIGINT or SIGTERM.
pub(super) fn run(given: Given) -> Result<(), Wrong> {
    let options = given.read()?;
    let args: Args = options.args()?;
    args.security.check()?;
    let installation = args.installation()?;
    let log = log::start(args.common.log_format, args.common.level())?;
    for remark in options.remarks.iter().chain(&args.remarks()) {
        warn!("check the configuration: {remark}");
    }
    let guard = guard(&args.settings)?;
    let mut running = Running::new(given, options.effective, log);
    let reload = async |live: &mut Live| {
        let apply = async |options: &Options| {
            let args: Args = options.args().map_err(Wrong::sentences)?;
            args.check().map_err(|sentence| vec![sentence])?;
            let tables = live.check(&args).map_err(|sentence| vec![sentence])?;
            let renewed = guard.renew(&args.settings.http_rules);
            renewed.map_err(|error| vec![format!("--http-token-file: {error}")])?;
            live.apply(&args, tables).await;
            for remark in args.remarks() {
                warn!("check the configuration: {remark}");
            }
            Ok(args.common.level())
        };
        running.reload(apply).await;
    };
    Ok(run::run(args.leaf(), &args.upstream, &args.settings, installation, guard.clone(), reload)?)
}

/// Who may ask over HTTP.
fn guard(settings: &ClientSettings) -> Result<HttpGuard, String> {
    HttpGuard::new(&settings.http_rules).map_err(|error| format!("--http-token-file: {error}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::{Args as _, Command};
    use metalbond::wire::Vni;

    use super::*;

    fn parse(flags: &str) -> Result<Args, String> {
        let words = ["client", "--server", "rr1"].into_iter().chain(flags.split_ascii_whitespace());
        let matches = Args::augment_args(Command::new("client")).try_get_matches_from(words);
        matches
            .and_then(|matches| Args::from_arg_matches(&matches))
            .map_err(|error| error.to_string())
    }

    fn installed(flags: &str) -> Result<Option<Installation>, String> {
        let args = parse(flags).unwrap();
        args.installation()
    }

    #[test]
    fn flags_are_taken_as_the_reference_takes_them() {
        let args = parse(
            "--server=rr2:4712,rr3 --subscribe 1,2 --subscribe 3 --install-routes 1#100,2#200 \
             --announce 1#10.0.0.0/8#::1,2#10.0.0.0/8#::1#NAT#1#2 --announce=3#::/0#::1#LB \
             --tun overlay-tun --keepalive 3 --http [::1]:4712 -v",
        );
        let args = args.unwrap();
        assert_eq!(args.upstream.server, ["rr1:4711", "rr2:4712", "rr3:4711"]);
        assert_eq!(args.settings.subscribe, [Vni(1), Vni(2), Vni(3)]);
        assert_eq!(args.settings.announce.len(), 3);
        assert_eq!(args.settings.install_routes.len(), 2);
        assert_eq!(args.settings.tun.as_deref(), Some("overlay-tun"));
        assert_eq!((args.upstream.keepalive, args.common.level()), (3, log::Level::Debug));
        assert_eq!(args.settings.http, Some("[::1]:4712".parse().unwrap()));
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
            assert_eq!(
                [args.settings.ipv4_only, args.settings.cleanup, is_verbose],
                expected,
                "{flags}"
            );
        }
        assert!(parse("--ipv4-only=maybe").unwrap_err().contains("--ipv4-only"));
        assert!(parse("--ipv4-only true").is_err());
    }

    #[test]
    fn an_empty_list_of_excluded_types_is_a_value() {
        use metalbond::wire::NextHopType::{LoadBalancerTarget, Nat, Standard};
        assert_eq!(parse("").unwrap().settings.exclude_route_type.0, [Nat, LoadBalancerTarget]);
        assert_eq!(parse("--exclude-route-type=").unwrap().settings.exclude_route_type.0, []);
        let args = parse("--exclude-route-type STD").unwrap();
        assert_eq!(args.settings.exclude_route_type.0, [Standard]);
    }

    #[test]
    fn a_vni_has_one_table_and_a_table_any_number_of_vnis() {
        let tables = BTreeMap::from([(Vni(1), 100), (Vni(2), 200)]);
        let expected = Installation { device: "t".to_owned(), tables };
        assert_eq!(installed("--install-routes 1#100,2#200,1#100 --tun t"), Ok(Some(expected)));
        let none_yet = Installation { device: "t".to_owned(), tables: BTreeMap::new() };
        assert_eq!((installed("--tun t"), installed("")), (Ok(Some(none_yet)), Ok(None)));
        let remarks = parse("--install-routes 1#100,2#100,3#0 --tun t").unwrap().remarks();
        assert_eq!(remarks.len(), 2, "{remarks:?}");
        assert!(remarks[0].contains("puts the VNIs 1, 2 into table 100"), "{remarks:?}");
        assert!(
            remarks[1].contains("into table 254, which is the host's own (main)"),
            "{remarks:?}"
        );
        for (flags, words) in [
            ("--install-routes 1#100,1#200 --tun t", "VNI 1 into table 100 and table 200"),
            ("--install-routes 1#100", "give --tun DEVICE"),
            ("--install-routes 1#100 --tun=", "give --tun DEVICE"),
        ] {
            let sentence = installed(flags).unwrap_err();
            assert!(sentence.contains(words), "{words:?} not in: {sentence}");
        }
    }
}
