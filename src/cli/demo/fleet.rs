//! Hypervisors, each with a leaf, and virtual machines that start, stop and move between them.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use metalbond::client::{Error, LeafConfig, MetalBond};
use metalbond::wire::{Destination, NextHop, Vni};
use tokio::time::{Instant, interval};

/// The networks of virtual machines.
pub(super) const NETWORKS: [Vni; 3] = [Vni(100), Vni(200), Vni(300)];
/// A network in which much changes all the time.
pub(super) const BUSY: Vni = Vni(400);
/// A route that is there most of the time, as `ctl explain` takes it.
pub(super) const EXAMPLE: &str = "100#10.0.1.1/32";

const HYPERVISORS: u16 = 6;
/// Virtual machines of each network.
const MACHINES: u8 = 8;
/// Routes of the busy network that change at once.
const BURST: u16 = 400;

/// Between two things that happen to virtual machines, two bursts, and two restarts.
const STEP: Duration = Duration::from_millis(900);
const BURSTS: Duration = Duration::from_millis(250);
const RESTARTS: Duration = Duration::from_secs(25);

struct Machine {
    vni: Vni,
    address: Ipv4Addr,
    /// The hypervisor on which it runs.
    host: Option<u16>,
}

impl Machine {
    fn destination(&self) -> io::Result<Destination> {
        Destination::new(IpAddr::V4(self.address), 32).map_err(io::Error::other)
    }
}

/// See the module's documentation.
pub(super) struct Fleet {
    server: SocketAddr,
    leaves: Vec<MetalBond>,
    machines: Vec<Machine>,
    /// Bursts so far.
    bursts: u16,
    chance: Chance,
}

/// The underlay address of a hypervisor.
fn underlay(host: u16) -> NextHop {
    NextHop::standard(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, host, 0, 0, 0, 1)))
}

fn name(host: u16) -> String {
    format!("hypervisor-{host}")
}

async fn leaf(server: SocketAddr, host: u16) -> Result<MetalBond, Error> {
    let leaf = MetalBond::start(LeafConfig { node: name(host), ..LeafConfig::default() });
    leaf.add_peer(server.to_string(), None).await?;
    for vni in NETWORKS {
        leaf.subscribe(vni).await?;
    }
    if host == 1 {
        leaf.subscribe(BUSY).await?;
    }
    Ok(leaf)
}

impl Fleet {
    /// Starts all hypervisors, with their virtual machines.
    pub(super) async fn start(server: SocketAddr) -> io::Result<Self> {
        let mut leaves = Vec::new();
        for host in 1..=HYPERVISORS {
            leaves.push(leaf(server, host).await.map_err(io::Error::other)?);
        }
        let machine = |vni: Vni, number: u8| Machine {
            vni,
            address: Ipv4Addr::new(10, 0, u8::try_from(vni.0 / 100).unwrap_or(0), number),
            host: None,
        };
        let machines =
            NETWORKS.iter().flat_map(|vni| (1..=MACHINES).map(move |n| machine(*vni, n)));
        let machines = machines.collect();
        let mut fleet = Self { server, leaves, machines, bursts: 0, chance: Chance::new() };
        for at in 0..fleet.machines.len() {
            let host = fleet.any_host();
            fleet.run_on(at, Some(host)).await?;
        }
        Ok(fleet)
    }

    /// Things happen, until something fails.
    pub(super) async fn live(&mut self) -> io::Error {
        loop {
            if let Err(error) = self.live_on().await {
                return error;
            }
        }
    }

    async fn live_on(&mut self) -> io::Result<()> {
        let (mut steps, mut bursts) = (interval(STEP), interval(BURSTS));
        let mut restarts = tokio::time::interval_at(Instant::now() + RESTARTS, RESTARTS);
        loop {
            tokio::select! {
                _ = steps.tick() => self.step().await?,
                _ = bursts.tick() => self.burst().await?,
                _ = restarts.tick() => self.restart().await?,
            }
        }
    }

