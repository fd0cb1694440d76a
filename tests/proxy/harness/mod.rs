//! The parts from which the scripts are made: two reflectors, a proxy, and peers on both sides of it.

use std::net::{Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use metalbond::client::{Backoff, LeafConfig};
use metalbond::proxy::{Proxy, ProxyStatus};
use metalbond::reflector::{Reflector, ReflectorConfig, ShardConfig};
pub(crate) use support::client::{Client, Route, routes};
pub(crate) use support::go_client::GoClient;
pub(crate) use support::{PATIENCE, eventually};
use tokio::runtime::Runtime;

fn loopback(port: u16) -> ReflectorConfig {
    ReflectorConfig {
        listen: SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
        shards: Some(1),
        settings: ShardConfig { keepalive: 60, ..ShardConfig::default() },
        ..ReflectorConfig::default()
    }
}

/// A reflector that can die and come back at its place.
#[derive(Debug)]
pub(crate) struct Upstream {
    reflector: Option<Reflector>,
    pub(crate) address: SocketAddr,
}

impl Upstream {
    pub(crate) fn start() -> Self {
        let reflector = Reflector::start(&loopback(0)).unwrap();
        let address = reflector.listen_addr();
        Self { reflector: Some(reflector), address }
    }

    /// Its sessions end, and it forgets everything.
    pub(crate) fn die(&mut self) {
        self.reflector.take().unwrap().stop();
    }

    /// It is back, and a leaf has announced routes.
    pub(crate) fn come_back_with(&mut self, routes: &[Route]) -> Client {
        self.come_back();
        let mut session = Client::establish(self.address);
        session.announce_all(routes);
        session
    }

    pub(crate) fn come_back(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        self.reflector = loop {
            match Reflector::start(&loopback(self.address.port())) {
                Ok(reflector) => break Some(reflector),
                // Another program may have been lent the port meanwhile.
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        };
    }
}

/// A proxy in front of two reflectors.
#[derive(Debug)]
pub(crate) struct World {
    runtime: Runtime,
    proxy: Option<Proxy>,
    pub(crate) address: SocketAddr,
    pub(crate) upstreams: [Upstream; 2],
}

impl World {
    pub(crate) fn start() -> Self {
        Self::with_stale_time(Duration::from_secs(300))
    }

    pub(crate) fn with_stale_time(stale_time: Duration) -> Self {
        support::log_to_output();
        let upstreams = [Upstream::start(), Upstream::start()];
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build().unwrap();
        let (min, max) = (Duration::from_millis(10), Duration::from_millis(100));
        let leaf = LeafConfig {
            stale_time,
            node: "hypervisor".into(),
            // Some tables are larger than a leaf takes unless it is told to.
            max_routes: 0,
            max_routes_per_vni: 0,
            backoff: Backoff { min, max },
            ..LeafConfig::default()
        };
        let servers = [&upstreams[0], &upstreams[1]].map(|upstream| upstream.address.to_string());
        let proxy = runtime.block_on(async {
            let proxy = Proxy::start(&loopback(0), leaf).await.unwrap();
            for server in servers {
                proxy.leaf().add_peer(server, None).await.unwrap();
            }
            proxy
        });
        let address = proxy.listen_addr();
        Self { runtime, proxy: Some(proxy), address, upstreams }
    }

    pub(crate) fn proxy(&self) -> &Proxy {
        self.proxy.as_ref().unwrap()
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Waits until something is so of what goes through.
    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&ProxyStatus) -> bool) {
        eventually(what, || is_so(&self.proxy().status()));
    }

    /// Waits until the tables of a VNI have come from so many reflectors.
    pub(crate) fn until_in_sync(&self, vni: u32, servers: usize) {
        eventually("in sync", || {
            let statuses = self.runtime.block_on(self.proxy().leaf().vni_statuses(None, 100));
            let statuses = statuses.unwrap();
            statuses.iter().any(|status| status.vni.0 == vni && status.in_sync.len() == servers)
        });
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(proxy) = self.proxy.take() {
            self.runtime.block_on(proxy.stop());
        }
    }
}

/// A leaf elsewhere, with a session with each reflector.
#[derive(Debug)]
pub(crate) struct Elsewhere(pub(crate) [Option<Client>; 2]);

impl Elsewhere {
    pub(crate) fn connect(world: &World) -> Self {
        let session = |which: usize| Some(Client::establish(world.upstreams[which].address));
        Self([session(0), session(1)])
    }

    fn each(&mut self, act: impl FnMut(&mut Client)) {
        self.0.iter_mut().flatten().for_each(act);
    }

    pub(crate) fn subscribe(&mut self, vni: u32) {
        self.each(|session| session.subscribe(vni));
    }

    pub(crate) fn announce_all(&mut self, routes: &[Route]) {
        self.each(|session| session.announce_all(routes));
    }

    pub(crate) fn withdraw_all(&mut self, routes: &[Route]) {
        self.each(|session| session.withdraw_all(routes));
    }

    pub(crate) fn expect_view(&mut self, routes: &[Route]) {
        self.each(|session| session.expect_view(routes));
    }

    /// A reflector has died, and is back.
    pub(crate) fn come_back(&mut self, world: &World, which: usize) -> &mut Client {
        self.0[which].insert(Client::establish(world.upstreams[which].address))
    }
}
