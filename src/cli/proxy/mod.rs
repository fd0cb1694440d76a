//! `metalbond proxy`.

mod run;
pub(super) mod settings;

use clap::{ArgMatches, FromArgMatches};
use metalbond::client::LeafConfig;
use metalbond::reflector::ReflectorConfig;
use tracing::warn;

use self::settings::{Agents, SETTINGS};
use super::common::{COMMON, Common};
use super::options::{Given, Wrong};
use super::reload::Running;
use super::security::{SECURITY, Security};
use super::upstream::{PROXY_SERVERS, UPSTREAM, Upstream};
use super::values::host_name;
use super::{log, role};

/// What a proxy is told.
#[derive(Debug)]
pub(super) struct Args {
    upstream: Upstream,
    security: Security,
    agents: Agents,
    common: Common,
}

impl clap::Args for Args {
    fn augment_args(command: clap::Command) -> clap::Command {
        role::PROXY.augment(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Args {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self {
            upstream: role::read(&[&PROXY_SERVERS, &UPSTREAM], matches),
            security: role::read(&[&SECURITY], matches),
            agents: role::read(&[&SETTINGS], matches),
            common: role::read(&[&COMMON], matches),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args {
    /// How agents are served.
    fn config(&self) -> ReflectorConfig {
        let mut config = self.agents.config.clone();
        config.settings.keepalive = self.upstream.keepalive;
        config.settings.node = host_name();
        config
    }

    /// How it behaves to reflectors.
    fn leaf(&self) -> LeafConfig {
        self.security.secure(self.upstream.leaf())
    }

    /// What no single option can tell to be wrong.
    pub(super) fn check(&self) -> Result<(), String> {
        self.security.check()?;
        let listen = self.agents.config.listen;
        let is_self = |server: &&String| server.parse().is_ok_and(|server| listen == server);
        if let Some(server) = self.upstream.server.iter().find(is_self) {
            return Err(format!(
                "--server {server} is where the proxy listens itself (--listen): give the address of a \
                 reflector"
            ));
        }
        self.config().check().map_err(|error| error.to_string())
    }

    /// What is allowed and probably a mistake.
    pub(super) fn remarks(&self) -> Vec<String> {
        let listen = self.agents.config.listen;
        let remark = || {
            format!(
                "--listen {listen} is not an address of the loopback: any host that can connect to it can announce routes \
                 in this host's name; give [::1]:4711 unless the network in between keeps others out"
            )
        };
        (!listen.ip().is_loopback()).then(remark).into_iter().collect()
    }
}

/// Runs the proxy until SIGINT or SIGTERM.
pub(super) fn run(given: Given) -> Result<(), Wrong> {
    let options = given.read()?;
    let args: Args = options.args()?;
    args.check()?;
    let log = log::start(args.common.log_format, args.common.level())?;
    for remark in options.remarks.iter().chain(&args.remarks()) {
        warn!("check the configuration: {remark}");
    }
    Ok(run::run(&args, Running::new(given, options.effective, log))?)
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command};

    use super::*;

    fn parse(flags: &str) -> Args {
        let words = ["proxy"].into_iter().chain(flags.split_ascii_whitespace());
        let matches = Args::augment_args(Command::new("proxy")).try_get_matches_from(words);
        Args::from_arg_matches(&matches.unwrap()).unwrap()
    }

    #[test]
    fn agents_connect_by_the_loopback_and_servers_are_elsewhere() {
        let args = parse("--server rr1 --keepalive 3");
        let config = args.config();
        assert_eq!(
            (config.listen.to_string().as_str(), config.settings.keepalive),
            ("[::1]:4711", 3)
        );
        assert_eq!((args.check(), args.remarks().len()), (Ok(()), 0));
        let itself = parse("--server rr1,[::1]:4711").check().unwrap_err();
        assert!(
            itself.contains("--server [::1]:4711 is where the proxy listens itself"),
            "{itself}"
        );
        let open = parse("--server rr1 --listen [::]:4711").remarks();
        assert!(
            open[0].contains("--listen [::]:4711 is not an address of the loopback"),
            "{open:?}"
        );
    }
}
