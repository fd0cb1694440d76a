//! A client in a namespace, and how to wait for what it does.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use support::PATIENCE;
use tokio::runtime::Runtime;

use crate::dataplane::{NetworkClient as _, Route, RouteError};
use crate::netlink::testing::{Namespace, in_namespace};
use crate::netlink::{Mode, NetlinkClient, NetlinkConfig, Status};
use crate::wire::{Action, Destination, NextHop, Update, Vni};

pub(super) const DEVICE: &str = "tun0";
pub(super) const TABLE: u32 = 1100;

/// VNIs 100 and 200 have tables 1100 and 1200.
pub(super) fn config() -> NetlinkConfig {
    let tables = BTreeMap::from([(Vni(100), TABLE), (Vni(200), 1200)]);
    NetlinkConfig { device: DEVICE.to_owned(), tables, ..NetlinkConfig::default() }
}

pub(super) fn inline() -> NetlinkConfig {
    NetlinkConfig { mode: Mode::Inline, ..config() }
}

/// A client in a namespace with the device up.
pub(super) struct Leaf<'a> {
    pub(super) namespace: &'a Namespace,
    runtime: Runtime,
    client: Option<NetlinkClient>,
    config: NetlinkConfig,
}

/// Runs a test with a client in a namespace of its own.
pub(super) fn leaf(config: NetlinkConfig, test: impl FnOnce(&mut Leaf<'_>) + Send) {
    in_namespace(|namespace| {
        namespace.tunnel(DEVICE);
        let mut leaf = Leaf::new(namespace, config);
        test(&mut leaf);
    });
}

/// A route of VNI 100.
pub(super) fn route(destination: &str, hop: u16) -> Route {
    let (address, length) = destination.split_once('/').unwrap();
    let destination = Destination::new(address.parse().unwrap(), length.parse().unwrap()).unwrap();
    let hop: IpAddr = format!("2001:db8::{hop:x}").parse().unwrap();
    Route { vni: Vni(100), destination, next_hop: NextHop::standard(hop) }
}

impl<'a> Leaf<'a> {
    pub(super) fn new(namespace: &'a Namespace, config: NetlinkConfig) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = Some(NetlinkClient::start(config.clone()).unwrap());
        Self { namespace, runtime, client, config }
    }

    fn client(&mut self) -> (&Runtime, &mut NetlinkClient) {
        (&self.runtime, self.client.as_mut().unwrap())
    }

    pub(super) fn apply(&mut self, changes: &[Update]) -> Vec<Result<(), RouteError>> {
        let (runtime, client) = self.client();
        runtime.block_on(client.apply(changes))
    }

    /// Announces routes; all must be installed.
    pub(super) fn add(&mut self, routes: &[Route]) {
        for (result, route) in self.try_add(routes).into_iter().zip(routes) {
            result.unwrap_or_else(|error| panic!("{route}: {error}"));
        }
    }

    pub(super) fn try_add(&mut self, routes: &[Route]) -> Vec<Result<(), RouteError>> {
        let updates: Vec<_> = routes.iter().map(|route| route.update(Action::Add)).collect();
        self.apply(&updates)
    }

    pub(super) fn remove(&mut self, routes: &[Route]) {
        let updates: Vec<_> = routes.iter().map(|route| route.update(Action::Remove)).collect();
        assert!(self.apply(&updates).iter().all(Result::is_ok));
    }

    pub(super) fn complete(&mut self) {
        let (runtime, client) = self.client();
        for vni in [100, 200] {
            runtime.block_on(client.complete(Vni(vni)));
        }
    }

    pub(super) fn stop(&mut self) {
        let (runtime, client) = self.client();
        runtime.block_on(client.stop());
        self.client = None;
    }

    /// Ends the client and starts another.
    pub(super) fn restart(&mut self) {
        if self.client.is_some() {
            self.stop();
        }
        self.client = Some(NetlinkClient::start(self.config.clone()).unwrap());
    }

    /// Ends the client and starts one with another configuration.
    pub(super) fn reconfigure(&mut self, config: NetlinkConfig) {
        self.config = config;
        self.restart();
    }

    pub(super) fn status(&mut self) -> Status {
        let (_, client) = self.client();
        client.status().get().unwrap()
    }

    /// Own routes of VNI 100 as `ip` shows them, both families; destinations first.
    pub(super) fn routes(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for family in ["-4", "-6"] {
            // A table without routes does not exist.
            let words = format!("{family} -o route show table {TABLE} proto 254");
            let output = self.namespace.try_ip(&words);
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            lines.extend(text.lines().map(str::to_owned));
        }
        lines
    }

    pub(super) fn nexthops(&self) -> Vec<String> {
        self.namespace.ip("nexthop show").lines().map(str::to_owned).collect()
    }

    pub(super) fn until(&mut self, what: &str, holds: impl Fn(&mut Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds(self) {
            if Instant::now() > end {
                panic!(
                    "not {what}: {:?}\n{:?}\n{:?}",
                    self.status(),
                    self.routes(),
                    self.nexthops()
                );
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