    /// A virtual machine starts, stops or moves.
    async fn step(&mut self) -> io::Result<()> {
        let at = self.chance.below(self.machines.len());
        let before = self.machines[at].host;
        // The one of the example always runs.
        let may_stop = at != 0 && self.chance.below(4) == 0;
        let after = if before.is_some() && may_stop { None } else { Some(self.any_host()) };
        if before == after {
            return Ok(());
        }
        self.run_on(at, after).await?;
        let Machine { vni, address, .. } = self.machines[at];
        match (before, after) {
            (Some(from), Some(to)) => {
                println!("VM {address} of VNI {vni} moves from {} to {}", name(from), name(to));
            }
            (None, Some(on)) => println!("VM {address} of VNI {vni} starts on {}", name(on)),
            (Some(on), None) => println!("VM {address} of VNI {vni} stops on {}", name(on)),
            (None, None) => {}
        }
        Ok(())
    }

    /// Has a virtual machine run on a hypervisor, or nowhere.
    async fn run_on(&mut self, at: usize, host: Option<u16>) -> io::Result<()> {
        let machine = &mut self.machines[at];
        let (vni, destination) = (machine.vni, machine.destination()?);
        let before = std::mem::replace(&mut machine.host, host);
        if let Some(from) = before {
            let withdrawn = self.leaf(from).withdraw_route(vni, destination, underlay(from)).await;
            withdrawn.map_err(io::Error::other)?;
        }
        if let Some(to) = host {
            let announced = self.leaf(to).announce_route(vni, destination, underlay(to)).await;
            announced.map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// Many routes of the busy network come, or go again.
    async fn burst(&mut self) -> io::Result<()> {
        let comes = self.bursts.is_multiple_of(2);
        self.bursts = self.bursts.wrapping_add(1);
        let (host, leaf) = (HYPERVISORS, self.leaf(HYPERVISORS));
        for number in 0..BURST {
            let [high, low] = number.to_be_bytes();
            let address = IpAddr::V4(Ipv4Addr::new(10, 4, high, low));
            let to = Destination::new(address, 32).map_err(io::Error::other)?;
            let done = if comes {
                leaf.announce_route(BUSY, to, underlay(host)).await
            } else {
                leaf.withdraw_route(BUSY, to, underlay(host)).await
            };
            done.map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// A hypervisor's agent restarts, and announces again what runs there.
    async fn restart(&mut self) -> io::Result<()> {
        let host = 2 + u16::try_from(self.chance.below(usize::from(HYPERVISORS) - 2)).unwrap_or(0);
        println!("{} restarts", name(host));
        self.leaf(host).shutdown().await;
        let again = leaf(self.server, host).await.map_err(io::Error::other)?;
        self.leaves[usize::from(host) - 1] = again;
        for at in 0..self.machines.len() {
            if self.machines[at].host == Some(host) {
                self.machines[at].host = None;
                self.run_on(at, Some(host)).await?;
            }
        }
        Ok(())
    }

    fn leaf(&self, host: u16) -> &MetalBond {
        &self.leaves[usize::from(host) - 1]
    }

    fn any_host(&mut self) -> u16 {
        1 + u16::try_from(self.chance.below(usize::from(HYPERVISORS))).unwrap_or(0)
    }

    pub(super) async fn stop(self) {
        for leaf in self.leaves {
            leaf.shutdown().await;
        }
    }
}

/// Numbers that look random enough.
struct Chance {
    keys: RandomState,
    drawn: u64,
}

impl Chance {
    fn new() -> Self {
        Self { keys: RandomState::new(), drawn: 0 }
    }

    fn below(&mut self, end: usize) -> usize {
        self.drawn += 1;
        usize::try_from(self.keys.hash_one(self.drawn) % end as u64).unwrap_or(0)
    }
}
