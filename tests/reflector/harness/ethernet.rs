//! Two network namespaces and a cable of Ethernet's MTU between them: loopback's segments are forty
//! times larger than those that deployed clients get. Needs root.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use support::namespace::{self, at};

use super::{Client, Reflector, ReflectorConfig, Route, routes, start};

/// The address of the reflector's end.
pub(crate) const REFLECTOR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// See the module's documentation. Removed with what runs in it when dropped.
#[derive(Debug)]
pub(crate) struct Ethernet {
    reflector: String,
    client: String,
}

impl Ethernet {
    /// `None`, and the test is skipped, where it can't be had.
    pub(crate) fn new() -> Option<Self> {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let name = |end| format!("metalbond-{}-{serial}-{end}", std::process::id());
        let this = Self { reflector: name("r"), client: name("c") };
        let Self { reflector: r, client: c } = &this;
        let steps = [
            format!("netns add {r}"),
            format!("netns add {c}"),
            format!("link add eth0 netns {r} type veth peer name eth0 netns {c}"),
            format!("-n {r} address add {REFLECTOR}/24 dev eth0"),
            format!("-n {c} address add 192.0.2.2/24 dev eth0"),
            format!("-n {r} link set lo up"),
            format!("-n {r} link set eth0 up"),
            format!("-n {c} link set eth0 up"),
        ];
        if let Some(reason) = support::ip(&steps) {
            support::skip!(reason);
        }
        Some(this)
    }

    /// Runs something on a thread at the reflector's end; its sockets and threads stay there.
    pub(crate) fn at_reflector<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        at(&self.reflector, work)
    }

    /// The same at the client's end.
    pub(crate) fn at_client<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        at(&self.client, work)
    }

    /// From now on large packets to the client vanish, and nobody says so; `None` where that can't be
    /// done.
    pub(crate) fn swallow_at_client(&self) -> Option<BlackHole> {
        BlackHole::at(&self.client)
    }

    /// The same with packets to the reflector.
    pub(crate) fn swallow_at_reflector(&self) -> Option<BlackHole> {
        BlackHole::at(&self.reflector)
    }

    /// Starts a reflector at its end.
    pub(crate) fn start(&self, config: ReflectorConfig) -> (Reflector, SocketAddr) {
        let config = ReflectorConfig { listen: (REFLECTOR, 0).into(), ..config };
        self.at_reflector(|| start(&config))
    }

    /// A publisher at the reflector's end, and so many routes of VNI 1 that it has announced.
    pub(crate) fn publish(&self, address: SocketAddr, count: u32) -> (Client, Vec<Route>) {
        let mut publisher = self.at_reflector(|| Client::establish(address));
        let all = routes(1, 0..count, 1);
        publisher.announce_all(&all);
        publisher.keepalive();
        (publisher, all)
    }
}

impl Drop for Ethernet {
    fn drop(&mut self) {
        namespace::end(&[&self.reflector, &self.client]);
    }
}

/// Swallows large packets until it is dropped.
#[derive(Debug)]
pub(crate) struct BlackHole(String);

impl BlackHole {
    fn at(namespace: &str) -> Option<Self> {
        if let Some(missing) = support::missing(&["nft"]) {
            support::skip!(missing);
        }
        let rules = "table netdev hole { chain large { type filter hook ingress device eth0 \
                     priority 0; meta length > 600 drop; }; }";
        let added = nft(namespace, rules);
        if !added.status.success() {
            support::skip!(format!("nft: {}", String::from_utf8_lossy(&added.stderr)));
        }
        Some(Self(namespace.to_owned()))
    }
}

impl Drop for BlackHole {
    fn drop(&mut self) {
        nft(&self.0, "delete table netdev hole");
    }
}

fn nft(namespace: &str, rules: &str) -> std::process::Output {
    Command::new("ip").args(["netns", "exec", namespace, "nft", rules]).output().unwrap()
}
